//! The plan: what would be done, and everything needed to do it. A pure function of desired, recorded
//! and observed.

mod approval;
mod diff;
mod error;
mod moves;
mod order;
mod planner;
mod saved;
mod scope;

pub use approval::{Approval, ApprovalError, Unapproved};
pub use diff::{Change, Versions, diff};
pub use error::PlanError;
pub use moves::moves;
pub use order::{Operation, Operations, Phase};
pub use planner::plan;
pub(crate) use planner::{generation, physical_name};
pub use saved::{SAVED_FORMAT, SavedError, SavedPlan};
pub use scope::Scope;

use crate::{Address, Data, Expr, Observation, Options, Record, Source};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The version of the plan's JSON form that this program writes and reads.
pub const PLAN_FORMAT: u32 = 1;

/// What a run would do to a stack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub format: u32,
    pub stack: String,
    /// The state that the plan starts from; apply refuses any other.
    pub lineage: String,
    pub serial: u64,
    /// Resources that have a new address: new by old.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub moves: BTreeMap<Address, Address>,
    pub steps: BTreeMap<Address, Step>,
    pub exports: BTreeMap<String, Expr>,
    /// What the stack uses of others, and the values used.
    pub imports: BTreeMap<String, BTreeMap<String, Data>>,
    /// Whether every resource of the stack is covered; exports only move on with the whole.
    pub whole: bool,
    /// Requests made to read what exists.
    pub requests: usize,
}

/// What would be done to one resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub address: Address,
    pub kind: String,
    pub action: Action,
    /// Why it is created again, replaced, deleted or forgotten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// What its author would want to know of what is wanted, though it can be done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
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
    /// What it is reached through isn't known before an earlier wave of the same apply is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub later: Option<String>,
    /// Why nothing may be done to it: nobody knows whether an earlier run created it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<String>,
    /// The resources of this stack that come first.
    pub dependencies: BTreeSet<Address>,
    /// Those of them that only have to exist: what is used of them is known before they are ready.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub early: BTreeSet<Address>,
    /// Old selves that are deleted once nothing uses them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deposed: Vec<Record>,
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
    /// Out of the plan's scope: not compared, not touched, its record stays.
    Leave,
    Create,
    Update,
    /// Deleted and created anew; in the other order where its options say so.
    Replace,
    Delete,
    /// Taken out of the state, not deleted: it is retained, or gone already.
    Forget,
}

impl Action {
    /// Whether it does anything.
    pub fn is_change(self) -> bool {
        !matches!(self, Self::Keep | Self::Leave)
    }
}

impl Step {
    /// Whether it does anything, old selves included.
    pub fn is_change(&self) -> bool {
        self.action.is_change() || !self.deposed.is_empty() || self.blocked.is_some()
    }

    /// Whether the new one is made before the old one goes.
    pub fn creates_first(&self) -> bool {
        self.action == Action::Replace && self.options.create_before_destroy
    }
}

impl Plan {
    pub fn has_changes(&self) -> bool {
        !self.moves.is_empty() || self.changes().next().is_some()
    }

    /// The steps that do something.
    pub fn changes(&self) -> impl Iterator<Item = &Step> {
        self.steps.values().filter(|step| step.is_change())
    }

    pub fn count(&self, action: Action) -> usize {
        self.steps.values().filter(|step| step.action == action).count()
    }

    /// The stateful resources that this plan deletes or replaces.
    pub fn needs_consent(&self) -> impl Iterator<Item = Address> {
        self.steps.values().filter(|step| step.needs_consent).map(|step| step.address)
    }

    /// Whether everything is decided now; steps that are reached through something that doesn't exist
    /// yet are decided in a later wave of the same apply.
    pub fn is_complete(&self) -> bool {
        self.steps.values().all(|step| step.later.is_none())
    }
}
