//! Rollouts: whether what a deploy changed comes up, and if not, why.
//!
//! [`follow`] watches a namespace and judges the new pods of the changed workloads; [`evidence`] gathers
//! what there is to see of what went wrong, before anything is put back. The judge is pure: objects and
//! time in, progress and verdict out.

mod evidence;
mod feed;
mod follow;
mod judge;
mod target;
mod verdict;
mod world;

pub(crate) use evidence::printable;
pub use evidence::{Evidence, Exhibit, Log, evidence};
pub use follow::{MAX_AWAY, follow};
pub use judge::MAX_FOLLOWED;
pub(crate) use target::Touched;
pub use target::{Target, Tolerance, WorkloadKind};
pub use verdict::{
    Progress, Reason, ReasonKind, Superseded, Verdict, WorkloadProgress, WorkloadState,
};
