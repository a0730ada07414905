//! What becomes of a generated object whose name is taken: `behavior`.

use super::keyvalue::Data;
use super::make::{secret_data, text_node};
use crate::error::{Result, fail};
use crate::resource::{Behavior, Resource};
use crate::resources::Resources;
use crate::suggest;
use crate::yaml::{Mapping, Node};

/// Adds generated objects, each by its own behavior.
pub fn absorb(resources: &mut Resources, generated: Vec<Resource>) -> Result<()> {
    generated.into_iter().try_for_each(|resource| absorb_one(resources, resource))
}

fn absorb_one(resources: &mut Resources, mut new: Resource) -> Result<()> {
    let matches = resources.find_any(&new.id());
    let position = match (matches.as_slice(), new.behavior) {
        ([], Behavior::Merge | Behavior::Replace) => {
            let word = if new.behavior == Behavior::Merge { "merge into" } else { "replace" };
            let error = fail!(NoMatch, "there is no {} to {word}", new.describe());
            return Err(error.maybe_help(suggest::for_id(resources, &new.id())));
        }
        ([], _) => return resources.append(new),
        ([position], Behavior::Merge | Behavior::Replace) => *position,
        ([position], _) => {
            let old = resources.get(*position);
            return Err(fail!(Conflict, "{} is there already", new.describe())
                .with_related(old, "the other one")
                .with_help(
                    "to change the other one, say `behavior: merge` or `behavior: replace`",
                ));
        }
        _ => {
            return Err(fail!(
                Ambiguous,
                "{} could be merged into several objects",
                new.describe()
            ));
        }
    };
    let old = resources.get(position);
    if new.behavior == Behavior::Merge {
        let origin = old.origin.clone();
        merge_data(&mut new, old)?;
        take_over(&mut new, old)?;
        if origin.is_some() {
            new.origin = origin;
        }
    } else {
        take_over(&mut new, old)?;
    }
    resources.replace(position, new);
    Ok(())
}

/// Labels and annotations of both, the new ones winning; name and past of the old one.
fn take_over(new: &mut Resource, old: &Resource) -> Result<()> {
    for field in ["labels", "annotations"] {
        let mut merged = owned(old.metadata_map(field));
        for (key, value) in owned(new.metadata_map(field)) {
            merged.retain(|(known, _)| *known != key);
            merged.push((key, value));
        }
        new.set_metadata_map(field, merged)?;
    }
    new.set_name(old.name())?;
    new.set_namespace(old.namespace())?;
    // A hash is added only where both the object and what is merged into it ask for one.
    new.wants_hash &= old.wants_hash;
    new.behavior = old.behavior;
    if new.transformations.is_empty() {
        new.transformations.clone_from(&old.transformations);
    }
    new.previous.clone_from(&old.previous);
    new.prefixes.clone_from(&old.prefixes);
    new.suffixes.clone_from(&old.suffixes);
    new.variables.clone_from(&old.variables);
    new.from_helm = old.from_helm;
    Ok(())
}

fn owned(entries: Vec<(&str, &str)>) -> Vec<(String, String)> {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn merge_data(new: &mut Resource, old: &Resource) -> Result<()> {
    let plain = if new.api_version() == "v1" && new.kind() == "Secret" {
        plain_data(old)?
    } else {
        Mapping::default()
    };
    for field in ["data", "binaryData"] {
        let mut merged = Mapping::default();
        let old_map = old.node.get(field).and_then(Node::as_mapping);
        let new_map = new.node.get(field).and_then(Node::as_mapping);
        let more = if field == "data" { Some(&plain) } else { None };
        for (key, value) in [old_map, more, new_map].into_iter().flatten().flat_map(Mapping::iter) {
            merged.insert(key.text.as_str(), text_node(value.text().to_owned()));
        }
        let Some(root) = new.node.as_mapping_mut() else { continue };
        root.remove(field);
        if !merged.is_empty() {
            root.insert(field, Node::mapping(merged));
        }
    }
    Ok(())
}

/// The `stringData` of a Secret, encoded.
fn plain_data(old: &Resource) -> Result<Mapping> {
    let Some(node) = old.node.get("stringData").filter(|node| !node.is_null()) else {
        return Ok(Mapping::default());
    };
    let Some(mapping) = node.as_mapping() else {
        return Err(fail!(BadObject, "stringData of {} must be a map", old.describe()));
    };
    let mut data = Data::new();
    for (key, value) in mapping.iter() {
        if value.as_scalar().is_none() {
            return Err(fail!(
                BadObject,
                "stringData.{} of {} must be a string",
                key.text,
                old.describe()
            ));
        }
        data.insert(key.text.to_string(), value.text().as_bytes().to_vec());
    }
    Ok(secret_data(data))
}
