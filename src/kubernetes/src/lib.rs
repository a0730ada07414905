//! Kubernetes resources: a kustomize overlay applied, pruned and awaited as one unit.
//!
//! [`Cluster`] says how a cluster is reached, [`App`] is the resource, [`register`] adds it to a program.

mod api;
mod app;
mod cluster;
pub mod release;
pub mod rollout;

pub use api::{FIELD_MANAGER, MAX_PAGES, PAGE, PARALLEL_CALLS};
pub use app::{
    App, AppObserved, AppOutputs, AppOutputsRefs, Check, Manifest, RELEASED, Rollout, back_to,
};
pub use cluster::{
    CONNECT_TIMEOUT, Cluster, ClusterTokens, Connection, Eks, KubeconfigFile, READ_TIMEOUT,
    TOKEN_MARGIN, Token, openapi,
};

use formwork_engine::Registry;
use std::sync::Arc;

/// Adds the kinds of this crate to a program; tokens for EKS clusters come from `tokens`.
pub fn register(registry: &mut Registry, tokens: Arc<dyn ClusterTokens>) {
    registry.cloud::<Connection>(tokens).add::<App>();
}
