//! Which objects a patch, a replacement or a transformer applies to.

mod labels;
mod pattern;

pub use labels::LabelSelector;
pub use pattern::{Pattern, invalid};

use crate::error::Result;
use crate::id::{DEFAULT_NAMESPACE, Gvk};
use crate::resource::Resource;
use crate::yaml::Mark;

/// A selector as written: each part a regular expression, empty for anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    pub gvk: Gvk,
    pub name: String,
    pub namespace: String,
    pub annotations: String,
    pub labels: String,
    pub at: Mark,
}

/// A selector ready to match.
#[derive(Debug)]
pub struct Matcher {
    group: Pattern,
    version: Pattern,
    kind: Pattern,
    pub name: Pattern,
    namespace: Pattern,
    annotations: LabelSelector,
    labels: LabelSelector,
}

impl Selector {
    /// The selector of one identity, letter by letter.
    pub fn exactly(gvk: &Gvk, name: &str, namespace: &str) -> Self {
        let part = regex::escape;
        Self {
            gvk: Gvk {
                group: part(&gvk.group).into(),
                version: part(&gvk.version).into(),
                kind: part(&gvk.kind).into(),
            },
            name: part(name),
            namespace: part(namespace),
            ..Self::default()
        }
    }

    pub fn compile(&self) -> Result<Matcher> {
        Ok(Matcher {
            group: Pattern::new("group", &self.gvk.group)?,
            version: Pattern::new("version", &self.gvk.version)?,
            kind: Pattern::new("kind", &self.gvk.kind)?,
            name: Pattern::new("name", &self.name)?,
            namespace: Pattern::new("namespace", &self.namespace)?,
            annotations: LabelSelector::parse("annotationSelector", &self.annotations)?,
            labels: LabelSelector::parse("labelSelector", &self.labels)?,
        })
    }

    /// Whether it names neither a kind nor a name nor a namespace.
    pub fn names_nothing(&self) -> bool {
        self.gvk == Gvk::default() && self.name.is_empty() && self.namespace.is_empty()
    }
}

impl Matcher {
    /// Whether an object matches, by the name and namespace that it has or the ones it came with.
    pub fn matches(&self, resource: &Resource) -> bool {
        let first = resource.previous.first();
        let name = |pattern: &Pattern| {
            first.is_some_and(|first| pattern.matches(&first.name))
                || pattern.matches(resource.name())
        };
        let namespace = |pattern: &Pattern| {
            first.is_some_and(|first| pattern.matches(&first.namespace))
                || pattern.matches(resource.effective_namespace())
        };
        name(&self.name)
            && namespace(&self.namespace)
            && self.matches_gvk(&resource.gvk())
            && self.matches_metadata(resource)
    }

    pub fn matches_gvk(&self, gvk: &Gvk) -> bool {
        self.group.matches(&gvk.group)
            && self.version.matches(&gvk.version)
            && self.kind.matches(&gvk.kind)
    }

    /// Whether labels and annotations match.
    pub fn matches_metadata(&self, resource: &Resource) -> bool {
        self.annotations.matches(|name| resource.annotation(name))
            && self.labels.matches(|name| resource.label(name))
    }

    /// Whether labels or annotations are asked about at all.
    pub fn asks_metadata(&self) -> bool {
        !self.annotations.is_empty() || !self.labels.is_empty()
    }

    /// Whether one identity matches, its namespace as written.
    pub fn matches_identity(&self, gvk: &Gvk, name: &str, namespace: &str) -> bool {
        self.matches_gvk(gvk) && self.name.matches(name) && self.namespace.matches(namespace)
    }
}

/// Two namespaces are one when both leave it to the default.
pub fn same_namespace(a: &str, b: &str) -> bool {
    let name = |namespace: &str| {
        if namespace.is_empty() { DEFAULT_NAMESPACE.to_owned() } else { namespace.to_owned() }
    };
    name(a) == name(b)
}
