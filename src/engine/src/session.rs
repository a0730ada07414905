//! A session with a stack: loading its state, settling what was cut off, planning.

use crate::{
    Address, Graph, Indexed, Registry, State, StateError,
    apply::Patience,
    plan::{self, Plan, PlanError, SavedPlan, Scope, Step},
    refresh::{self, Observed, PARALLEL_READS, RefreshError, World},
    settle::{self, Settled},
    state::{Folded, Hold, Store, fold},
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
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
}

impl SessionError {
    /// The next step.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::State(error) => error.hint(),
            Self::Plan(error) => error.hint(),
            Self::Refresh(error) => error.failure.hint.clone(),
        }
    }
}

/// The state of a stack with what unfinished runs left behind. Takes no lock and writes nothing.
pub async fn load(store: &Store, stack: &str) -> Result<Folded, StateError> {
    let state = store.read(stack).await?.unwrap_or_else(|| State::empty(stack));
    let mut folded = fold(state, store.journals(stack).await?);
    folded.state.open.clone_from(&folded.open);
    Ok(folded)
}

/// A stack held for changing, with everything of earlier runs settled.
pub struct Held {
    pub state: State,
    pub settled: Vec<Settled>,
    pub hold: Hold,
}

/// Takes a stack's lock, and settles and stores what earlier runs left behind. What can't be settled
/// stays open, and holds back only what depends on it.
pub async fn hold(
    registry: &Registry,
    store: &Store,
    stack: &str,
    patience: &Patience,
) -> Result<Held, SessionError> {
    let hold = store.hold(stack).await?;
    let Folded { mut state, open, runs } = load(store, stack).await?;
    let before = state.clone();
    let settled = settle::settle(registry, &mut state, open, patience.visible).await;
    if !runs.is_empty() || state != before {
        state.serial += 1;
        runs.iter().for_each(|run| state.include(run));
        store.write(&state).await?;
    }
    for run in runs {
        store.clear_journal(stack, &run).await?;
    }
    Ok(Held { state, settled, hold })
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
    async fn new(
        registry: &'a Registry,
        store: &Store,
        graph: &'a Graph,
        state: &State,
    ) -> Result<Self, StateError> {
        let (moves, mut state) = (plan::moves(graph, state), state.clone());
        state.move_all(&moves);
        let others = other_states(store, &graph.stack).await?;
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

    /// The plan, with canaries of what it changes only.
    fn plan_changes(
        self,
        whole: &Graph,
        observed: &Observed,
        scope: &Scope,
    ) -> Result<Plan, PlanError> {
        let plan = self.plan(observed, scope)?;
        if !scope.canaries {
            return Ok(plan);
        }
        let changes = |of| plan.steps.get(&of).is_some_and(Step::is_change);
        let changing = whole.with_canaries(|of| scope.tries_out(of, &self.state) && changes(of));
        Ground { graph: Indexed::new(&changing), ..self }.plan(observed, scope)
    }
}

/// Reads what exists and plans.
pub async fn make_plan(
    registry: &Registry,
    store: &Store,
    graph: &Graph,
    state: &State,
    planning: &Planning,
) -> Result<Planned, SessionError> {
    let scope = &planning.scope;
    let present = graph.with_canaries(|of| scope.tries_out(of, state));
    let ground = Ground::new(registry, store, &present, state).await?;
    scope.check(graph, &ground.state)?;
    let mut observed = match planning.no_refresh {
        true => Observed::default(),
        false => refresh::refresh(ground.world()).await?,
    };
    let adopt = scope.adoptions(&present, &ground.state);
    refresh::read_adopted(ground.world(), &adopt, &mut observed).await?;
    let plan = ground.plan_changes(graph, &observed, scope)?;
    Ok(Planned { plan, observed })
}

/// What planning again from the same observations gives; only the other stacks' states are read anew.
pub async fn plan_again(
    registry: &Registry,
    store: &Store,
    saved: &SavedPlan,
    state: &State,
) -> Result<Plan, SessionError> {
    let SavedPlan { graph, scope, .. } = saved;
    let present = graph.with_canaries(|of| scope.tries_out(of, state));
    let ground = Ground::new(registry, store, &present, state).await?;
    scope.check(graph, &ground.state)?;
    Ok(ground.plan_changes(graph, &saved.observed, scope)?)
}

/// The states of all other stacks, which this one may import from.
pub async fn other_states(
    store: &Store,
    stack: &str,
) -> Result<BTreeMap<String, State>, StateError> {
    let others = store.stacks().await?.into_iter().filter(|other| other != stack);
    let reads = others.map(|other| async move {
        let state = store.read(&other).await?;
        Ok::<_, StateError>(state.map(|state| (other, state)))
    });
    let states: Vec<_> = stream::iter(reads).buffered(PARALLEL_READS).try_collect().await?;
    Ok(states.into_iter().flatten().collect())
}
