//! Fields that another manager holds with another value, and what an App does about them.
//!
//! <https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts>

use formwork_engine::{Data, Failure};
use kube::core::Status;
use serde_json::Value as Json;
use std::fmt;

/// What is done about a field that another manager holds with another value than the wanted one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conflicts {
    /// It is given the wanted value, and is ours from then on.
    ///
    /// The default: a plan shows every such field with both values, and an apply does what the plan showed.
    #[default]
    Take,
    /// It is left to them: neither changed nor shown as drift, such as the replicas of an autoscaler.
    Leave,
    /// Nothing is applied, and the failure names the managers.
    Refuse,
}

/// The field of an App that says it.
const FIELD: &str = "conflicts";

impl Conflicts {
    /// As an App's fields say.
    pub fn of(fields: &Data) -> Result<Self, Failure> {
        match fields.get(FIELD) {
            None | Some(Data::Null | Data::Unknown(_)) => Ok(Self::default()),
            Some(Data::Text(text)) if text == "take" => Ok(Self::Take),
            Some(Data::Text(text)) if text == "leave" => Ok(Self::Leave),
            Some(Data::Text(text)) if text == "refuse" => Ok(Self::Refuse),
            Some(other) => {
                Err(Failure::invalid(format!("`{FIELD}` can't be {}", other.plain_json()))
                    .hint("write \"take\", \"leave\" or \"refuse\""))
            }
        }
    }
}

/// One such field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Where, as the server writes it: `.spec.template.spec.containers[name="server"].image`.
    pub field: String,
    /// The other manager: `kubectl-scale (scale)`.
    pub manager: String,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is held by {}", self.field, self.manager)
    }
}

/// The conflicts that an answer tells of; none where it is about something else.
pub fn read(status: &Status) -> Vec<Conflict> {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    causes
        .filter(|cause| cause.reason == "FieldManagerConflict")
        .map(|cause| Conflict { field: cause.field.clone(), manager: manager(&cause.message) })
        .collect()
}

/// From `conflict with "kubectl" with subresource "scale" using apps/v1 at 2026-…`.
fn manager(message: &str) -> String {
    let after = |word: &str| {
        let (_, rest) = message.split_once(&format!("{word} \""))?;
        rest.split_once('"').map(|(quoted, _)| quoted)
    };
    match (after("conflict with"), after("subresource")) {
        (Some(manager), Some(part)) => format!("{manager} ({part})"),
        (Some(manager), None) => manager.to_owned(),
        (None, _) => message.to_owned(),
    }
}

/// Takes a field out of an object, by the path that the server gives it; whether it was there.
pub fn take_out(object: &mut Json, path: &str) -> bool {
    match (object, path.chars().next()) {
        (Json::Object(map), Some('.')) => {
            // A key may hold dots itself: the longest that fits is meant.
            let fits = |key: &&String| {
                let rest = path[1..].strip_prefix(key.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            };
            let Some(key) = map.keys().filter(fits).max_by_key(|key| key.len()).cloned() else {
                return false;
            };
            match &path[1 + key.len()..] {
                "" => map.remove(&key).is_some(),
                rest => map.get_mut(&key).is_some_and(|value| take_out(value, rest)),
            }
        }
        (Json::Array(items), Some('[')) => {
            let Some((step, rest)) = step(path) else { return false };
            let Some(index) = items.iter().position(|item| step.is(item)) else { return false };
            match rest {
                "" => {
                    items.remove(index);
                    true
                }
                rest => take_out(&mut items[index], rest),
            }
        }
        _ => false,
    }
}

/// One step into a list: to an item by its keys, or by its value.
enum ListStep {
    Keys(Vec<(String, Json)>),
    Value(Json),
}

impl ListStep {
    fn is(&self, item: &Json) -> bool {
        match self {
            // A wanted item may leave out a key that has a default.
            ListStep::Keys(keys) => {
                keys.iter().any(|(key, _)| item.get(key).is_some())
                    && keys.iter().all(|(key, value)| item.get(key).is_none_or(|v| v == value))
            }
            ListStep::Value(value) => item == value,
        }
    }
}

/// Reads `[name="a",port=80]` or `[="a"]`, and what comes after.
fn step(path: &str) -> Option<(ListStep, &str)> {
    let mut rest = path.strip_prefix('[')?;
    let mut keys = vec![];
    while !rest.starts_with(']') {
        rest = rest.strip_prefix(',').unwrap_or(rest);
        let (key, after) = rest.split_once('=')?;
        let mut values = serde_json::Deserializer::from_str(after).into_iter::<Json>();
        let value = match values.next()? {
            Ok(value) => value,
            Err(_) => return None,
        };
        rest = &after[values.byte_offset()..];
        keys.push((key.to_owned(), value));
    }
    let rest = &rest[1..];
    match keys.as_slice() {
        [(key, value)] if key.is_empty() => Some((ListStep::Value(value.clone()), rest)),
        [] => None,
        _ => Some((ListStep::Keys(keys), rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_field_is_taken_out_by_the_servers_path() {
        let object = || {
            json!({
                "metadata": {"annotations": {"a": "1", "a.b/c": "2"}, "finalizers": ["x", "y"]},
                "spec": {
                    "replicas": 2,
                    "ports": [{"port": 80, "name": "a"}, {"port": 80, "protocol": "UDP"}],
                    "containers": [{"name": "one", "image": "1"}, {"name": "two", "image": "2"}],
                },
            })
        };
        let check = |path: &str, pointer: &str, left: Option<Json>| {
            let mut object = object();
            assert!(take_out(&mut object, path), "{path}");
            assert_eq!(object.pointer(pointer).cloned(), left, "{path}");
        };
        check(".spec.replicas", "/spec/replicas", None);
        check(".metadata.annotations.a", "/metadata/annotations", Some(json!({"a.b/c": "2"})));
        check(".metadata.annotations.a.b/c", "/metadata/annotations", Some(json!({"a": "1"})));
        check(
            r#".spec.containers[name="two"].image"#,
            "/spec/containers/1",
            Some(json!({"name": "two"})),
        );
        check(
            r#".spec.ports[port=80,protocol="TCP"].name"#,
            "/spec/ports/0",
            Some(json!({"port": 80})),
        );
        check(r#".metadata.finalizers[="x"]"#, "/metadata/finalizers", Some(json!(["y"])));
        for path in [
            "",
            ".spec.other",
            ".spec.replicas.x",
            r#".spec.containers[name="no"]"#,
            ".spec.containers[",
            ".spec.containers[]",
            ".spec.containers[name]",
        ] {
            let mut same = object();
            assert!(!take_out(&mut same, path), "{path}");
            assert_eq!(same, object(), "{path}");
        }
    }

    #[test]
    fn the_other_manager_is_named_as_people_know_it() {
        let check = |message: &str, expected: &str| assert_eq!(manager(message), expected);
        check(r#"conflict with "kubectl-patch" using apps/v1"#, "kubectl-patch");
        check(
            r#"conflict with "kubectl" with subresource "scale" using apps/v1"#,
            "kubectl (scale)",
        );
        check("something new", "something new");
    }

    #[test]
    fn an_app_says_what_is_done_about_them() {
        let of = |value: Json| Conflicts::of(&Data::from_json(&json!({ "conflicts": value })));
        assert_eq!(of(Json::Null).unwrap(), Conflicts::Take);
        assert_eq!(of(json!("leave")).unwrap(), Conflicts::Leave);
        assert_eq!(of(json!("refuse")).unwrap(), Conflicts::Refuse);
        assert!(of(json!("ask")).unwrap_err().message.contains("\"ask\""));
    }
}
