//! Plans and outcomes as plain text, for terminals and logs.

use super::words::{change, counts, sign, verb};
use formwork_engine::{
    apply::Outcome,
    plan::{Action, Plan, Step},
};
use std::fmt::Write as _;

pub(crate) fn text(plan: &Plan) -> String {
    let mut out = String::new();
    for step in plan.changes() {
        out.push_str(&one(step));
        out.push('\n');
    }
    for step in plan.steps.values() {
        if let Some(why) = &step.not_observed {
            // Writing to a string has no way to fail.
            let _ = writeln!(out, "? {}: not observed: {why}", step.address);
        }
    }
    let _ = write!(out, "{}: {}", plan.stack, counts(plan));
    let _ = write!(out, " ({} resources, {} reads)", plan.steps.len(), plan.requests);
    let consent: Vec<String> = plan.needs_consent().map(|a| format!("--consent {a}")).collect();
    if !consent.is_empty() {
        let _ = write!(out, "\nthis loses data, and needs: {}", consent.join(" "));
    }
    out
}

fn one(step: &Step) -> String {
    let mut out =
        format!("{} {} {} ({})", sign(step.action), verb(step.action), step.address, step.kind);
    if let Some(source) = &step.source {
        let _ = write!(out, "  {source}");
    }
    for reason in &step.reasons {
        let _ = write!(out, "\n    because {reason}");
    }
    if step.action != Action::Forget {
        for line in &step.changes {
            let _ = write!(out, "\n    {}", change(line));
        }
    }
    out
}

pub(crate) fn outcome(plan: &Plan, outcome: &Outcome) -> String {
    let mut out = String::new();
    for failed in &outcome.failed {
        let _ = writeln!(out, "{} failed ({}): {}", failed.address, failed.doing, failed.failure);
        if let Some(hint) = &failed.failure.hint {
            let _ = writeln!(out, "    {hint}");
        }
    }
    let done = outcome.done.len();
    let _ = match (outcome.failed.len(), outcome.skipped.len()) {
        (0, 0) if done == 0 => write!(out, "{}: nothing to do", plan.stack),
        (0, 0) => write!(out, "{}: {done} done", plan.stack),
        (failed, skipped) => {
            write!(out, "{}: {done} done, {failed} failed, {skipped} not begun", plan.stack)
        }
    };
    out
}
