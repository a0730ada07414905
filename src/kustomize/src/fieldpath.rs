//! Paths into objects as replacements and variables write them: `spec.containers.[name=web].image`, `a.0.b`, `a.*.b`.

use crate::error::{Result, fail};
use crate::yaml::{Mapping, Node, Scalar, Value};
use regex::Regex;

/// How many nodes a path led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found(pub usize);

/// Splits a path at its dots; brackets hold together, a backslash keeps a dot.
pub fn split(path: &str) -> Vec<String> {
    let parts = crate::config::split_path(path, '.');
    let mut result = Vec::with_capacity(parts.len());
    let mut parts = parts.into_iter();
    while let Some(part) = parts.next() {
        if !part.starts_with('[') || part.ends_with(']') {
            result.push(part);
            continue;
        }
        let mut bracketed = part;
        for next in parts.by_ref() {
            bracketed.push('.');
            bracketed.push_str(&next);
            if next.ends_with(']') {
                break;
            }
        }
        // Brackets without a condition only quote a name.
        if bracketed.contains('=') {
            result.push(bracketed);
        } else {
            result.push(bracketed.trim_matches(['[', ']']).to_owned());
        }
    }
    result
}

/// One step of a path.
enum Step<'a> {
    Field(&'a str),
    Index(usize),
    Last,
    Every,
    Where { field: &'a str, value: &'a str },
}

fn step(part: &str) -> Result<Step<'_>> {
    if let Some(inner) = part.strip_prefix('[').and_then(|part| part.strip_suffix(']')) {
        return match inner.split_once('=') {
            Some((field, value)) => Ok(Step::Where { field, value }),
            None => Err(fail!(Field, "{part:?} must be [field=value]")),
        };
    }
    if part.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(index) = part.parse()
    {
        return Ok(Step::Index(index));
    }
    Ok(match part {
        "*" => Step::Every,
        part => Step::Field(part),
    })
}

fn wrong_shape(part: &str, wanted: &str, node: &Node) -> crate::error::Error {
    fail!(Field, "{part:?} is sought in a {wanted}, but a {} is there", node.shape())
}

/// The one node that a path leads to; conditions are compared as text, and `*` isn't allowed.
pub fn lookup<'a>(root: &'a Node, path: &[String]) -> Result<Option<&'a Node>> {
    let mut node = root;
    for part in path.iter().map(|part| part.trim()).filter(|part| !part.is_empty()) {
        let Some(key) = next_key(node, part)? else { return Ok(None) };
        let next = match (key, &node.value) {
            (Next::Field(name), Value::Mapping(mapping)) => mapping.get(name),
            (Next::Item(index), Value::Sequence(sequence)) => sequence.items.get(index),
            _ => None,
        };
        let Some(next) = next else { return Ok(None) };
        node = next;
    }
    Ok(Some(node))
}

/// The same, to be changed.
pub fn lookup_mut<'a>(root: &'a mut Node, path: &[String]) -> Result<Option<&'a mut Node>> {
    let mut node = root;
    for part in path.iter().map(|part| part.trim()).filter(|part| !part.is_empty()) {
        let Some(key) = next_key(node, part)? else { return Ok(None) };
        let next = match (key, &mut node.value) {
            (Next::Field(name), Value::Mapping(mapping)) => mapping.get_mut(name),
            (Next::Item(index), Value::Sequence(sequence)) => sequence.items.get_mut(index),
            _ => None,
        };
        let Some(next) = next else { return Ok(None) };
        node = next;
    }
    Ok(Some(node))
}

enum Next<'a> {
    Field(&'a str),
    Item(usize),
}

/// Where the next step of a lookup goes.
fn next_key<'a>(node: &Node, part: &'a str) -> Result<Option<Next<'a>>> {
    let step = if part == "-" { Step::Last } else { step(part)? };
    if node.is_null() {
        return Ok(None);
    }
    if let Step::Field(name) = step {
        return match &node.value {
            Value::Mapping(_) => Ok(Some(Next::Field(name))),
            _ => Err(wrong_shape(part, "map", node)),
        };
    }
    let Some(sequence) = node.as_sequence() else { return Err(wrong_shape(part, "list", node)) };
    let items = &sequence.items;
    let position = match step {
        Step::Index(index) => Some(index),
        Step::Last => items.len().checked_sub(1),
        Step::Where { field: "", value } => items.iter().position(|item| item.text() == value),
        Step::Where { field, value } => {
            items.iter().position(|item| item.get(field).is_some_and(|found| found.text() == value))
        }
        Step::Every => return Err(fail!(Field, "* is not allowed in this path")),
        Step::Field(_) => None,
    };
    Ok(position.filter(|position| *position < items.len()).map(Next::Item))
}

/// Visits every node that a path leads to; `create` is what a missing last field starts as.
pub fn visit(
    node: &mut Node,
    path: &[String],
    create: Option<&Node>,
    change: &mut dyn FnMut(&mut Node) -> Result<()>,
) -> Result<Found> {
    let Some((part, rest)) = path.split_first() else {
        change(node)?;
        return Ok(Found(1));
    };
    match step(part)? {
        Step::Index(index) => {
            let Some(items) = items_of(node, part)? else { return Ok(Found(0)) };
            if items.len() == index
                && let Some(create) = create
            {
                items.push(made_for(rest, create));
            }
            let count = items.len();
            match items.get_mut(index) {
                Some(item) => visit(item, rest, create, change),
                None => Err(fail!(Field, "index {index} is sought in a list of {count}")),
            }
        }
        Step::Where { field, value } => {
            visit_where(node, part, (field, value), rest, create, change)
        }
        Step::Every => {
            let Some(items) = items_of(node, part)? else { return Ok(Found(0)) };
            let mut found = 0;
            for item in items {
                found += visit(item, rest, create, change)?.0;
            }
            Ok(Found(found))
        }
        Step::Field(name) => {
            if node.is_null() {
                return Ok(Found(0));
            }
            let shape = node.shape();
            let Some(mapping) = node.as_mapping_mut() else {
                return Err(fail!(Field, "{part:?} is sought in a map, but a {shape} is there"));
            };
            if !mapping.contains(name) {
                let Some(create) = create else { return Ok(Found(0)) };
                mapping.insert(name, made_for(rest, create));
            }
            match mapping.get_mut(name) {
                Some(field) => visit(field, rest, create, change),
                None => Ok(Found(0)),
            }
        }
        Step::Last => Ok(Found(0)),
    }
}

fn items_of<'a>(node: &'a mut Node, part: &str) -> Result<Option<&'a mut Vec<Node>>> {
    if node.is_null() {
        return Ok(None);
    }
    let error = wrong_shape(part, "list", node);
    node.as_sequence_mut().map(|sequence| Some(&mut sequence.items)).ok_or(error)
}

/// Visits the elements whose field, or which themselves, match a regular expression.
fn visit_where(
    node: &mut Node,
    part: &str,
    (field, value): (&str, &str),
    rest: &[String],
    create: Option<&Node>,
    change: &mut dyn FnMut(&mut Node) -> Result<()>,
) -> Result<Found> {
    let pattern =
        Regex::new(value).map_err(|error| crate::selector::invalid(part, value, &error))?;
    let Some(items) = items_of(node, part)? else { return Ok(Found(0)) };
    let mut found = 0;
    // After an element has been made, the search is done once more to find it.
    for attempt in 0..2 {
        for item in items.iter_mut() {
            if field.is_empty() {
                if pattern.is_match(&as_text(item)) {
                    change(item)?;
                    found += 1;
                }
            } else if item.get(field).is_some_and(|found| pattern.is_match(&as_text(found))) {
                found += visit(item, rest, create, change)?.0;
            }
        }
        if found > 0 || create.is_none() || attempt > 0 {
            break;
        }
        let made = Node::scalar(Scalar::untyped(value));
        items.push(if field.is_empty() {
            made
        } else {
            Node::mapping([(field.into(), made)].into_iter().collect::<Mapping>())
        });
    }
    Ok(Found(found))
}

/// A node as it would be written.
fn as_text(node: &Node) -> String {
    crate::yaml::to_document(node).trim().to_owned()
}

/// What a missing field starts as: a list before an index or a condition, a map before a name.
fn made_for(rest: &[String], create: &Node) -> Node {
    match rest.first().map(|part| step(part)) {
        None => create.clone(),
        Some(Ok(Step::Index(_) | Step::Where { .. })) => Node::sequence(Vec::new()),
        Some(_) => Node::empty_mapping(),
    }
}
