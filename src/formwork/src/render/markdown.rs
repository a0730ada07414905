//! Plans as Markdown, for a comment on a pull request.

use super::words::{change, counts, sign, verb};
use formwork_engine::plan::Plan;
use std::fmt::Write as _;

/// Longest comment that GitHub takes is 65,536 characters; the rest is left out with a word of it.
const LONGEST: usize = 60_000;

pub(crate) fn markdown(plan: &Plan) -> String {
    let mut out = format!("### `{}`: {}\n", plan.stack, counts(plan));
    let consent: Vec<String> = plan.needs_consent().map(|a| format!("`{a}`")).collect();
    if !consent.is_empty() {
        let _ = write!(out, "\n> **Loses data**, and needs consent: {}\n", consent.join(", "));
    }
    for (i, step) in plan.changes().enumerate() {
        let mut block =
            format!("\n<details><summary>{} <code>{}</code>", verb(step.action), step.address);
        let _ = write!(block, " {}</summary>\n\n```diff\n", escape(&step.kind));
        for reason in &step.reasons {
            let _ = writeln!(block, "# because {}", fenced(reason));
        }
        for line in &step.changes {
            let _ = writeln!(block, "{} {}", sign(step.action), fenced(&change(line)));
        }
        for remark in &step.remarks {
            let _ = writeln!(block, "! {}", fenced(remark));
        }
        block.push_str("```\n");
        if let Some(source) = &step.source {
            let _ = write!(block, "\n{source}\n");
        }
        block.push_str("</details>\n");
        if out.len() + block.len() > LONGEST {
            let left = plan.changes().count() - i;
            let _ = write!(out, "\n{left} more changes don't fit into this comment.\n");
            break;
        }
        out.push_str(&block);
    }
    out
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A line inside a fence: no line break and no fence of its own.
pub(super) fn fenced(text: &str) -> String {
    text.replace('\n', "⏎").replace("```", "`\u{200b}``")
}
