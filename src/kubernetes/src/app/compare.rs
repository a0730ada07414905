//! What of a live object is ours, in a form that can be compared with the wanted one.
//!
//! The API server fills in defaults, other controllers add fields and list items of their own, and
//! quantities come back in another notation. Which of it is ours, and which lists are sets or go by a
//! key, the server itself says in `managedFields`: no table of kinds is needed, and custom resources
//! work as built-in ones do.
//! <https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management>

use super::{conflict::Conflicts, quantity};
use crate::api::{FIELD_MANAGER, at, text};
use serde_json::{Map, Value as Json};

/// Keys under which scalars are quantities, directly or one level down.
const QUANTITIES: &[&str] = &[
    "averageValue",
    "capacity",
    "default",
    "defaultRequest",
    "divisor",
    "hard",
    "limits",
    "max",
    "min",
    "overhead",
    "podFixed",
    "requests",
    "sizeLimit",
];

/// Maps of texts, in which an empty text is a value. Elsewhere the server leaves zero values out.
const TEXT_MAPS: &[&str] =
    &["annotations", "binaryData", "data", "labels", "matchLabels", "nodeSelector", "selector"];

/// Fields of metadata that nobody wants to say anything about.
const SERVERS_METADATA: &[&str] =
    &["creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"];

/// Which fields of an object we own, and how its lists are made; a tree of FieldsV1.
struct Ownership {
    ours: Json,
    /// All managers' fields in one tree.
    everyones: Json,
}

impl Ownership {
    fn of(live: &Json) -> Self {
        let mut ownership = Self { ours: Json::Null, everyones: Json::Null };
        let entries = at(live, &["metadata", "managedFields"]).and_then(Json::as_array);
        for entry in entries.into_iter().flatten() {
            let Some(fields) = entry.get("fieldsV1") else { continue };
            merge(&mut ownership.everyones, fields);
            if text(entry, &["manager"]) == FIELD_MANAGER && text(entry, &["operation"]) == "Apply"
            {
                merge(&mut ownership.ours, fields);
            }
        }
        ownership
    }
}

fn merge(into: &mut Json, from: &Json) {
    let Json::Object(from) = from else { return };
    if !into.is_object() {
        *into = Json::Object(Map::new());
    }
    if let Json::Object(into) = into {
        for (key, value) in from {
            merge(into.entry(key).or_insert_with(|| Json::Object(Map::new())), value);
        }
    }
}

/// Whether the field at a path of keys is recorded as ours, with the value that we gave it.
///
/// The server takes a field from us when somebody else changes its value.
pub fn owns(live: &Json, path: &[&str]) -> bool {
    let ownership = Ownership::of(live);
    path.iter().try_fold(&ownership.ours, |fields, key| fields.get(format!("f:{key}"))).is_some()
}

/// The part of a live object that is wanted or that we own; fields in sync read as wanted.
///
/// Where conflicts are left to others, so do fields that somebody else holds and we don't.
pub fn ours(desired: &Json, live: &Json, conflicts: Conflicts) -> Json {
    let ownership = Ownership::of(live);
    let texts = matches!(text(live, &["kind"]), "ConfigMap" | "Secret");
    let leave = conflicts == Conflicts::Leave;
    let place = Place { quantity: 0, never_quantity: texts, text_map: false, whole: false, leave };
    let fields = Fields { ours: Some(&ownership.ours), everyones: Some(&ownership.everyones) };
    walk(Some(desired), live, fields, place)
}

#[derive(Clone, Copy)]
struct Fields<'a> {
    ours: Option<&'a Json>,
    everyones: Option<&'a Json>,
}

impl<'a> Fields<'a> {
    const NONE: Self = Self { ours: None, everyones: None };

    fn at(self, step: &str) -> Self {
        let under = |fields: Option<&'a Json>| fields?.get(step);
        Self { ours: under(self.ours), everyones: under(self.everyones) }
    }

    /// Everything below is one value to the server, and it is ours.
    fn owned_whole(self) -> bool {
        self.ours.and_then(Json::as_object).is_some_and(Map::is_empty)
    }

    /// It is one value to the server, and it isn't ours.
    fn held_by_others(self) -> bool {
        let held = self.everyones.and_then(Json::as_object).is_some_and(Map::is_empty);
        held && self.ours.is_none()
    }

    /// The steps to list items, as everyone's fields name them.
    fn items(self, mark: &'static str) -> impl Iterator<Item = (&'a String, Json)> {
        let steps = self.everyones.and_then(Json::as_object).into_iter().flat_map(Map::keys);
        steps.filter_map(move |step| {
            let json = serde_json::from_str(step.strip_prefix(mark)?).ok()?;
            Some((step, json))
        })
    }
}

/// What is known of a place by the keys on the way to it.
#[derive(Clone, Copy)]
struct Place {
    /// Levels left in which scalars are quantities.
    quantity: u8,
    never_quantity: bool,
    text_map: bool,
    /// Inside of one value that is ours as a whole.
    whole: bool,
    /// What others hold is theirs.
    leave: bool,
}

impl Place {
    fn under(self, key: &str) -> Self {
        let text_map = TEXT_MAPS.contains(&key);
        let quantity = match QUANTITIES.contains(&key) {
            _ if self.never_quantity || text_map => 0,
            true => 2,
            false => self.quantity.saturating_sub(1),
        };
        Self { quantity, text_map, ..self }
    }
}

fn walk(desired: Option<&Json>, live: &Json, fields: Fields<'_>, place: Place) -> Json {
    match (desired, live) {
        (Some(desired), _) if place.leave && fields.held_by_others() => desired.clone(),
        (None, live) if fields.owned_whole() => live.clone(),
        (Some(Json::Object(_)) | None, Json::Object(live)) => {
            walk_map(desired.and_then(Json::as_object), live, fields, place)
        }
        (Some(Json::Array(_)) | None, Json::Array(live)) => {
            walk_list(desired.and_then(Json::as_array), live, fields, place)
        }
        (Some(desired), live) if same(desired, live, place) => desired.clone(),
        (_, live) => live.clone(),
    }
}

fn walk_map(
    desired: Option<&Map<String, Json>>,
    live: &Map<String, Json>,
    fields: Fields<'_>,
    place: Place,
) -> Json {
    let mut out = Map::new();
    let place = Place { whole: place.whole || fields.owned_whole(), ..place };
    // Nobody but us adds to a map of texts that is ours as a whole; elsewhere the server fills in defaults.
    let all_ours = place.whole && place.text_map;
    for (key, value) in live {
        let wanted = desired.and_then(|desired| desired.get(key));
        let inner = fields.at(&format!("f:{key}"));
        if wanted.is_some() || inner.ours.is_some() || all_ours {
            out.insert(key.clone(), walk(wanted, value, inner, place.under(key)));
        }
    }
    for (key, value) in desired.into_iter().flatten() {
        if !live.contains_key(key) && !place.text_map && is_zero(value) {
            out.insert(key.clone(), value.clone());
        }
    }
    Json::Object(out)
}

/// Values that the server leaves out of its answers.
fn is_zero(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Bool(value) => !value,
        Json::Number(value) => value.as_f64() == Some(0.0),
        Json::String(value) => value.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(map) => map.values().all(is_zero),
    }
}

fn same(desired: &Json, live: &Json, place: Place) -> bool {
    match (desired, live) {
        (Json::Number(a), Json::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ if desired == live => true,
        (desired, Json::String(live)) if place.quantity > 0 => match desired {
            Json::String(desired) => quantity::same(desired, live),
            Json::Number(desired) => quantity::same(&desired.to_string(), live),
            _ => false,
        },
        _ => false,
    }
}

fn walk_list(desired: Option<&Vec<Json>>, live: &[Json], fields: Fields<'_>, place: Place) -> Json {
    let wanted: &[Json] = desired.map_or(&[], Vec::as_slice);
    if let Some((_, key)) = fields.items("k:").next() {
        let names: Vec<&str> =
            key.as_object().into_iter().flat_map(Map::keys).map(String::as_str).collect();
        return walk_keyed(wanted, live, fields, &names, place);
    }
    if fields.items("v:").next().is_some() {
        let set = live.iter().filter(|item| {
            let ours = fields.ours.and_then(|ours| ours.get(format!("v:{item}"))).is_some();
            ours || wanted.contains(item)
        });
        return Json::Array(set.cloned().collect());
    }
    // One value to the server. As long as it is ours, only defaults were added in it; what somebody
    // else wrote is shown whole.
    let comparable = fields.owned_whole() || fields.everyones.is_none();
    if !comparable || wanted.len() != live.len() {
        return Json::Array(live.to_vec());
    }
    let items = wanted
        .iter()
        .zip(live)
        .map(|(desired, live)| walk(Some(desired), live, Fields::NONE, place));
    Json::Array(items.collect())
}

/// A list whose items go by keys: others' items are left out, ours stay in their order.
fn walk_keyed(
    wanted: &[Json],
    live: &[Json],
    fields: Fields<'_>,
    names: &[&str],
    place: Place,
) -> Json {
    let keys: Vec<(&String, Json)> = fields.items("k:").collect();
    let pairs = pair(wanted, live, names);
    let items = live.iter().zip(pairs).filter_map(|(item, wanted)| {
        let is_it = |key: &Json| names.iter().all(|name| key.get(*name) == item.get(*name));
        let step = keys.iter().find(|(_, key)| is_it(key)).map(|(step, _)| step.as_str());
        let inner = step.map_or(Fields::NONE, |step| fields.at(step));
        (wanted.is_some() || inner.ours.is_some()).then(|| walk(wanted, item, inner, place))
    });
    Json::Array(items.collect())
}

/// For each live item the wanted one of the same key.
///
/// A wanted item may leave out a part of its key that has a default (`protocol`); those that say it all
/// choose first.
fn pair<'a>(wanted: &'a [Json], live: &[Json], names: &[&str]) -> Vec<Option<&'a Json>> {
    let mut pairs: Vec<Option<&Json>> = vec![None; live.len()];
    let says = |item: &Json| names.iter().filter(|name| item.get(**name).is_some()).count();
    let mut by_detail: Vec<&Json> = wanted.iter().collect();
    by_detail.sort_by_key(|item| std::cmp::Reverse(says(item)));
    for item in by_detail {
        let fits = |live: &Json| {
            says(item) > 0
                && names
                    .iter()
                    .all(|name| item.get(*name).is_none_or(|v| live.get(*name) == Some(v)))
        };
        let free = live.iter().enumerate().position(|(i, live)| pairs[i].is_none() && fits(live));
        if let Some(i) = free {
            pairs[i] = Some(item);
        }
    }
    pairs
}

/// An object of ours that is no longer wanted, reduced to what names it.
pub fn named(live: &Json) -> Json {
    let mut out = Map::new();
    for key in ["apiVersion", "kind"] {
        out.extend(live.get(key).map(|value| (key.to_owned(), value.clone())));
    }
    let metadata = ["name", "namespace"]
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), at(live, &["metadata", key])?.clone())));
    out.insert("metadata".into(), Json::Object(metadata.collect()));
    Json::Object(out)
}

/// Takes out of a wanted object what an author can't want: nulls, `status`, the server's own metadata.
pub fn tidy(object: &mut Json) {
    strip_nulls(object);
    if let Json::Object(map) = object {
        map.remove("status");
        if let Some(Json::Object(metadata)) = map.get_mut("metadata") {
            SERVERS_METADATA.iter().for_each(|key| drop(metadata.remove(*key)));
        }
    }
}

fn strip_nulls(value: &mut Json) {
    match value {
        Json::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(strip_nulls);
        }
        Json::Array(items) => items.iter_mut().for_each(strip_nulls),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
