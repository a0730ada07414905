//! ConfigMaps and Secrets from their generators' settings.

use super::keyvalue::{Data, collect};
use crate::error::{Result, fail};
use crate::kustomization::{GeneratorArgs, GeneratorOptions};
use crate::load::Loader;
use crate::resource::{Resource, mapping_at, set_scalar};
use crate::yaml::{Mapping, Node, Scalar, Style, Tag};
use base64::Engine;
use std::path::Path;

/// How many characters of base64 go on one line.
const BASE64_LINE: usize = 70;

/// Makes a ConfigMap.
pub fn config_map(
    loader: &Loader<'_>,
    file: &Path,
    args: &GeneratorArgs,
    options: &GeneratorOptions,
) -> Result<Resource> {
    let data = collect(loader, file, &args.sources)?;
    let mut root = base("ConfigMap", args)?;
    for (key, value) in data {
        let (field, value) = match String::from_utf8(value) {
            Ok(text) => ("data", text),
            Err(binary) => ("binaryData", base64(binary.as_bytes())),
        };
        if let Some(map) = mapping_at(&mut root, field) {
            map.insert(key, text_node(value));
        }
    }
    finish(root, args, options)
}

/// Makes a Secret.
pub fn secret(
    loader: &Loader<'_>,
    file: &Path,
    args: &GeneratorArgs,
    options: &GeneratorOptions,
) -> Result<Resource> {
    let data = collect(loader, file, &args.sources)?;
    let mut root = base("Secret", args)?;
    let secret_type = if args.secret_type.is_empty() { "Opaque" } else { &args.secret_type };
    root.insert("type", Node::string(secret_type));
    root.insert("data", Node::mapping(secret_data(data)));
    finish(root, args, options)
}

/// Values as the `data` of a Secret holds them.
pub fn secret_data(data: Data) -> Mapping {
    data.into_iter().map(|(key, value)| (key.into(), text_node(base64(&value)))).collect()
}

/// Base64 in lines of [`BASE64_LINE`] characters where it is longer than one.
fn base64(value: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(value);
    if text.len() < BASE64_LINE {
        return text;
    }
    let mut lines = String::with_capacity(text.len() + text.len() / BASE64_LINE + 1);
    for line in text.as_bytes().chunks(BASE64_LINE) {
        lines.extend(line.iter().map(|byte| char::from(*byte)));
        lines.push('\n');
    }
    lines
}

/// A string, as a block where it has several lines.
pub fn text_node(text: String) -> Node {
    let style = if text.contains('\n') { Style::Literal } else { Style::Plain };
    Node::scalar(Scalar { style, ..Scalar::string(text) })
}

fn base(kind: &str, args: &GeneratorArgs) -> Result<Mapping> {
    if args.name.is_empty() {
        return Err(fail!(Field, "a generator of a {kind} needs a name"));
    }
    let mut metadata = Mapping::default();
    metadata.insert("name", Node::string(args.name.as_str()));
    if !args.namespace.is_empty() {
        metadata.insert("namespace", Node::string(args.namespace.as_str()));
    }
    let mut root = Mapping::default();
    root.insert("apiVersion", Node::string("v1"));
    root.insert("kind", Node::string(kind));
    root.insert("metadata", Node::mapping(metadata));
    Ok(root)
}

fn finish(mut root: Mapping, args: &GeneratorArgs, options: &GeneratorOptions) -> Result<Resource> {
    if let Some(metadata) = mapping_at(&mut root, "metadata") {
        for (field, entries) in [("labels", &options.labels), ("annotations", &options.annotations)]
        {
            if !entries.is_empty() {
                let map = entries
                    .iter()
                    .map(|(key, value)| (key.as_str().into(), Node::string(value.as_str())));
                metadata.insert(field, Node::mapping(map.collect()));
            }
        }
    }
    if options.immutable {
        set_scalar(&mut root, "immutable", "true", Tag::Bool);
    }
    let mut resource = Resource::new(Node::mapping(root));
    resource.wants_hash = !options.disable_name_suffix_hash;
    resource.behavior = args.behavior;
    Ok(resource)
}
