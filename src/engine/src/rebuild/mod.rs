//! State from nothing: what a lost state and journal held, as far as the cloud and the stack tell.
//!
//! The stack gives addresses, kinds, bindings and inputs; the marks on what exists give identifiers and
//! intents. Node by node in dependency order, so that a binding that hangs on a rebuilt output (a
//! cluster's endpoint) is known when it is needed. What comes out is a proposal: nothing in it may be
//! deleted or replaced before a person confirms it.

mod confirm;
mod find;
mod leftovers;

pub use confirm::{ConfirmError, confirm};

use crate::{
    Address, Data, Failure, Graph, Indexed, Node, Observation, Provider, Record, Registry, State,
    Status,
    refresh::{Observed, Outputs},
    schema::{Identity, Schema},
};
use find::{Finder, Search};
use std::collections::{BTreeMap, BTreeSet};

/// How something was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// By the marks that its creation set.
    Marks,
    /// By its key, which has no room for marks, under a parent of the stack.
    Key,
}

/// A state as proposed, and what a person should know about it.
#[derive(Debug)]
pub struct Proposal {
    pub state: State,
    pub found: BTreeMap<Address, By>,
    /// In the stack, and not there.
    pub absent: BTreeSet<Address>,
    /// In the stack, and it can't be said whether it is there.
    pub unreadable: BTreeMap<Address, String>,
    /// There, with marks, and not in the stack.
    pub leftovers: BTreeSet<Address>,
    /// Fields that no service tells: taken from the stack, as if they had been written so.
    pub assumed: BTreeMap<Address, Vec<String>>,
}

/// Why nothing can be proposed. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    #[error(transparent)]
    Graph(#[from] crate::GraphError),
    #[error("can't list what has the marks of the stack: {0}")]
    List(Failure),
    #[error("nothing of stack `{0}` is there, or nothing that has its marks")]
    Nothing(String),
    #[error(
        "what is there has the marks of more than one state: {}",
        .0.iter().map(|(lineage, address)| format!("{lineage} (`{address}`)")).collect::<Vec<_>>().join(", ")
    )]
    Lineages(BTreeMap<String, Address>),
}

impl RebuildError {
    /// The next step.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Graph(_) => None,
            Self::List(failure) => failure.hint.clone(),
            Self::Nothing(stack) => Some(format!(
                "see that account, region and environment are the right ones; `formwork apply {stack}` makes a new one"
            )),
            Self::Lineages(_) => Some(
                "say which one the stack is with --lineage; the others' things stay as they are"
                    .into(),
            ),
        }
    }
}

/// Looks for everything of a stack. `imports` are the states of other stacks; `lineage` is the one to
/// believe, where there is more than one.
pub async fn rebuild(
    registry: &Registry,
    graph: &Graph,
    imports: &BTreeMap<String, State>,
    lineage: Option<&str>,
) -> Result<Proposal, RebuildError> {
    let indexed = Indexed::new(graph);
    let state = State::empty(&graph.stack);
    let mut rebuilding = Rebuilding {
        registry,
        graph: &indexed,
        imports,
        finder: Finder::new(lineage.unwrap_or_default()),
        proposal: Proposal {
            state,
            found: BTreeMap::new(),
            absent: BTreeSet::new(),
            unreadable: BTreeMap::new(),
            leftovers: BTreeSet::new(),
            assumed: BTreeMap::new(),
        },
    };
    for node in graph.order()? {
        rebuilding.node(node).await;
    }
    let Rebuilding { finder, mut proposal, .. } = rebuilding;
    let places = finder.places.into_values();
    match finder.lineages.len() {
        0 => return Err(RebuildError::Nothing(graph.stack.clone())),
        1 => {}
        _ => return Err(RebuildError::Lineages(finder.lineages)),
    }
    // Counted above: there is exactly one.
    proposal.state.lineage = finder.lineages.keys().next().cloned().unwrap_or_default();
    proposal.take_leftovers(registry, graph, places).await?;
    proposal.take_exports(graph, imports);
    Ok(proposal)
}

struct Rebuilding<'a> {
    registry: &'a Registry,
    graph: &'a Indexed<'a>,
    imports: &'a BTreeMap<String, State>,
    finder: Finder,
    proposal: Proposal,
}

impl Rebuilding<'_> {
    async fn node(&mut self, node: &Node) {
        let address = node.address;
        match self.look(node).await {
            Ok(true) => {}
            // A canary comes and goes.
            Ok(false) if node.options.canary_of.is_some() => {}
            Ok(false) => drop(self.proposal.absent.insert(address)),
            Err(why) => drop(self.proposal.unreadable.insert(address, why)),
        }
    }

    /// Whether a node of the stack was found; an error says why nobody knows.
    async fn look(&mut self, node: &Node) -> Result<bool, String> {
        let unknown = || format!("this program doesn't know the kind {}", node.kind);
        let provider = self.registry.get(&node.kind).ok_or_else(unknown)?;
        let schema = provider.schema();
        let Some(binding) = self.graph.binding(schema, node.address) else {
            return Err("the stack doesn't say what it is reached through".into());
        };
        if binding.refs().iter().any(|(host, _)| self.proposal.absent.contains(host)) {
            return Ok(false);
        }
        let observed = Observed::default();
        let outputs =
            Outputs { state: &self.proposal.state, observed: &observed, imports: self.imports };
        let binding = binding.eval(&outputs);
        if !binding.is_known() {
            return Err(format!("the way there isn't known: {}", binding.unknowns()));
        }
        let inputs = provider.expand(node.evaluate(&outputs)).map_err(|f| f.to_string())?;
        let search = Search::new(node, provider, &binding, &inputs);
        let found = self.finder.find(&search).await.map_err(|failure| failure.to_string())?;
        let Some((present, old)) = found.split_first() else { return Ok(false) };
        let record = |found: &find::Candidate| {
            let (name, generation) = (found.name.clone(), found.generation);
            Record { name, generation, ..record(node, provider, &binding, &inputs, &found.seen) }
        };
        let by = match (&present.seen.owner, schema.identity) {
            (None, Identity::Key) => By::Key,
            _ => By::Marks,
        };
        let state = &mut self.proposal.state;
        state.resources.insert(node.address, record(present));
        if !old.is_empty() {
            state.deposed.insert(node.address, old.iter().map(record).collect());
        }
        self.proposal.found.insert(node.address, by);
        let assumed = assumed(schema, &inputs, &present.seen);
        if !assumed.is_empty() {
            self.proposal.assumed.insert(node.address, assumed);
        }
        Ok(true)
    }
}

/// The record of what was found: what the service doesn't tell is as the stack says.
fn record(
    node: &Node,
    provider: &dyn Provider,
    binding: &Data,
    inputs: &Data,
    seen: &Observation,
) -> Record {
    let told = |field: &str| seen.fields.get(field).cloned();
    let fields = provider.schema().fields.iter();
    let inputs = fields.filter_map(|field| {
        let wanted = inputs.get(field.name).filter(|value| value.is_known()).cloned();
        let managed = inputs.get(field.name).is_some();
        Some((field.name.to_owned(), wanted.or_else(|| told(field.name).filter(|_| managed))?))
    });
    let own = |address: &Address| address.stack() == node.address.stack();
    let intent = seen.owner.as_ref().map(|owner| owner.intent.clone()).unwrap_or_default();
    Record {
        id: seen.id.clone(),
        inputs: Data::Map(inputs.collect()),
        outputs: seen.outputs.clone(),
        dependencies: node.dependencies().into_iter().filter(own).collect(),
        protect: node.options.protect,
        retain: node.options.retain,
        ready: seen.status == Status::Ready,
        unconfirmed: true,
        ..Record::intended(&node.kind, String::new(), &intent, binding.clone())
    }
}

/// The wanted fields that the service doesn't tell.
fn assumed(schema: &Schema, inputs: &Data, seen: &Observation) -> Vec<String> {
    let untold = |name: &str| !matches!(seen.fields.get(name), Some(value) if *value != Data::Null);
    let wanted = |name: &str| !matches!(inputs.get(name), None | Some(Data::Null));
    let fields = schema.fields.iter().filter(|field| !field.flags.binding && !field.flags.source);
    let fields = fields.filter(|field| {
        let hidden = field.flags.write_only || field.flags.secret;
        wanted(field.name) && (hidden || untold(field.name))
    });
    fields.map(|field| field.name.to_owned()).collect()
}

impl Proposal {
    fn take_exports(&mut self, graph: &Graph, imports: &BTreeMap<String, State>) {
        let observed = Observed::default();
        let outputs = Outputs { state: &self.state, observed: &observed, imports };
        let exports = graph.exports.iter().map(|(name, expr)| (name.clone(), expr.eval(&outputs)));
        let exports = exports.filter(|(_, value)| value.is_known()).collect();
        let of_nodes = graph.nodes.iter().flat_map(|node| node.fields.values());
        let exprs = of_nodes.chain(graph.exports.values()).chain(graph.bindings.values());
        for (node, output) in exprs.flat_map(crate::Expr::refs) {
            if node.stack() != graph.stack {
                let used = self.state.imports.entry(node.stack().to_owned()).or_default();
                used.insert(output.to_string());
            }
        }
        self.state.exports = exports;
    }
}
