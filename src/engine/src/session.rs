//! A session with a stack: loading its state, settling what was cut off, planning.

use crate::{
    Address, Graph, Indexed, Registry, State, StateError,
    apply::Patience,
    plan::{self, Plan, PlanError, SavedPlan, Scope},
    refresh::{self, Observed, RefreshError, World},
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

/// How a plan is to be made.
#[derive(Clone, Debug, Default)]
pub struct Planning {
    pub scope: Scope,
    /// Plan from what is recorded, without reading what exists.
    pub no_refresh: bool,
}

/// A plan, with what it was made from.
#[derive(Debug)]
pub struct Planned {
    pub plan: Plan,
    pub observed: Observed,
}

/// What plans are made from, beside what is observed.
struct Ground<'a> {
    registry: &'a Registry,
    graph: Indexed<'a>,
    /// The state, with everything under its present address.
    state: State,
    moves: BTreeMap<Address, Address>,
    others: BTreeMap<String, State>,
}

impl<'a> Ground<'a> {
    fn new(
        registry: &'a Registry,
        store: &LocalStore,
        graph: &'a Graph,
        state: &State,
    ) -> Result<Self, StateError> {
        let (moves, mut state) = (plan::moves(graph, state), state.clone());
        state.move_all(&moves);
        let others = other_states(store, &graph.stack)?;
        Ok(Self { registry, graph: Indexed::new(graph), state, moves, others })
    }

    fn world(&self) -> World<'_> {
        let Self { registry, graph, state, others, .. } = self;
        World { registry, graph, state, imports: others }
    }

    fn plan(&self, observed: &Observed, scope: &Scope) -> Result<Plan, PlanError> {
        let plan = plan::plan(self.world(), observed, &self.others, scope)?;
        Ok(Plan { moves: self.moves.clone(), ..plan })
    }
}

/// Reads what exists and plans.
pub async fn make_plan(
    registry: &Registry,
    store: &LocalStore,
    graph: &Graph,
    state: &State,
    planning: &Planning,
) -> Result<Planned, SessionError> {
    let ground = Ground::new(registry, store, graph, state)?;
    let mut observed = match planning.no_refresh {
        true => Observed::default(),
        false => refresh::refresh(ground.world()).await?,
    };
    let adopt = planning.scope.adoptions(graph, &ground.state);
    refresh::read_adopted(ground.world(), &adopt, &mut observed).await?;
    let plan = ground.plan(&observed, &planning.scope)?;
    Ok(Planned { plan, observed })
}

/// What planning again from the same observations gives; only the other stacks' states are read anew.
pub fn plan_again(
    registry: &Registry,
    store: &LocalStore,
    saved: &SavedPlan,
    state: &State,
) -> Result<Plan, SessionError> {
    let ground = Ground::new(registry, store, &saved.graph, state)?;
    Ok(ground.plan(&saved.observed, &saved.scope)?)
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
