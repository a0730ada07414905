//! What a build knows about kinds: which lists merge by which keys, and which objects have no namespace.

mod builtin;
mod custom;

pub use builtin::{BUILTIN_VERSION, is_cluster_scoped};
pub use custom::CustomSchema;

use crate::yaml::Node;

/// The schema in force: Kubernetes' own kinds, or those of the `openapi` file instead.
#[derive(Clone, Copy, Debug, Default)]
pub struct Schemas<'a> {
    pub custom: Option<&'a CustomSchema>,
}

/// The schema of one field.
#[derive(Clone, Copy, Debug)]
pub enum Schema<'a> {
    Builtin(&'static builtin::Shape),
    Custom(&'a CustomSchema, &'a serde_json::Value),
}

impl<'a> Schemas<'a> {
    /// The schema of an object of that kind.
    pub fn of(self, api_version: &str, kind: &str) -> Option<Schema<'a>> {
        match self.custom {
            Some(custom) => custom.of(api_version, kind),
            None => builtin::shape_of(api_version, kind).map(Schema::Builtin),
        }
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
            Self::Custom(custom, value) => {
                custom.field(value, name).map(|field| Self::Custom(custom, field))
            }
        }
    }

    pub fn items(self) -> Option<Self> {
        match self {
            Self::Builtin(shape) => shape.items().map(Self::Builtin),
            Self::Custom(custom, value) => {
                custom.items(value).map(|items| Self::Custom(custom, items))
            }
        }
    }

    /// The keys by which this list merges; none for lists of plain values; `None` for lists that are replaced.
    pub fn merge_keys(self) -> Option<Vec<&'a str>> {
        match self {
            Self::Builtin(shape) => shape.merge_keys().map(<[_]>::to_vec),
            Self::Custom(_, value) => CustomSchema::merge_keys(value),
        }
    }
}
