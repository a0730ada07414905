//! AWS resources: one file per resource, its calls and their IAM actions beside each other.
//!
//! [`register`] adds every kind of this crate to a program; [`Target`] says which account and region
//! a stack is for. A resource file holds the properties, the outputs, the calls with what IAM checks
//! on them ([`Call`]), and how the resource is read, made, changed and deleted.

mod bucket;
mod call;
mod cloud;
mod each;
mod kms;
mod named;
mod secrets;
mod tags;
mod target;
mod version;
mod words;

pub mod ec2;
pub mod ecr;
pub mod eks;
pub mod elasticache;
pub mod iam;
pub mod rds;
pub mod secretsmanager;

pub use bucket::{Bucket, open as open_bucket};
pub use call::{Call, CallLog, Condition, Declared, Permission, Service};
pub use cloud::{Aws, Setup};
pub use kms::KmsKey;
pub use secrets::SecretsManager;
pub use target::Target;

use formwork_engine::{Registry, Schema};

/// Lists the kinds of this crate, once: to register them, and to go through their calls.
macro_rules! kinds {
    ($($Kind:ty),* $(,)?) => {
        /// Adds every kind of this crate to a program.
        pub fn register(registry: &mut Registry, setup: Setup) {
            registry.cloud::<Aws>(setup)$(.add::<$Kind>())*;
        }

        /// Every kind with every call that it makes.
        pub fn all_calls() -> Vec<(&'static Schema, Vec<Call>)> {
            vec![$((<$Kind as formwork_engine::Resource>::SCHEMA, <$Kind as Declared>::calls())),*]
        }
    };
}

/// The calls that connecting makes, whatever the kinds.
pub fn connection_calls() -> &'static [Call] {
    cloud::CALLS
}

/// The calls that fetching texts of secrets makes, whatever the kinds that need them.
pub fn secret_calls() -> &'static [Call] {
    secrets::CALLS
}

/// The calls that locking and unlocking the key of a sealed state makes.
pub fn state_calls() -> &'static [Call] {
    kms::CALLS
}

kinds! {
    ec2::Vpc,
    ec2::Subnet,
    ec2::InternetGateway,
    ec2::ElasticIp,
    ec2::NatGateway,
    ec2::RouteTable,
    ec2::SecurityGroup,
    ecr::Repository,
    eks::Cluster,
    eks::NodeGroup,
    eks::Addon,
    eks::AccessEntry,
    eks::PodIdentityAssociation,
    elasticache::ReplicationGroup,
    elasticache::SubnetGroup,
    iam::OidcProvider,
    iam::Role,
    rds::Instance,
    rds::ParameterGroup,
    rds::SubnetGroup,
    secretsmanager::Secret,
}
