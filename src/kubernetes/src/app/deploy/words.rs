//! A deploy's progress in the engine's words.

use crate::rollout;
use formwork_engine::{Part, Progress};

/// Reasons that a verdict names; the others are counted, and are in the evidence.
const NAMED: usize = 3;

/// A workload's progress in the engine's words.
pub fn told(progress: rollout::Progress) -> Progress {
    let workload = match progress {
        rollout::Progress::Workload(workload) => workload,
        rollout::Progress::Message { text } => return said(text),
    };
    let count = |number: i64| u32::try_from(number).unwrap_or_default();
    let part = Part {
        name: workload.object,
        done: workload.state == rollout::WorkloadState::Up,
        desired: count(workload.desired),
        updated: count(workload.updated),
        ready: count(workload.ready),
        restarts: count(workload.restarts),
        reason: workload.reason,
    };
    Progress { parts: vec![part], message: None }
}

pub fn said(message: String) -> Progress {
    Progress { parts: vec![], message: Some(message) }
}

/// The first reasons by name, and how many more there are.
pub fn named(reasons: impl ExactSizeIterator<Item = String>) -> String {
    let more = reasons.len().saturating_sub(NAMED);
    let named: Vec<String> = reasons.take(NAMED).collect();
    match more {
        0 => named.join("; "),
        more => format!("{}; and {more} more", named.join("; ")),
    }
}
