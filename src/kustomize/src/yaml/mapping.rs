//! Maps in document order, small in memory: an object has hundreds of them, nearly all with a handful of keys.

use super::node::{Key, Mark, Node};
use smol_str::SmolStr;
use std::collections::HashMap;

/// Up to this many keys are searched one by one, which beats hashing and needs no table.
const SEARCHED: usize = 24;

/// A map in document order.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    entries: Vec<(Key, Node)>,
    /// Positions by key, for maps too large to search.
    #[expect(
        clippy::box_collection,
        reason = "nearly every map is without one and should stay small"
    )]
    positions: Option<Box<HashMap<SmolStr, usize>>>,
    pub flow: bool,
}

impl Mapping {
    /// The same map, written in brackets or not.
    pub fn in_brackets(mut self, flow: bool) -> Self {
        self.flow = flow;
        self
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn position(&self, key: &str) -> Option<usize> {
        match &self.positions {
            Some(positions) => positions.get(key).copied(),
            None => self.entries.iter().position(|(known, _)| known.text == key),
        }
    }

    pub fn get(&self, key: &str) -> Option<&Node> {
        self.position(key).map(|at| &self.entries[at].1)
    }

    /// The key node of a field.
    pub fn key(&self, key: &str) -> Option<&Key> {
        self.position(key).map(|at| &self.entries[at].0)
    }

    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.position(key).map(|at| &mut self.entries[at].1)
    }

    pub fn contains(&self, key: &str) -> bool {
        self.position(key).is_some()
    }

    /// Sets a field; an existing key keeps its place and its own key node.
    pub fn insert(&mut self, key: impl Into<Key>, node: Node) {
        let key = key.into();
        if let Some(at) = self.position(&key.text) {
            self.entries[at].1 = node;
            return;
        }
        if let Some(positions) = &mut self.positions {
            positions.insert(key.text.clone(), self.entries.len());
        }
        self.entries.push((key, node));
        if self.positions.is_none() && self.entries.len() > SEARCHED {
            self.index();
        }
    }

    /// Makes room for so many more entries and no others: most maps never get any.
    pub fn reserve(&mut self, more: usize) {
        self.entries.reserve_exact(more);
    }

    pub fn remove(&mut self, key: &str) -> Option<Node> {
        let (_, node) = self.entries.remove(self.position(key)?);
        self.index();
        Some(node)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Node)> {
        self.entries.iter().map(|(key, node)| (key, node))
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&Key, &mut Node)> {
        self.entries.iter_mut().map(|(key, node)| (&*key, node))
    }

    /// Says where a field stands.
    pub(super) fn stand(&mut self, key: &str, key_at: Mark, at: Mark) {
        if let Some(position) = self.position(key) {
            let (key, node) = &mut self.entries[position];
            (key.at, node.at) = (key_at, at);
        }
    }

    pub(super) fn iter_mut_with_keys(&mut self) -> impl Iterator<Item = (&mut Key, &mut Node)> {
        self.entries.iter_mut().map(|(key, node)| (key, node))
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&Key, &mut Node) -> bool) {
        self.entries.retain_mut(|(key, node)| keep(key, node));
        self.index();
    }

    pub fn into_entries(self) -> impl Iterator<Item = (Key, Node)> {
        self.entries.into_iter()
    }

    /// Gives back what was reserved for more entries.
    pub fn shrink(&mut self) {
        shrink(&mut self.entries);
    }

    fn index(&mut self) {
        self.positions = (self.entries.len() > SEARCHED).then(|| {
            let positions =
                self.entries.iter().enumerate().map(|(at, (key, _))| (key.text.clone(), at));
            Box::new(positions.collect())
        });
    }
}

/// Moves elements to a place of their number, so that the one they grew in serves the next list or map.
///
/// `shrink_to_fit` would cut it, and leave thousands of small holes that nothing fits into.
pub(super) fn shrink<T>(elements: &mut Vec<T>) {
    let mut exact = Vec::with_capacity(elements.len());
    exact.append(elements);
    *elements = exact;
}

impl FromIterator<(Key, Node)> for Mapping {
    fn from_iter<I: IntoIterator<Item = (Key, Node)>>(entries: I) -> Self {
        let entries = entries.into_iter();
        let mut mapping = Self::default();
        mapping.reserve(entries.size_hint().0);
        for (key, node) in entries {
            mapping.insert(key, node);
        }
        mapping
    }
}
