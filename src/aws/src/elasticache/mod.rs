//! Amazon ElastiCache: caches that speak the Redis protocol, and the subnets that they are placed in.

mod replication_group;
mod subnet_group;
mod tags;

pub use replication_group::{
    Engine, ReplicationGroup, ReplicationGroupOutputs, ReplicationGroupOutputsRefs,
    TransitEncryption,
};
pub use subnet_group::{SubnetGroup, SubnetGroupOutputs, SubnetGroupOutputsRefs};
