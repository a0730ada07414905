//! What differs between two values, field by field.

use serde_json::{Map, Value};
use similar::{Algorithm, DiffTag, capture_diff_slices};
use std::collections::BTreeMap;

/// Fields that tell the elements of Kubernetes' lists apart, the likeliest first.
const KEYS: &[&str] = &["name", "mountPath", "containerPort", "port", "key", "ip", "host", "path"];
/// Lists longer than this are compared element by element in order, without looking for what moved.
const LONGEST_LIST: usize = 1000;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Field(String),
    Index(usize),
    /// The element whose field has this value.
    Where(&'static str, String),
}

/// One field that differs; `None` where it isn't there.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    pub path: Vec<Part>,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// Every difference, in the order of the fields.
pub(super) fn compare(before: &Value, after: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    walk(&mut Vec::new(), before, after, &mut changes);
    changes
}

fn walk(path: &mut Vec<Part>, before: &Value, after: &Value, into: &mut Vec<Change>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => maps(path, before, after, into),
        (Value::Array(before), Value::Array(after)) => lists(path, before, after, into),
        _ => into.push(Change {
            path: path.clone(),
            before: Some(before.clone()),
            after: Some(after.clone()),
        }),
    }
}

fn one(
    path: &mut Vec<Part>,
    part: Part,
    before: Option<&Value>,
    after: Option<&Value>,
    into: &mut Vec<Change>,
) {
    path.push(part);
    match (before, after) {
        (Some(before), Some(after)) => walk(path, before, after, into),
        (before, after) => {
            into.push(Change { path: path.clone(), before: before.cloned(), after: after.cloned() })
        }
    }
    path.pop();
}

fn maps(
    path: &mut Vec<Part>,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    into: &mut Vec<Change>,
) {
    let added = after.keys().filter(|key| !before.contains_key(*key));
    for key in before.keys().chain(added) {
        one(path, Part::Field(key.clone()), before.get(key), after.get(key), into);
    }
}

fn lists(path: &mut Vec<Part>, before: &[Value], after: &[Value], into: &mut Vec<Change>) {
    if let Some(key) = KEYS.iter().find(|key| tells_apart(before, key) && tells_apart(after, key)) {
        let named = |list: &'_ [Value]| -> BTreeMap<String, Value> {
            list.iter().map(|item| (text(&item[*key]), item.clone())).collect()
        };
        let (old, new) = (named(before), named(after));
        let count = into.len();
        let added = after.iter().filter(|item| !old.contains_key(&text(&item[*key])));
        for item in before.iter().chain(added) {
            let name = text(&item[*key]);
            one(path, Part::Where(key, name.clone()), old.get(&name), new.get(&name), into);
        }
        if into.len() == count {
            // The same elements in another order, which can matter: the order of containers, of env.
            into.push(Change {
                path: path.clone(),
                before: Some(order(before, key)),
                after: Some(order(after, key)),
            });
        }
        return;
    }
    let longest = before.len().max(after.len());
    if before.len() == after.len() || longest > LONGEST_LIST {
        for at in 0..longest {
            one(path, Part::Index(at), before.get(at), after.get(at), into);
        }
        return;
    }
    let texts = |list: &[Value]| list.iter().map(Value::to_string).collect::<Vec<_>>();
    for step in capture_diff_slices(Algorithm::Myers, &texts(before), &texts(after)) {
        if step.tag() == DiffTag::Equal {
            continue;
        }
        let (old, new) = (step.old_range(), step.new_range());
        let paired = old.len().min(new.len());
        for at in 0..paired {
            let (old, new) = (old.start + at, new.start + at);
            one(path, Part::Index(new), before.get(old), after.get(new), into);
        }
        for at in old.skip(paired) {
            one(path, Part::Index(at), before.get(at), None, into);
        }
        for at in new.skip(paired) {
            one(path, Part::Index(at), None, after.get(at), into);
        }
    }
}

/// Whether every element has this field, each with a value of its own.
fn tells_apart(list: &[Value], key: &str) -> bool {
    let mut seen = std::collections::BTreeSet::new();
    list.iter().all(|item| {
        let value = item.get(key).filter(|value| value.is_string() || value.is_number());
        value.is_some_and(|value| seen.insert(text(value)))
    })
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn order(list: &[Value], key: &str) -> Value {
    list.iter().map(|item| item[key].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::{Change, compare};
    use crate::cli::kube::diff::render::path;
    use serde_json::{Value, json};

    fn shown(before: Value, after: Value) -> Vec<String> {
        let side = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), Value::to_string);
        let line = |change: &Change| {
            format!("{} {} {}", path(&change.path), side(&change.before), side(&change.after))
        };
        compare(&before, &after).iter().map(line).collect()
    }

    #[test]
    fn fields_come_go_and_change() {
        let before = json!({"a": 1, "b": {"c": "x", "d": [1]}, "app.kubernetes.io/name": "n"});
        let after = json!({"b": {"c": "y", "d": [1], "e": null}, "app.kubernetes.io/name": "m"});
        let expected =
            ["a 1 -", "[app.kubernetes.io/name] \"n\" \"m\"", "b.c \"x\" \"y\"", "b.e - null"];
        assert_eq!(shown(before, after), expected);
    }

    #[test]
    fn elements_are_told_apart_by_their_key() {
        let before = json!([{"name": "a", "image": "x:1"}, {"name": "b"}]);
        let after = json!([{"name": "c"}, {"name": "a", "image": "x:2"}]);
        let expected = [
            "[name=a].image \"x:1\" \"x:2\"",
            "[name=b] {\"name\":\"b\"} -",
            "[name=c] - {\"name\":\"c\"}",
        ];
        assert_eq!(shown(before, after), expected);
    }

    #[test]
    fn another_order_is_a_difference() {
        let before = json!([{"name": "a"}, {"name": "b"}]);
        let after = json!([{"name": "b"}, {"name": "a"}]);
        assert_eq!(shown(before, after), [" [\"a\",\"b\"] [\"b\",\"a\"]"]);
    }

    #[test]
    fn plain_lists_show_what_was_put_in() {
        assert_eq!(shown(json!(["a", "c"]), json!(["a", "b", "c"])), ["[1] - \"b\""]);
        assert_eq!(shown(json!(["a", "b", "c"]), json!(["a", "c"])), ["[1] \"b\" -"]);
        assert_eq!(shown(json!([{"x": 1}]), json!([{"x": 2}])), ["[0].x 1 2"]);
    }

    #[test]
    fn the_same_is_no_difference() {
        assert_eq!(shown(json!({"a": [1, {"b": 2}]}), json!({"a": [1, {"b": 2}]})), [""; 0]);
    }
}
