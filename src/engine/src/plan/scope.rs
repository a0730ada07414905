//! Scope: which part of a stack a plan covers, and what it is told beyond the stack.

use super::PlanError;
use crate::{Address, Graph, State};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What a run was told beyond the stack itself. Empty: the whole stack, as it is written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scope {
    /// Only these and what they need; everything where it is empty.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub target: BTreeSet<Address>,
    /// Of the targets only themselves, without what they need.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub alone: bool,
    /// Not these, nor what needs them.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub exclude: BTreeSet<Address>,
    /// Replaced, although nothing forces it.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub replace: BTreeSet<Address>,
    /// Existing things to take over, by their identifiers.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub adopt: BTreeMap<Address, String>,
    /// With canaries: what they try out changes after they are well.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub canaries: bool,
    /// Change nothing; only take what was read into the state.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub refresh_only: bool,
}

impl Scope {
    /// Whether every resource of the stack is covered.
    pub fn is_whole(&self) -> bool {
        self.target.is_empty() && self.exclude.is_empty() && !self.refresh_only
    }

    /// Whether a canary tries out what changes of a resource: it must be asked for, and the resource be there.
    pub(crate) fn tries_out(&self, of: Address, state: &State) -> bool {
        self.canaries && state.resources.contains_key(&of)
    }

    /// An address that is neither in the stack nor in its state is a slip of the pen.
    pub(crate) fn check(&self, graph: &Graph, state: &State) -> Result<(), PlanError> {
        let known: BTreeSet<Address> = graph
            .nodes
            .iter()
            .map(|node| node.address)
            .chain(state.resources.keys().copied())
            .collect();
        let named = self.target.iter().chain(&self.exclude).chain(&self.replace);
        let unknown = named.chain(self.adopt.keys()).find(|address| !known.contains(address));
        match unknown {
            None => Ok(()),
            Some(address) => {
                let (address, stack) = (*address, graph.stack.clone());
                Err(PlanError::Unknown { address, stack })
            }
        }
    }

    /// What is to be taken over, by the run or by the stack, where the state has nothing yet.
    pub fn adoptions(&self, graph: &Graph, state: &State) -> BTreeMap<Address, String> {
        let of_stack = graph
            .nodes
            .iter()
            .filter_map(|node| node.options.adopt.as_ref().map(|id| (node.address, id.clone())));
        let of_run = self.adopt.iter().map(|(address, id)| (*address, id.clone()));
        let all = of_stack.chain(of_run);
        all.filter(|(address, _)| !state.resources.contains_key(address)).collect()
    }

    /// What the plan may touch; `None` is everything.
    pub(super) fn covered(&self, graph: &Graph, state: &State) -> Option<BTreeSet<Address>> {
        if self.target.is_empty() && self.exclude.is_empty() {
            return None;
        }
        let links = Links::of(graph, state);
        let all = links.all.iter().copied();
        let mut covered = match self.target.is_empty() {
            true => all.collect(),
            false if self.alone => self.target.clone(),
            false => closure(&self.target, |address| links.needed_with(address)),
        };
        for left_out in closure(&self.exclude, |address| links.left_with(address)) {
            covered.remove(&left_out);
        }
        Some(covered)
    }
}

/// Who needs whom, by the stack and by the state.
struct Links {
    all: BTreeSet<Address>,
    leaving: BTreeSet<Address>,
    needs: BTreeMap<Address, BTreeSet<Address>>,
    needed_by: BTreeMap<Address, BTreeSet<Address>>,
    recorded_needs: BTreeMap<Address, BTreeSet<Address>>,
    recorded_needed_by: BTreeMap<Address, BTreeSet<Address>>,
}

impl Links {
    fn of(graph: &Graph, state: &State) -> Self {
        let wanted: BTreeSet<Address> = graph.nodes.iter().map(|node| node.address).collect();
        let recorded = state.resources.keys().copied();
        let leaving = recorded.clone().filter(|address| !wanted.contains(address)).collect();
        let needs = graph.nodes.iter().map(|node| (node.address, node.dependencies())).collect();
        let recorded_needs =
            state.resources.iter().map(|(address, record)| (*address, record.dependencies.clone()));
        let recorded_needs = recorded_needs.collect();
        Self {
            all: wanted.into_iter().chain(recorded).collect(),
            leaving,
            needed_by: reversed(&needs),
            recorded_needed_by: reversed(&recorded_needs),
            needs,
            recorded_needs,
        }
    }

    /// A target comes with what it needs; one that leaves, with what has to let go of it first.
    fn needed_with(&self, address: Address) -> Vec<Address> {
        let of = match self.leaving.contains(&address) {
            true => &self.recorded_needed_by,
            false => &self.needs,
        };
        of.get(&address).into_iter().flatten().copied().filter(|a| self.all.contains(a)).collect()
    }

    /// What is left out leaves out what needs it; one that leaves keeps what it stands on.
    fn left_with(&self, address: Address) -> Vec<Address> {
        let dependents = self.needed_by.get(&address).into_iter().flatten().copied();
        let grounds = self.recorded_needs.get(&address).into_iter().flatten().copied();
        dependents.chain(grounds.filter(|ground| self.leaving.contains(ground))).collect()
    }
}

fn reversed(links: &BTreeMap<Address, BTreeSet<Address>>) -> BTreeMap<Address, BTreeSet<Address>> {
    let mut reversed: BTreeMap<Address, BTreeSet<Address>> = BTreeMap::new();
    for (from, to) in links.iter().flat_map(|(from, all)| all.iter().map(move |to| (*from, *to))) {
        reversed.entry(to).or_default().insert(from);
    }
    reversed
}

fn closure(start: &BTreeSet<Address>, next: impl Fn(Address) -> Vec<Address>) -> BTreeSet<Address> {
    let mut found = start.clone();
    let mut left: Vec<Address> = start.iter().copied().collect();
    while let Some(address) = left.pop() {
        left.extend(next(address).into_iter().filter(|address| found.insert(*address)));
    }
    found
}
