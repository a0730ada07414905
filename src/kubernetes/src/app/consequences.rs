//! What a change of an App brings with it that its fields alone don't say.

use super::{
    conflict::Conflicts,
    holders,
    immutable::{self, Dependents},
    marks, observe,
};
use crate::api::title;
use formwork_engine::{Data, plan::Versions};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// More fields of others than this are counted, not listed.
const MAX_TAKEN: usize = 10;

/// What will be deleted and made again, what is taken from others, and what stays though it isn't wanted any more.
pub fn of(versions: &Versions<'_>) -> Vec<String> {
    let observed = versions.observed.and_then(|fields| fields.get("objects"));
    let there = parsed(observed.or_else(|| versions.recorded.get("objects")));
    let before = parsed(versions.recorded.get("objects"));
    let wanted = parsed(versions.desired.get("objects"));
    let deletes_volumes = observe::deletes_volumes(versions.desired);

    let again = wanted.iter().filter_map(|(key, wanted)| {
        let fields = immutable::differences(wanted, there.get(key)?);
        (!fields.is_empty()).then(|| made_again(wanted, &fields, deletes_volumes))
    });
    let gone = there.iter().filter(|(key, _)| !wanted.contains_key(*key));
    let left = gone.filter_map(|(key, object)| {
        let consent = before.get(key).is_some_and(marks::may_delete);
        (!consent && !immutable::may_go(object, deletes_volumes)).then(|| stays(object))
    });
    again.chain(left).chain(taken(versions)).collect()
}

/// Fields that somebody else holds, told by their names before they are taken, a few of them.
fn taken(versions: &Versions<'_>) -> Vec<String> {
    let holders = versions.observed.and_then(|fields| fields.get(holders::FIELD));
    let holders = holders.and_then(Data::as_map).into_iter().flatten();
    let refuses = matches!(Conflicts::of(versions.desired), Ok(Conflicts::Refuse));
    let line = |(path, manager): (&String, &Data)| {
        let manager = manager.plain_text();
        match refuses {
            true => format!("`{path}` is held by {manager}: the apply will refuse"),
            false => format!("`{path}` is held by {manager}, and taken from it"),
        }
    };
    let mut lines: Vec<String> = holders.map(line).collect();
    if lines.len() > MAX_TAKEN {
        let more = lines.len() - MAX_TAKEN;
        lines.truncate(MAX_TAKEN);
        lines.push(format!("and {more} more fields are held by others"));
    }
    lines
}

fn made_again(wanted: &Json, fields: &[String], deletes_volumes: bool) -> String {
    let dependents = immutable::dependents(wanted, fields);
    let (title, fields) = (title(wanted), fields.join("`, `"));
    let consent = deletes_volumes || marks::may_delete(wanted);
    if immutable::is_volume(wanted) && !consent {
        return format!(
            "{title} can't be changed in its `{fields}`, and isn't made again without consent, since its data would \
             be lost: the apply will refuse"
        );
    }
    let rest = match dependents {
        Dependents::Stay => "its pods and volumes stay, and are taken over",
        Dependents::Go => "what it made goes with it",
    };
    format!(
        "{title} is deleted and made again, since its `{fields}` can't be changed in place; {rest}"
    )
}

fn stays(object: &Json) -> String {
    let (with, consent) = match immutable::is_definition(object) {
        true => ("all objects of its kind", "the annotation `formwork/delete: \"true\"` on it"),
        false => ("its data", "`delete_volumes(true)`"),
    };
    format!(
        "{} leaves the overlay and stays in the cluster with {with}: delete it by hand, or let the App do it with \
         {consent}",
        title(object)
    )
}

/// The objects that are known whole.
fn parsed(objects: Option<&Data>) -> BTreeMap<String, Json> {
    let objects = objects.and_then(Data::as_map).into_iter().flatten();
    // A secret in it is a map like any other here: it is only compared.
    objects.map(|(key, object)| (key.clone(), object.to_json())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn who_holds_a_field_is_said_before_it_is_taken() {
        let check = |conflicts: &str, count: usize, expected: &[&str]| {
            let desired = Data::from_json(&json!({ "conflicts": conflicts }));
            let paths = (0..count).map(|n| (format!("objects.a.f{n:02}"), "kubectl".to_owned()));
            let holders: BTreeMap<String, String> = paths.collect();
            let observed = Data::from_json(&json!({ "holders": holders })).into_map();
            let versions = Versions {
                desired: &desired,
                recorded: &desired,
                observed: Some(&observed),
                ignore: &[],
            };
            let said = of(&versions);
            assert_eq!(said.iter().map(String::as_str).collect::<Vec<_>>(), expected);
        };
        check("take", 0, &[]);
        check("take", 1, &["`objects.a.f00` is held by kubectl, and taken from it"]);
        check("refuse", 1, &["`objects.a.f00` is held by kubectl: the apply will refuse"]);
        let lines: Vec<String> = (0..10)
            .map(|n| format!("`objects.a.f{n:02}` is held by kubectl, and taken from it"))
            .chain(["and 2 more fields are held by others".to_owned()])
            .collect();
        check("take", 12, &lines.iter().map(String::as_str).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_made_again_and_what_stays_is_said_beforehand() {
        let object = |api: &str, kind: &str, extra: Json| {
            let mut object = json!({"apiVersion": api, "kind": kind, "metadata": {"name": "a"}});
            object.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            object
        };
        let deployment = |selector: &str| {
            object("apps/v1", "Deployment", json!({"spec": {"selector": {"app": selector}}}))
        };
        let set = |service: &str| {
            object("apps/v1", "StatefulSet", json!({"spec": {"serviceName": service}}))
        };
        let claim = |class: &str| {
            object("v1", "PersistentVolumeClaim", json!({"spec": {"storageClassName": class}}))
        };
        let check = |there: &[Json], wanted: &[Json], delete_volumes: bool, expected: &[&str]| {
            let map = |objects: &[Json]| {
                objects
                    .iter()
                    .map(|o| (o["kind"].as_str().unwrap().to_owned(), o.clone()))
                    .collect()
            };
            let fields = |objects: &[Json]| {
                let objects: serde_json::Map<String, Json> = map(objects);
                Data::from_json(&json!({"objects": objects, "delete_volumes": delete_volumes}))
            };
            let (desired, recorded) = (fields(wanted), fields(there));
            let observed = fields(there).into_map();
            let versions = Versions {
                desired: &desired,
                recorded: &recorded,
                observed: Some(&observed),
                ignore: &[],
            };
            let said = of(&versions);
            assert_eq!(said.len(), expected.len(), "{said:?}");
            for (said, expected) in said.iter().zip(expected) {
                assert!(said.contains(expected), "{said}");
            }
        };
        check(&[deployment("x")], &[deployment("x")], false, &[]);
        check(
            &[deployment("x")],
            &[deployment("y")],
            false,
            &["Deployment a is deleted and made again, since its `spec.selector`"],
        );
        check(&[set("x")], &[set("y")], false, &["its pods and volumes stay"]);
        check(&[], &[deployment("y")], false, &[]);
        check(&[claim("x")], &[], false, &["PersistentVolumeClaim a leaves the overlay and stays"]);
        check(&[claim("x")], &[], true, &[]);
        let definition = |delete: &str| {
            let mut object =
                object("apiextensions.k8s.io/v1", "CustomResourceDefinition", json!({}));
            object["metadata"]["annotations"] = json!({"formwork/delete": delete});
            object
        };
        let stays = "CustomResourceDefinition a leaves the overlay and stays in the cluster with all objects";
        check(&[definition("")], &[], true, &[stays]);
        check(&[definition("true")], &[], false, &[]);
        check(&[claim("x")], &[claim("y")], false, &["the apply will refuse"]);
        check(&[claim("x")], &[claim("y")], true, &["is deleted and made again"]);
    }
}
