//! Names, tags and digests of images.

use crate::config::{Create, FieldSpec, apply};
use crate::error::{Result, fail};
use crate::kustomization::Image;
use crate::resources::Resources;
use crate::yaml::{Node, Tag, Value};
use regex::Regex;

/// Lists whose elements have images, wherever they stand.
const CONTAINER_LISTS: &[&str] = &["containers", "initContainers"];

/// Applies one entry of `images`; says whether any image matched.
pub fn set(resources: &mut Resources, image: &Image, specs: &[FieldSpec]) -> Result<bool> {
    // The name is a regular expression, as in kustomize; one that doesn't compile matches nothing.
    let pattern = format!(
        "^{}(:[a-zA-Z0-9_.{{}}-]*)?(@[a-zA-Z0-9]+([.+_-][a-zA-Z0-9]+)*:[a-zA-Z0-9_.{{}}-]*)?$",
        image.name
    );
    let Ok(pattern) = Regex::new(&pattern) else { return Ok(false) };
    let mut matched = false;
    let mut change = |node: &mut Node| -> Result<()> {
        let shape = node.shape();
        let Some(scalar) = node.as_scalar_mut() else {
            return Err(fail!(Field, "an image is a string, not a {shape}"));
        };
        if pattern.is_match(&scalar.text) {
            matched = true;
            let renamed = rename(&scalar.text, image);
            scalar.replace(renamed, Tag::Unset);
        }
        Ok(())
    };
    for resource in resources.contents_mut() {
        if resource.kind() == "CustomResourceDefinition" {
            continue;
        }
        in_containers(&mut resource.node, &mut change)?;
        for spec in specs {
            apply(resource, spec, Create::Nothing, &mut change)?;
        }
    }
    Ok(matched)
}

/// Finds images of containers at any depth.
fn in_containers(node: &mut Node, change: &mut dyn FnMut(&mut Node) -> Result<()>) -> Result<()> {
    match &mut node.value {
        Value::Scalar(_) => Ok(()),
        Value::Sequence(sequence) => {
            sequence.items.iter_mut().try_for_each(|item| in_containers(item, change))
        }
        Value::Mapping(mapping) => {
            for (key, value) in mapping.iter_mut() {
                in_containers(value, change)?;
                if !CONTAINER_LISTS.contains(&key.text.as_str()) {
                    continue;
                }
                let Some(containers) = value.as_sequence_mut() else { continue };
                for container in &mut containers.items {
                    if container.as_mapping().is_none() && !container.is_null() {
                        return Err(fail!(
                            Field,
                            "a container is a map, not a {}",
                            container.shape()
                        ));
                    }
                    if let Some(image) = container.get_mut("image") {
                        change(image)?;
                    }
                }
            }
            Ok(())
        }
    }
}

/// The image with a new name, tag or digest; a new tag drops the digest and the other way round.
fn rename(text: &str, image: &Image) -> String {
    let (name, mut tag, mut digest) = split(text);
    let name = if image.new_name.is_empty() { name } else { &image.new_name };
    let joined;
    match (image.new_tag.as_str(), image.digest.as_str()) {
        ("", "") if !image.tag_suffix.is_empty() => {
            joined = format!("{tag}{}", image.tag_suffix);
            (tag, digest) = (&joined, "");
        }
        ("", "") => {}
        (new_tag, new_digest) => (tag, digest) = (new_tag, new_digest),
    }
    let mut renamed = name.to_owned();
    for (mark, part) in [(':', tag), ('@', digest)] {
        if !part.is_empty() {
            renamed.push(mark);
            renamed.push_str(part);
        }
    }
    renamed
}

/// Name, tag and digest; a colon before the first slash belongs to a port.
fn split(image: &str) -> (&str, &str, &str) {
    let start = image.find('/').unwrap_or(0);
    let at = |mark: char| image[start..].find(mark).map(|at| at + start);
    match (at(':'), at('@')) {
        (None, None) => (image, "", ""),
        (Some(colon), Some(digest)) if colon < digest => {
            (&image[..colon], &image[colon + 1..digest], &image[digest + 1..])
        }
        (_, Some(digest)) => (&image[..digest], "", &image[digest + 1..]),
        (Some(colon), None) => (&image[..colon], &image[colon + 1..], ""),
    }
}
