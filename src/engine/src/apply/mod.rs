//! Apply: carrying a plan out, as parallel as its order allows, each changing call journaled.

mod events;
mod patience;
mod step;

pub use events::{Event, Quiet, Reporter};
pub use patience::Patience;

use crate::{
    Address, Data, Failure, KnownOutputs, Registry, State, StateError, Symbol,
    plan::{Action, Operation, Operations, Phase, Plan},
    state::{Journal, LocalStore},
};
use futures::{StreamExt as _, stream::FuturesUnordered};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        RwLock,
        atomic::{AtomicBool, Ordering},
    },
};
use step::{Context, Done};

/// Operations under way at the same time, unless told otherwise.
pub const PARALLELISM: usize = 10;

/// How a plan is carried out.
pub struct Options<'a> {
    pub parallelism: usize,
    /// The stateful resources whose deletion or replacement is consented to.
    pub consent: BTreeSet<Address>,
    pub patience: Patience,
    pub reporter: &'a dyn Reporter,
    /// Set from outside: what is under way is finished, nothing new is begun.
    pub stop: &'a AtomicBool,
}

/// Why a plan isn't carried out at all. Nothing was called.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error(
        "the plan is stale: it starts from serial {planned} of the state, which is at {actual}"
    )]
    Stale { planned: u64, actual: u64 },
    #[error("the plan is for another state: lineage {planned}, not {actual}")]
    Lineage { planned: String, actual: String },
    #[error(
        "this would lose data, and nobody consented: {}",
        .0.iter().map(|a| format!("`{a}`")).collect::<Vec<_>>().join(", ")
    )]
    Consent(Vec<Address>),
    #[error(transparent)]
    State(#[from] StateError),
}

impl ApplyError {
    /// The next step.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Stale { .. } | Self::Lineage { .. } => Some("plan again".into()),
            Self::Consent(addresses) => Some(format!(
                "name them to consent: {}",
                addresses.iter().map(|a| format!("--consent {a}")).collect::<Vec<_>>().join(" ")
            )),
            Self::State(error) => error.hint(),
        }
    }
}

/// A step that failed.
#[derive(Debug)]
pub struct Failed {
    pub address: Address,
    pub doing: &'static str,
    pub failure: Failure,
}

/// How an apply ended. The state is written whatever failed.
#[derive(Debug)]
pub struct Outcome {
    pub state: State,
    pub done: BTreeMap<Address, Action>,
    pub failed: Vec<Failed>,
    /// Steps that weren't begun, since something that they wait for failed, or by a stop.
    pub skipped: Vec<Address>,
}

impl Outcome {
    pub fn succeeded(&self) -> bool {
        self.failed.is_empty() && self.skipped.is_empty()
    }
}

/// What is known of outputs while a plan is carried out.
pub(crate) struct Values<'a> {
    plan: &'a Plan,
    of_nodes: RwLock<BTreeMap<Address, BTreeMap<String, Data>>>,
}

impl Values<'_> {
    fn set(&self, address: Address, outputs: BTreeMap<String, Data>) {
        // A panic can't leave the map half changed: an insert is all that is ever done to it.
        let mut known = self.of_nodes.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.insert(address, outputs);
    }
}

impl KnownOutputs for Values<'_> {
    fn output(&self, node: Address, output: Symbol) -> Data {
        let known = self.of_nodes.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let value = if node.is_exports() {
            self.plan.imports.get(node.stack()).and_then(|exports| exports.get(output.as_str()))
        } else {
            known.get(&node).and_then(|outputs| outputs.get(output.as_str()))
        };
        value.cloned().unwrap_or_else(|| Data::unknown(node, output))
    }
}

/// Carries out a plan on the state that it was made from. The caller holds the stack's lock.
///
/// In order: refuse what is stale or lacks consent; begin the journal; run the operations, each as
/// soon as what it waits for is done; write the state; clear the journal.
pub async fn apply(
    plan: &Plan,
    mut state: State,
    registry: &Registry,
    store: &LocalStore,
    options: &Options<'_>,
) -> Result<Outcome, ApplyError> {
    check(plan, &state, options)?;
    let before = state.clone();
    let journal = Journal::begin(store, &state).await?;
    let values = Values { plan, of_nodes: RwLock::default() };
    let context = Context {
        registry,
        journal: journal.clone(),
        lineage: &state.lineage.clone(),
        values: &values,
        reporter: options.reporter,
        patience: &options.patience,
    };
    let mut run = Run {
        waiting: Operations::of(plan).0,
        outcome: Outcome {
            state: before.clone(),
            done: BTreeMap::new(),
            failed: vec![],
            skipped: vec![],
        },
    };
    run.drive(plan, &context, options).await;
    let Run { outcome: Outcome { state: applied, done, failed, skipped }, .. } = run;
    state.resources = applied.resources;
    state.open = applied.open;
    if failed.is_empty() && skipped.is_empty() {
        let exports = plan.exports.iter().map(|(name, expr)| (name.clone(), expr.eval(&values)));
        state.exports = exports.filter(|(_, value)| value.is_known()).collect();
        let used = plan.imports.iter();
        state.imports =
            used.map(|(from, values)| (from.clone(), values.keys().cloned().collect())).collect();
    }
    if state != before {
        state.serial += 1;
        store.write(&state)?;
    }
    store.clear_journal(&state.stack, journal.run())?;
    Ok(Outcome { state, done, failed, skipped })
}

fn check(plan: &Plan, state: &State, options: &Options<'_>) -> Result<(), ApplyError> {
    if plan.lineage != state.lineage {
        let (planned, actual) = (plan.lineage.clone(), state.lineage.clone());
        return Err(ApplyError::Lineage { planned, actual });
    }
    if plan.serial != state.serial {
        return Err(ApplyError::Stale { planned: plan.serial, actual: state.serial });
    }
    let missing: Vec<Address> =
        plan.needs_consent().filter(|address| !options.consent.contains(address)).collect();
    if missing.is_empty() { Ok(()) } else { Err(ApplyError::Consent(missing)) }
}

/// The operations that are left, and what became of the others.
struct Run {
    waiting: BTreeMap<Operation, BTreeSet<Operation>>,
    outcome: Outcome,
}

impl Run {
    async fn drive(&mut self, plan: &Plan, context: &Context<'_>, options: &Options<'_>) {
        let mut under_way = FuturesUnordered::new();
        loop {
            let stopped = options.stop.load(Ordering::Relaxed);
            while !stopped && under_way.len() < options.parallelism.max(1) {
                let Some(operation) = self.next() else { break };
                self.waiting.remove(&operation);
                let step = &plan.steps[&operation.0];
                under_way.push(async move { (operation, context.run(step, operation.1).await) });
            }
            let Some((operation, result)) = under_way.next().await else { break };
            self.finish(plan, context, operation, result);
        }
        let left: BTreeSet<Address> = self.waiting.keys().map(|(address, _)| *address).collect();
        for address in left {
            context.reporter.report(Event::Skipped { address });
            self.outcome.skipped.push(address);
        }
    }

    /// An operation that waits for nothing.
    fn next(&self) -> Option<Operation> {
        self.waiting.iter().find(|(_, waits)| waits.is_empty()).map(|(operation, _)| *operation)
    }

    fn finish(
        &mut self,
        plan: &Plan,
        context: &Context<'_>,
        operation: Operation,
        result: step::Result,
    ) {
        let (address, phase) = operation;
        let action = plan.steps[&address].action;
        let resources = &mut self.outcome.state.resources;
        match result {
            Ok(Done::Exists(record)) => {
                context.values.set(address, record.outputs.clone());
                resources.insert(address, *record);
            }
            Ok(Done::Gone) => drop(resources.remove(&address)),
            Err(step::Error { failure, doing, left, open }) => {
                if let Some(record) = left {
                    resources.insert(address, *record);
                }
                self.outcome.state.open.extend(open.map(|intent| *intent));
                context.reporter.report(Event::Failed { address, failure: failure.clone() });
                self.outcome.failed.push(Failed { address, doing, failure });
                return;
            }
        }
        let whole = phase == Phase::Ensure || action != Action::Replace;
        if whole && action != Action::Keep {
            self.outcome.done.insert(address, action);
        }
        for waits in self.waiting.values_mut() {
            waits.remove(&operation);
        }
    }
}
