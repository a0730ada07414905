//! From files to objects: documents, lists of objects taken apart, notes of earlier builds read.

use crate::error::{Error, ErrorKind, Result};
use crate::resource::{Behavior, PreviousName, Resource};
use crate::yaml::{
    Dialect, Key, Mapping, Mark, Node, ParseOptions, Scalar, Style, Tag, parse_documents, resolve,
    to_json,
};
use smol_str::SmolStr;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

/// Annotations under this prefix are notes that one step of a build leaves for the next.
const NOTES: &str = "internal.config.kubernetes.io/";
const LEGACY_NOTES: &[&str] =
    &["config.kubernetes.io/index", "config.kubernetes.io/path", "config.k8s.io/id"];

/// Reads the objects of a text.
///
/// `before` is what of its file stands before it.
pub fn parse_objects(text: &str, file: &Path, before: Mark) -> Result<Vec<Resource>> {
    let options = ParseOptions { before, ..ParseOptions::RESOURCE };
    let nodes = parse_documents(text, options).map_err(|error| Error::yaml(&error, file))?;
    let file: Arc<Path> = Arc::from(file);
    let mut queue = VecDeque::new();
    let single = nodes.len() == 1;
    for node in nodes {
        if single && is_wrapper(&node) {
            queue.extend(take_list(node, "items").into_iter().flatten());
        } else {
            queue.push_back(node);
        }
    }
    queue.retain(|node| !node.is_null_or_empty());
    queue.iter().try_for_each(|node| check_object(node, &file))?;
    let mut resources = Vec::with_capacity(queue.len());
    while let Some(node) = queue.pop_front() {
        let is_list = node.get("kind").is_some_and(|kind| kind.text().ends_with("List"));
        if !is_list || node.get("items").is_none() {
            resources.push(make_resource(node, &file)?);
            continue;
        }
        let at = node.at;
        let items = node.get("items");
        if items.is_some_and(|items| !items.is_null() && items.as_sequence().is_none()) {
            let kind = ErrorKind::BadObject("items of a list of objects must be a list".to_owned());
            return Err(Error::new(kind).at(&file, at));
        }
        for item in take_list(node, "items").into_iter().flatten() {
            let item = through_json(&item)
                .map_err(|error| Error::from(ErrorKind::from(error)).at(&file, item.at))?;
            let inner = if is_wrapper(&item) {
                take_list(item, "items").unwrap_or_default()
            } else {
                vec![item]
            };
            for item in inner.into_iter().filter(|item| !item.is_null_or_empty()) {
                check_object(&item, &file)?;
                queue.push_back(item);
            }
        }
    }
    Ok(resources)
}

/// A `List` that only wraps other objects.
fn is_wrapper(node: &Node) -> bool {
    let kind = node.get("kind").map_or("", Node::text);
    matches!(kind, "List" | "ResourceList")
        && (node.get("items").is_some() || node.get("functionConfig").is_some())
}

fn take_list(mut node: Node, field: &str) -> Option<Vec<Node>> {
    let items = node.as_mapping_mut()?.remove(field)?;
    match items.value {
        crate::yaml::Value::Sequence(sequence) => Some(sequence.items),
        _ => None,
    }
}

/// Every object has a kind and, unless it is a list, a name.
fn check_object(node: &Node, file: &Path) -> Result<()> {
    let bad = |what: &str| Err(Error::new(ErrorKind::BadObject(what.to_owned())).at(file, node.at));
    if node.as_mapping().is_none() {
        return bad(
            "not a Kubernetes object: a map with apiVersion, kind and metadata is expected",
        );
    }
    let text = |node: Option<&Node>| {
        node.filter(|node| !node.is_null_or_empty()).map_or("", Node::text).to_owned()
    };
    let kind = text(node.get("kind"));
    if kind.is_empty() {
        return bad("this object has no kind");
    }
    let name = text(node.get("metadata").and_then(|metadata| metadata.get("name")));
    if name.is_empty() && !kind.ends_with("List") {
        return bad(&format!("this {kind} has no metadata.name"));
    }
    Ok(())
}

/// An object of a list as it looks after a trip through JSON: strings quoted, numbers in decimal.
fn through_json(node: &Node) -> Result<Node, crate::yaml::TypeError> {
    fn build(value: &serde_json::Value, at: crate::yaml::Mark) -> Node {
        let mut node = match value {
            serde_json::Value::Null => Node::null(),
            serde_json::Value::Bool(value) => Node::bool(*value),
            serde_json::Value::Number(number) => {
                let text = match number.as_f64() {
                    Some(value) if number.is_f64() => crate::yaml::go_json_number(value),
                    _ => number.to_string(),
                };
                let tag = match resolve(Dialect::V3, &text) {
                    crate::yaml::Resolved::Float(_) => Tag::Float,
                    _ => Tag::Int,
                };
                Node::scalar(Scalar { tag, ..Scalar::untyped(text) })
            }
            serde_json::Value::String(text) => {
                Node::scalar(Scalar { style: Style::Double, ..Scalar::string(text.as_str()) })
            }
            serde_json::Value::Array(items) => {
                Node::sequence(items.iter().map(|item| build(item, at)).collect())
            }
            serde_json::Value::Object(object) => {
                let entries =
                    object.iter().map(|(key, value)| (Key::string(key.as_str()), build(value, at)));
                Node::mapping(entries.collect::<Mapping>())
            }
        };
        node.at = at;
        node
    }
    let mut made = build(&to_json(node, Dialect::V3)?, node.at);
    made.stand_like(node);
    Ok(made)
}

/// An object with the notes that its annotations may carry from an earlier step.
fn make_resource(node: Node, file: &Arc<Path>) -> Result<Resource> {
    let mut resource = Resource::new(node);
    resource.file = Some(Arc::clone(file));
    let annotations = resource.metadata_map("annotations");
    let is_note = |name: &str| name.starts_with(NOTES) || LEGACY_NOTES.contains(&name);
    if !annotations.iter().any(|(name, _)| is_note(name)) {
        return Ok(resource);
    }
    let note = |name: &str| {
        let found = annotations.iter().find(|(key, _)| key.strip_prefix(NOTES) == Some(name));
        found.map(|(_, value)| (*value).to_owned())
    };
    let list = |name: &str| -> Vec<SmolStr> {
        note(name).map(|text| text.split(',').map(SmolStr::from).collect()).unwrap_or_default()
    };
    let (names, namespaces, kinds) =
        (list("previousNames"), list("previousNamespaces"), list("previousKinds"));
    if names.len() != namespaces.len() || names.len() != kinds.len() {
        let kind = ErrorKind::BadObject(
            "notes of previous names, namespaces and kinds differ in number".to_owned(),
        );
        return Err(Error::new(kind).at(file, resource.node.at));
    }
    let previous = names.into_iter().zip(namespaces).zip(kinds);
    let previous =
        previous.map(|((name, namespace), kind)| PreviousName { name, namespace, kind }).collect();
    let enabled = |name: &str| note(name).as_deref() == Some("enabled");
    let wants_hash = enabled("needsHashSuffix");
    let (may_rename, may_change_kind) = (enabled("allowNameChange"), enabled("allowKindChange"));
    let behavior = match note("generatorBehavior").as_deref() {
        Some("create") => Behavior::Create,
        Some("replace") => Behavior::Replace,
        Some("merge") => Behavior::Merge,
        _ => Behavior::Unspecified,
    };
    let from_helm = note("helm-generated").as_deref() == Some("true");
    let (prefixes, suffixes) = (list("prefixes"), list("suffixes"));
    let rest = annotations.iter().filter(|(name, _)| !is_note(name));
    let rest: Vec<_> =
        rest.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    resource.set_metadata_map("annotations", rest)?;
    Ok(Resource {
        previous,
        wants_hash,
        may_rename,
        may_change_kind,
        behavior,
        from_helm,
        prefixes,
        suffixes,
        ..resource
    })
}
