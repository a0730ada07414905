//! Going back: after a change that is hopeless, what it was made of is brought back to what was good last.
//!
//! It is a plan and an apply like any other, of that one resource and under the same hold: journaled,
//! settled when it is cut off, recorded. The stack still says what failed, so the next plan shows it again.

use crate::{
    Address, Data, Failure, Graph, Record, Registry, Schema, State, Subject,
    apply::{self, ApplyError, Options, Outcome},
    plan::{Plan, Scope},
    session::{self, Planning, SessionError},
    state::Store,
};

/// Why a resource isn't brought back to what it was. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RollbackError {
    #[error("`{0}` isn't in the state")]
    Unrecorded(Address),
    #[error("this program doesn't know the kind {kind} of `{address}`")]
    Unknown { address: Address, kind: String },
    #[error(transparent)]
    Failure(#[from] Failure),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

impl RollbackError {
    /// The next step.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Failure(failure) => failure.hint.clone(),
            Self::Session(error) => error.hint(),
            Self::Apply(error) => error.hint(),
            _ => None,
        }
    }
}

/// A resource that can go back, as it is recorded.
struct Recorded<'a> {
    record: &'a Record,
    schema: &'static Schema,
    subject: Subject,
}

impl<'a> Recorded<'a> {
    fn of(registry: &Registry, state: &'a State, address: Address) -> Result<Self, RollbackError> {
        let record = state.resources.get(&address).ok_or(RollbackError::Unrecorded(address))?;
        let schema = registry.schema(&record.kind);
        let unknown = || RollbackError::Unknown { address, kind: record.kind.clone() };
        let schema = schema.ok_or_else(unknown)?;
        Ok(Self { record, schema, subject: Subject::recorded(&state.lineage, address, record) })
    }
}

/// The inputs that a resource was well with last, `None` where it never was.
pub async fn last_good(
    registry: &Registry,
    state: &State,
    address: Address,
) -> Result<Option<Data>, RollbackError> {
    let Recorded { record, subject, .. } = Recorded::of(registry, state, address)?;
    let Some(provider) = registry.get(&record.kind) else { return Ok(None) };
    Ok(provider.last_good(&record.binding, &subject).await?)
}

/// The plan that brings one resource back to these inputs, and touches nothing else.
pub async fn plan(
    registry: &Registry,
    store: &Store,
    state: &State,
    address: Address,
    inputs: Data,
) -> Result<Plan, RollbackError> {
    let Recorded { record, schema, .. } = Recorded::of(registry, state, address)?;
    let graph = Graph::as_it_was(address, schema, record, &inputs.into_map());
    let scope = Scope { target: [address].into(), alone: true, ..Scope::default() };
    let planning = Planning { scope, no_refresh: false };
    Ok(session::make_plan(registry, store, &graph, state, &planning).await?.plan)
}

/// The plan that deletes one resource, and touches nothing else.
pub async fn removal(
    registry: &Registry,
    store: &Store,
    state: &State,
    address: Address,
) -> Result<Plan, SessionError> {
    let graph = Graph::empty(&state.stack);
    let scope = Scope { target: [address].into(), alone: true, ..Scope::default() };
    let planning = Planning { scope, no_refresh: false };
    Ok(session::make_plan(registry, store, &graph, state, &planning).await?.plan)
}

/// Brings a resource back to what it was well with last; `None` where it never was.
pub async fn go_back(
    registry: &Registry,
    store: &Store,
    state: State,
    address: Address,
    options: &Options<'_>,
) -> Result<Option<Outcome>, RollbackError> {
    let Some(inputs) = last_good(registry, &state, address).await? else { return Ok(None) };
    let plan = plan(registry, store, &state, address, inputs).await?;
    Ok(Some(apply::apply(&plan, state, registry, store, options).await?))
}
