//! Which object of one build is which of the other.

use super::fields::{self, Change};
use formwork_kustomize::Object;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Letters of the hash that a generator adds to a name.
const HASH: &str = "2456789bcdfghkmt";
/// How many of them.
const HASH_LENGTH: usize = 10;
/// What stands for a secret value.
const HIDDEN: &str = "(hidden)";
const HIDDEN_OTHER: &str = "(hidden, another)";

/// An object that isn't the same in both builds.
#[derive(Debug)]
pub(super) struct Difference {
    pub kind: String,
    pub api_version: String,
    pub namespace: Option<String>,
    pub name: String,
    pub what: What,
}

#[derive(Debug)]
pub(super) enum What {
    /// Only the first build has it.
    Removed,
    /// Only the second build has it.
    Added,
    Changed(Vec<Change>),
}

/// Group, kind, namespace and name; the version may change.
type Key = (String, String, String, String);

fn key(object: &Object) -> Key {
    let group = object.api_version().rsplit_once('/').map_or("", |(group, _)| group);
    let namespace = object.namespace().unwrap_or_default();
    (group.to_owned(), object.kind().to_owned(), namespace.to_owned(), object.name().to_owned())
}

/// Every difference, by kind, namespace and name.
pub(super) fn compare(before: &[Object], after: &[Object]) -> Vec<Difference> {
    let by_key = |objects: &'_ [Object]| -> BTreeMap<Key, usize> {
        objects.iter().enumerate().map(|(at, object)| (key(object), at)).collect()
    };
    let (mut old, mut new) = (by_key(before), by_key(after));
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    let both: BTreeSet<Key> = old.keys().filter(|key| new.contains_key(*key)).cloned().collect();
    for key in both {
        pairs.extend(old.remove(&key).zip(new.remove(&key)));
    }
    pairs.extend(renamed(&mut old, &mut new));
    let mut differences: Vec<Difference> = Vec::new();
    for (old, new) in pairs {
        let changes = changes(&before[old], &after[new]);
        if !changes.is_empty() {
            differences.push(difference(&after[new], What::Changed(changes)));
        }
    }
    differences.extend(old.into_values().map(|at| difference(&before[at], What::Removed)));
    differences.extend(new.into_values().map(|at| difference(&after[at], What::Added)));
    differences
        .sort_by(|a, b| (&a.kind, &a.namespace, &a.name).cmp(&(&b.kind, &b.namespace, &b.name)));
    differences
}

/// Pairs generated objects whose names differ in the hash alone.
fn renamed(old: &mut BTreeMap<Key, usize>, new: &mut BTreeMap<Key, usize>) -> Vec<(usize, usize)> {
    let stem = |key: &Key| {
        let (stem, hash) = key.3.rsplit_once('-')?;
        let is_hash = hash.len() == HASH_LENGTH && hash.chars().all(|c| HASH.contains(c));
        is_hash.then(|| (key.0.clone(), key.1.clone(), key.2.clone(), stem.to_owned()))
    };
    let stems = |objects: &BTreeMap<Key, usize>| {
        let mut stems: BTreeMap<Key, Vec<Key>> = BTreeMap::new();
        for key in objects.keys() {
            if let Some(stem) = stem(key) {
                stems.entry(stem).or_default().push(key.clone());
            }
        }
        stems
    };
    let others = stems(new);
    let mut pairs = Vec::new();
    for (stem, keys) in stems(old) {
        // With several of one stem, which became which can't be said.
        if let ([key], Some([other])) = (keys.as_slice(), others.get(&stem).map(Vec::as_slice)) {
            pairs.extend(old.remove(key).zip(new.remove(other)));
        }
    }
    pairs
}

fn difference(object: &Object, what: What) -> Difference {
    Difference {
        kind: object.kind().to_owned(),
        api_version: object.api_version().to_owned(),
        namespace: object.namespace().map(str::to_owned),
        name: object.name().to_owned(),
        what,
    }
}

fn changes(before: &Object, after: &Object) -> Vec<Change> {
    let (mut old, mut new) = (before.to_json(), after.to_json());
    if before.kind() == "Secret" {
        hide(&mut old, &mut new);
    }
    fields::compare(&old, &new)
}

/// Puts words in place of a Secret's values, from which only what differs can be told.
fn hide(old: &mut Value, new: &mut Value) {
    for field in ["data", "stringData"] {
        let before = old.get(field).cloned().unwrap_or_default();
        for map in [&mut *old, &mut *new] {
            let Some(map) = map.get_mut(field).and_then(Value::as_object_mut) else { continue };
            for (key, value) in map.iter_mut() {
                let same = before.get(key).is_none_or(|before| before == value);
                *value = Value::from(if same { HIDDEN } else { HIDDEN_OTHER });
            }
        }
    }
}
