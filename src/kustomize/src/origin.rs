//! Where an object came from, as `buildMetadata` reports it.

use crate::yaml::{Dialect, Mapping, Node, Resolved, Scalar, Style, resolve, to_document};
use std::path::Path;

/// Annotation that carries an [`Origin`].
pub const ORIGIN_ANNOTATION: &str = "config.kubernetes.io/origin";
/// Annotation that carries the list of transformers that have changed an object.
pub const TRANSFORMATIONS_ANNOTATION: &str = "alpha.config.kubernetes.io/transformations";

/// The file, or the generator or transformer, that an object or a change came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The path from the directory that was built.
    pub path: String,
    pub repo: String,
    pub reference: String,
    /// The file that configures the generator or transformer.
    pub configured_in: String,
    pub configured_by: Option<ConfiguredBy>,
}

/// The generator or transformer that made or changed an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfiguredBy {
    pub api_version: String,
    pub kind: String,
    pub name: String,
    pub namespace: String,
}

impl Origin {
    /// This place, one path further.
    pub fn join(&self, path: &str) -> Self {
        let joined = crate::files::clean(&Path::new(&self.path).join(path));
        Self { path: joined.to_string_lossy().into_owned(), ..self.clone() }
    }

    /// This place's kustomization, seen as the configuration of a builtin transformer or generator.
    pub fn builtin(&self, kustomization: &str, kind: &str) -> Self {
        Self {
            path: String::new(),
            configured_in: self.join(kustomization).path,
            configured_by: Some(ConfiguredBy {
                api_version: "builtin".to_owned(),
                kind: kind.to_owned(),
                ..ConfiguredBy::default()
            }),
            ..self.clone()
        }
    }

    fn to_node(&self) -> Node {
        let mut map = Mapping::default();
        let mut field = |name: &str, text: &str| {
            if !text.is_empty() {
                map.insert(name, text_node(text));
            }
        };
        field("path", &self.path);
        field("repo", &self.repo);
        field("ref", &self.reference);
        field("configuredIn", &self.configured_in);
        if let Some(by) = &self.configured_by {
            let parts = [
                ("apiVersion", &by.api_version),
                ("kind", &by.kind),
                ("name", &by.name),
                ("namespace", &by.namespace),
            ];
            let parts = parts.into_iter().filter(|(_, text)| !text.is_empty());
            let by: Mapping = parts.map(|(name, text)| (name.into(), text_node(text))).collect();
            map.insert("configuredBy", Node::mapping(by));
        }
        Node::mapping(map)
    }

    /// The annotation's text.
    pub fn to_text(&self) -> String {
        to_document(&self.to_node())
    }

    /// The text of the annotation that lists transformations.
    pub fn list_to_text(origins: &[Origin]) -> String {
        to_document(&Node::sequence(origins.iter().map(Origin::to_node).collect()))
    }
}

/// A string as Go writes the fields of a struct: in quotes where YAML 1.1 would take it for true or false.
fn text_node(text: &str) -> Node {
    let style = match resolve(Dialect::V2, text) {
        Resolved::Bool(_) => Style::Double,
        _ => Style::Plain,
    };
    Node::scalar(Scalar { style, ..Scalar::string(text) })
}
