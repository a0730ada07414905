//! Moves: resources that have a new name in the stack, and keep everything else.

use crate::{Address, Graph, State};
use std::collections::BTreeMap;

/// What the state has under an old name and the stack under a new one: new address by old one.
pub fn moves(graph: &Graph, state: &State) -> BTreeMap<Address, Address> {
    let there = |address: Address| state.resources.contains_key(&address);
    graph
        .nodes
        .iter()
        .filter_map(|node| {
            let old = node.options.renamed_from?;
            let old = Address::new(&graph.stack, old.as_str()).ok()?;
            let free = !there(node.address) && graph.node(old).is_none();
            (free && there(old)).then_some((old, node.address))
        })
        .collect()
}
