//! Amazon Elastic Container Registry: repositories of container images.

mod lifecycle;
mod repository;

pub use lifecycle::{Expire, expire_untagged, keep_last, lifecycle};
pub use repository::{Encryption, Repository, RepositoryOutputs, RepositoryOutputsRefs, login};
