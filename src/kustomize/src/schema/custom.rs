//! The schema of an `openapi` file: definitions with Kubernetes' extensions for merging.

use serde_json::Value;
use std::collections::HashMap;

/// How many references may lead from one definition to the next.
const MAX_REFERENCES: usize = 32;

/// Definitions of an OpenAPI document, found by kind.
#[derive(Clone, Debug)]
pub struct CustomSchema {
    document: Value,
    by_kind: HashMap<(String, String), String>,
}

impl CustomSchema {
    pub fn new(document: Value) -> Self {
        let mut by_kind = HashMap::new();
        for (name, definition) in
            document.get("definitions").and_then(Value::as_object).into_iter().flatten()
        {
            let kinds = definition.get("x-kubernetes-group-version-kind").and_then(Value::as_array);
            for kind in kinds.into_iter().flatten() {
                let text =
                    |field: &str| kind.get(field).and_then(Value::as_str).unwrap_or_default();
                let (group, version) = (text("group"), text("version"));
                let api_version = if group.is_empty() {
                    version.to_owned()
                } else {
                    format!("{group}/{version}")
                };
                by_kind.insert((api_version, text("kind").to_owned()), name.clone());
            }
        }
        Self { document, by_kind }
    }

    pub fn of(&self, api_version: &str, kind: &str) -> Option<super::Schema<'_>> {
        let name = self.by_kind.get(&(api_version.to_owned(), kind.to_owned()))?;
        let definition = self.document.get("definitions")?.get(name)?;
        Some(super::Schema::Custom(self, definition))
    }

    /// The schema of a field, or of any field of a map.
    pub fn field<'a>(&'a self, schema: &'a Value, name: &str) -> Option<&'a Value> {
        let properties = schema.get("properties").and_then(|properties| properties.get(name));
        let found = properties
            .or_else(|| schema.get("additionalProperties").filter(|value| value.is_object()))?;
        self.follow(found)
    }

    pub fn items<'a>(&'a self, schema: &'a Value) -> Option<&'a Value> {
        if schema.get("type").and_then(Value::as_str) != Some("array") {
            return None;
        }
        self.follow(schema.get("items")?)
    }

    fn follow<'a>(&'a self, mut schema: &'a Value) -> Option<&'a Value> {
        for _ in 0..MAX_REFERENCES {
            let Some(reference) = schema.get("$ref").and_then(Value::as_str) else {
                return Some(schema);
            };
            schema = self.document.pointer(reference.strip_prefix('#')?)?;
        }
        None
    }

    pub fn merge_keys(schema: &Value) -> Option<Vec<&str>> {
        let strategy = schema.get("x-kubernetes-patch-strategy")?.as_str()?;
        if !strategy.split(',').any(|part| part == "merge") {
            return None;
        }
        if let Some(keys) = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array) {
            return Some(keys.iter().filter_map(Value::as_str).collect());
        }
        Some(
            schema
                .get("x-kubernetes-patch-merge-key")
                .and_then(Value::as_str)
                .into_iter()
                .collect(),
        )
    }
}
