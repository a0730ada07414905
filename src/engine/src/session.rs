//! A session with a stack: loading its state, settling what was cut off, planning.

use crate::{
    Graph, Registry, State, StateError,
    apply::Patience,
    plan::{self, Plan, PlanError},
    refresh::{self, RefreshError, World},
    settle::{self, Settled, Undecided},
    state::{Folded, LocalStore, Lock, fold},
};
use std::collections::BTreeMap;

/// Why a session can't go on. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Refresh(#[from] RefreshError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Undecided(#[from] Undecided),
}

impl SessionError {
    /// The next step.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::State(error) => error.hint(),
            Self::Plan(error) => error.hint(),
            Self::Refresh(error) => error.failure.hint.clone(),
            Self::Undecided(error) => error.failure.hint.clone().or_else(|| {
                Some("make the service reachable, then apply again; nothing was lost".into())
            }),
        }
    }
}

/// The state of a stack with what unfinished runs left behind. Takes no lock and writes nothing.
pub fn load(store: &LocalStore, stack: &str) -> Result<Folded, StateError> {
    let state = store.read(stack)?.unwrap_or_else(|| State::empty(stack));
    Ok(fold(state, store.journals(stack)?))
}

/// A stack held for changing, with everything of earlier runs settled.
pub struct Held {
    pub state: State,
    pub settled: Vec<Settled>,
    _lock: Lock,
}

/// Takes a stack's lock, and settles and stores what earlier runs left behind.
pub async fn hold(
    registry: &Registry,
    store: &LocalStore,
    stack: &str,
    patience: &Patience,
) -> Result<Held, SessionError> {
    let lock = store.lock(stack)?;
    let Folded { mut state, open, runs } = load(store, stack)?;
    let settled = settle::settle(registry, &mut state, open, patience.visible).await?;
    if !runs.is_empty() || !settled.is_empty() {
        state.serial += 1;
        store.write(&state)?;
    }
    for run in runs {
        store.clear_journal(stack, &run)?;
    }
    Ok(Held { state, settled, _lock: lock })
}

/// Reads what exists and plans.
pub async fn make_plan(
    registry: &Registry,
    store: &LocalStore,
    graph: &Graph,
    state: &State,
) -> Result<Plan, SessionError> {
    let others = other_states(store, &graph.stack)?;
    let world = World { registry, graph, state, imports: &others };
    let observed = refresh::refresh(world).await?;
    Ok(plan::plan(world, &observed, &others)?)
}

fn other_states(store: &LocalStore, stack: &str) -> Result<BTreeMap<String, State>, StateError> {
    let mut states = BTreeMap::new();
    for other in store.stacks()?.into_iter().filter(|other| other != stack) {
        if let Some(state) = store.read(&other)? {
            states.insert(other, state);
        }
    }
    Ok(states)
}
