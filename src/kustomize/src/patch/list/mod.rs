//! Lists that merge by key: the patch's elements first, then the object's, each merged with its counterpart.
//!
//! The common case, one key that every element has once, is done by hash. Everything else (several keys, some of them
//! missing, repeated or absent) goes through [`Slow`], which follows kustomize step by step, oddities included.

mod slow;

use super::strategic::{
    DIRECTIVE, Directive, Outcome, parse_directive, settle as settle_node, walk,
};
use crate::error::Result;
use crate::schema::{Schema, Schemas};
use crate::yaml::Node;
use slow::Slow;
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
pub(super) enum Side {
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
