//! Refresh: reading what exists, by list calls that cover many resources.
//!
//! Nothing is changed and nothing is locked. A binding that depends on a resource that is gone or not
//! there yet can't be read through, and the answer says so instead of guessing.

use crate::{
    Address, Data, Failure, FailureKind, Indexed, KnownOutputs, Observation, Owner, Record,
    Registry, State, Status, Subject, Symbol, schema::Identity,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Lists and reads under way at the same time.
pub const PARALLEL_READS: usize = 16;

/// What refreshing found of one recorded resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    Found(Observation),
    /// It isn't there any more: the list lacks it, and a read of its own confirmed that.
    Absent,
    /// It couldn't be read, and why.
    NotObserved(String),
}

/// What refreshing found of all recorded resources.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    readings: BTreeMap<Address, Reading>,
    /// What carries the mark of a recorded resource's very intent and isn't that resource: the same call
    /// had its effect twice.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    twins: BTreeMap<Address, Vec<Observation>>,
    /// List and read requests that were made of providers.
    pub requests: usize,
}

impl Observed {
    pub fn get(&self, address: Address) -> Option<&Reading> {
        self.readings.get(&address)
    }

    pub fn insert(&mut self, address: Address, reading: Reading) {
        self.readings.insert(address, reading);
    }

    /// What the call that made a recorded resource made beside it.
    pub fn twins(&self, address: Address) -> &[Observation] {
        self.twins.get(&address).map_or(&[], Vec::as_slice)
    }

    pub fn iter(&self) -> impl Iterator<Item = (Address, &Reading)> {
        self.readings.iter().map(|(address, reading)| (*address, reading))
    }
}

/// A failed refresh.
#[derive(Debug, thiserror::Error)]
#[error("can't read {kind} ({count} resources, the first `{address}`): {failure}")]
pub struct RefreshError {
    pub kind: String,
    pub count: usize,
    pub address: Address,
    pub failure: Failure,
}

/// The outputs that are known: recorded, overlaid by what was observed, and what other stacks export.
pub struct Outputs<'a> {
    pub state: &'a State,
    pub observed: &'a Observed,
    pub imports: &'a BTreeMap<String, State>,
}

impl KnownOutputs for Outputs<'_> {
    fn output(&self, node: Address, output: Symbol) -> Data {
        let unknown = || Data::unknown(node, output);
        if node.is_exports() {
            let exporter = self.imports.get(node.stack());
            let export = exporter.and_then(|state| state.exports.get(output.as_str()));
            return export.cloned().unwrap_or_else(unknown);
        }
        let observed = match self.observed.get(node) {
            Some(Reading::Found(found)) => found.outputs.get(output.as_str()),
            Some(Reading::Absent) => return unknown(),
            _ => None,
        };
        let record = self.state.resources.get(&node);
        let recorded = || record.and_then(|record| record.outputs.get(output.as_str()));
        observed.or_else(recorded).cloned().unwrap_or_else(unknown)
    }
}

/// How a recorded resource can be read.
enum Way {
    Through(Data),
    /// Its binding needs a resource that is gone; so is what was reached through it.
    Gone,
    NotObserved(String),
    /// Its binding needs resources that weren't read yet.
    Later,
}

/// What a run works on: the kinds, the stack as wanted, as recorded, and the stacks it imports from.
#[derive(Clone, Copy)]
pub struct World<'a> {
    pub registry: &'a Registry,
    pub graph: &'a Indexed<'a>,
    pub state: &'a State,
    pub imports: &'a BTreeMap<String, State>,
}

impl<'a> World<'a> {
    pub fn outputs(self, observed: &'a Observed) -> Outputs<'a> {
        Outputs { state: self.state, observed, imports: self.imports }
    }
}

/// Reads every recorded resource.
pub async fn refresh(world: World<'_>) -> Result<Observed, RefreshError> {
    let World { registry, state, .. } = world;
    let mut observed = Observed::default();
    let mut left: BTreeSet<Address> = state.resources.keys().copied().collect();
    while !left.is_empty() {
        let mut groups: BTreeMap<(String, String), (Data, Vec<Subject>)> = BTreeMap::new();
        let mut settled = vec![];
        for address in &left {
            let record = &state.resources[address];
            match way(world, &observed, &left, *address) {
                Way::Later => continue,
                Way::Gone => settled.push((*address, Reading::Absent)),
                Way::NotObserved(why) => settled.push((*address, Reading::NotObserved(why))),
                Way::Through(binding) => {
                    let subject = subject(world, &observed, *address, record);
                    let key = (record.kind.clone(), binding.to_json().to_string());
                    let (_, subjects) = groups.entry(key).or_insert_with(|| (binding, vec![]));
                    subjects.push(subject);
                }
            }
        }
        if groups.is_empty() && settled.is_empty() {
            // Only a cycle among recorded bindings gets here; read what is left by its record.
            for address in std::mem::take(&mut left) {
                let why = "its binding depends on itself".to_owned();
                observed.insert(address, Reading::NotObserved(why));
            }
            break;
        }
        for (address, reading) in settled {
            left.remove(&address);
            observed.insert(address, reading);
        }
        let reads = groups.into_iter().map(|((kind, _), (binding, subjects))| async move {
            read_group(registry, &kind, &binding, &subjects).await
        });
        let groups: Vec<Group> =
            stream::iter(reads).buffer_unordered(PARALLEL_READS).try_collect().await?;
        for group in groups {
            observed.requests += group.requests;
            for (address, reading) in group.readings {
                left.remove(&address);
                observed.insert(address, reading);
            }
            for (address, twin) in group.twins {
                if !state.selves(address).any(|known| known.id == twin.id) {
                    observed.twins.entry(address).or_default().push(twin);
                }
            }
        }
    }
    Ok(observed)
}

/// Reads the existing things that are to be taken over, each by the identifier that was given.
///
/// Their bindings must be known by now; one that isn't is left to the planner to refuse.
pub async fn read_adopted(
    world: World<'_>,
    adopt: &BTreeMap<Address, String>,
    observed: &mut Observed,
) -> Result<(), RefreshError> {
    for (address, id) in adopt {
        let Some(node) = world.graph.node(*address) else { continue };
        let Some(provider) = world.registry.get(&node.kind) else { continue };
        let outputs = world.outputs(observed);
        let binding = world.graph.binding(provider.schema(), *address);
        let binding = binding.map_or(Data::Null, |binding| binding.eval(&outputs));
        if !binding.is_known() {
            let why = binding.unknowns().to_string();
            observed.insert(*address, Reading::NotObserved(why));
            continue;
        }
        let failed = |failure| RefreshError {
            kind: node.kind.clone(),
            count: 1,
            address: *address,
            failure,
        };
        let inputs = provider.expand(node.evaluate(&outputs)).map_err(failed)?;
        let subject = Subject {
            owner: Owner {
                lineage: world.state.lineage.clone(),
                address: *address,
                intent: String::new(),
            },
            name: id.clone(),
            id: Some(id.clone()),
            inputs,
            outputs: Data::empty_map(),
        };
        let reading = match provider.read(&binding, &subject).await.map_err(failed)? {
            Some(found) => Reading::Found(found),
            None => Reading::Absent,
        };
        observed.requests += 1;
        observed.insert(*address, reading);
    }
    Ok(())
}

fn way(world: World<'_>, observed: &Observed, left: &BTreeSet<Address>, address: Address) -> Way {
    let World { registry, graph, state, .. } = world;
    let record = &state.resources[&address];
    let Some(schema) = registry.schema(&record.kind) else {
        return Way::NotObserved(format!("this program doesn't know the kind {}", record.kind));
    };
    let Some(expr) = graph.binding(schema, address) else {
        // It left the stack: the record knows how it was reached, and its dependencies how long.
        let own_binding = schema.binding().is_some();
        for host in record.lives_on(registry, state).filter(|_| own_binding) {
            match observed.get(host) {
                _ if left.contains(&host) => return Way::Later,
                Some(Reading::Absent) => return Way::Gone,
                _ => {}
            }
        }
        return Way::Through(record.binding.clone());
    };
    for (node, _) in expr.refs() {
        if node != address && left.contains(&node) {
            return Way::Later;
        }
        if observed.get(node) == Some(&Reading::Absent) {
            return Way::Gone;
        }
    }
    let binding = expr.eval(&world.outputs(observed));
    let unknown = binding.unknowns();
    if unknown.is_empty() { Way::Through(binding) } else { Way::NotObserved(unknown.to_string()) }
}

impl Record {
    /// What it lives on: hosts of its stack that its binding holds an output of, such as a cluster's
    /// endpoint; it may have to do with others.
    pub(crate) fn lives_on<'a>(
        &'a self,
        registry: &Registry,
        state: &'a State,
    ) -> impl Iterator<Item = Address> {
        let host = |address: &Address| {
            let host = state.resources.get(address)?;
            let schema = registry.schema(&host.kind).filter(|schema| schema.hosts)?;
            let outputs = schema.outputs.iter().filter_map(|output| host.outputs.get(output.name));
            let mut outputs = outputs.filter_map(Data::as_str).filter(|text| !text.is_empty());
            outputs.any(|output| self.binding.mentions(output)).then_some(*address)
        };
        self.dependencies.iter().filter_map(host).collect::<Vec<_>>().into_iter()
    }
}

/// The subject of a recorded resource, with its desired inputs where they are known by now.
fn subject(world: World<'_>, observed: &Observed, address: Address, record: &Record) -> Subject {
    let mut subject = Subject::recorded(&world.state.lineage, address, record);
    let node = world.graph.node(address);
    if let (Some(node), Some(provider)) = (node, world.registry.get(&record.kind)) {
        let desired = node.evaluate(&world.outputs(observed));
        // A field that can't be expanded is reported by the plan, with its place.
        if let Ok(desired) = provider.expand(desired) {
            subject.inputs = desired;
        }
    }
    subject
}

struct Group {
    readings: Vec<(Address, Reading)>,
    twins: Vec<(Address, Observation)>,
    requests: usize,
}

async fn read_group(
    registry: &Registry,
    kind: &str,
    binding: &Data,
    subjects: &[Subject],
) -> Result<Group, RefreshError> {
    let failed = |subject: &Subject, failure: Failure| RefreshError {
        kind: kind.to_owned(),
        count: subjects.len(),
        address: subject.owner.address,
        failure,
    };
    let (Some(provider), Some(first)) = (registry.get(kind), subjects.first()) else {
        return Ok(Group { readings: vec![], twins: vec![], requests: 0 });
    };
    let mut asked = subjects.to_vec();
    if matches!(provider.schema().identity, Identity::Tag | Identity::Token) {
        asked.push(Subject::anything(&first.owner));
    }
    let found = match provider.list(binding, &asked).await {
        Ok(found) => found,
        Err(failure) => {
            let Some(why) = not_observed(binding, &failure) else {
                return Err(failed(first, failure));
            };
            let all = subjects.iter().map(|s| (s.owner.address, Reading::NotObserved(why.clone())));
            return Ok(Group { readings: all.collect(), twins: vec![], requests: 1 });
        }
    };
    let mut by_id: BTreeMap<String, Observation> =
        found.into_iter().map(|observation| (observation.id.clone(), observation)).collect();
    let mut group = Group { readings: vec![], twins: vec![], requests: 1 };
    for subject in subjects {
        let listed = subject.id.as_ref().and_then(|id| by_id.remove(id));
        let reading = match listed {
            Some(observation) => Reading::Found(observation),
            None => {
                group.requests += 1;
                match provider.read(binding, subject).await {
                    Ok(Some(observation)) => Reading::Found(observation),
                    Ok(None) => Reading::Absent,
                    Err(failure) => match not_observed(binding, &failure) {
                        Some(why) => Reading::NotObserved(why),
                        None => return Err(failed(subject, failure)),
                    },
                }
            }
        };
        group.readings.push((subject.owner.address, reading));
    }
    let there = by_id.into_values().filter(|left| left.status != Status::Deleting);
    for (left, owner) in there.filter_map(|left| left.owner.clone().map(|owner| (left, owner))) {
        let same =
            |s: &&Subject| s.owner.lineage == owner.lineage && s.owner.intent == owner.intent;
        if let Some(subject) = subjects.iter().find(same) {
            group.twins.push((subject.owner.address, left));
        }
    }
    Ok(group)
}

/// Why a resource goes unread without that being an error: no permission, or no declared way there.
fn not_observed(binding: &Data, failure: &Failure) -> Option<String> {
    let no_reach = binding.get("reach").and_then(Data::as_str) == Some("none");
    match failure.kind {
        FailureKind::Denied => Some(failure.message.clone()),
        FailureKind::Unreachable if no_reach => Some(failure.message.clone()),
        _ => None,
    }
}

impl Subject {
    /// Asks a list for everything of a lineage, whatever its address and intent.
    pub fn anything(of: &Owner) -> Self {
        Self {
            owner: Owner { intent: String::new(), ..of.clone() },
            name: String::new(),
            id: None,
            inputs: Data::empty_map(),
            outputs: Data::empty_map(),
        }
    }

    /// The subject of a call about a recorded resource.
    pub fn recorded(lineage: &str, address: Address, record: &Record) -> Self {
        Self {
            owner: Owner { lineage: lineage.to_owned(), address, intent: record.intent.clone() },
            name: record.name.clone(),
            id: Some(record.id.clone()),
            inputs: record.inputs.clone(),
            outputs: Data::Map(record.outputs.clone()),
        }
    }
}
