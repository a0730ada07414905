//! Following a change that goes through in parts: how far it is, and how it ended.

use serde::Serialize;

/// How far a change has come, part by part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    pub parts: Vec<Part>,
}

/// One part of a change, such as a Deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Its kind and name.
    pub name: String,
    /// Whether it is through.
    pub done: bool,
    /// Instances wanted.
    pub desired: u32,
    /// Instances that have the change.
    pub updated: u32,
    /// Of these, those that are ready.
    pub ready: u32,
    /// How often their containers began anew.
    pub restarts: u32,
    /// What it waits for, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How a change that was followed ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Followed {
    /// All of it is up.
    Ready,
    /// It is clear that some of it won't come up.
    Hopeless {
        /// What, and the reason.
        why: String,
        /// What was seen, for people: the last lines of logs, events, conditions.
        evidence: String,
    },
}
