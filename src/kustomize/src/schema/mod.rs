//! What a build knows about kinds: which lists merge by which keys, and which objects have no namespace.

mod builtin;
mod custom;

pub use builtin::{BUILTIN_VERSION, is_cluster_scoped};
pub use custom::CustomSchema;

use crate::yaml::{Key, Node};
use std::sync::Arc;

/// The schema in force: Kubernetes' own kinds, or those of the `openapi` file instead.
#[derive(Clone, Copy, Debug, Default)]
pub struct Schemas<'a> {
    pub custom: Option<&'a CustomSchema>,
    /// Schemas that comments give, held for as long as a merge lasts.
    pub comments: &'a [Arc<serde_json::Value>],
}

/// The schema of one field.
#[derive(Clone, Copy, Debug)]
pub enum Schema<'a> {
    Builtin(&'static builtin::Shape),
    Custom(&'a CustomSchema, &'a serde_json::Value),
    /// Written in a comment; its references lead to Kubernetes' own definitions.
    Comment(&'a serde_json::Value),
}

impl<'a> Schemas<'a> {
    /// The schema of an object of that kind.
    pub fn of(self, api_version: &str, kind: &str) -> Option<Schema<'a>> {
        match self.custom {
            Some(custom) => custom.of(api_version, kind),
            None => builtin::shape_of(api_version, kind).map(Schema::Builtin),
        }
    }

    /// The schema that a comment beside a key gives.
    pub fn of_key(self, key: &Key) -> Option<Schema<'a>> {
        let schema = key.schema.as_ref()?;
        self.comments
            .iter()
            .find(|known| Arc::ptr_eq(known, schema))
            .map(|schema| Schema::Comment(schema))
    }

    /// The schema of a node that says its own kind.
    pub fn of_node(self, node: &Node) -> Option<Schema<'a>> {
        let api_version = node.get("apiVersion")?.text();
        let kind = node.get("kind")?.text();
        if api_version.is_empty() || kind.is_empty() { None } else { self.of(api_version, kind) }
    }
}

impl<'a> Schema<'a> {
    pub fn field(self, name: &str) -> Option<Self> {
        match self {
            Self::Builtin(shape) => shape.field(name).map(Self::Builtin),
            Self::Comment(value) => value.get("properties")?.get(name).and_then(of_comment),
            Self::Custom(custom, value) => {
                custom.field(value, name).map(|field| Self::Custom(custom, field))
            }
        }
    }

    pub fn items(self) -> Option<Self> {
        match self {
            Self::Builtin(shape) => shape.items().map(Self::Builtin),
            Self::Comment(value) => value.get("items").and_then(of_comment),
            Self::Custom(custom, value) => {
                custom.items(value).map(|items| Self::Custom(custom, items))
            }
        }
    }

    /// The keys by which this list merges; none for lists of plain values; `None` for lists that are replaced.
    pub fn merge_keys(self) -> Option<Vec<&'a str>> {
        match self {
            Self::Builtin(shape) => shape.merge_keys().map(<[_]>::to_vec),
            Self::Custom(_, value) | Self::Comment(value) => CustomSchema::merge_keys(value),
        }
    }
}

/// A part of a schema in a comment, or the definition it refers to.
fn of_comment(value: &serde_json::Value) -> Option<Schema<'_>> {
    match value.get("$ref").and_then(serde_json::Value::as_str) {
        Some(reference) => builtin::definition(reference).map(Schema::Builtin),
        None => Some(Schema::Comment(value)),
    }
}
