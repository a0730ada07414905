//! Generations: ConfigMaps and Secrets whose name ends in the hash of their content.

use crate::{
    api::{name, text},
    app::key,
};
use serde_json::Value as Json;
use std::{collections::BTreeSet, fmt};

/// One generation of a generated ConfigMap or Secret, as an annotation names it: `ConfigMap config-7hk9b2m4ct`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation {
    pub kind: String,
    pub name: String,
}

impl Generation {
    /// An object's generation; none where its name has no hash.
    pub fn of(object: &Json) -> Option<Self> {
        let generated = key::stem(object) != name(object);
        generated.then(|| Self { kind: text(object, &["kind"]).into(), name: name(object).into() })
    }

    pub fn all<'a>(objects: impl IntoIterator<Item = &'a Json>) -> BTreeSet<Self> {
        objects.into_iter().filter_map(Self::of).collect()
    }

    pub fn write(all: &BTreeSet<Self>) -> String {
        all.iter().map(Self::to_string).collect::<Vec<_>>().join("\n")
    }

    pub fn read(text: &str) -> BTreeSet<Self> {
        let pairs = text.lines().filter_map(|line| line.split_once(' '));
        pairs.map(|(kind, name)| Self { kind: kind.into(), name: name.into() }).collect()
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_named_by_its_content_is_a_generation() {
        let object = |kind: &str, name: &str| json!({"kind": kind, "metadata": {"name": name}});
        let objects = [
            object("ConfigMap", "config-c5ththm4t2"),
            object("Secret", "secrets-2222222222"),
            object("ConfigMap", "plain"),
            object("Service", "config-c5ththm4t2"),
        ];
        let all = Generation::all(&objects);
        assert_eq!(
            Generation::write(&all),
            "ConfigMap config-c5ththm4t2\nSecret secrets-2222222222"
        );
        assert_eq!(Generation::read(&Generation::write(&all)), all);
        assert_eq!(Generation::read(""), BTreeSet::new());
    }
}
