//! What tells one object from another: group, version, kind, name and namespace.

use crate::schema;
use smol_str::SmolStr;
use std::fmt;

/// The namespace of objects that have none.
pub const CLUSTER: &str = "_non_namespaceable_";
/// The namespace of objects that don't say.
pub const DEFAULT_NAMESPACE: &str = "default";

/// Group, version and kind; as a selector, an empty part matches anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Gvk {
    pub group: SmolStr,
    pub version: SmolStr,
    pub kind: SmolStr,
}

/// An object's identity; two objects in one build never share it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Id {
    pub gvk: Gvk,
    pub name: SmolStr,
    /// The effective namespace: `default` where none is given, [`CLUSTER`] where there can't be one.
    pub namespace: SmolStr,
}

impl Gvk {
    pub fn new(api_version: &str, kind: &str) -> Self {
        let (group, version) = split_api_version(api_version);
        Self { group: group.into(), version: version.into(), kind: kind.into() }
    }

    pub fn kind(kind: &str) -> Self {
        Self { kind: kind.into(), ..Self::default() }
    }

    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_string()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Whether this selector takes an object of that group, version and kind.
    pub fn selects(&self, group: &str, version: &str, kind: &str) -> bool {
        let part = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
        part(&self.kind, kind) && part(&self.group, group) && part(&self.version, version)
    }

    /// Whether this selector takes everything that the other one names.
    pub fn selects_gvk(&self, other: &Gvk) -> bool {
        self.selects(&other.group, &other.version, &other.kind)
    }
}

impl fmt::Display for Gvk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |text: &str, none: &'static str| {
            if text.is_empty() { none.to_owned() } else { text.to_owned() }
        };
        let (kind, version) = (part(&self.kind, "[noKind]"), part(&self.version, "[noVer]"));
        write!(f, "{kind}.{version}.{}", part(&self.group, "[noGrp]"))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.gvk.kind.is_empty() { "object" } else { &self.gvk.kind };
        write!(f, "{kind} {:?}", self.name)?;
        if self.namespace != CLUSTER && self.namespace != DEFAULT_NAMESPACE {
            write!(f, " in namespace {:?}", self.namespace)?;
        }
        Ok(())
    }
}

/// `apps/v1` is group and version, `v1` a version alone.
pub fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// The namespace that an object is in for the sake of comparison.
pub fn effective_namespace<'a>(api_version: &str, kind: &str, namespace: &'a str) -> &'a str {
    if schema::is_cluster_scoped(api_version, kind) {
        CLUSTER
    } else if namespace.is_empty() {
        DEFAULT_NAMESPACE
    } else {
        namespace
    }
}
