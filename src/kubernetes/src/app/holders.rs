//! Who else holds fields that aren't as wanted: what a plan says before an apply takes them.

use crate::api::{FIELD_MANAGER, at, text};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// The field of an App that what was observed has them in, and nobody gives.
pub const FIELD: &str = "holders";

/// The paths in which an object isn't as wanted and that another manager holds, each with the manager.
///
/// `ours` is what is ours of the live object, as it is compared with the wanted one.
pub fn of(wanted: &Json, ours: &Json, live: &Json) -> BTreeMap<String, String> {
    let entries = at(live, &["metadata", "managedFields"]).and_then(Json::as_array);
    let mut found = BTreeMap::new();
    for entry in entries.into_iter().flatten() {
        let manager = text(entry, &["manager"]);
        if manager == FIELD_MANAGER {
            continue;
        }
        let manager = match text(entry, &["subresource"]) {
            "" => manager.to_owned(),
            part => format!("{manager} ({part})"),
        };
        let fields = entry.get("fieldsV1").unwrap_or(&Json::Null);
        contested(fields, wanted, ours, "", &mut |path| {
            found.insert(path, manager.clone());
        });
    }
    found
}

/// Walks the fields of one manager (FieldsV1) and tells of those that are wanted and differ.
fn contested(
    fields: &Json,
    wanted: &Json,
    there: &Json,
    path: &str,
    tell: &mut impl FnMut(String),
) {
    let whole = fields.as_object().is_some_and(serde_json::Map::is_empty);
    if whole && wanted != there {
        return tell(path.to_owned());
    }
    for (step, inner) in fields.as_object().into_iter().flatten() {
        if let Some(key) = step.strip_prefix("f:") {
            if let (Some(wanted), Some(there)) = (wanted.get(key), there.get(key)) {
                contested(inner, wanted, there, &format!("{path}.{key}"), tell);
            }
        } else if let Some(keys) = step.strip_prefix("k:") {
            let Ok(keys) = serde_json::from_str::<Json>(keys) else { continue };
            if let (Some(wanted), Some(there)) = (item(wanted, &keys), item(there, &keys)) {
                contested(inner, wanted, there, &format!("{path}[{}]", shown(&keys)), tell);
            }
        }
    }
}

/// The item of a list that has these keys; one may leave out a key that has a default.
fn item<'a>(list: &'a Json, keys: &Json) -> Option<&'a Json> {
    let keys = keys.as_object()?;
    let fits = |item: &&Json| {
        keys.keys().any(|key| item.get(key).is_some())
            && keys.iter().all(|(key, value)| item.get(key).is_none_or(|v| v == value))
    };
    list.as_array()?.iter().find(fits)
}

/// Keys as people write them: `name="server"`.
fn shown(keys: &Json) -> String {
    let keys = keys.as_object().into_iter().flatten();
    keys.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

/// As an observed field: by the path in the App.
pub fn data(all: BTreeMap<String, BTreeMap<String, String>>) -> Option<BTreeMap<String, String>> {
    let of_object = |(key, paths): (String, BTreeMap<String, String>)| {
        paths
            .into_iter()
            .map(move |(path, manager)| (format!("objects[{key:?}]{path}"), manager))
            .collect::<Vec<_>>()
    };
    let all: BTreeMap<String, String> = all.into_iter().flat_map(of_object).collect();
    (!all.is_empty()).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_differs_and_is_held_by_others_is_told() {
        let wanted = json!({"spec": {
            "replicas": 2, "paused": false,
            "template": {"spec": {"containers": [
                {"name": "server", "image": "server:2", "ports": [{"containerPort": 80}]},
            ]}},
        }});
        let ours = json!({"spec": {
            "replicas": 5, "paused": false,
            "template": {"spec": {"containers": [
                {"name": "server", "image": "server:hand", "ports": [{"containerPort": 80}]},
            ]}},
        }});
        let live = json!({"metadata": {"managedFields": [
            {"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            {"manager": "kubectl", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            {"manager": "kubectl-set", "fieldsV1": {"f:spec": {
                "f:paused": {},
                "f:template": {"f:spec": {"f:containers": {
                    r#"k:{"name":"server"}"#: {".": {}, "f:image": {}},
                    r#"k:{"name":"sidecar"}"#: {".": {}, "f:image": {}},
                }}},
            }}},
            {"manager": "controller", "subresource": "status", "fieldsV1": {"f:status": {"f:replicas": {}}}},
        ]}});
        let found = data([("Deployment/n/a".to_owned(), of(&wanted, &ours, &live))].into());
        let expected = [
            (r#"objects["Deployment/n/a"].spec.replicas"#, "kubectl (scale)"),
            (
                r#"objects["Deployment/n/a"].spec.template.spec.containers[name="server"].image"#,
                "kubectl-set",
            ),
        ];
        let expected = expected.map(|(path, who)| (path.to_owned(), who.to_owned()));
        assert_eq!(found, Some(expected.into()));
        assert_eq!(data([("a".to_owned(), of(&wanted, &wanted, &live))].into()), None);
    }
}
