//! What an apply tells while it runs.

use crate::{Address, Failure, Progress, plan::Action};

/// Something that happened while a plan was carried out.
#[derive(Clone, Debug)]
pub enum Event {
    Started {
        address: Address,
        action: Action,
    },
    /// The service is still at work, in its own words.
    Waiting {
        address: Address,
        status: String,
    },
    /// How far a change that is followed has come.
    Progress {
        address: Address,
        progress: Progress,
    },
    /// It is clear that a change won't come up: what was seen of it, before anything is undone.
    Evidence {
        address: Address,
        evidence: String,
    },
    Finished {
        address: Address,
        action: Action,
    },
    /// It exists, but not as planned: what the service reports differs from what was asked.
    Differs {
        address: Address,
        paths: Vec<String>,
    },
    Failed {
        address: Address,
        failure: Failure,
    },
    /// Not begun, since something that it waits for failed, or by a stop.
    Skipped {
        address: Address,
    },
}

/// Takes events as they happen.
pub trait Reporter: Send + Sync {
    fn report(&self, event: Event);
}

/// Tells nobody.
pub struct Quiet;

impl Reporter for Quiet {
    fn report(&self, _: Event) {}
}
