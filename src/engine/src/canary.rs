//! Canaries: resources that are there only while a run with canaries lasts, to try out what it changes.
//!
//! Such a run creates each before it changes what the canary tries out, which isn't changed unless the canary is
//! well. Any other run has none in its graph, and so deletes one that was left.

use crate::{Address, Graph, GraphError, Node, graph::place};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

impl Graph {
    /// What a run sees of the stack: with the canaries of some, each before what it tries out, and no others.
    pub(crate) fn with_canaries(&self, of: impl Fn(Address) -> bool) -> Cow<'_, Self> {
        match self.canaries().next() {
            None => Cow::Borrowed(self),
            Some(_) => Cow::Owned(self.with(of)),
        }
    }

    /// The canaries, each with what it tries out.
    pub fn canaries(&self) -> impl Iterator<Item = (&Node, Address)> {
        self.nodes.iter().filter_map(|node| Some((node, node.options.canary_of?)))
    }

    fn with(&self, takes_part: impl Fn(Address) -> bool) -> Self {
        let mut graph = self.clone();
        graph.nodes.retain(|node| node.options.canary_of.is_none_or(&takes_part));
        let mut first: BTreeMap<Address, Vec<Address>> = BTreeMap::new();
        for (canary, of) in self.canaries().filter(|(_, of)| takes_part(*of)) {
            first.entry(of).or_default().push(canary.address);
        }
        for node in &mut graph.nodes {
            node.options.after.extend(first.remove(&node.address).into_iter().flatten());
        }
        graph
    }

    /// Nothing may need a canary, and a canary is of something else of its kind that doesn't come after it anyway.
    pub(crate) fn check_canaries(&self) -> Result<(), GraphError> {
        let canaries: BTreeSet<Address> = self.canaries().map(|(node, _)| node.address).collect();
        if canaries.is_empty() {
            return Ok(());
        }
        for (canary, of) in self.canaries() {
            let what = match self.node(of) {
                None => "not in the stack",
                Some(_) if canaries.contains(&of) => "a canary",
                Some(other) if other.kind != canary.kind => "of another kind",
                Some(_) => continue,
            };
            return Err(GraphError::CanaryOf {
                place: place(canary),
                address: canary.address,
                of,
                what,
            });
        }
        let of_nodes = self.nodes.iter().flat_map(|node| {
            node.dependencies().into_iter().map(|to| (place(node), node.address.to_string(), to))
        });
        let of_exports = self.exports.iter().flat_map(|(name, expr)| {
            expr.refs()
                .into_iter()
                .map(move |(to, _)| (self.stack.clone(), format!("export {name}"), to))
        });
        match of_nodes.chain(of_exports).find(|(_, _, to)| canaries.contains(to)) {
            Some((place, from, to)) => Err(GraphError::CanaryNeeded { place, from, to }),
            None => self.with(|_| true).order().map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Expr, Options, Symbol};

    fn at(name: &str) -> Address {
        Address::new("s", name).unwrap()
    }

    fn node(name: &str, canary_of: Option<&str>, needs: &[&str]) -> Node {
        let refs = needs.iter().map(|need| Expr::Ref { node: at(need), output: Symbol::new("id") });
        Node {
            address: at(name),
            kind: "test.Thing".into(),
            fields: BTreeMap::from([("needs".to_owned(), Expr::list(refs.collect()))]),
            options: Options { canary_of: canary_of.map(at), ..Options::default() },
            source: None,
        }
    }

    fn graph(nodes: Vec<Node>) -> Graph {
        Graph { nodes, ..Graph::empty("s") }
    }

    #[test]
    fn a_canary_is_seen_before_what_it_tries_out_and_only_where_asked_for() {
        let graph = graph(vec![
            node("app", None, &["net"]),
            node("beta", Some("app"), &["net"]),
            node("net", None, &[]),
        ]);
        graph.check().unwrap();
        let seen = |canaries: &[&str]| -> Vec<String> {
            let present = graph.with_canaries(|of| canaries.contains(&of.name()));
            present.order().unwrap().iter().map(|node| node.address.name().to_owned()).collect()
        };
        assert_eq!(seen(&["app"]), ["net", "beta", "app"]);
        assert_eq!(seen(&[]), ["net", "app"]);
    }

    #[test]
    fn a_canary_that_can_not_come_and_go_is_refused() {
        let check = |nodes: Vec<Node>, expected: &str| {
            assert_eq!(graph(nodes).check().unwrap_err().to_string(), expected);
        };
        let app = || node("app", None, &[]);
        check(
            vec![app(), node("beta", Some("gone"), &[])],
            "the graph file: `s/beta` is a canary of `s/gone`, which is not in the stack",
        );
        check(
            vec![app(), node("beta", Some("app"), &[]), node("gamma", Some("beta"), &[])],
            "the graph file: `s/gamma` is a canary of `s/beta`, which is a canary",
        );
        let other = Node { kind: "test.Other".into(), ..node("beta", Some("app"), &[]) };
        check(
            vec![app(), other],
            "the graph file: `s/beta` is a canary of `s/app`, which is of another kind",
        );
        check(
            vec![app(), node("beta", Some("app"), &[]), node("alarm", None, &["beta"])],
            "the graph file: `s/alarm` refers to `s/beta`, a canary, which is there only for a while",
        );
        check(
            vec![app(), node("beta", Some("app"), &["app"])],
            "these resources depend on each other in a circle: s/app → s/beta → s/app",
        );
        let mut exporting = graph(vec![app(), node("beta", Some("app"), &[])]);
        exporting
            .exports
            .insert("url".into(), Expr::Ref { node: at("beta"), output: Symbol::new("id") });
        let refused = exporting.check().unwrap_err().to_string();
        assert_eq!(
            refused,
            "s: `export url` refers to `s/beta`, a canary, which is there only for a while"
        );
    }
}
