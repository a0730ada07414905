//! The plan: what would be done, and everything needed to do it. A pure function of desired, recorded
//! and observed.

mod diff;
mod order;
mod planner;

pub use diff::{Change, Versions, diff};
pub use order::{Operation, Operations, Phase};
pub(crate) use planner::physical_name;
pub use planner::plan;

use crate::{Address, Data, Expr, Observation, Options, Record, Source};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The version of the plan's JSON form that this program writes and reads.
pub const PLAN_FORMAT: u32 = 1;

/// What a run would do to a stack.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub format: u32,
    pub stack: String,
    /// The state that the plan starts from; apply refuses any other.
    pub lineage: String,
    pub serial: u64,
    pub steps: BTreeMap<Address, Step>,
    pub exports: BTreeMap<String, Expr>,
    /// What the stack uses of others, and the values used.
    pub imports: BTreeMap<String, BTreeMap<String, Data>>,
    /// Requests made to read what exists.
    pub requests: usize,
}

/// What would be done to one resource.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub address: Address,
    pub kind: String,
    pub action: Action,
    /// Why it is created again, replaced, deleted or forgotten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    pub changes: Vec<Change>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    #[serde(default)]
    pub options: Options,
    pub binding: Expr,
    /// The fields, to be evaluated when it is this step's turn.
    pub fields: BTreeMap<String, Expr>,
    /// The fields as far as they are known now, expanded; what is done must equal it.
    pub planned: Data,
    /// The outputs as far as they are known now.
    pub outputs: BTreeMap<String, Data>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Record>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Observation>,
    /// Why it couldn't be read, where it couldn't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_observed: Option<String>,
    /// The resources of this stack that come first.
    pub dependencies: BTreeSet<Address>,
    /// Doing it loses data: it must be consented to by address.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub needs_consent: bool,
}

/// What is done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is as wanted.
    Keep,
    Create,
    Update,
    /// Deleted and created anew.
    Replace,
    Delete,
    /// Taken out of the state, not deleted: it is retained, or gone already.
    Forget,
}

impl Plan {
    pub fn has_changes(&self) -> bool {
        self.changes().next().is_some()
    }

    /// The steps that do something.
    pub fn changes(&self) -> impl Iterator<Item = &Step> {
        self.steps.values().filter(|step| step.action != Action::Keep)
    }

    pub fn count(&self, action: Action) -> usize {
        self.steps.values().filter(|step| step.action == action).count()
    }

    /// The stateful resources that this plan deletes or replaces.
    pub fn needs_consent(&self) -> impl Iterator<Item = Address> {
        self.steps.values().filter(|step| step.needs_consent).map(|step| step.address)
    }
}

/// Why a stack can't be planned.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("these resources are protected, and the plan would delete or replace them: {}", list(.0))]
    Protected(Vec<Address>),
    #[error("stack `{stack}` imports from `{from}`, which exports no `{export}`")]
    MissingExport { stack: String, from: String, export: String },
    #[error("stack `{stack}` imports from `{from}`, which has no state")]
    MissingStack { stack: String, from: String },
    #[error("`{export}` of stack `{stack}` can't go: {} imports it", users.join(", "))]
    ExportInUse { stack: String, export: String, users: Vec<String> },
    #[error("{place}`{address}`: {failure}")]
    Fields { place: String, address: Address, failure: crate::Failure },
    #[error("{place}`{address}`: a secret would end up in the plain field `{field}`")]
    SecretInPlain { place: String, address: Address, field: String },
    #[error("`{address}` is of kind `{kind}` in the state, which this program doesn't know")]
    UnknownKind { address: Address, kind: String },
    #[error(transparent)]
    Graph(#[from] crate::GraphError),
}

impl PlanError {
    /// The next step.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Protected(_) => Some(
                "take the protection off first, by an apply of its own: `.protect(false)` in the stack".into(),
            ),
            Self::MissingExport { from, .. } | Self::MissingStack { from, .. } => {
                Some(format!("apply the stack `{from}` first"))
            }
            Self::ExportInUse { users, .. } => {
                Some(format!("destroy or change these stacks first: {}", users.join(", ")))
            }
            Self::SecretInPlain { .. } => Some("give it to a field that takes a secret".into()),
            Self::Fields { failure, .. } => failure.hint.clone(),
            Self::UnknownKind { .. } => Some("use the program that made it".into()),
            Self::Graph(_) => None,
        }
    }
}

fn list(addresses: &[Address]) -> String {
    addresses.iter().map(|a| format!("`{a}`")).collect::<Vec<_>>().join(", ")
}
