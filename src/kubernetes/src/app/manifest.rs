//! Objects as an App holds them, and the texts of Secrets.

use crate::api::{at, text};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use formwork_engine::{Data, Failure, Secret, Secrets, Shape, Shaped};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::{compare, conflict::Conflicts, marks};

/// A Kubernetes object; a secret in the `data` of a Secret is a reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Manifest(pub Json);

impl Shaped for Manifest {
    // An observed one holds what is ours of it and nothing else.
    const SHAPE: Shape = Shape::Exact;
}

/// Characters of a digest in an annotation.
const DIGEST: usize = 16;
/// What an observed secret value reads as that isn't the wanted one: its text is nobody's business.
const ANOTHER: &str = "(another value)";

/// Moves `stringData` of a Secret into `data`, as the API server does.
pub fn stringless(object: &mut Json) {
    if text(object, &["kind"]) != "Secret" {
        return;
    }
    let Json::Object(map) = object else { return };
    let Some(Json::Object(texts)) = map.remove("stringData") else { return };
    let data = map.entry("data").or_insert_with(|| Json::Object(Map::new()));
    for (key, value) in texts {
        if let Some(text) = value.as_str() {
            data[key] = BASE64_STANDARD.encode(text).into();
        }
    }
}

/// The digest of a value as wanted: of the reference and version where it is a secret.
fn digest(wanted: &Json) -> String {
    Data::from_json(wanted).digest().chars().take(DIGEST).collect()
}

fn secret_data(object: &Json) -> impl Iterator<Item = (&String, &Json)> {
    let is_secret = text(object, &["kind"]) == "Secret";
    at(object, &["data"]).filter(|_| is_secret).and_then(Json::as_object).into_iter().flatten()
}

/// A Secret with its texts in place, and an annotation that says which references they came from.
///
/// Other objects stay as they are. The result must not be shown or kept.
pub async fn revealed(object: &Json, secrets: &Secrets) -> Result<Json, Failure> {
    let mut out = object.clone();
    let mut digests = Map::new();
    for (key, value) in secret_data(object) {
        digests.insert(key.clone(), digest(value).into());
        if let Ok(secret) = serde_json::from_value::<Secret>(value.clone()) {
            let text = secrets.reveal(&secret).await?;
            out["data"][key] = BASE64_STANDARD.encode(text.expose_secret()).into();
        }
    }
    if !digests.is_empty() {
        out["metadata"]["annotations"][marks::SECRETS] = Json::Object(digests).to_string().into();
    }
    Ok(out)
}

/// The part of a live object that is ours, comparable with the wanted one, without any secret text.
///
/// A value of a Secret is in sync when it was filled from the wanted reference, and nobody has changed
/// it since: then the API server still records the field as ours.
pub fn observed(wanted: &Json, live: &Json, conflicts: Conflicts) -> Manifest {
    let mut out = compare::ours(wanted, &without_texts(live), conflicts);
    let secret: Vec<(String, Json)> = secret_data(live)
        .filter_map(|(key, _)| {
            let wanted = at(wanted, &["data", key]);
            let owned = compare::owns(live, &["data", key]);
            let written = text(live, &["metadata", "annotations", marks::SECRETS]);
            let written: Json = serde_json::from_str(written).unwrap_or(Json::Null);
            let value = match wanted {
                Some(wanted) if owned && written[key] == json!(digest(wanted)) => wanted.clone(),
                Some(_) => ANOTHER.into(),
                None if owned => ANOTHER.into(),
                None => return None,
            };
            Some((key.clone(), value))
        })
        .collect();
    if text(live, &["kind"]) == "Secret" {
        match (secret.is_empty(), wanted.get("data")) {
            (true, None) => {}
            (true, Some(empty)) if empty.as_object().is_some_and(Map::is_empty) => {}
            _ => out["data"] = Json::Object(secret.into_iter().collect()),
        }
    }
    unmark(&mut out, wanted);
    // What has no namespace may have been given one by the overlay, which doesn't know the kind.
    if let Some(namespace) = at(wanted, &["metadata", "namespace"])
        && at(live, &["metadata", "namespace"]).is_none()
    {
        out["metadata"]["namespace"] = namespace.clone();
    }
    Manifest(out)
}

fn without_texts(live: &Json) -> Json {
    let mut out = live.clone();
    if text(live, &["kind"]) == "Secret"
        && let Json::Object(map) = &mut out
    {
        map.remove("data");
    }
    out
}

/// Takes off our own marks, and the maps that only they filled.
fn unmark(object: &mut Json, wanted: &Json) {
    let Some(Json::Object(metadata)) = object.get_mut("metadata") else { return };
    for (field, keys) in [
        ("labels", &[marks::LINEAGE, marks::STACK, marks::NODE][..]),
        ("annotations", &[marks::SECRETS][..]),
    ] {
        let Some(Json::Object(map)) = metadata.get_mut(field) else { continue };
        keys.iter().for_each(|key| drop(map.remove(*key)));
        if map.is_empty() && at(wanted, &["metadata", field]).is_none() {
            metadata.remove(field);
        }
    }
}
