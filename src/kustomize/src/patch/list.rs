//! Lists that merge by key: the patch's elements first, then the object's, each merged with its counterpart.
//!
//! The common case, one key that every element has once, is done by hash. Everything else (several keys, some of them
//! missing, repeated or absent) goes through [`Slow`], which follows kustomize step by step, oddities included.

use super::strategic::{
    DIRECTIVE, Directive, Outcome, parse_directive, settle as settle_node, walk,
};
use crate::error::{Result, fail};
use crate::schema::{Schema, Schemas};
use crate::yaml::{Node, Value};
use std::collections::{HashMap, HashSet};

/// Merges a patch's list into an object's.
pub fn merge<'s>(
    ours: Option<&mut Node>,
    theirs: Option<&mut Node>,
    keys: &[&str],
    items: Option<Schema<'s>>,
    schemas: Schemas<'s>,
) -> Result<Outcome> {
    let Some(ours) = ours.filter(|node| !node.is_null()) else {
        let Some(theirs) = theirs else { return Ok(Outcome::Gone) };
        return Ok(match merge_same(theirs, keys, items, schemas)? {
            Outcome::Gone => Outcome::Gone,
            _ => Outcome::Theirs,
        });
    };
    let Some(theirs) = theirs else {
        let own = take_items(ours);
        put_items(ours, merge_items(own, Side::Apart(Vec::new()), keys, items, schemas)?);
        return Ok(Outcome::Ours);
    };
    if theirs.is_null() {
        return Ok(Outcome::Gone);
    }
    match take_directive(theirs)? {
        Directive::Delete => Ok(Outcome::Gone),
        Directive::Replace => {
            merge_same(theirs, keys, items, schemas)?;
            Ok(Outcome::Theirs)
        }
        Directive::Merge => {
            let (own, patch) = (take_items(ours), take_items(theirs));
            put_items(ours, merge_items(own, Side::Apart(patch), keys, items, schemas)?);
            Ok(Outcome::Ours)
        }
    }
}

/// Settles a list that stands for both sides.
pub fn settle<'s>(
    node: &mut Node,
    keys: &[&str],
    items: Option<Schema<'s>>,
    schemas: Schemas<'s>,
) -> Result<Outcome> {
    if take_directive(node)? == Directive::Delete {
        return Ok(Outcome::Gone);
    }
    merge_same(node, keys, items, schemas)
}

fn merge_same<'s>(
    node: &mut Node,
    keys: &[&str],
    items: Option<Schema<'s>>,
    schemas: Schemas<'s>,
) -> Result<Outcome> {
    let own = take_items(node);
    put_items(node, merge_items(own, Side::Same, keys, items, schemas)?);
    Ok(Outcome::Ours)
}

fn take_items(node: &mut Node) -> Vec<Node> {
    node.as_sequence_mut().map(|sequence| std::mem::take(&mut sequence.items)).unwrap_or_default()
}

fn put_items(node: &mut Node, items: Vec<Node>) {
    if let Some(sequence) = node.as_sequence_mut() {
        sequence.items = items;
    }
}

/// Reads a list's directive, the element that holds nothing else, and takes it out.
fn take_directive(node: &mut Node) -> Result<Directive> {
    let Some(sequence) = node.as_sequence_mut() else { return Ok(Directive::Merge) };
    let found = sequence.items.iter().find(|item| item.get(DIRECTIVE).is_some());
    let Some(mapping) = found.and_then(Node::as_mapping).filter(|mapping| mapping.len() == 1)
    else {
        return Ok(Directive::Merge);
    };
    let word = mapping.get(DIRECTIVE).map_or("", Node::text).to_owned();
    let directive = parse_directive(&word)?;
    sequence.items.retain(|item| {
        !(item.is_null_or_empty() && item.as_sequence().is_none())
            && item.get(DIRECTIVE).is_none_or(|found| found.text() != word)
    });
    Ok(directive)
}

/// The patch's side of a merge.
enum Side {
    /// A list of its own.
    Apart(Vec<Node>),
    /// The object's list itself.
    Same,
}

fn merge_items<'s>(
    ours: Vec<Node>,
    theirs: Side,
    keys: &[&str],
    items: Option<Schema<'s>>,
    schemas: Schemas<'s>,
) -> Result<Vec<Node>> {
    if let [key] = keys
        && has_unique_keys(&ours, key)
        && match &theirs {
            Side::Apart(theirs) => has_unique_keys(theirs, key),
            Side::Same => true,
        }
    {
        return merge_by_hash(ours, theirs, key, items, schemas);
    }
    Slow::new(ours, theirs, keys).merge(items, schemas)
}

fn has_unique_keys(list: &[Node], key: &str) -> bool {
    let mut seen = HashSet::with_capacity(list.len());
    list.iter().all(|item| {
        item.get(key).is_some_and(|node| !node.text().is_empty() && seen.insert(node.text()))
    })
}

fn merge_by_hash<'s>(
    ours: Vec<Node>,
    theirs: Side,
    key: &str,
    items: Option<Schema<'s>>,
    schemas: Schemas<'s>,
) -> Result<Vec<Node>> {
    let mut merged = Vec::with_capacity(ours.len());
    let theirs = match theirs {
        Side::Apart(theirs) => theirs,
        Side::Same => {
            for mut item in ours {
                if settle_node(&mut item, items, schemas)? != Outcome::Gone
                    && !item.is_null_or_empty()
                {
                    merged.push(item);
                }
            }
            return Ok(merged);
        }
    };
    let positions: HashMap<String, usize> = ours
        .iter()
        .enumerate()
        .filter_map(|(at, item)| Some((item.get(key)?.text().to_owned(), at)))
        .collect();
    let mut ours: Vec<Option<Node>> = ours.into_iter().map(Some).collect();
    for mut patch in theirs {
        let name = patch.get(key).map_or("", Node::text).to_owned();
        let counterpart = positions.get(&name).and_then(|at| ours[*at].take());
        let outcome = match counterpart {
            // The object's element stays even where the patch's would replace it: kustomize puts it back.
            Some(mut own) => match walk(Some(&mut own), Some(&mut patch), items, schemas)? {
                Outcome::Gone => None,
                _ => Some(own),
            },
            None => match walk(None, Some(&mut patch), items, schemas)? {
                Outcome::Theirs => Some(patch),
                _ => None,
            },
        };
        merged.extend(outcome.filter(|item| !item.is_null_or_empty()));
    }
    for mut own in ours.into_iter().flatten() {
        if walk(Some(&mut own), None, items, schemas)? != Outcome::Gone && !own.is_null_or_empty() {
            merged.push(own);
        }
    }
    Ok(merged)
}

/// The general merge. Elements live in one arena and lists hold their positions, so that an element can stand in
/// several lists at once, as it does in kustomize.
struct Slow<'k> {
    arena: Vec<Node>,
    ours: Vec<usize>,
    theirs: Vec<usize>,
    keys: Vec<&'k str>,
    same: bool,
}

impl<'k> Slow<'k> {
    fn new(ours: Vec<Node>, theirs: Side, keys: &[&'k str]) -> Self {
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

    fn merge<'s>(mut self, items: Option<Schema<'s>>, schemas: Schemas<'s>) -> Result<Vec<Node>> {
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
