//! The order of operations: what a plan's steps wait for.

use super::{Action, Plan, Step};
use crate::Address;
use std::collections::{BTreeMap, BTreeSet};

/// The part of a step that an operation is: a replacement has more than one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Delete or forget it; of one that is created first, the old self.
    Destroy,
    /// Create, update or keep it, until it is ready.
    Ensure,
    /// The moment in between at which it exists, though it may not be ready. Nothing to run; others
    /// wait for it.
    Exist,
}

/// One operation of an apply.
pub type Operation = (Address, Phase);

/// The operations of a plan, each with those that it waits for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Operations(pub BTreeMap<Operation, BTreeSet<Operation>>);

/// Whether its present self, or an old one, is destroyed. Of one that is blocked, nothing is.
fn destroys(step: &Step) -> bool {
    if step.blocked.is_some() {
        return false;
    }
    let present = matches!(step.action, Action::Delete | Action::Forget | Action::Replace);
    present || !step.deposed.is_empty()
}

fn ensures(step: &Step) -> bool {
    step.blocked.is_some() || !matches!(step.action, Action::Delete | Action::Forget)
}

/// Whether what is destroyed of it is destroyed after all else: nothing may use an old self any more.
fn destroys_last(step: &Step) -> bool {
    destroys(step) && ensures(step) && (step.creates_first() || step.action != Action::Replace)
}

/// Whether a step waits for another to be ensured, however indirectly.
fn needs(plan: &Plan, step: Address, other: Address) -> bool {
    let (mut left, mut seen) = (vec![step], BTreeSet::new());
    while let Some(step) = left.pop().and_then(|address| plan.steps.get(&address)) {
        if step.dependencies.contains(&other) {
            return true;
        }
        left.extend(step.dependencies.iter().filter(|address| seen.insert(**address)));
    }
    false
}

impl Operations {
    /// - Ensuring waits for what it depends on to be ensured, or only to exist where that is enough, and
    ///   for its own old self to be destroyed, unless that goes last.
    /// - Destroying waits for everything that depended on it to be destroyed, or to have let go of it.
    pub fn of(plan: &Plan) -> Self {
        let step = |address: &Address| plan.steps.get(address);
        let ensured = |address: &Address| step(address).is_some_and(ensures);
        let destroyed = |address: &Address| step(address).is_some_and(destroys);
        let mut operations: BTreeMap<Operation, BTreeSet<Operation>> = BTreeMap::new();
        for step in plan.steps.values() {
            for (phase, on) in [(Phase::Destroy, destroys(step)), (Phase::Ensure, ensures(step))] {
                if on {
                    operations.insert((step.address, phase), BTreeSet::new());
                }
            }
        }
        let mut wait = |operation: Operation, on: Operation| {
            operations.entry(operation).or_default().insert(on);
        };
        for (address, step) in &plan.steps {
            let (destroy, ensure) = ((*address, Phase::Destroy), (*address, Phase::Ensure));
            if step.blocked.is_some() {
                // It fails at once, and what it may stand on stays.
                for dependency in step.dependencies.iter().filter(|d| destroyed(d)) {
                    wait((*dependency, Phase::Destroy), ensure);
                }
                continue;
            }
            if ensures(step) {
                for dependency in step.dependencies.iter().filter(|d| ensured(d)) {
                    let early = step.early.contains(dependency);
                    wait(ensure, (*dependency, if early { Phase::Exist } else { Phase::Ensure }));
                    if plan.steps.get(dependency).is_some_and(destroys_last) {
                        wait((*dependency, Phase::Destroy), ensure);
                    }
                }
                match destroys_last(step) {
                    true => wait(destroy, ensure),
                    false if destroys(step) => wait(ensure, destroy),
                    false => {}
                }
            }
            // What it depended on, by its record: that outlives its old self.
            let recorded = step.recorded.iter().chain(&step.deposed);
            for dependency in recorded.flat_map(|record| &record.dependencies) {
                if dependency == address || !destroyed(dependency) {
                    continue;
                }
                // An old self whose step doesn't create first any more would wait for what waits for it.
                let knot = destroys_last(step)
                    && !step.options.create_before_destroy
                    && ensured(dependency)
                    && !plan.steps.get(dependency).is_some_and(destroys_last);
                if knot {
                    continue;
                }
                if destroys(step) {
                    wait((*dependency, Phase::Destroy), destroy);
                } else if !ensured(dependency) || !needs(plan, *address, *dependency) {
                    // A kept or updated one lets go of a deleted dependency, and of a replaced one that it
                    // has no more to do with; one that it needs is destroyed before, since the update
                    // needs its new self.
                    wait((*dependency, Phase::Destroy), ensure);
                }
            }
        }
        Self(operations)
    }
}
