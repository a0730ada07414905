//! The types of custom resources whose definitions are in the same build.

use super::types::Type;
use crate::built::Object;
use crate::yaml::{Dialect, Node, to_json};
use std::collections::HashMap;

/// Types by API version and kind; `None` where the definition gives no schema.
#[derive(Debug, Default)]
pub struct CustomTypes(HashMap<(String, String), Option<Type>>);

impl CustomTypes {
    /// Reads the CustomResourceDefinitions among the objects.
    pub fn of<'a>(objects: impl Iterator<Item = &'a Object>) -> Self {
        let mut types = HashMap::new();
        for object in objects.filter(|object| object.kind() == "CustomResourceDefinition") {
            let Some(spec) = object.node().get("spec") else { continue };
            let group = spec.get("group").map_or("", Node::text);
            let names = spec.get("names").and_then(|names| names.get("kind"));
            let kind = names.map_or("", Node::text);
            let versions = spec.get("versions").and_then(Node::as_sequence);
            for version in versions.into_iter().flat_map(|versions| &versions.items) {
                let api_version = format!("{group}/{}", version.get("name").map_or("", Node::text));
                let schema = version.get("schema").and_then(|schema| schema.get("openAPIV3Schema"));
                types.insert((api_version, kind.to_owned()), schema.and_then(read));
            }
        }
        Self(types)
    }

    /// The type of a custom kind; `Some(None)` where its definition is there and gives none.
    pub fn get(&self, api_version: &str, kind: &str) -> Option<Option<&Type>> {
        self.0.get(&(api_version.to_owned(), kind.to_owned())).map(Option::as_ref)
    }
}

/// A schema that can't be read is the definition's own fault, and reported there.
fn read(schema: &Node) -> Option<Type> {
    serde_json::from_value(to_json(schema, Dialect::V3).ok()?).ok()
}
