//! Field configuration from `crds`: OpenAPI definitions whose extensions say which fields hold names and labels.

use super::{Config, FieldSpec, NameReference, merge_spec};
use crate::error::Result;
use crate::id::Gvk;
use serde_json::Value;

/// How deep definitions may refer to each other.
const MAX_DEPTH: usize = 32;

/// Reads the definitions of one file.
pub fn from_crds(document: &Value) -> Result<Config> {
    let mut config = Config::default();
    for (name, api) in document.as_object().into_iter().flatten() {
        let has = |field: &str| properties(api).any(|(property, _)| property == field);
        if has("kind") && has("apiVersion") && has("metadata") {
            let kind = Gvk::kind(name.rsplit('.').next().unwrap_or(name));
            collect(&mut config, &kind, document, name, &mut Vec::new())?;
        }
    }
    Ok(config)
}

/// Go reads the field `Schema` whatever its case.
fn properties(api: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let schema =
        api.as_object().into_iter().flatten().find(|(key, _)| key.eq_ignore_ascii_case("schema"));
    schema
        .and_then(|(_, schema)| schema.get("properties"))
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

fn collect(
    config: &mut Config,
    kind: &Gvk,
    document: &Value,
    name: &str,
    path: &mut Vec<String>,
) -> Result<()> {
    if path.len() > MAX_DEPTH {
        return Ok(());
    }
    let Some(api) = document.get(name) else { return Ok(()) };
    for (property, schema) in properties(api) {
        path.push(property.clone());
        let field = |path: &[String]| FieldSpec::new(kind.clone(), path.join("/"), false);
        let text = |extension: &str| schema.get(extension).and_then(Value::as_str);
        if text("x-kubernetes-annotation").is_some() {
            merge_spec(&mut config.common_annotations, &field(path))?;
        }
        if text("x-kubernetes-label-selector").is_some() {
            merge_spec(&mut config.common_labels, &field(path))?;
        }
        if text("x-kubernetes-identity").is_some() {
            merge_spec(&mut config.name_prefix, &field(path))?;
        }
        if let (Some(version), Some(target)) =
            (text("x-kubernetes-object-ref-api-version"), text("x-kubernetes-object-ref-kind"))
        {
            let key = text("x-kubernetes-object-ref-name-key").unwrap_or("name");
            path.push(key.to_owned());
            let target = Gvk { version: version.into(), ..Gvk::kind(target) };
            config.add_reference(&NameReference { target, referrers: vec![field(path)] })?;
            path.pop();
        }
        if let Some(reference) = text("$ref") {
            collect(config, kind, document, reference, path)?;
        }
        path.pop();
    }
    Ok(())
}
