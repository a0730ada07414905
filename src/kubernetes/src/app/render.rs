//! Rendering: from an overlay's files and the stack's values to objects. Pure.

use super::{
    compare,
    conflict::Conflicts,
    holes::Holes,
    inspect, key,
    manifest::stringless,
    overlay::{ABOVE, Files},
    smoke, steps,
};
use crate::{
    api::{at, name, text, title},
    release::MOST_KEPT,
};
use formwork_engine::{Data, Failure, Unknown};
use formwork_kustomize::Built;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// The generators that take the stack's values, by the names that an overlay gives them.
const CONFIG: &str = "config";
const SECRETS: &str = "secrets";

/// The fields that decide which objects there are and what they are called: all must be known.
#[derive(Deserialize)]
struct Frame {
    overlay: String,
    #[serde(default)]
    bases: Vec<String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
    namespace: String,
    create_namespace: Option<bool>,
    #[serde(default)]
    name_prefix: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    replicas: BTreeMap<String, u16>,
}

const FRAME: &[&str] = &[
    "overlay",
    "bases",
    "files",
    "namespace",
    "create_namespace",
    "name_prefix",
    "labels",
    "replicas",
];

/// The fields with `objects` made from them.
pub fn expand(fields: Data) -> Result<Data, Failure> {
    Conflicts::of(&fields)?;
    check_kept(&fields)?;
    smoke::refuse(&fields)?;
    let objects = match read(&fields)? {
        Err(unknown) => Data::Unknown(unknown),
        Ok((frame, filling)) => render(&frame, &filling)?,
    };
    let mut fields = fields.into_map();
    fields.insert("objects".into(), objects);
    Ok(Data::Map(fields))
}

/// A history without what is being deployed would be of no use.
fn check_kept(fields: &Data) -> Result<(), Failure> {
    let kept: Option<u16> =
        fields.get("keep_releases").and_then(|kept| kept.parse().ok().flatten());
    match kept {
        Some(kept) if !(1..=MOST_KEPT).contains(&kept) => {
            Err(Failure::invalid(format!("`keep_releases` can't be {kept}"))
                .hint(format!("keep at least 1, and at most {MOST_KEPT}")))
        }
        _ => Ok(()),
    }
}

/// What a team would want to know of the objects, though they can be applied.
pub fn remarks(fields: &Data) -> Vec<String> {
    let Ok(Ok((frame, filling))) = read(fields) else { return Vec::new() };
    let built = build(&frame, &filling, &mut Holes::default());
    built.map(|built| inspect::remarks(&built)).unwrap_or_default()
}

/// The fields that rendering needs; as the inner error, what they wait for.
fn read(fields: &Data) -> Result<Result<(Frame, Filling), Unknown>, Failure> {
    let frame: BTreeMap<String, Data> = FRAME
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), fields.get(name)?.clone())))
        .filter(|(_, value)| *value != Data::Null)
        .collect();
    let frame = Data::Map(frame);
    let mut unknown = vec![frame.unknowns()];
    let mut values = |field: &str| match fields.get(field) {
        Some(Data::Map(map)) => map.clone(),
        Some(Data::Unknown(keys)) => {
            unknown.push(keys.clone());
            BTreeMap::new()
        }
        _ => BTreeMap::new(),
    };
    let filling = Filling {
        images: values("images"),
        hosts: values("hosts"),
        config: values("config"),
        secrets: values("secrets"),
    };
    if let Some(unknown) = unknown.into_iter().find(|unknown| !unknown.is_empty()) {
        return Ok(Err(unknown));
    }
    let bad = |error| Failure::invalid(format!("the fields of an App are bad: {error}"));
    Ok(Ok((frame.parse().map_err(bad)?, filling)))
}

/// The fields whose values may be holes.
struct Filling {
    images: BTreeMap<String, Data>,
    hosts: BTreeMap<String, Data>,
    config: BTreeMap<String, Data>,
    secrets: BTreeMap<String, Data>,
}

/// The overlay with everything that kustomize itself can put into it; marks stand for the rest.
fn build(frame: &Frame, filling: &Filling, holes: &mut Holes) -> Result<Built, Failure> {
    let mut files = Files::default();
    for (path, content) in &frame.files {
        files.insert(path, content);
    }
    let parts = std::iter::once(&frame.overlay).chain(&frame.bases);
    let resources: Vec<String> = parts.map(|path| format!("../{path}")).collect();
    let plain = json!({ "resources": resources });
    files.insert(&format!("{ABOVE}/kustomization.yaml"), &plain.to_string());
    let plain = objects_of(&files.build(ABOVE)?);
    check_images(&plain, &filling.images)?;

    let mut above = json!({
        "resources": resources,
        "namespace": frame.namespace,
        "namePrefix": frame.name_prefix,
        "images": images(&filling.images, holes),
        "replicas": frame.replicas.iter()
            .map(|(name, count)| json!({"name": name, "count": count}))
            .collect::<Vec<_>>(),
    });
    if !frame.labels.is_empty() {
        above["labels"] = json!([{"pairs": frame.labels, "includeTemplates": true}]);
    }
    for (field, kind, generator, values) in [
        ("configMapGenerator", "ConfigMap", CONFIG, &filling.config),
        ("secretGenerator", "Secret", SECRETS, &filling.secrets),
    ] {
        if values.is_empty() {
            continue;
        }
        // As files, not as literals: kustomize takes quotes off the ends of literals.
        let mut sources = vec![];
        for (key, value) in values {
            check_key(generator, key)?;
            files.insert(&format!("{ABOVE}/{generator}/{key}"), &holes.text(value));
            sources.push(format!("{key}={generator}/{key}"));
        }
        let there = plain.iter().any(|object| generated_as(object, kind, generator));
        let behavior = if there { "merge" } else { "create" };
        above[field] = json!([{"name": generator, "behavior": behavior, "files": sources}]);
    }
    files.insert(&format!("{ABOVE}/kustomization.yaml"), &above.to_string());

    files.build(ABOVE)
}

fn render(frame: &Frame, filling: &Filling) -> Result<Data, Failure> {
    let mut holes = Holes::default();
    let built = build(frame, filling, &mut holes)?;
    inspect::refuse(&built)?;
    let mut objects = objects_of(&built);
    for object in &mut objects {
        compare::tidy(object);
        stringless(object);
    }
    set_hosts(&mut objects, &filling.hosts, &mut holes)?;
    if frame.create_namespace != Some(false) {
        add_namespace(&mut objects, frame);
    }
    holes.find_names(&objects);
    let mut out = BTreeMap::new();
    for object in &objects {
        check_place(object, &frame.namespace)?;
        steps::refuse(object)?;
        let key = key::of(object);
        if out.insert(key.clone(), holes.fill(object)?).is_some() {
            return Err(Failure::invalid(format!("two objects have the key `{key}`"))
                .hint("generated names must differ in more than their hash"));
        }
    }
    Ok(Data::Map(out))
}

fn objects_of(built: &Built) -> Vec<Json> {
    built.objects().map(|object| object.to_json()).collect()
}

/// Whether an object is what a generator of that name made; an overlay may have its own prefix.
fn generated_as(object: &Json, kind: &str, generator: &str) -> bool {
    let stem = key::stem(object);
    let prefixed = stem.strip_suffix(generator).is_some_and(|prefix| prefix.ends_with('-'));
    text(object, &["kind"]) == kind && (stem == generator || prefixed)
}

/// A key of a ConfigMap or a Secret
/// (<https://kubernetes.io/docs/concepts/configuration/configmap/#configmap-object>).
fn check_key(field: &str, key: &str) -> Result<(), Failure> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let names_a_file = !key.is_empty() && key.len() <= 253 && key != "." && key != "..";
    match names_a_file && key.chars().all(fits) {
        true => Ok(()),
        false => Err(Failure::invalid(format!("`{key}` can't be a key in `{field}`"))
            .hint("use letters, digits, `-`, `_` and `.`")),
    }
}

/// Splits references into what kustomize's `images` takes.
fn images(images: &BTreeMap<String, Data>, holes: &mut Holes) -> Vec<Json> {
    let entry = |(name, reference): (&String, &Data)| {
        let reference = holes.text(reference);
        let (rest, digest) = match reference.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (reference.as_str(), None),
        };
        // A colon before the last slash belongs to the registry's port.
        let (new_name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        let mut entry = json!({"name": name, "newName": new_name});
        for (field, value) in [("newTag", tag), ("digest", digest)] {
            if let Some(value) = value {
                entry[field] = value.into();
            }
        }
        entry
    };
    images.iter().map(entry).collect()
}

fn check_images(objects: &[Json], images: &BTreeMap<String, Data>) -> Result<(), Failure> {
    let mut used = BTreeSet::new();
    objects.iter().for_each(|object| find_images(object, &mut used));
    match images.keys().find(|name| !used.contains(name.as_str())) {
        None => Ok(()),
        Some(name) => {
            let used: Vec<&str> = used.into_iter().collect();
            Err(Failure::invalid(format!("no container of the overlay has the image `{name}`"))
                .hint(format!("its images are: {}", used.join(", "))))
        }
    }
}

/// The names of the images of containers, without tags and digests.
fn find_images<'a>(value: &'a Json, found: &mut BTreeSet<&'a str>) {
    match value {
        Json::Object(map) => {
            for (key, value) in map {
                if !matches!(key.as_str(), "containers" | "initContainers") {
                    find_images(value, found);
                    continue;
                }
                for image in value.as_array().into_iter().flatten().map(|c| text(c, &["image"])) {
                    let image = image.split('@').next().unwrap_or(image);
                    found.insert(match image.rsplit_once(':') {
                        Some((name, tag)) if !tag.contains('/') => name,
                        _ => image,
                    });
                }
            }
        }
        Json::Array(items) => items.iter().for_each(|item| find_images(item, found)),
        _ => {}
    }
}

/// Puts host names where the overlay has names that stand for them.
fn set_hosts(
    objects: &mut [Json],
    hosts: &BTreeMap<String, Data>,
    holes: &mut Holes,
) -> Result<(), Failure> {
    let texts: BTreeMap<&String, String> =
        hosts.iter().map(|(name, host)| (name, holes.text(host))).collect();
    let mut seen = BTreeSet::new();
    let mut set = |host: &mut Json| {
        let Some(name) = host.as_str().map(str::to_owned) else { return };
        if let Some(text) = texts.get(&name) {
            *host = text.as_str().into();
            seen.insert(name);
        }
    };
    for object in objects {
        let route = matches!(text(object, &["kind"]), "HTTPRoute" | "GRPCRoute" | "TLSRoute");
        if text(object, &["kind"]) == "Ingress" {
            let spec = &mut object["spec"];
            for rule in spec.get_mut("rules").and_then(Json::as_array_mut).into_iter().flatten() {
                rule.get_mut("host").into_iter().for_each(&mut set);
            }
            for tls in spec.get_mut("tls").and_then(Json::as_array_mut).into_iter().flatten() {
                let hosts = tls.get_mut("hosts").and_then(Json::as_array_mut);
                hosts.into_iter().flatten().for_each(&mut set);
            }
        } else if route {
            let names = object["spec"].get_mut("hostnames").and_then(Json::as_array_mut);
            names.into_iter().flatten().for_each(&mut set);
        }
    }
    match texts.keys().find(|name| !seen.contains(name.as_str())) {
        None => Ok(()),
        Some(name) => {
            Err(Failure::invalid(format!("no Ingress of the overlay has the host `{name}`"))
                .hint("`hosts` maps a host as the overlay writes it to the real one"))
        }
    }
}

fn add_namespace(objects: &mut Vec<Json>, frame: &Frame) {
    let is_it = |o: &Json| text(o, &["kind"]) == "Namespace" && name(o) == frame.namespace;
    if objects.iter().any(is_it) {
        return;
    }
    let mut metadata = Map::from_iter([("name".to_owned(), json!(frame.namespace))]);
    if !frame.labels.is_empty() {
        metadata.insert("labels".into(), json!(frame.labels));
    }
    objects.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}));
}

/// An App's objects have names, and live in its namespace or in none.
fn check_place(object: &Json, namespace: &str) -> Result<(), Failure> {
    if name(object).is_empty() {
        return Err(Failure::invalid(format!("{} has no name", title(object)))
            .hint("`generateName` makes another object each time: give it a name"));
    }
    match at(object, &["metadata", "namespace"]).and_then(Json::as_str) {
        None => Ok(()),
        Some(place) if place == namespace => Ok(()),
        Some(place) => Err(Failure::invalid(format!(
            "{} is in namespace {place}, and its App in {namespace}",
            title(object)
        ))),
    }
}
