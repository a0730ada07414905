//! Why a stack can't be planned.

use crate::{Address, Failure, GraphError};

/// Why a stack can't be planned. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("these resources are protected, and the plan would delete or replace them: {}", list(.0))]
    Protected(Vec<Address>),
    #[error(
        "these were rebuilt from what exists, nobody confirmed them, and the plan would delete or replace them: {}", list(.0)
    )]
    Unconfirmed(Vec<Address>),
    #[error("stack `{stack}` imports from `{from}`, which exports no `{export}`")]
    MissingExport { stack: String, from: String, export: String },
    #[error("stack `{stack}` imports from `{from}`, which has no state")]
    MissingStack { stack: String, from: String },
    #[error("`{export}` of stack `{stack}` can't go: {} imports it", users.join(", "))]
    ExportInUse { stack: String, export: String, users: Vec<String> },
    #[error("{place}`{address}`: {failure}")]
    Fields { place: String, address: Address, failure: Failure },
    #[error("{place}`{address}`: a secret would end up in the plain field `{field}`")]
    SecretInPlain { place: String, address: Address, field: String },
    #[error("`{address}` is of kind `{kind}` in the state, which this program doesn't know")]
    UnknownKind { address: Address, kind: String },
    #[error("`{address}` is neither in the stack `{stack}` nor in its state")]
    Unknown { address: Address, stack: String },
    #[error("{place}`{address}` can't take over `{id}`: {why}")]
    Adopt { place: String, address: Address, id: String, why: String },
    #[error(
        "{place}`{address}` can't be created before its old self goes: both would be called `{name}`"
    )]
    SameName { place: String, address: Address, name: String },
    #[error(transparent)]
    Graph(#[from] GraphError),
}

impl PlanError {
    /// The next step.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Protected(_) => Some(
                "take the protection off first, by an apply of its own: `.protect(false)` in the stack".into(),
            ),
            Self::Unconfirmed(addresses) => addresses.first().map(|address| {
                format!("look at them, then `formwork state confirm {}`", address.stack())
            }),
            Self::MissingExport { from, .. } | Self::MissingStack { from, .. } => {
                Some(format!("apply the stack `{from}` first"))
            }
            Self::ExportInUse { users, .. } => {
                Some(format!("destroy or change these stacks first: {}", users.join(", ")))
            }
            Self::SecretInPlain { .. } => Some("give it to a field that takes a secret".into()),
            Self::Fields { failure, .. } => failure.hint.clone(),
            Self::UnknownKind { .. } => Some("use the program that made it".into()),
            Self::Unknown { stack, .. } => Some(format!(
                "`formwork plan` and `formwork state list {stack}` show what there is"
            )),
            Self::Adopt { .. } => Some(
                "look at what is there and write the stack to match it, or let formwork create one".into(),
            ),
            Self::SameName { .. } => {
                Some("give it another name, or leave `create_before_destroy` away".into())
            }
            Self::Graph(_) => None,
        }
    }
}

fn list(addresses: &[Address]) -> String {
    addresses.iter().map(|a| format!("`{a}`")).collect::<Vec<_>>().join(", ")
}
