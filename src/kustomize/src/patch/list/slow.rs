//! The merge of lists in general, step by step as kustomize goes, with its oddities.

use super::Side;
use crate::error::{Result, fail};
use crate::patch::strategic::{Outcome, settle as settle_node, walk};
use crate::schema::{Schema, Schemas};
use crate::yaml::{Node, Value};
use std::collections::HashSet;

/// The general merge. Elements live in one arena and lists hold their positions, so that an element can stand in
/// several lists at once, as it does in kustomize.
pub struct Slow<'k> {
    arena: Vec<Node>,
    ours: Vec<usize>,
    theirs: Vec<usize>,
    keys: Vec<&'k str>,
    same: bool,
}

impl<'k> Slow<'k> {
    pub fn new(ours: Vec<Node>, theirs: Side, keys: &[&'k str]) -> Self {
        let count = ours.len();
        let mut arena = ours;
        let (theirs, same) = match theirs {
            Side::Apart(theirs) => {
                arena.extend(theirs);
                ((count..arena.len()).collect(), false)
            }
            Side::Same => ((0..count).collect(), true),
        };
        let keys = if keys.is_empty() { vec![""] } else { keys.to_vec() };
        Self { arena, ours: (0..count).collect(), theirs, keys, same }
    }

    pub fn merge<'s>(
        mut self,
        items: Option<Schema<'s>>,
        schemas: Schemas<'s>,
    ) -> Result<Vec<Node>> {
        let values = self.values();
        let mut merged = Vec::new();
        let mut keys = self.keys.clone();
        for own in &values {
            let wanted;
            (keys, wanted) = valid_keys(&values, own, &self.keys);
            let element = self.merge_element(&keys, &wanted, items, schemas)?;
            match element.filter(|at| !is_void(&self.arena[*at])) {
                None => {
                    self.ours = set_element(&self.arena, &self.ours, None, &keys, &wanted)?;
                    if self.same {
                        self.theirs.clone_from(&self.ours);
                    }
                }
                Some(at) => {
                    self.complete(at, &keys, &wanted);
                    merged = set_element(&self.arena, &merged, Some(at), &keys, &wanted)?;
                }
            }
        }
        let order = if values.is_empty() { self.ours.clone() } else { self.append(merged, &keys)? };
        // An element may have come to stand in the list twice.
        Ok(order.into_iter().map(|at| self.arena[at].clone()).collect())
    }

    /// The values of the keys, of the patch's elements first, each combination once.
    fn values(&self) -> Vec<Vec<String>> {
        let mut seen = HashSet::new();
        let mut values = Vec::new();
        let ours = if self.same { &[] } else { self.ours.as_slice() };
        for at in self.theirs.iter().chain(ours) {
            let node = &self.arena[*at];
            let text = |key: &&str| match *key {
                "" => node.text().to_owned(),
                key => node
                    .get(key)
                    .filter(|value| !value.is_null_or_empty())
                    .map_or("", Node::text)
                    .to_owned(),
            };
            let own: Vec<String> = self.keys.iter().map(text).collect();
            if seen.insert(own.clone()) {
                values.push(own);
            }
        }
        if self.keys.len() > 1 { unify(values) } else { values }
    }

    fn merge_element<'s>(
        &mut self,
        keys: &[&str],
        wanted: &[String],
        items: Option<Schema<'s>>,
        schemas: Schemas<'s>,
    ) -> Result<Option<usize>> {
        let (keys, wanted) = valid_keys(&[wanted.to_vec()], wanted, keys);
        let ours = find(&self.arena, &self.ours, &keys, &wanted);
        let theirs = find(&self.arena, &self.theirs, &keys, &wanted);
        if let (Some(at), Some(other)) = (ours, theirs)
            && at == other
        {
            let mut node = std::mem::replace(&mut self.arena[at], Node::null());
            let outcome = settle_node(&mut node, items, schemas)?;
            self.arena[at] = node;
            return Ok((outcome != Outcome::Gone).then_some(at));
        }
        let mut own = ours.map(|at| std::mem::replace(&mut self.arena[at], Node::null()));
        let mut patch = theirs.map(|at| std::mem::replace(&mut self.arena[at], Node::null()));
        let outcome = walk(own.as_mut(), patch.as_mut(), items, schemas)?;
        for (at, node) in [(ours, own), (theirs, patch)] {
            if let (Some(at), Some(node)) = (at, node) {
                self.arena[at] = node;
            }
        }
        Ok(match outcome {
            Outcome::Ours => ours,
            Outcome::Theirs => theirs,
            Outcome::Gone => None,
        })
    }

    /// Adds keys that an element was matched by but doesn't have.
    fn complete(&mut self, at: usize, keys: &[&str], wanted: &[String]) {
        let Some(mapping) = self.arena[at].as_mapping_mut() else { return };
        for (key, value) in keys.iter().zip(wanted) {
            if !value.is_empty() && !mapping.contains(key) {
                mapping.insert(*key, Node::string(value.as_str()));
            }
        }
    }

    /// Appends the object's elements to the merged ones, each taking the place of its counterpart.
    fn append(&self, mut merged: Vec<usize>, keys: &[&str]) -> Result<Vec<usize>> {
        for at in &self.ours {
            let node = &self.arena[*at];
            if keys.first() == Some(&"") {
                merged =
                    set_element(&self.arena, &merged, Some(*at), &[""], &[node.text().to_owned()])?;
                continue;
            }
            let mut wanted = Vec::with_capacity(keys.len());
            for key in keys {
                match &node.value {
                    Value::Mapping(mapping) => match mapping.get(key) {
                        Some(value) => wanted.push(value.text().to_owned()),
                        None => merged.push(*at),
                    },
                    _ if node.is_null() => merged.push(*at),
                    _ => {
                        return Err(fail!(
                            Patch,
                            "a list that merges by {key:?} has a {} in it",
                            node.shape()
                        ));
                    }
                }
            }
            if keys.len() > 1 {
                merged = set_element(&self.arena, &merged, None, keys, &wanted)?;
            }
            merged = set_element(&self.arena, &merged, Some(*at), keys, &wanted)?;
        }
        Ok(merged)
    }
}

/// Null, or a map without fields.
fn is_void(node: &Node) -> bool {
    node.is_null() || node.as_mapping().is_some_and(|mapping| mapping.is_empty())
}

/// The keys that any element has, and the values for them; all keys where none has any.
fn valid_keys<'k>(
    all: &[Vec<String>],
    own: &[String],
    keys: &[&'k str],
) -> (Vec<&'k str>, Vec<String>) {
    let used: Vec<bool> = (0..keys.len())
        .map(|at| all.iter().any(|values| values.get(at).is_some_and(|v| !v.is_empty())))
        .collect();
    if !used.contains(&true) {
        return (keys.to_vec(), own.to_vec());
    }
    let valid = keys.iter().zip(&used).filter(|(_, used)| **used).map(|(key, _)| *key).collect();
    let values = own.iter().zip(&used).filter(|(value, used)| !value.is_empty() || **used);
    (valid, values.map(|(value, _)| value.clone()).collect())
}

/// Makes values equal that differ only in what one of them leaves out.
fn unify(mut values: Vec<Vec<String>>) -> Vec<Vec<String>> {
    for i in 0..values.len() {
        for j in 0..values.len() {
            if let Some(both) = unified(&values[i], &values[j]) {
                values[i].clone_from(&both);
                values[j] = both;
            }
        }
    }
    values
}

fn unified(a: &[String], b: &[String]) -> Option<Vec<String>> {
    let mut common = false;
    let mut both = Vec::with_capacity(a.len());
    for (x, y) in a.iter().zip(b) {
        if x == y {
            common = true;
        } else if !x.is_empty() && !y.is_empty() {
            return None;
        }
        both.push(if x.is_empty() { y.clone() } else { x.clone() });
    }
    common.then_some(both)
}

/// The first element whose keys have exactly these values.
fn find(arena: &[Node], list: &[usize], keys: &[&str], wanted: &[String]) -> Option<usize> {
    list.iter().copied().find(|at| {
        let node = &arena[*at];
        if keys.first() == Some(&"") {
            return wanted.first().is_some_and(|value| node.text() == value);
        }
        let pairs = keys.iter().zip(wanted);
        node.as_mapping().is_some()
            && pairs
                .into_iter()
                .all(|(key, value)| node.get(key).is_some_and(|found| found.text() == value))
    })
}

/// Puts an element in the place of those that match, or at the end; without an element, removes those that match.
///
/// An empty value matches whatever has the key; null and empty elements fall out on the way.
fn set_element(
    arena: &[Node],
    list: &[usize],
    element: Option<usize>,
    keys: &[&str],
    wanted: &[String],
) -> Result<Vec<usize>> {
    let by_map = keys.first().is_some_and(|key| !key.is_empty())
        && wanted.first().is_some_and(|v| !v.is_empty());
    let mut result = Vec::with_capacity(list.len() + 1);
    let mut matched = false;
    for at in list {
        let node = &arena[*at];
        if is_void(node) {
            continue;
        }
        if by_map && node.as_mapping().is_none() {
            result.push(*at);
            continue;
        }
        if !matches(node, keys, wanted)? {
            if !wanted.is_empty() {
                result.push(*at);
            }
            continue;
        }
        matched = true;
        result.extend(element);
    }
    if let Some(element) = element.filter(|at| !matched && !arena[*at].is_null()) {
        result.push(element);
    }
    Ok(result)
}

fn matches(node: &Node, keys: &[&str], wanted: &[String]) -> Result<bool> {
    let mut found = false;
    for (at, key) in keys.iter().enumerate() {
        if let Some(value) = wanted.get(at) {
            found = match &node.value {
                Value::Scalar(scalar) if key.is_empty() => scalar.text == *value,
                Value::Mapping(mapping) if !key.is_empty() => {
                    mapping.get(key).is_some_and(|found| value.is_empty() || found.text() == value)
                }
                _ => {
                    return Err(fail!(
                        Patch,
                        "a list that merges by key has a {} in it",
                        node.shape()
                    ));
                }
            };
        }
        if !found {
            return Ok(false);
        }
    }
    Ok(found)
}
