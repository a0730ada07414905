//! A field by kind and path, and the walk that leads to it.

use crate::error::{Result, fail};
use crate::id::{Gvk, split_api_version};
use crate::resource::Resource;
use crate::yaml::{Mapping, Node, Scalar, Tag, Value};

/// A field of objects of some kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldSpec {
    /// Empty parts match anything.
    pub gvk: Gvk,
    /// Names separated by `/`; `[]` after a name says that it holds a list. Lists on the way are walked through.
    pub path: String,
    /// The field is made where it is missing.
    pub create: bool,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    name: String,
    list: bool,
}

/// What to make of a field that isn't there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Create {
    Nothing,
    Map,
    Scalar(Tag),
}

impl FieldSpec {
    pub fn new(gvk: Gvk, path: impl Into<String>, create: bool) -> Self {
        let path = path.into();
        let steps = split_path(&path, '/');
        let steps = steps.into_iter().map(|name| match name.strip_suffix("[]") {
            Some(short) => Step { name: short.to_owned(), list: true },
            None => Step { name, list: false },
        });
        Self { gvk, steps: steps.collect(), path, create }
    }

    /// Whether it is about objects of this kind.
    pub fn concerns(&self, resource: &Resource) -> bool {
        let Gvk { group, version, kind } = &self.gvk;
        // The kind alone decides it for nearly every field and object.
        if !kind.is_empty() && kind != resource.kind() {
            return false;
        }
        if group.is_empty() && version.is_empty() {
            return true;
        }
        let (own_group, own_version) = split_api_version(resource.api_version());
        self.gvk.selects(own_group, own_version, resource.kind())
    }
}

/// Splits a path at its separators, except those behind a backslash; one separator may lead.
pub fn split_path(path: &str, separator: char) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let path = if path.len() > 1 { path.strip_prefix(separator).unwrap_or(path) } else { path };
    for part in path.split(separator) {
        match parts.last_mut() {
            Some(last) if last.ends_with('\\') => {
                last.pop();
                last.push(separator);
                last.push_str(part);
            }
            _ => parts.push(part.to_owned()),
        }
    }
    parts
}

/// Calls a function with every node that the field leads to in this object.
pub fn apply(
    resource: &mut Resource,
    spec: &FieldSpec,
    create: Create,
    change: &mut dyn FnMut(&mut Node) -> Result<()>,
) -> Result<()> {
    if spec.concerns(resource) { apply_to_any(resource, spec, create, change) } else { Ok(()) }
}

/// The same, whatever the object's kind.
pub fn apply_to_any(
    resource: &mut Resource,
    spec: &FieldSpec,
    create: Create,
    change: &mut dyn FnMut(&mut Node) -> Result<()>,
) -> Result<()> {
    let create = if spec.create { create } else { Create::Nothing };
    walk(&mut resource.node, &spec.steps, create, change).map_err(|error| {
        error
            .doing(format!("changing field {} of {}", spec.path, resource.describe()))
            .at_object(resource)
    })
}

fn walk(
    node: &mut Node,
    steps: &[Step],
    create: Create,
    change: &mut dyn FnMut(&mut Node) -> Result<()>,
) -> Result<()> {
    let Some((step, rest)) = steps.split_first() else { return change(node) };
    match &mut node.value {
        Value::Sequence(sequence) => {
            sequence.items.iter_mut().try_for_each(|item| walk(item, steps, create, change))
        }
        Value::Mapping(mapping) => match find(mapping, step, rest.is_empty(), create)? {
            Some(field) => walk(field, rest, create, change),
            None => Ok(()),
        },
        Value::Scalar(scalar) if scalar.tag == Tag::Null => Ok(()),
        Value::Scalar(_) => {
            Err(fail!(Field, "{:?} is sought in a plain value, not in a map or a list", step.name))
        }
    }
}

/// The field of a step, made where that is wished for.
fn find<'a>(
    mapping: &'a mut Mapping,
    step: &Step,
    last: bool,
    create: Create,
) -> Result<Option<&'a mut Node>> {
    if step.name.is_empty() {
        return Err(fail!(Field, "a path has an empty field name"));
    }
    let made = match create {
        Create::Nothing => None,
        _ if step.list => None,
        Create::Scalar(tag) if last => Some(Value::Scalar(Scalar { tag, ..Scalar::untyped("") })),
        _ => Some(Value::Mapping(Mapping::default())),
    };
    if let Some(made) = &made
        && !mapping.contains(&step.name)
    {
        mapping.insert(step.name.as_str(), Node::new(made.clone()));
    }
    let Some(field) = mapping.get_mut(&step.name) else { return Ok(None) };
    if field.is_null() {
        match made {
            Some(made) => field.value = made,
            None if step.list => field.value = Value::Sequence(Default::default()),
            None => {}
        }
    }
    Ok(Some(field))
}
