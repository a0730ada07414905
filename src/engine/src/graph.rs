//! The graph of a stack as data: it can leave the program, and everything after works from it alone.

use crate::{Address, Data, Expr, KnownOutputs, Options, Record, Schema, Symbol, address};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    panic::Location,
};

/// The version of the graph's JSON form that this program writes and reads.
pub const GRAPH_FORMAT: u32 = 1;

/// A stack's resources with their expressions, its exports and the bindings of its providers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Graph {
    pub format: u32,
    pub stack: String,
    /// What each provider is reached through, by the provider's name.
    #[serde(default)]
    pub bindings: BTreeMap<String, Expr>,
    pub nodes: Vec<Node>,
    #[serde(default)]
    pub exports: BTreeMap<String, Expr>,
}

/// One resource of a graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    pub address: Address,
    pub kind: String,
    pub fields: BTreeMap<String, Expr>,
    #[serde(default)]
    pub options: Options,
    /// Where in the stack's source it was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

impl Node {
    /// The nodes of any stack that this one refers to or comes after.
    pub fn dependencies(&self) -> BTreeSet<Address> {
        let refs = self.fields.values().flat_map(|expr| expr.refs()).map(|(node, _)| node);
        let options = self.options.after.iter().chain(&self.options.replace_triggered_by);
        refs.chain(options.copied()).collect()
    }

    /// The fields as far as they are known.
    pub fn evaluate(&self, outputs: &impl KnownOutputs) -> Data {
        Data::Map(
            self.fields.iter().map(|(name, expr)| (name.clone(), expr.eval(outputs))).collect(),
        )
    }
}

/// A line of a stack's source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    pub file: String,
    pub line: u32,
}

impl Source {
    pub(crate) fn of(location: &Location<'_>) -> Self {
        Self { file: location.file().to_owned(), line: location.line() }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Where a node was written, for messages.
pub(crate) fn place(node: &Node) -> String {
    node.source.as_ref().map_or_else(|| "the graph file".to_owned(), Source::to_string)
}

/// What is wrong with a graph.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    #[error("the stack's name is bad: {0}")]
    StackName(address::AddressError),
    #[error("{place}: {error}")]
    NodeName { place: String, error: address::AddressError },
    #[error("{place}: `{address}` is not a node of stack `{stack}`")]
    Stranger { place: String, address: Address, stack: String },
    #[error("{place}: no resource may be called `exports`, which names what a stack exports")]
    ReservedName { place: String },
    #[error("`{address}` is added twice: at {first} and at {second}")]
    Duplicate { address: Address, first: String, second: String },
    #[error("{place}: `{from}` refers to `{to}`, which is not in the stack")]
    Dangling { place: String, from: Address, to: Address },
    #[error("these resources depend on each other in a circle: {}", show_cycle(.0))]
    Cycle(Vec<Address>),
    #[error("{place}: `{address}` is a canary of `{of}`, which is {what}")]
    CanaryOf { place: String, address: Address, of: Address, what: &'static str },
    #[error("{place}: `{from}` refers to `{to}`, a canary, which is there only for a while")]
    CanaryNeeded { place: String, from: String, to: Address },
    #[error("{place}: `{address}` is of kind `{kind}`, which this program doesn't know")]
    UnknownKind { place: String, address: Address, kind: String },
    #[error("{place}: `{address}` ({kind}) has no field `{field}`")]
    UnknownField { place: String, address: Address, kind: String, field: String },
    #[error("{place}: `{address}` ({kind}) misses its field `{field}`")]
    MissingField { place: String, address: Address, kind: String, field: String },
    #[error(
        "{place}: `{from}` refers to output `{output}` of `{to}`, a {kind}, which has none of that name"
    )]
    UnknownOutput { place: String, from: Address, to: Address, kind: String, output: Symbol },
    #[error("{place}: `{address}` puts the secret `{to}.{output}` into the plain field `{field}`")]
    SecretInPlain { place: String, address: Address, field: String, to: Address, output: Symbol },
    #[error(
        "{place}: `{address}` is an {provider} resource, and the stack doesn't say what {provider} is reached through"
    )]
    Unbound { place: String, address: Address, provider: String },
    #[error(
        "{place}: `{address}` has a recorded value in its field `{field}`, which no stack can write"
    )]
    Recorded { place: String, address: Address, field: String },
    #[error("the graph has format {0}, and this program reads format {GRAPH_FORMAT}")]
    Format(u32),
}

fn show_cycle(cycle: &[Address]) -> String {
    let mut names: Vec<String> = cycle.iter().map(Address::to_string).collect();
    names.extend(cycle.first().map(Address::to_string));
    names.join(" → ")
}

impl Graph {
    /// An empty stack: what destroying one plans.
    pub fn empty(stack: &str) -> Self {
        Self {
            format: GRAPH_FORMAT,
            stack: stack.to_owned(),
            bindings: BTreeMap::new(),
            nodes: vec![],
            exports: BTreeMap::new(),
        }
    }

    pub fn node(&self, address: Address) -> Option<&Node> {
        self.nodes.iter().find(|node| node.address == address)
    }

    /// A stack of one resource as it once was: what its record says, but with these inputs.
    pub(crate) fn as_it_was(
        address: Address,
        schema: &Schema,
        record: &Record,
        inputs: &BTreeMap<String, Data>,
    ) -> Self {
        let mut graph = Self::empty(address.stack());
        let (binding, reached_by) = (schema.binding(), Expr::Value(record.binding.clone()));
        let inputs = inputs.iter().map(|(name, data)| (name.clone(), Expr::Value(data.clone())));
        let mut fields: BTreeMap<String, Expr> = inputs.collect();
        match binding {
            Some(field) => drop(fields.insert(field.name.to_owned(), reached_by)),
            None => drop(graph.bindings.insert(schema.provider().to_owned(), reached_by)),
        }
        let options = Options {
            protect: record.protect,
            retain: record.retain,
            ignore: record.ignore.clone(),
            after: record.dependencies.iter().copied().collect(),
            ..Options::default()
        };
        graph.nodes.push(Node {
            address,
            kind: record.kind.clone(),
            fields,
            options,
            source: None,
        });
        graph
    }

    /// Names, references and cycles: everything that can be checked without knowing the kinds.
    pub fn check(&self) -> Result<(), GraphError> {
        if self.format != GRAPH_FORMAT {
            return Err(GraphError::Format(self.format));
        }
        if !address::is_name(&self.stack) {
            let error = address::AddressError::Name(self.stack.clone());
            return Err(GraphError::StackName(error));
        }
        let mut seen: BTreeMap<Address, &Node> = BTreeMap::new();
        for node in &self.nodes {
            let place = place(node);
            if let Err(error) = Address::new(node.address.stack(), node.address.name()) {
                return Err(GraphError::NodeName { place, error });
            }
            if node.address.stack() != self.stack {
                let (address, stack) = (node.address, self.stack.clone());
                return Err(GraphError::Stranger { place, address, stack });
            }
            if node.address.is_exports() {
                return Err(GraphError::ReservedName { place });
            }
            if let Some(first) = seen.insert(node.address, node) {
                let first = self::place(first);
                return Err(GraphError::Duplicate { address: node.address, first, second: place });
            }
        }
        for node in &self.nodes {
            for to in node.dependencies() {
                let own = to.stack() == self.stack;
                if (own && !seen.contains_key(&to)) || (!own && !to.is_exports()) {
                    return Err(GraphError::Dangling {
                        place: place(node),
                        from: node.address,
                        to,
                    });
                }
            }
        }
        self.check_canaries()?;
        self.order().map(|_| ())
    }

    /// Every node after all it depends on; among equals, as written.
    pub fn order(&self) -> Result<Vec<&Node>, GraphError> {
        let by_address: BTreeMap<Address, &Node> =
            self.nodes.iter().map(|node| (node.address, node)).collect();
        let mut walk = Walk { by_address, state: BTreeMap::new(), path: vec![], order: vec![] };
        for node in &self.nodes {
            walk.visit(node)?;
        }
        Ok(walk.order)
    }

    /// The stacks whose exports this one uses.
    pub fn imports(&self) -> BTreeSet<String> {
        let of_nodes = self.nodes.iter().flat_map(Node::dependencies);
        let of_exports = self.exports.values().flat_map(|expr| expr.refs()).map(|(node, _)| node);
        of_nodes
            .chain(of_exports)
            .filter(|node| node.stack() != self.stack)
            .map(|node| node.stack().to_owned())
            .collect()
    }

    /// Fields, outputs, secrets and bindings, against the schemas of the program's kinds.
    ///
    /// The compiler has checked all of this for a typed stack; a graph from a file has only this.
    pub fn check_kinds<'s>(
        &self,
        schema: impl Fn(&str) -> Option<&'s Schema>,
    ) -> Result<(), GraphError> {
        let indexed = Indexed::new(self);
        for node in &self.nodes {
            let (place, address, kind) = (place(node), node.address, node.kind.clone());
            let Some(known) = schema(&node.kind) else {
                return Err(GraphError::UnknownKind { place, address, kind });
            };
            let unknown_option = node.options.ignore.iter().map(|symbol| symbol.as_str());
            let given = node.fields.keys().map(String::as_str).chain(unknown_option);
            if let Some(field) = given.into_iter().find(|name| known.field(name).is_none()) {
                let field = field.to_owned();
                return Err(GraphError::UnknownField { place, address, kind, field });
            }
            let recorded = node.fields.iter().find(|(_, expr)| matches!(expr, Expr::Value(_)));
            if let Some((field, _)) = recorded {
                return Err(GraphError::Recorded { place, address, field: field.clone() });
            }
            let mut required = known.fields.iter().filter(|field| field.required);
            if let Some(field) = required.find(|field| !node.fields.contains_key(field.name)) {
                let field = field.name.to_owned();
                return Err(GraphError::MissingField { place, address, kind, field });
            }
            let bound = known.binding().is_some() || self.bindings.contains_key(known.provider());
            if !bound {
                let provider = known.provider().to_owned();
                return Err(GraphError::Unbound { place, address, provider });
            }
            indexed.check_refs(node, known, &schema)?;
        }
        Ok(())
    }
}

/// A graph with its nodes by address, for who looks up many.
pub struct Indexed<'g> {
    graph: &'g Graph,
    nodes: BTreeMap<Address, &'g Node>,
}

impl<'g> Indexed<'g> {
    pub fn new(graph: &'g Graph) -> Self {
        Self { graph, nodes: graph.nodes.iter().map(|node| (node.address, node)).collect() }
    }

    pub fn node(&self, address: Address) -> Option<&'g Node> {
        self.nodes.get(&address).copied()
    }

    /// What a node is reached through: its binding field, or its provider's binding.
    pub fn binding(&self, schema: &Schema, address: Address) -> Option<&'g Expr> {
        match schema.binding() {
            Some(field) => self.node(address)?.fields.get(field.name),
            None => self.node(address).and_then(|_| self.graph.bindings.get(schema.provider())),
        }
    }

    fn check_refs<'s>(
        &self,
        node: &Node,
        known: &Schema,
        schema: &impl Fn(&str) -> Option<&'s Schema>,
    ) -> Result<(), GraphError> {
        for (name, expr) in &node.fields {
            for (to, output) in expr.refs() {
                // What another stack exports is checked when its state is read.
                let Some(target) = self.node(to) else { continue };
                let Some(target_schema) = schema(&target.kind) else { continue };
                let Some(field) = target_schema.output(output.as_str()) else {
                    let (place, from, kind) = (place(node), node.address, target.kind.clone());
                    return Err(GraphError::UnknownOutput { place, from, to, kind, output });
                };
                let takes_secrets = known.field(name).is_some_and(crate::Field::takes_secrets);
                if field.secret && !takes_secrets {
                    let (place, address, field) = (place(node), node.address, name.clone());
                    return Err(GraphError::SecretInPlain { place, address, field, to, output });
                }
            }
        }
        Ok(())
    }
}

impl std::ops::Deref for Indexed<'_> {
    type Target = Graph;
    fn deref(&self) -> &Graph {
        self.graph
    }
}

/// A depth-first walk over dependencies that remembers its path, to name a cycle.
struct Walk<'g> {
    by_address: BTreeMap<Address, &'g Node>,
    state: BTreeMap<Address, bool>,
    path: Vec<Address>,
    order: Vec<&'g Node>,
}

impl<'g> Walk<'g> {
    /// Visits without recursion, so that a long chain in a graph file can't exhaust the stack.
    fn visit(&mut self, root: &'g Node) -> Result<(), GraphError> {
        let mut stack = vec![(root, false)];
        while let Some((node, leaving)) = stack.pop() {
            if leaving {
                self.path.pop();
                self.state.insert(node.address, true);
                self.order.push(node);
                continue;
            }
            match self.state.get(&node.address) {
                Some(true) => continue,
                Some(false) => {
                    let start = self.path.iter().position(|a| *a == node.address).unwrap_or(0);
                    return Err(GraphError::Cycle(self.path[start..].to_vec()));
                }
                None => {}
            }
            self.state.insert(node.address, false);
            self.path.push(node.address);
            stack.push((node, true));
            for dependency in node.dependencies().into_iter().rev() {
                let Some(next) = self.by_address.get(&dependency) else { continue };
                if self.state.get(&dependency) != Some(&true) {
                    stack.push((next, false));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, needs: &[&str]) -> Node {
        let refs = needs.iter().map(|need| Expr::Ref {
            node: Address::new("s", need).unwrap(),
            output: Symbol::new("id"),
        });
        Node {
            address: Address::new("s", name).unwrap(),
            kind: "test.Thing".into(),
            fields: BTreeMap::from([("needs".to_owned(), Expr::list(refs.collect()))]),
            options: Options::default(),
            source: Some(Source { file: "stack.rs".into(), line: 7 }),
        }
    }

    fn graph(nodes: Vec<Node>) -> Graph {
        Graph { nodes, ..Graph::empty("s") }
    }

    #[test]
    fn order_puts_dependencies_first() {
        let graph = graph(vec![node("c", &["b"]), node("b", &["a"]), node("a", &[])]);
        let order: Vec<_> = graph.order().unwrap().iter().map(|n| n.address.name()).collect();
        assert_eq!(order, ["a", "b", "c"]);
    }

    #[test]
    fn a_diamond_is_no_cycle() {
        let graph = graph(vec![
            node("d", &["b", "c"]),
            node("c", &["a"]),
            node("b", &["a", "c"]),
            node("a", &[]),
        ]);
        let order: Vec<_> = graph.order().unwrap().iter().map(|n| n.address.name()).collect();
        assert_eq!(order, ["a", "c", "b", "d"]);
    }

    #[test]
    fn a_cycle_is_named() {
        let graph =
            graph(vec![node("x", &["a"]), node("a", &["b"]), node("b", &["c"]), node("c", &["a"])]);
        let error = graph.check().unwrap_err();
        assert_eq!(
            error.to_string(),
            "these resources depend on each other in a circle: s/a → s/b → s/c → s/a"
        );
    }

    #[test]
    fn duplicates_and_dangling_references_name_their_lines() {
        let error = graph(vec![node("a", &[]), node("a", &[])]).check().unwrap_err();
        assert_eq!(error.to_string(), "`s/a` is added twice: at stack.rs:7 and at stack.rs:7");
        let error = graph(vec![node("a", &["gone"])]).check().unwrap_err();
        assert_eq!(
            error.to_string(),
            "stack.rs:7: `s/a` refers to `s/gone`, which is not in the stack"
        );
    }

    #[test]
    fn a_graph_survives_json() {
        let graph = graph(vec![node("b", &["a"]), node("a", &[])]);
        let json = serde_json::to_string(&graph).unwrap();
        assert_eq!(serde_json::from_str::<Graph>(&json).unwrap(), graph);
    }
}
