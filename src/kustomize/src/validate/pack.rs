//! From an API server's OpenAPI document to the schemas that are stored.

use super::SchemaError;
use super::schemas::HEADER;
use super::types::{Rest, Type};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// Where definitions are in an OpenAPI 2 document.
const DEFINITIONS: &str = "#/definitions/";
/// What every kind that can be stored carries; lists of objects and options of calls carry something else.
const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
/// As small as it gets; this is done once a release.
const COMPRESSION: u8 = 10;

/// Packs what an API server serves at `/openapi/v2`: the kinds that can be stored, without descriptions.
pub fn pack(openapi: &[u8]) -> Result<Vec<u8>, SchemaError> {
    let document: Json = serde_json::from_slice(openapi)
        .map_err(|error| SchemaError::NotOpenApi(format!("it isn't JSON: {error}")))?;
    let version = document["info"]["version"].as_str().unwrap_or_default();
    let definitions = document["definitions"].as_object();
    let Some(definitions) = definitions.filter(|_| !version.is_empty()) else {
        let what = "`info.version` or `definitions` is missing".to_owned();
        return Err(SchemaError::NotOpenApi(what));
    };
    let mut kinds = BTreeSet::new();
    let mut types = BTreeMap::new();
    for (name, definition) in definitions {
        let mut kind: Type = serde_json::from_value(definition.clone())
            .map_err(|error| SchemaError::NotOpenApi(format!("{name}: {error}")))?;
        shorten(&mut kind);
        let metadata = kind.properties.get("metadata").and_then(|field| field.reference.as_deref());
        if metadata == Some(OBJECT_META) {
            kinds
                .extend(kinds_of(definition).map(|(group, kind)| format!("{group} {kind} {name}")));
        }
        types.insert(name.as_str(), kind);
    }
    let mut text = format!("{HEADER} {version}\n");
    for kind in &kinds {
        text.push_str(kind);
        text.push('\n');
    }
    text.push('\n');
    for name in used(&kinds, &types) {
        let json = serde_json::to_string(&types[name])
            .map_err(|error| SchemaError::NotOpenApi(format!("{name}: {error}")))?;
        text.push_str(&format!("{name} {json}\n"));
    }
    Ok(miniz_oxide::deflate::compress_to_vec_zlib(text.as_bytes(), COMPRESSION))
}

/// The API versions and kinds that a definition is for.
fn kinds_of(definition: &Json) -> impl Iterator<Item = (String, &str)> {
    let kinds = definition["x-kubernetes-group-version-kind"].as_array();
    kinds.into_iter().flatten().map(|kind| {
        let text = |field: &str| kind[field].as_str().unwrap_or_default();
        let api_version = match text("group") {
            "" => text("version").to_owned(),
            group => format!("{group}/{}", text("version")),
        };
        (api_version, text("kind"))
    })
}

/// References by name alone.
fn shorten(kind: &mut Type) {
    if let Some(reference) = &mut kind.reference
        && let Some(name) = reference.strip_prefix(DEFINITIONS)
    {
        *reference = name.to_owned();
    }
    parts(kind).for_each(shorten);
}

fn parts(kind: &mut Type) -> impl Iterator<Item = &mut Type> {
    let rest = match &mut kind.additional_properties {
        Some(Rest::Of(rest)) => Some(rest),
        _ => None,
    };
    let items = kind.items.iter_mut().chain(rest).map(Box::as_mut);
    kind.properties.values_mut().chain(items)
}

/// The definitions that the kinds are made of, sorted.
fn used<'a>(kinds: &'a BTreeSet<String>, types: &'a BTreeMap<&str, Type>) -> BTreeSet<&'a str> {
    let mut used = BTreeSet::new();
    let mut open: Vec<&str> = kinds.iter().filter_map(|line| line.split(' ').nth(2)).collect();
    while let Some(name) = open.pop() {
        if let Some(kind) = types.get(name)
            && used.insert(name)
        {
            references(kind, &mut open);
        }
    }
    used
}

fn references<'a>(kind: &'a Type, found: &mut Vec<&'a str>) {
    found.extend(kind.reference.as_deref());
    kind.properties.values().for_each(|field| references(field, found));
    if let Some(Rest::Of(rest)) = &kind.additional_properties {
        references(rest, found);
    }
    if let Some(items) = &kind.items {
        references(items, found);
    }
}
