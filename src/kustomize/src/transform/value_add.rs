//! The builtin `ValueAddTransformer`: one value written into fields, whole or as a part of a path.

use super::namespace::{Namespace, Subjects};
use crate::decode::Reading;
use crate::error::{Result, fail};
use crate::kustomization::read_selector;
use crate::load::Loader;
use crate::resource::mapping_at;
use crate::resources::Resources;
use crate::selector::Selector;
use crate::yaml::{Mapping, Node, Tag};

/// Where the value goes.
struct Target {
    selector: Option<Selector>,
    field_path: String,
    /// 1 puts the value before the first part of a path; 0 replaces the field.
    position: usize,
}

/// Reads the transformer's settings and applies it.
pub fn transform(
    loader: &Loader<'_>,
    reading: Reading<'_>,
    node: &Node,
    resources: &mut Resources,
) -> Result<()> {
    let fields = reading.fields("a ValueAddTransformer", node)?;
    let mut value = fields.string("value")?.trim().to_owned();
    if value.is_empty() {
        value = loader
            .root
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
    }
    let mut targets = fields.each("targets", read_target)?;
    let file = fields.string("targetFilePath")?;
    if !file.is_empty() {
        let node = loader.settings(&file)?;
        let path = loader.path(&file);
        let reading = Reading { unknown_fields: true, ..loader.reading(&path) };
        targets.extend(reading.fields("a file of targets", &node)?.each("targets", read_target)?);
    }
    if targets.is_empty() {
        return Err(fail!(Field, "a ValueAddTransformer needs at least one target"));
    }
    for target in &targets {
        let matcher = target.selector.as_ref().map(Selector::compile).transpose()?;
        for resource in resources.all_mut() {
            if matcher.as_ref().is_some_and(|matcher| !matcher.matches(resource)) {
                continue;
            }
            if target.field_path == "metadata/namespace" {
                let subjects = Subjects::Default;
                Namespace { namespace: &value, specs: &[], unset_only: false, subjects }
                    .set_one(resource)?;
            } else if let Some(root) = resource.node.as_mapping_mut() {
                set(root, target, &value)?;
            }
        }
    }
    Ok(())
}

fn read_target(reading: Reading<'_>, node: &Node) -> Result<Target> {
    let fields = reading.fields("a target", node)?;
    let field_path = fields.string("fieldPath")?;
    if field_path.is_empty() {
        return Err(fail!(Field, "a target of a ValueAddTransformer needs a fieldPath"));
    }
    let position = fields.integer("filePathPosition")?;
    let position = usize::try_from(position)
        .map_err(|_| fail!(Field, "filePathPosition must not be negative"))?;
    Ok(Target { selector: fields.optional("selector", read_selector)?, field_path, position })
}

fn set(root: &mut Mapping, target: &Target, value: &str) -> Result<()> {
    let parts = crate::config::split_path(&target.field_path, '/');
    let in_the_way =
        || fail!(Field, "something that isn't a map is in the way of {}", target.field_path);
    let Some((last, way)) = parts.split_last() else { return Ok(()) };
    let mut parent = root;
    for part in way.iter().filter(|part| !part.is_empty()) {
        parent = mapping_at(parent, part).ok_or_else(in_the_way)?;
    }
    if !parent.contains(last) {
        parent.insert(last.as_str(), Node::untyped(""));
    }
    let Some(scalar) = parent.get_mut(last).and_then(Node::as_scalar_mut) else {
        return Err(in_the_way());
    };
    let new = match target.position {
        0 => value.to_owned(),
        position => insert_part(&scalar.text, position - 1, value),
    };
    scalar.replace(new, Tag::Unset);
    Ok(())
}

/// Puts a part into a path, at its end where the position is beyond it.
fn insert_part(path: &str, position: usize, part: &str) -> String {
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    parts.insert(position.min(parts.len()), part);
    format!("{}{}", if absolute { "/" } else { "" }, parts.join("/"))
}
