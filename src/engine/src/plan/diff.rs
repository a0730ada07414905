//! Comparing what is with what is wanted, attribute by attribute. Pure.

use crate::{Data, Field, Schema, Shape};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One attribute that differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Where: `rules[2].port`; `rules[+]` and `rules[-]` are elements of an unordered list.
    pub path: String,
    /// The value found, `None` where there was nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Data>,
    /// The value wanted, `None` where it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Data>,
    /// It can't be changed in place.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forces_replacement: bool,
    /// Changing it interrupts the service.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outage: bool,
    /// The stack didn't change: something outside of formwork did.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drift: bool,
}

impl Change {
    /// The top-level field that the path is in.
    pub fn field(&self) -> &str {
        self.path.split(['.', '[']).next().unwrap_or(&self.path)
    }
}

/// The fields of one resource in three versions.
pub struct Versions<'a> {
    pub desired: &'a Data,
    /// As last written; empty where formwork hasn't written it.
    pub recorded: &'a Data,
    /// As read back; `None` where it couldn't be read.
    pub observed: Option<&'a BTreeMap<String, Data>>,
    /// Fields left to others.
    pub ignore: &'a [crate::Symbol],
}

/// Everything that differs between what is wanted of an existing resource and what is there.
///
/// A field that isn't wanted is unmanaged, unless it was managed before and has a default to go back
/// to. What the service doesn't tell is compared with what was last written.
pub fn diff(schema: &Schema, versions: &Versions<'_>) -> Vec<Change> {
    let mut changes = vec![];
    for field in schema.fields {
        let flags = field.flags;
        let ignored = versions.ignore.iter().any(|name| name.as_str() == field.name);
        if flags.binding || flags.source || ignored {
            continue;
        }
        let recorded = present(versions.recorded.get(field.name));
        let default = field.default.map(|default| Data::literal(&default()));
        let desired = match present(versions.desired.get(field.name)) {
            Some(desired) => desired,
            None => match (&recorded, &default) {
                (Some(_), Some(default)) => default,
                _ => continue,
            },
        };
        let told = versions.observed.and_then(|observed| present(observed.get(field.name)));
        let before = if flags.secret || flags.write_only { recorded } else { told.or(recorded) };
        let start = changes.len();
        compare(field.name, field, &field.shape, before, desired, &mut changes);
        let stack_unchanged = recorded.is_some_and(|recorded| {
            let mut since = vec![];
            compare(field.name, field, &field.shape, Some(recorded), desired, &mut since);
            since.is_empty()
        });
        for change in &mut changes[start..] {
            change.forces_replacement = flags.replace;
            change.outage = flags.outage;
            change.drift = stack_unchanged;
        }
    }
    changes
}

/// Every wanted attribute of a resource that doesn't exist yet.
pub fn creation(schema: &Schema, desired: &Data) -> Vec<Change> {
    let wanted = schema.fields.iter().filter(|field| !field.flags.binding && !field.flags.source);
    wanted
        .filter_map(|field| {
            let after = present(desired.get(field.name))?;
            Some(change(field.name.to_owned(), None, Some(after)))
        })
        .collect()
}

fn present(data: Option<&Data>) -> Option<&Data> {
    data.filter(|data| **data != Data::Null)
}

fn change(path: String, before: Option<&Data>, after: Option<&Data>) -> Change {
    Change {
        path,
        before: before.cloned(),
        after: after.cloned(),
        forces_replacement: false,
        outage: false,
        drift: false,
    }
}

/// The path of a key under a path: `a.b`, or `a["x/y"]` where the key isn't a plain word.
fn under(path: &str, key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || "_-".contains(c));
    if plain { format!("{path}.{key}") } else { format!("{path}[{key:?}]") }
}

fn compare(
    path: &str,
    field: &Field,
    shape: &Shape,
    before: Option<&Data>,
    after: &Data,
    changes: &mut Vec<Change>,
) {
    let Some(before) = before else {
        changes.push(change(path.to_owned(), None, Some(after)));
        return;
    };
    match (shape, before, after) {
        (Shape::Nested(fields), Data::Map(old), Data::Map(new)) => {
            for inner in *fields {
                // A nested field that isn't wanted is the service's own.
                let Some(after) = present(new.get(inner.name)) else { continue };
                let old = present(old.get(inner.name));
                compare(&under(path, inner.name), inner, &inner.shape, old, after, changes);
            }
        }
        (Shape::Map(inner), Data::Map(old), Data::Map(new)) => {
            compare_maps(path, field, inner, old, new, changes);
        }
        (Shape::Exact, Data::Map(old), Data::Map(new)) => {
            compare_maps(path, field, shape, old, new, changes);
        }
        (Shape::Partial, Data::Map(old), Data::Map(new)) => {
            for (key, after) in new {
                compare(&under(path, key), field, shape, old.get(key), after, changes);
            }
        }
        (Shape::List(inner), Data::List(old), Data::List(new)) if field.flags.unordered => {
            compare_sets(path, field, inner, old, new, changes);
        }
        (Shape::List(inner), Data::List(old), Data::List(new)) => {
            compare_lists(path, field, inner, old, new, changes);
        }
        (Shape::Partial | Shape::Exact, Data::List(old), Data::List(new)) => {
            compare_lists(path, field, shape, old, new, changes);
        }
        (_, before, after) if same(before, after) => {}
        (_, before, after) => changes.push(change(path.to_owned(), Some(before), Some(after))),
    }
}

fn compare_maps(
    path: &str,
    field: &Field,
    inner: &Shape,
    old: &BTreeMap<String, Data>,
    new: &BTreeMap<String, Data>,
    changes: &mut Vec<Change>,
) {
    for (key, after) in new {
        compare(&under(path, key), field, inner, old.get(key), after, changes);
    }
    for (key, before) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
        changes.push(change(under(path, key), Some(before), None));
    }
}

fn compare_lists(
    path: &str,
    field: &Field,
    inner: &Shape,
    old: &[Data],
    new: &[Data],
    changes: &mut Vec<Change>,
) {
    for (i, after) in new.iter().enumerate() {
        compare(&format!("{path}[{i}]"), field, inner, old.get(i), after, changes);
    }
    for (i, before) in old.iter().enumerate().skip(new.len()) {
        changes.push(change(format!("{path}[{i}]"), Some(before), None));
    }
}

/// Pairs equal elements in any order; what is left over is added or gone.
fn compare_sets(
    path: &str,
    field: &Field,
    inner: &Shape,
    old: &[Data],
    new: &[Data],
    changes: &mut Vec<Change>,
) {
    let mut left: Vec<&Data> = old.iter().collect();
    let mut added = vec![];
    for after in new {
        let equal = left.iter().position(|before| {
            let mut differences = vec![];
            compare(path, field, inner, Some(before), after, &mut differences);
            differences.is_empty()
        });
        match equal {
            Some(i) => drop(left.remove(i)),
            None => added.push(after),
        }
    }
    for before in left {
        changes.push(change(format!("{path}[-]"), Some(before), None));
    }
    for after in added {
        changes.push(change(format!("{path}[+]"), None, Some(after)));
    }
}

/// Equality of values as services see it: numbers by value, an unknown equal to nothing.
fn same(a: &Data, b: &Data) -> bool {
    match (a, b) {
        (Data::Number(a), Data::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Data::List(a), Data::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Data::Map(a), Data::Map(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (Data::Unknown(_), _) | (_, Data::Unknown(_)) => false,
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Flags, Identity, Symbol};
    use serde_json::{Value as Json, json};

    const RULE: &[Field] = &[field("port", Flags::NONE), field("from", Flags::NONE)];
    const fn field(name: &'static str, flags: Flags) -> Field {
        Field { name, required: false, shape: Shape::Leaf, flags, default: None }
    }
    const SCHEMA: &Schema = &Schema {
        kind: "test.Thing",
        fields: &[
            field("size", Flags { outage: true, ..Flags::NONE }),
            field("vpc", Flags { replace: true, ..Flags::NONE }),
            Field {
                name: "rules",
                required: false,
                shape: Shape::List(&Shape::Nested(RULE)),
                flags: Flags { unordered: true, ..Flags::NONE },
                default: None,
            },
            Field {
                name: "tags",
                required: false,
                shape: Shape::Map(&Shape::Leaf),
                flags: Flags::NONE,
                default: None,
            },
            Field {
                name: "public",
                required: false,
                shape: Shape::Leaf,
                flags: Flags::NONE,
                default: Some(|| json!(false)),
            },
            Field {
                name: "objects",
                required: false,
                shape: Shape::Map(&Shape::Partial),
                flags: Flags::NONE,
                default: None,
            },
            Field {
                name: "manifests",
                required: false,
                shape: Shape::Map(&Shape::Exact),
                flags: Flags::NONE,
                default: None,
            },
            field("password", Flags { secret: true, ..Flags::NONE }),
        ],
        outputs: &[],
        identity: Identity::Tag,
        stateful: false,
        hosts: false,
    };

    /// The changes as `path: before -> after` lines, with `!` for replacement and `~` for drift.
    fn check(desired: Json, recorded: Json, observed: Option<Json>, expected: &[&str]) {
        let (desired, recorded) = (Data::from_json(&desired), Data::from_json(&recorded));
        let observed = observed.map(|json| Data::from_json(&json).into_map());
        let versions = Versions {
            desired: &desired,
            recorded: &recorded,
            observed: observed.as_ref(),
            ignore: &[Symbol::new("ignored")],
        };
        let show = |data: &Option<Data>| data.as_ref().map_or("∅".into(), Data::plain_json);
        let lines: Vec<String> = diff(SCHEMA, &versions)
            .iter()
            .map(|c| {
                let marks = [(c.forces_replacement, "!"), (c.drift, "~")];
                let marks: String =
                    marks.iter().filter(|(on, _)| *on).map(|(_, mark)| *mark).collect();
                format!("{marks}{}: {} -> {}", c.path, show(&c.before), show(&c.after))
            })
            .collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn equal_is_empty_whatever_the_service_adds() {
        let desired =
            json!({"size": 3, "rules": [{"port": 1, "from": "a"}, {"port": 2, "from": "b"}]});
        let observed = json!({
            "size": 3.0, "vpc": "v", "public": true,
            "rules": [{"port": 2, "from": "b", "id": "x"}, {"port": 1, "from": "a", "id": "y"}],
        });
        check(desired.clone(), desired, Some(observed), &[]);
    }

    #[test]
    fn a_change_of_the_stack_and_one_from_outside_are_told_apart() {
        check(json!({"size": 4}), json!({"size": 3}), Some(json!({"size": 3})), &["size: 3 -> 4"]);
        check(json!({"size": 3}), json!({"size": 3}), Some(json!({"size": 5})), &["~size: 5 -> 3"]);
    }

    #[test]
    fn one_rule_from_outside_is_one_change() {
        let rules = json!({"rules": [{"port": 1, "from": "a"}, {"port": 2, "from": "b"}]});
        let more = json!({"rules": [{"port": 9, "from": "x"}, {"port": 2, "from": "b"}, {"port": 1, "from": "a"}]});
        let gone = r#"~rules[-]: {"from":"x","port":9} -> ∅"#;
        check(rules.clone(), rules.clone(), Some(more.clone()), &[gone]);
        let add = r#"rules[+]: ∅ -> {"from":"x","port":9}"#;
        check(more, rules.clone(), Some(rules), &[add]);
    }

    #[test]
    fn a_field_taken_away_goes_back_to_its_default_or_is_let_go() {
        check(
            json!({}),
            json!({"public": true}),
            Some(json!({"public": true})),
            &["public: true -> false"],
        );
        check(json!({}), json!({"size": 3}), Some(json!({"size": 3})), &[]);
        check(json!({}), json!({}), Some(json!({"public": true})), &[]);
    }

    #[test]
    fn maps_lose_keys_and_objects_lose_only_whole_ones() {
        check(
            json!({"tags": {"a": "1"}}),
            json!({"tags": {"a": "1"}}),
            Some(json!({"tags": {"a": "1", "b": "2"}})),
            &[r#"~tags.b: "2" -> ∅"#],
        );
        check(
            json!({"objects": {"Deployment/x": {"spec": {"replicas": 2}}}}),
            json!({"objects": {"Deployment/x": {"spec": {"replicas": 2}}}}),
            Some(json!({"objects": {
                "Deployment/x": {"spec": {"replicas": 5, "paused": false}},
                "Service/y": {},
            }})),
            &[
                r#"~objects["Deployment/x"].spec.replicas: 5 -> 2"#,
                r#"~objects["Service/y"]: {} -> ∅"#,
            ],
        );
    }

    #[test]
    fn what_is_told_exactly_loses_keys_at_any_depth() {
        let exact = |keys: Json| json!({"manifests": {"Deployment/x": {"spec": {"labels": keys}}}});
        check(
            exact(json!({"a": "1"})),
            exact(json!({"a": "1", "b": "2"})),
            Some(exact(json!({"a": "1", "b": "2"}))),
            &[r#"manifests["Deployment/x"].spec.labels.b: "2" -> ∅"#],
        );
    }

    #[test]
    fn unknowns_are_equal_to_nothing_and_force_replacement_where_the_field_does() {
        let unknown = json!({"$unknown": ["s/vpc.id"]});
        let line = r#"!vpc: "v-1" -> {"$unknown":["s/vpc.id"]}"#;
        check(json!({"vpc": unknown}), json!({"vpc": "v-1"}), Some(json!({"vpc": "v-1"})), &[line]);
    }

    #[test]
    fn secrets_are_compared_with_what_was_written() {
        let version = |v: &str| json!({"password": {"$secret": [{"ref": {"store": "s", "key": "k", "version": v}}]}});
        check(version("1"), version("1"), Some(json!({})), &[]);
        let (desired, recorded) = (version("2"), version("1"));
        let versions = Versions {
            desired: &Data::from_json(&desired),
            recorded: &Data::from_json(&recorded),
            observed: Some(&BTreeMap::new()),
            ignore: &[],
        };
        assert_eq!(diff(SCHEMA, &versions).len(), 1);
    }

    #[test]
    fn what_could_not_be_read_is_compared_with_the_record() {
        check(json!({"size": 4}), json!({"size": 3}), None, &["size: 3 -> 4"]);
        check(json!({"size": 3}), json!({"size": 3}), None, &[]);
    }
}
