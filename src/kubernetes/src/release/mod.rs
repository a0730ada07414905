//! Releases of an App: each apply is a revision, kept in the cluster beside what it applied.
//!
//! A revision is a ConfigMap with the App's labels: the whole input packed ([`Revision::inputs`]), its
//! status and what a person asks of it as annotations. Secrets are in it as references and versions;
//! where an overlay itself holds the text of a Secret, the packed input is in a Secret of the same name.
//! [`begin`] makes one before the first object is applied, [`settle`] writes down what became of it,
//! and [`Lease`] lets one deploy at a time at an App.
//!
//! Invariant: what a kept revision refers to (generations of ConfigMaps and Secrets) isn't pruned.

mod generation;
mod history;
mod lease;
mod pack;
mod provenance;
mod restore;
mod revision;
mod schema_range;

pub(crate) use generation::Generation;
pub use history::{begin, find, history, last_good, newest, settle};
pub(crate) use history::{begin_draft, drop_old};
pub(crate) use lease::Sightings;
pub use lease::{Holder, LASTS, Lease, RENEWALS};
pub use pack::{LARGEST, LARGEST_UNPACKED};
pub use provenance::stamp;
pub use restore::restored;
pub(crate) use revision::{Draft, Summary};
pub use revision::{LONGEST_REASON, Revision, Status, diff};
pub use schema_range::SchemaRange;

use crate::cluster::Connection;
use formwork_engine::{Failure, Subject};

/// Deletes everything that is kept of an App's releases.
pub(crate) async fn forget(cluster: &Connection, subject: &Subject) -> Result<(), Failure> {
    history::forget(cluster, subject).await?;
    lease::forget(cluster, subject).await
}

/// Revisions kept where the App doesn't say.
pub const KEPT: u16 = 10;
/// The most that an App may ask to keep: each is listed at every apply.
pub const MOST_KEPT: u16 = 100;
