//! Plans and outcomes as plain text, for terminals and logs.

use super::words::{change, counts, sign, verb};
use formwork_engine::{
    apply::Outcome,
    plan::{Action, Change, Plan, Step},
};
use std::fmt::Write as _;

pub(crate) fn text(plan: &Plan) -> String {
    let mut out = String::new();
    for (old, new) in &plan.moves {
        // Writing to a string has no way to fail.
        let _ = writeln!(out, "> move {old} to {new}");
    }
    for step in plan.changes() {
        out.push_str(&one(step));
        out.push('\n');
    }
    for step in plan.steps.values() {
        if let Some(why) = &step.not_observed {
            let _ = writeln!(out, "? {}: not observed: {why}", step.address);
        }
    }
    for step in plan.steps.values().filter(|step| step.action == Action::Leave) {
        for line in &step.changes {
            // Shown from here to there: what was written, and what is there now.
            let seen =
                Change { before: line.after.clone(), after: line.before.clone(), ..line.clone() };
            let _ = writeln!(out, "! {}: {}", step.address, change(&seen));
        }
    }
    let later: Vec<&Step> = plan.steps.values().filter(|step| step.later.is_some()).collect();
    if !later.is_empty() {
        let _ = writeln!(
            out,
            "decided in a later wave of the same apply, once its way there is known:"
        );
    }
    for step in later {
        let _ =
            writeln!(out, "    {} through {}", step.address, step.later.as_deref().unwrap_or(""));
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
    if let Some(of) = step.options.canary_of {
        let _ = write!(out, "\n    for a while, before {of} is changed");
    }
    for reason in &step.reasons {
        let _ = write!(out, "\n    because {reason}");
    }
    if step.blocked.is_some() {
        out.push_str("\n    held back: it and what depends on it aren't begun");
    }
    for remark in &step.remarks {
        let _ = write!(out, "\n    warning: {remark}");
    }
    if step.creates_first() {
        out.push_str("\n    the new one is created before the old one is deleted");
    }
    for old in &step.deposed {
        let _ = write!(out, "\n    deletes its old self {}", old.id);
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
