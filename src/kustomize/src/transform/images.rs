//! Names, tags and digests of images.

use crate::config::{Create, FieldSpec, apply};
use crate::error::{Result, fail};
use crate::kustomization::Image;
use crate::resources::Resources;
use crate::suggest::{listed, nearest};
use crate::yaml::{Node, Tag, Value};
use regex::Regex;

/// Lists whose elements have images, wherever they stand.
const CONTAINER_LISTS: &[&str] = &["containers", "initContainers"];

/// What an entry of `images` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// No image matched.
    None,
    /// What matched was so already.
    Same,
    Changed,
}

/// Applies the entries of `images`, one after the other on each object; says what each of them did.
pub fn set(
    resources: &mut Resources,
    images: &[Image],
    specs: &[FieldSpec],
) -> Result<Vec<Effect>> {
    let mut effects = vec![Effect::None; images.len()];
    let patterns: Vec<Option<Regex>> = images.iter().map(pattern).collect();
    for resource in resources.contents_mut() {
        if resource.kind() == "CustomResourceDefinition" {
            continue;
        }
        for ((image, pattern), effect) in images.iter().zip(&patterns).zip(&mut effects) {
            let Some(pattern) = pattern else { continue };
            let mut change = |node: &mut Node| set_one(node, image, pattern, effect);
            if let Err(error) = in_containers(&mut resource.node, &mut change) {
                let what = format!("changing the images of {}", resource.describe());
                return Err(error.at_object(resource).doing(what));
            }
            for spec in specs {
                apply(resource, spec, Create::Nothing, &mut change)?;
            }
        }
    }
    Ok(effects)
}

/// What an image looks like that an entry is for.
///
/// The name is a regular expression, as in kustomize; one that doesn't compile matches nothing.
fn pattern(image: &Image) -> Option<Regex> {
    let pattern = format!(
        "^{}(:[a-zA-Z0-9_.{{}}-]*)?(@[a-zA-Z0-9]+([.+_-][a-zA-Z0-9]+)*:[a-zA-Z0-9_.{{}}-]*)?$",
        image.name
    );
    Regex::new(&pattern).ok()
}

fn set_one(node: &mut Node, image: &Image, pattern: &Regex, effect: &mut Effect) -> Result<()> {
    let shape = node.shape();
    let Some(scalar) = node.as_scalar_mut() else {
        return Err(fail!(Field, "an image is a string, not a {shape}"));
    };
    if pattern.is_match(&scalar.text) {
        let renamed = rename(&scalar.text, image);
        if renamed != scalar.text {
            *effect = Effect::Changed;
        } else if *effect == Effect::None {
            *effect = Effect::Same;
        }
        scalar.replace(renamed, Tag::Unset);
    }
    Ok(())
}

/// The image that was probably meant by a name that no image has, as it was called before the later entries.
pub fn near(resources: &Resources, name: &str, later: &[Image]) -> Option<String> {
    let mut images = Vec::new();
    for resource in resources.iter() {
        collect(&resource.node, &mut images);
    }
    let names = || images.iter().map(|image| before(split(image).0, later));
    // The same image from another registry is meant more often than a slip of the pen.
    let last = |name: &str| name.rsplit('/').next().map(str::to_owned);
    let same = || names().find(|image| last(image) == last(name));
    match nearest(name, names()).or_else(same) {
        Some(near) => Some(format!("did you mean {near:?}?")),
        None => listed(names()).map(|listed| format!("the images here are: {listed}")),
    }
}

/// What an image was called before these entries.
fn before<'a>(name: &'a str, entries: &'a [Image]) -> &'a str {
    let renames = entries.iter().rev();
    renames.fold(name, |name, entry| if entry.new_name == name { &entry.name } else { name })
}

/// The images of containers at any depth.
fn collect<'a>(node: &'a Node, into: &mut Vec<&'a str>) {
    match &node.value {
        Value::Scalar(_) => {}
        Value::Sequence(sequence) => sequence.items.iter().for_each(|item| collect(item, into)),
        Value::Mapping(mapping) => {
            for (key, value) in mapping.iter() {
                collect(value, into);
                if let (true, Some(containers)) =
                    (CONTAINER_LISTS.contains(&key.text.as_str()), value.as_sequence())
                {
                    let images = containers.items.iter().filter_map(|item| item.get("image"));
                    into.extend(images.map(Node::text));
                }
            }
        }
    }
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
