//! End-to-end tests: the whole program against the local cloud.
//!
//! [`rehearse`] plays the main job from an empty account to an empty account, through the `formwork`
//! command alone, and looks at the result with other clients: `psql`, `kubectl`, boto3.

mod clients;
mod environment;
pub mod kill;
mod rehearsal;
mod steps;

pub use rehearsal::{Rehearsal, Tally, rehearse, state};
pub use steps::images;
