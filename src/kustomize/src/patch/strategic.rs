//! Strategic merge: a patch laid over an object, lists merged by the keys of the schema.
//!
//! What takes a field's place is either the object's own value, changed in place, or the patch's. kustomize walks both
//! trees to the leaves, so a merge also settles what the patch doesn't mention: written-out nulls stay, empty ones go.

use super::list;
use crate::error::{Result, fail};
use crate::schema::{Schema, Schemas};
use crate::yaml::{Key, Mapping, Node, Style, Tag, Value};
use std::sync::Arc;

/// The key of a map that says what to do with it.
pub(super) const DIRECTIVE: &str = "$patch";

/// What takes the place of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The object's value, as it now is.
    Ours,
    /// The patch's value.
    Theirs,
    /// Nothing.
    Gone,
}

/// What a `$patch` key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Directive {
    Merge,
    Replace,
    Delete,
}

/// Lays a patch over an object; false when the patch deletes it.
pub fn merge(object: &mut Node, mut patch: Node, schemas: Schemas<'_>) -> Result<bool> {
    let mut comments = Vec::new();
    collect_comments(object, &mut comments);
    collect_comments(&patch, &mut comments);
    let schemas = Schemas { custom: schemas.custom, comments: &comments };
    match walk(Some(object), Some(&mut patch), None, schemas)? {
        Outcome::Ours => Ok(true),
        Outcome::Theirs => {
            *object = patch;
            Ok(true)
        }
        Outcome::Gone => Ok(false),
    }
}

/// Holds on to the schemas in comments while the trees they belong to are taken apart.
fn collect_comments(node: &Node, into: &mut Vec<Arc<serde_json::Value>>) {
    match &node.value {
        Value::Scalar(_) => {}
        Value::Sequence(sequence) => {
            sequence.items.iter().for_each(|item| collect_comments(item, into))
        }
        Value::Mapping(mapping) => {
            for (key, value) in mapping.iter() {
                into.extend(key.schema.clone());
                collect_comments(value, into);
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Scalar,
    List,
    Map,
}

fn shape(node: &Node) -> Option<Shape> {
    match &node.value {
        Value::Scalar(_) if node.is_null() => None,
        Value::Scalar(_) => Some(Shape::Scalar),
        Value::Sequence(_) => Some(Shape::List),
        Value::Mapping(_) => Some(Shape::Map),
    }
}

/// Merges one value; the caller puts the outcome in its place.
pub(super) fn walk<'s>(
    ours: Option<&mut Node>,
    theirs: Option<&mut Node>,
    schema: Option<Schema<'s>>,
    schemas: Schemas<'s>,
) -> Result<Outcome> {
    let by_own_kind =
        |node: &Option<&mut Node>| node.as_deref().and_then(|node| schemas.of_node(node));
    let schema = schema.or_else(|| by_own_kind(&ours)).or_else(|| by_own_kind(&theirs));
    let our_shape = ours.as_deref().and_then(shape);
    let their_shape = theirs.as_deref().and_then(shape);
    if let (Some(ours), Some(theirs)) = (our_shape, their_shape)
        && ours != theirs
    {
        let word = |shape| match shape {
            Shape::Scalar => "a plain value",
            Shape::List => "a list",
            Shape::Map => "a map",
        };
        return Err(fail!(
            Patch,
            "the patch has {} where the object has {}",
            word(theirs),
            word(ours)
        ));
    }
    match our_shape.or(their_shape) {
        Some(Shape::Scalar) => Ok(if theirs.is_some() { Outcome::Theirs } else { Outcome::Ours }),
        Some(Shape::List) => match schema.and_then(Schema::merge_keys) {
            Some(keys) => list::merge(ours, theirs, &keys, schema.and_then(Schema::items), schemas),
            None => Ok(if theirs.is_some() { Outcome::Theirs } else { Outcome::Ours }),
        },
        Some(Shape::Map) | None => walk_map(ours, theirs, schema, schemas),
    }
}

fn walk_map<'s>(
    ours: Option<&mut Node>,
    theirs: Option<&mut Node>,
    schema: Option<Schema<'s>>,
    schemas: Schemas<'s>,
) -> Result<Outcome> {
    let Some(ours) = ours.filter(|node| !node.is_null() || theirs.is_none()) else {
        let Some(theirs) = theirs else { return Ok(Outcome::Gone) };
        // A map that only the patch has: its directive counts, but a wrong one is let pass here.
        if matches!(take_map_directive(theirs), Ok(Directive::Delete)) || theirs.is_null() {
            return Ok(Outcome::Gone);
        }
        settle_fields(theirs, schema, schemas)?;
        return Ok(Outcome::Theirs);
    };
    let Some(theirs) = theirs else {
        if ours.is_null() {
            return Ok(if ours.text().is_empty() { Outcome::Gone } else { Outcome::Ours });
        }
        merge_fields(ours, None, schema, schemas)?;
        return Ok(Outcome::Ours);
    };
    if theirs.is_null() {
        return Ok(Outcome::Gone);
    }
    match take_map_directive(theirs)? {
        Directive::Delete => Ok(Outcome::Gone),
        Directive::Replace => {
            settle_fields(theirs, schema, schemas)?;
            Ok(Outcome::Theirs)
        }
        Directive::Merge => {
            merge_fields(ours, theirs.as_mapping_mut(), schema, schemas)?;
            Ok(Outcome::Ours)
        }
    }
}

fn merge_fields<'s>(
    ours: &mut Node,
    mut theirs: Option<&mut Mapping>,
    schema: Option<Schema<'s>>,
    schemas: Schemas<'s>,
) -> Result<()> {
    let Some(ours) = ours.as_mapping_mut() else { return Ok(()) };
    let mut gone = Vec::new();
    for (key, value) in ours.iter_mut() {
        let beside = theirs.as_deref().and_then(|theirs| schemas.of_key(theirs.key(&key.text)?));
        let mut patch = theirs.as_deref_mut().and_then(|theirs| theirs.get_mut(&key.text));
        let by_name = || schema.and_then(|schema| schema.field(&key.text));
        let field = schemas.of_key(key).or(beside).or_else(by_name);
        match walk(Some(value), patch.as_deref_mut(), field, schemas)? {
            Outcome::Ours => {}
            Outcome::Gone => gone.push(key.text.clone()),
            Outcome::Theirs => match patch {
                Some(patch) if !patch.is_null() => replace(value, patch),
                _ => gone.push(key.text.clone()),
            },
        }
    }
    if !gone.is_empty() {
        ours.retain(|key, _| !gone.contains(&key.text));
    }
    let Some(theirs) = theirs else { return Ok(()) };
    let mut added = Vec::new();
    for (key, patch) in theirs.iter_mut() {
        // What was just removed must not come back.
        if ours.contains(&key.text) || gone.contains(&key.text) {
            continue;
        }
        let by_name = || schema.and_then(|schema| schema.field(&key.text));
        let field = schemas.of_key(key).or_else(by_name);
        if walk(None, Some(patch), field, schemas)? == Outcome::Theirs && !patch.is_null() {
            // The key keeps its quotes but not its type.
            let key = Key { tag: Tag::Unset, ..key.clone() };
            added.push((key, std::mem::replace(patch, Node::null())));
        }
    }
    for (key, value) in added {
        ours.insert(key, value);
    }
    Ok(())
}

/// Puts the patch's value in place; a scalar keeps the quotes of the one it replaces.
fn replace(ours: &mut Node, theirs: &mut Node) {
    let mut value = std::mem::replace(theirs, Node::null());
    if let Value::Scalar(new) = &mut value.value {
        match &ours.value {
            Value::Scalar(old) => {
                (new.style, new.tagged) = (old.style, old.tagged);
                (new.shared, new.changed) = (old.shared, old.shared != 0);
            }
            _ => (new.style, new.tagged) = (Style::Plain, false),
        }
    }
    *ours = value;
}

/// Settles a value that stands for both sides: nulls and deletions inside of it are carried out.
pub(super) fn settle<'s>(
    node: &mut Node,
    schema: Option<Schema<'s>>,
    schemas: Schemas<'s>,
) -> Result<Outcome> {
    let schema = schema.or_else(|| schemas.of_node(node));
    match shape(node) {
        None => Ok(Outcome::Gone),
        Some(Shape::Scalar) => Ok(Outcome::Ours),
        Some(Shape::Map) => {
            if take_map_directive(node)? == Directive::Delete {
                return Ok(Outcome::Gone);
            }
            settle_fields(node, schema, schemas)?;
            Ok(Outcome::Ours)
        }
        Some(Shape::List) => match schema.and_then(Schema::merge_keys) {
            Some(keys) => list::settle(node, &keys, schema.and_then(Schema::items), schemas),
            None => Ok(Outcome::Ours),
        },
    }
}

fn settle_fields<'s>(
    node: &mut Node,
    schema: Option<Schema<'s>>,
    schemas: Schemas<'s>,
) -> Result<()> {
    let Some(mapping) = node.as_mapping_mut() else { return Ok(()) };
    let mut failed = None;
    mapping.retain(|key, value| {
        if failed.is_some() {
            return true;
        }
        let by_name = || schema.and_then(|schema| schema.field(&key.text));
        let field = schemas.of_key(key).or_else(by_name);
        match settle(value, field, schemas) {
            Ok(outcome) => outcome != Outcome::Gone,
            Err(error) => {
                failed = Some(error);
                true
            }
        }
    });
    failed.map_or(Ok(()), Err)
}

/// Reads a map's directive and takes it out.
fn take_map_directive(node: &mut Node) -> Result<Directive> {
    let Some(mapping) = node.as_mapping_mut() else { return Ok(Directive::Merge) };
    let Some(word) = mapping.get(DIRECTIVE) else { return Ok(Directive::Merge) };
    let directive = parse_directive(word.text())?;
    mapping.remove(DIRECTIVE);
    Ok(directive)
}

pub(super) fn parse_directive(word: &str) -> Result<Directive> {
    match word {
        "delete" => Ok(Directive::Delete),
        "replace" => Ok(Directive::Replace),
        "merge" => Ok(Directive::Merge),
        other => Err(fail!(Patch, "$patch must be delete, replace or merge, not {other:?}")),
    }
}
