//! Everything that a file of stacks needs: `use formwork::prelude::*;`.

pub use crate::{StackDefinition, StackError, read_environment};
pub use formwork_aws::{self as aws, ec2, ecr, eks, elasticache, iam, rds, secretsmanager};
pub use formwork_engine::{
    Arn, Draft, Handle, Id, IntoValue, Lifecycle, Output, Secret, Stack, Value, each, exports,
    json_text, list, map, secret_text, text,
};
pub use formwork_kubernetes as kube;
pub use formwork_postgres as postgres;
