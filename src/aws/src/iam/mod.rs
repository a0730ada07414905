//! AWS Identity and Access Management: roles, what they may do, and who may take them on.

mod oidc_provider;
mod operator;
mod read;
mod role;
mod statement;
mod tags;

pub use oidc_provider::{
    GITHUB_ISSUER, OidcProvider, OidcProviderOutputs, OidcProviderOutputsRefs,
};
pub use operator::Operator;
pub use role::{Role, RoleOutputs, RoleOutputsRefs};
pub use statement::{Condition, Grant, Trust};
