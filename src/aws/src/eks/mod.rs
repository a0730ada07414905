//! Amazon EKS: clusters, their nodes, add-ons, and who may use them.

mod access_entry;
mod addon;
mod cluster;
mod node_group;
mod pod_identity;
mod tags;
mod token;

pub use access_entry::{
    AccessEntry, AccessEntryOutputs, AccessEntryOutputsRefs, AccessPolicy, EntryType,
};
pub use addon::{Addon, AddonOutputs, AddonOutputsRefs, Conflicts};
pub use cluster::{AutoMode, Cluster, ClusterOutputs, ClusterOutputsRefs, LogKind, Support};
pub use node_group::{
    Capacity, NodeGroup, NodeGroupOutputs, NodeGroupOutputsRefs, Taint, TaintEffect,
};
pub use pod_identity::{
    PodIdentityAssociation, PodIdentityAssociationOutputs, PodIdentityAssociationOutputsRefs,
};
pub use token::{Token, cluster_token, token};
