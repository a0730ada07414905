//! The order of operations: what a plan's steps wait for.

use super::{Action, Plan};
use crate::Address;
use std::collections::{BTreeMap, BTreeSet};

/// The half of a step that an operation is: a replacement has both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Delete or forget it.
    Destroy,
    /// Create, update or keep it.
    Ensure,
}

/// One operation of an apply.
pub type Operation = (Address, Phase);

/// The operations of a plan, each with those that it waits for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Operations(pub BTreeMap<Operation, BTreeSet<Operation>>);

impl Operations {
    /// - Ensuring waits for what it depends on to be ensured, and for its own old self to be destroyed.
    /// - Destroying waits for everything that depended on it to be destroyed, or to have let go of it.
    pub fn of(plan: &Plan) -> Self {
        let mut operations: BTreeMap<Operation, BTreeSet<Operation>> = BTreeMap::new();
        for step in plan.steps.values() {
            if matches!(step.action, Action::Delete | Action::Forget | Action::Replace) {
                operations.insert((step.address, Phase::Destroy), BTreeSet::new());
            }
            if !matches!(step.action, Action::Delete | Action::Forget) {
                operations.insert((step.address, Phase::Ensure), BTreeSet::new());
            }
        }
        let all: BTreeSet<Operation> = operations.keys().copied().collect();
        for step in plan.steps.values() {
            let (ensure, destroy) = ((step.address, Phase::Ensure), (step.address, Phase::Destroy));
            if let Some(waits) = operations.get_mut(&ensure) {
                let dependencies = step.dependencies.iter().map(|d| (*d, Phase::Ensure));
                waits.extend(dependencies.chain([destroy]).filter(|op| all.contains(op)));
            }
            // What it depended on, by its record: that outlives its old self.
            let recorded = step.recorded.iter().flat_map(|record| &record.dependencies);
            for dependency in recorded.filter(|d| all.contains(&(**d, Phase::Destroy))) {
                let gone_first = if all.contains(&destroy) { destroy } else { ensure };
                // A kept or updated one lets go of a deleted dependency; a replaced dependency
                // is destroyed before, since the update needs its new self.
                let replaced = all.contains(&(*dependency, Phase::Ensure));
                if gone_first == destroy || !replaced {
                    operations.entry((*dependency, Phase::Destroy)).or_default().insert(gone_first);
                }
            }
        }
        Self(operations)
    }
}
