//! The type of a field, as OpenAPI documents and custom resource definitions write it.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// The type of a field; what isn't said is free.
///
/// The names are those of Kubernetes' OpenAPI documents
/// (<https://kubernetes.io/docs/reference/using-api/openapi/>) and of structural schemas
/// (<https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/>).
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Type {
    /// The name of a definition that says the rest.
    #[serde(rename = "$ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    #[serde(rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Json>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub required: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, Type>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additional_properties: Option<Rest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<Box<Type>>,

    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_length: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_items: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_items: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,

    #[serde(rename = "x-kubernetes-int-or-string", skip_serializing_if = "is_false")]
    pub int_or_string: bool,
    #[serde(rename = "x-kubernetes-preserve-unknown-fields", skip_serializing_if = "is_false")]
    pub preserve_unknown: bool,
    #[serde(rename = "x-kubernetes-embedded-resource", skip_serializing_if = "is_false")]
    pub embedded: bool,
    #[serde(rename = "x-kubernetes-list-type", skip_serializing_if = "Option::is_none")]
    pub list: Option<ListType>,
    #[serde(rename = "x-kubernetes-list-map-keys", skip_serializing_if = "Vec::is_empty")]
    pub list_keys: Vec<String>,
    #[serde(rename = "x-kubernetes-patch-merge-key", skip_serializing_if = "Option::is_none")]
    pub merge_key: Option<String>,
    #[serde(rename = "x-kubernetes-patch-strategy", skip_serializing_if = "Option::is_none")]
    pub patch_strategy: Option<String>,
}

/// The shape of a value in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
}

/// How a list's items are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ListType {
    Atomic,
    Set,
    Map,
}

/// What fields beyond the named ones may hold.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Rest {
    Allowed(bool),
    Of(Box<Type>),
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Shape {
    /// With its article, for messages.
    pub fn described(self) -> &'static str {
        match self {
            Self::Object => "a map",
            Self::Array => "a list",
            Self::String => "a string",
            Self::Integer => "an integer",
            Self::Number => "a number",
            Self::Boolean => "true or false",
        }
    }
}

impl Type {
    /// Whether this is a map that says nothing about its fields.
    pub fn is_free(&self) -> bool {
        self.preserve_unknown
            || (self.properties.is_empty() && self.additional_properties.is_none())
    }

    /// The type of a field, or of any field of a map.
    pub fn field(&self, name: &str) -> Option<&Type> {
        self.properties.get(name).or(match &self.additional_properties {
            Some(Rest::Of(rest)) => Some(rest),
            _ => None,
        })
    }

    /// Whether fields that aren't named are let through.
    pub fn allows_any_field(&self) -> bool {
        self.is_free() || matches!(self.additional_properties, Some(Rest::Allowed(true)))
    }
}
