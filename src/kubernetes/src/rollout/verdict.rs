//! What is told of a rollout: progress on the way, a verdict at its end.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How a rollout ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// All of it is up.
    Healthy {
        /// What isn't to be waited for, in words: a paused Deployment, a suspended Job.
        notes: Vec<String>,
    },
    /// Some of it won't come up.
    Bad { reasons: Vec<Reason> },
    /// Somebody changed or deleted workloads in the middle; the others are up. It would be their
    /// change that is judged, and put back.
    Superseded { by: Vec<Superseded> },
}

/// A workload that is no longer what the deploy made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Superseded {
    /// Such as `Deployment/server`.
    pub object: String,
    pub message: String,
}

/// Why a workload won't come up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Such as `Deployment/server`.
    pub object: String,
    pub pod: Option<String>,
    pub container: Option<String>,
    pub kind: ReasonKind,
    pub message: String,
    /// When it began (RFC 3339): by the cluster's clock where the status says it, else by ours.
    pub since: String,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.object)?;
        if let Some(pod) = &self.pod {
            write!(f, ", pod {pod}")?;
        }
        if let Some(container) = &self.container {
            write!(f, ", container {container}")?;
        }
        write!(f, ": {}: {}", self.kind, self.message)
    }
}

/// Kinds of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasonKind {
    /// A container starts and ends, again and again.
    CrashLoop,
    /// A container can't be started: no such program, no right to run it.
    Start,
    /// The image can't be had.
    ImagePull,
    /// A ConfigMap, a Secret, or a key in one isn't there.
    Config,
    /// A volume can't be mounted.
    Mount,
    /// No node takes the pod.
    Unschedulable,
    /// The node can't set the pod up: no address left, no sandbox.
    Node,
    /// A readiness, liveness or startup probe fails.
    Probe,
    /// A container needs more memory than its limit.
    OutOfMemory,
    /// The API server refuses the pods: a quota, an admission policy.
    Refused,
    /// No Pod Identity credentials, though the service account is to have them.
    Credentials,
    /// A Job has failed by its own rules.
    JobFailed,
    /// A pod that nobody replaces has failed.
    PodFailed,
    /// The cluster's controllers don't act on the change.
    Controller,
    /// No progress for as long as is allowed.
    Deadline,
}

impl fmt::Display for ReasonKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CrashLoop => "crash loop",
            Self::Start => "can't be started",
            Self::ImagePull => "image can't be pulled",
            Self::Config => "bad configuration",
            Self::Mount => "volume can't be mounted",
            Self::Unschedulable => "unschedulable",
            Self::Node => "node can't run it",
            Self::Probe => "probe fails",
            Self::OutOfMemory => "out of memory",
            Self::Refused => "refused",
            Self::Credentials => "no credentials",
            Self::JobFailed => "Job failed",
            Self::PodFailed => "Pod failed",
            Self::Controller => "controllers are silent",
            Self::Deadline => "no progress",
        })
    }
}

/// What happens on the way; a live view and JSON events are made from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "progress", rename_all = "snake_case")]
pub enum Progress {
    /// A workload as it is now; told whenever it differs from what was told last.
    Workload(WorkloadProgress),
    /// A word about all of it: the API server doesn't answer, a pod is made anew.
    Message { text: String },
}

/// A workload on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkloadProgress {
    /// Such as `Deployment/server`.
    pub object: String,
    /// Pods that are wanted; for a Job, completions.
    pub desired: i64,
    /// Pods of the new revision.
    pub updated: i64,
    /// Pods of the new revision that are up; for a Job, that have succeeded.
    pub ready: i64,
    /// Restarts of containers in pods of the new revision, since the deploy began.
    pub restarts: i64,
    pub state: WorkloadState,
    /// The current reason: why it isn't up yet, or what stands in the way.
    pub reason: Option<String>,
}

/// Where a workload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkloadState {
    /// On its way.
    Waiting,
    /// On its way, with trouble that may heal.
    Troubled,
    Up,
    /// It won't come up.
    Bad,
    /// Somebody else's by now.
    Superseded,
}
