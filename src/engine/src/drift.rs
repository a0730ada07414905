//! Drift: how what exists differs from what was last applied. From the state alone; changes nothing, and
//! takes no lock.
//!
//! What a stack would change by itself is no drift, so no stack is needed.

use crate::{
    Address, Author, Data, Graph, Indexed, Observation, Record, Registry, Status, Subject,
    plan::{Change, Versions, diff},
    refresh::{self, PARALLEL_READS, Reading, World},
    session::{self, SessionError},
    state::Store,
};
use futures::{StreamExt as _, stream};
use serde::Serialize;
use std::collections::BTreeMap;

/// How a stack differs from what was last applied.
#[derive(Debug, PartialEq, Serialize)]
pub struct Drift {
    pub stack: String,
    /// The version of the state that it was compared with.
    pub serial: u64,
    /// The resources that are recorded.
    pub resources: usize,
    /// List and read requests that were made of providers.
    pub reads: usize,
    pub differences: Vec<Difference>,
    /// What couldn't be read, and why.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub not_observed: BTreeMap<Address, String>,
    /// What a run that was cut off may have changed: the next apply finds out first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unsettled: Vec<Address>,
}

/// One resource that isn't as it was last applied.
#[derive(Debug, PartialEq, Serialize)]
pub struct Difference {
    pub address: Address,
    pub kind: String,
    pub id: String,
    #[serde(flatten)]
    pub what: What,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// It isn't there any more.
    Gone,
    /// Somebody is deleting it.
    Deleting,
    /// The service says that it failed, and why.
    Failed(String),
    Changed(Vec<Changed>),
    /// The call that created it created these as well.
    Twice(Vec<String>),
}

/// One attribute that isn't as it was last applied.
#[derive(Debug, PartialEq, Serialize)]
pub struct Changed {
    pub path: String,
    /// As last applied; absent where there was nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Data>,
    /// As found; absent where there is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<Data>,
    /// Who could have changed it, where the service tells.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<Author>,
}

impl Drift {
    pub fn is_empty(&self) -> bool {
        self.differences.is_empty()
    }
}

/// Reads everything that a stack's state has, and compares. `None` where there is no state of that name.
pub async fn drift(
    registry: &Registry,
    store: &Store,
    stack: &str,
) -> Result<Option<Drift>, SessionError> {
    let folded = session::load(store, stack).await?;
    if folded.state.serial == 0 && folded.runs.is_empty() {
        return Ok(None);
    }
    let (state, graph, imports) = (&folded.state, Graph::empty(stack), BTreeMap::new());
    let graph = Indexed::new(&graph);
    let world = World { registry, graph: &graph, state, imports: &imports };
    let observed = refresh::refresh(world).await?;
    let mut differences = vec![];
    let mut not_observed = BTreeMap::new();
    for (address, record) in &state.resources {
        let mut say = |what| {
            let (address, kind, id) = (*address, record.kind.clone(), record.id.clone());
            differences.push(Difference { address, kind, id, what });
        };
        match observed.get(*address) {
            Some(Reading::Found(found)) => {
                differs(registry, record, found).into_iter().for_each(&mut say)
            }
            Some(Reading::Absent) => say(What::Gone),
            Some(Reading::NotObserved(why)) => drop(not_observed.insert(*address, why.clone())),
            None => drop(not_observed.insert(*address, "it wasn't read".to_owned())),
        }
        let twins: Vec<String> =
            observed.twins(*address).iter().map(|twin| twin.id.clone()).collect();
        if !twins.is_empty() {
            say(What::Twice(twins));
        }
    }
    let named = differences.into_iter().map(|difference| async {
        let record = &state.resources[&difference.address];
        with_authors(registry, &state.lineage, record, difference).await
    });
    let differences = stream::iter(named).buffered(PARALLEL_READS).collect().await;
    Ok(Some(Drift {
        stack: stack.to_owned(),
        serial: state.serial,
        resources: state.resources.len(),
        reads: observed.requests,
        differences,
        not_observed,
        unsettled: state.open.iter().map(|intent| intent.address).collect(),
    }))
}

fn differs(registry: &Registry, record: &Record, found: &Observation) -> Vec<What> {
    let mut all = vec![];
    match &found.status {
        Status::Deleting => all.push(What::Deleting),
        Status::Failed(why) | Status::Unfinished(why) => all.push(What::Failed(why.clone())),
        Status::Ready | Status::Pending(_) => {}
    }
    let versions = Versions {
        desired: &record.inputs,
        recorded: &record.inputs,
        observed: Some(&found.fields),
        ignore: &record.ignore,
    };
    let changes = registry.schema(&record.kind).map(|schema| diff(schema, &versions));
    let changed = |Change { path, before, after, .. }| {
        // A plan goes from what is found to what is wanted; this tells how it went away from that.
        Changed { path, recorded: after, found: before, by: vec![] }
    };
    let changes: Vec<Changed> = changes.into_iter().flatten().map(changed).collect();
    if !changes.is_empty() {
        all.push(What::Changed(changes));
    }
    all
}

/// Asks the service who changed what. That it can't tell is no error: the difference stands without it.
async fn with_authors(
    registry: &Registry,
    lineage: &str,
    record: &Record,
    mut difference: Difference,
) -> Difference {
    let (What::Changed(changes), Some(provider)) =
        (&mut difference.what, registry.get(&record.kind))
    else {
        return difference;
    };
    let subject = Subject::recorded(lineage, difference.address, record);
    let paths: Vec<String> = changes.iter().map(|change| change.path.clone()).collect();
    if let Ok(authors) = provider.authors(&record.binding, &subject, &paths).await {
        for (path, author) in authors {
            let change = changes.iter_mut().find(|change| change.path == path);
            change.into_iter().for_each(|change| change.by.push(author.clone()));
        }
    }
    difference
}
