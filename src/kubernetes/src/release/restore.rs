//! Putting a revision back: its whole set, but never a secret that was rotated since.

use super::Revision;
use crate::app::{render, steps};
use formwork_engine::{Data, Failure, SecretPart, SecretRef};
use serde_json::{Value as Json, json};

/// Fields that say how an App is applied and not what it is: they are today's.
const TODAYS: &[&str] =
    &["cluster", "conflicts", "delete_volumes", "keep_releases", "rollout", "wait"];

/// The inputs that put a revision back, as an update of the App from `current` inputs.
///
/// All of the revision is in them, configuration included, and that they restore it; its migrations alone are
/// today's, and aren't run. A secret that has another
/// version by now keeps that one: the old text may be of no use any more, and somebody had a reason to change it.
pub fn restored(revision: &Revision, current: &Data) -> Result<Data, Failure> {
    let mut fields = revision.inputs.clone().into_map();
    for field in TODAYS {
        match current.get(field) {
            Some(value) => drop(fields.insert((*field).to_owned(), value.clone())),
            None => drop(fields.remove(*field)),
        }
    }
    fields.insert("restores".into(), Data::Number(revision.number.into()));
    if let Some(author) = current.get("author") {
        fields.insert("author".into(), author.clone());
    }
    let todays = references(current.get("secrets"));
    let mut moved = fields.get("secrets").map(Data::to_json);
    if let Some(moved) = moved.as_mut()
        && move_on(moved, &todays)
    {
        // The objects are made anew: another version is another name of the generated Secret, which others refer to.
        fields.insert("secrets".into(), Data::from_json(moved));
        fields = render::expand(Data::Map(fields))?.into_map();
    }
    steps::keep_migrations(&mut fields, current);
    Ok(Data::Map(fields))
}

/// Every reference to a stored secret in a value.
fn references(data: Option<&Data>) -> Vec<SecretRef> {
    match data {
        Some(Data::Map(map)) => map.values().flat_map(|value| references(Some(value))).collect(),
        Some(Data::List(items)) => items.iter().flat_map(|item| references(Some(item))).collect(),
        Some(Data::Secret(secret)) => {
            let parts = secret.parts().iter();
            parts
                .filter_map(|part| match part {
                    SecretPart::Ref(reference) => Some(reference.clone()),
                    SecretPart::Text(_) => None,
                })
                .collect()
        }
        _ => vec![],
    }
}

/// Gives references today's versions, and says whether that changed any.
fn move_on(json: &mut Json, todays: &[SecretRef]) -> bool {
    match json {
        Json::Object(map) => {
            let reference = map.get("ref").and_then(|r| serde_json::from_value(r.clone()).ok());
            if let Some(SecretRef { store, at, key, version }) = reference {
                let same = |t: &&SecretRef| (&t.store, &t.at, &t.key) == (&store, &at, &key);
                let today = todays.iter().find(same).filter(|today| today.version != version);
                if let Some(today) = today {
                    map.insert("ref".into(), json!(today));
                }
                return today.is_some();
            }
            all(map.values_mut(), todays)
        }
        Json::Array(items) => all(items.iter_mut(), todays),
        _ => false,
    }
}

fn all<'a>(values: impl Iterator<Item = &'a mut Json>, todays: &[SecretRef]) -> bool {
    let mut moved = false;
    for value in values {
        moved |= move_on(value, todays);
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::Status;

    fn inputs(image: &str, version: &str, commit: &str) -> Data {
        let secret = json!({"$secret": [
            {"text": "postgres://"},
            {"ref": {"store": "vault", "key": "password", "version": version}},
        ]});
        let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: server}\nspec:\n  selector: {matchLabels: {a: b}}\n  template:\n    metadata: {labels: {a: b}}\n    spec:\n      containers:\n        - name: server\n          image: server\n          envFrom: [{secretRef: {name: secrets}}]\n";
        let kustomization = "resources: [server.yaml]\n";
        let fields = Data::from_json(&json!({
            "cluster": {"kubeconfig": {"path": commit}},
            "overlay": "o",
            "files": {"o/kustomization.yaml": kustomization, "o/server.yaml": deployment},
            "namespace": "n",
            "images": {"server": image},
            "secrets": {"PASSWORD": secret},
            "commit": commit,
            "author": format!("author of {commit}"),
        }));
        render::expand(fields).unwrap()
    }

    #[test]
    fn the_whole_set_comes_back_with_todays_secrets() {
        let old = inputs("r/server:1", "1", "old");
        let check = |current: &Data, expected: &Data| {
            let restored = restored(&Revision::of(3, Status::Good, old.clone()), current).unwrap();
            assert_eq!(restored.get("objects"), expected.get("objects"));
            assert_eq!(restored.get("restores"), Some(&Data::Number(3.into())));
            assert_eq!(restored.get("commit"), old.get("commit"));
            assert_eq!(restored.get("author"), current.get("author"));
            assert_eq!(restored.get("cluster"), current.get("cluster"));
        };
        check(&inputs("r/server:2", "1", "new"), &old);
        // Rotated: the old image with the new password, under the name that goes with it.
        check(&inputs("r/server:2", "2", "new"), &inputs("r/server:1", "2", "old"));
    }
}
