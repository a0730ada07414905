//! Apply: carrying a plan out, as parallel as its order allows, each changing call journaled.

mod compare;
mod events;
mod patience;
mod step;

pub use events::{Event, Quiet, Reporter};
pub use patience::Patience;

use crate::{
    Address, Data, Failure, FailureKind, KnownOutputs, Registry, State, StateError, Symbol,
    plan::{Action, Operation, Operations, Phase, Plan},
    state::{Entry, Hold, Journal, Store},
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
use tokio::sync::{Semaphore, mpsc};

/// Calls under way at the same time, unless told otherwise.
pub const PARALLELISM: usize = 10;
/// Operations begun at the same time. More than calls: those that wait for a call to become possible, or for
/// a resource to become ready, hold up no others, and their journal entries become durable together.
pub const AHEAD: usize = 128;

/// How a plan is carried out.
pub struct Options<'a> {
    /// Calls under way at the same time.
    pub parallelism: usize,
    /// The stateful resources whose deletion or replacement is consented to.
    pub consent: BTreeSet<Address>,
    pub patience: Patience,
    pub reporter: &'a dyn Reporter,
    /// What holds the stack; no call is begun that could outlive it.
    pub hold: &'a Hold,
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

/// Carries a plan out on the state that it was made from. The caller holds the stack's lock.
///
/// In order: refuse what is stale or lacks consent; begin the journal; move what has a new address; run
/// the operations, each as soon as what it waits for is done; write the state; clear the journal.
pub async fn apply(
    plan: &Plan,
    state: State,
    registry: &Registry,
    store: &Store,
    options: &Options<'_>,
) -> Result<Outcome, ApplyError> {
    check(plan, &state, options)?;
    let before = state.clone();
    let journal = Journal::begin(store, &state).await?;
    let values = Values { plan, of_nodes: RwLock::default() };
    let (released, releases) = mpsc::unbounded_channel();
    let context = Context {
        registry,
        journal: journal.clone(),
        lineage: &before.lineage,
        values: &values,
        reporter: options.reporter,
        patience: &options.patience,
        hold: options.hold,
        calls: Semaphore::new(options.parallelism.max(1)),
        stop: options.stop,
        released,
    };
    let mut run = Run::new(plan, state);
    if !plan.moves.is_empty() {
        journal.write(Entry::Moved(plan.moves.clone())).await?;
        run.outcome.state.move_all(&plan.moves);
    }
    run.drive(&context, options, releases).await;
    let mut outcome = run.outcome;
    if outcome.succeeded() {
        hand_over(plan, &values, &mut outcome.state);
    }
    if outcome.state != before {
        outcome.state.serial += 1;
        outcome.state.include(journal.run());
        store.write(&outcome.state).await?;
    }
    store.clear_journal(&before.stack, journal.run()).await?;
    Ok(outcome)
}

/// What other stacks may use from now on, and what this one uses of them.
fn hand_over(plan: &Plan, values: &Values<'_>, state: &mut State) {
    let exports = plan.exports.iter().map(|(name, expr)| (name.clone(), expr.eval(values)));
    let known = exports.filter(|(_, value)| value.is_known()).collect();
    let used: BTreeMap<String, BTreeSet<String>> = plan
        .imports
        .iter()
        .map(|(from, of)| (from.clone(), of.keys().cloned().collect()))
        .collect();
    if plan.whole {
        (state.exports, state.imports) = (known, used);
        return;
    }
    // What a part of the stack doesn't tell stays as it was.
    state.exports.extend(known);
    for (from, names) in used {
        state.imports.entry(from).or_default().extend(names);
    }
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
struct Run<'a> {
    plan: &'a Plan,
    /// Operations that wait, with the number of those that they wait for.
    waiting: BTreeMap<Operation, usize>,
    /// Operations that wait for nothing any more.
    free: BTreeSet<Operation>,
    /// Who waits for an operation.
    waited_for: BTreeMap<Operation, Vec<Operation>>,
    outcome: Outcome,
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan, state: State) -> Self {
        let (mut waiting, mut free) = (BTreeMap::new(), BTreeSet::new());
        let mut waited_for: BTreeMap<Operation, Vec<Operation>> = BTreeMap::new();
        for (operation, waits) in Operations::of(plan).0 {
            for wait in &waits {
                waited_for.entry(*wait).or_default().push(operation);
            }
            if waits.is_empty() {
                free.insert(operation);
            } else {
                waiting.insert(operation, waits.len());
            }
        }
        let (done, failed, skipped) = (BTreeMap::new(), vec![], vec![]);
        Self { plan, waiting, free, waited_for, outcome: Outcome { state, done, failed, skipped } }
    }

    async fn drive(
        &mut self,
        context: &Context<'_>,
        options: &Options<'_>,
        mut releases: mpsc::UnboundedReceiver<Address>,
    ) {
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < AHEAD {
                if options.stop.load(Ordering::Relaxed) {
                    break;
                }
                let Some(operation) = self.free.pop_first() else { break };
                let step = &self.plan.steps[&operation.0];
                under_way.push(async move { (operation, context.run(step, operation.1).await) });
            }
            tokio::select! {
                // What exists by now comes first: it may let others begin.
                biased;
                Some(address) = releases.recv() => self.release((address, Phase::Exist)),
                next = under_way.next() => match next {
                    Some((operation, result)) => self.finish(context, operation, result),
                    None => break,
                },
            }
        }
        let left = self.free.iter().chain(self.waiting.keys());
        let left: BTreeSet<Address> = left.map(|(address, _)| *address).collect();
        for address in left {
            context.reporter.report(Event::Skipped { address });
            self.outcome.skipped.push(address);
        }
    }

    /// Lets go of those that waited for an operation.
    fn release(&mut self, operation: Operation) {
        for waiter in self.waited_for.remove(&operation).unwrap_or_default() {
            let Some(count) = self.waiting.get_mut(&waiter) else { continue };
            *count -= 1;
            if *count == 0 {
                self.waiting.remove(&waiter);
                self.free.insert(waiter);
            }
        }
    }

    fn finish(&mut self, context: &Context<'_>, operation: Operation, result: step::Result) {
        let (address, phase) = operation;
        let step = &self.plan.steps[&address];
        let state = &mut self.outcome.state;
        match result {
            Ok(Done::Exists(record)) => {
                context.values.set(address, record.outputs.clone());
                state.put(address, *record, step.creates_first());
            }
            Ok(Done::Gone { old_selves_only }) => {
                if !old_selves_only {
                    state.remove(address, step.action != Action::Forget);
                }
                state.deposed.remove(&address);
            }
            Err(step::Error { failure, doing, left, open, cleared }) => {
                for (intent, id) in cleared {
                    state.forget_deposed(address, &intent, Some(&id));
                }
                if let Some(record) = left {
                    state.put(address, *record, step.creates_first());
                }
                state.open.extend(open.map(|intent| *intent));
                if failure.kind == FailureKind::Stopped {
                    self.free.insert(operation);
                    return;
                }
                context.reporter.report(Event::Failed { address, failure: failure.clone() });
                self.outcome.failed.push(Failed { address, doing, failure });
                return;
            }
        }
        let last = if step.creates_first() { Phase::Destroy } else { Phase::Ensure };
        let whole = phase == last || step.action != Action::Replace;
        if whole && step.is_change() {
            self.outcome.done.insert(address, step.action);
        }
        self.release(operation);
        if phase == Phase::Ensure {
            self.release((address, Phase::Exist));
        }
    }
}
