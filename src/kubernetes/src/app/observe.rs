//! Observing an App: its objects by one list per kind, found by label.

use super::{
    App, AppObserved, AppOutputs, Manifest, compare,
    conflict::Conflicts,
    holders, immutable, key, manifest,
    marks::{self, Gvk, Record},
    status::{status, unfinished},
};
use crate::{
    api::{Served, at, name, side_by_side, text},
    cluster::Connection,
    release::Generation,
};
use formwork_engine::{Data, Failure, Found, Owner, Status, Subject};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// What an App has in the cluster.
pub struct Live {
    /// The namespace, where it is the App's own.
    pub namespace: Option<Json>,
    pub record: Option<Json>,
    /// Everything else with the App's labels, each with its kind.
    pub objects: Vec<(Served, Json)>,
}

impl Live {
    pub fn is_empty(&self) -> bool {
        self.namespace.is_none() && self.record.is_none() && self.objects.is_empty()
    }

    /// What is there of a wanted object, unless it is on its way out.
    pub fn self_of(&self, wanted: &Json) -> Option<&(Served, Json)> {
        let id = |object: &Json| (text(object, &["kind"]).to_owned(), name(object).to_owned());
        let wanted = id(wanted);
        self.objects.iter().find(|(_, object)| !is_going(object) && id(object) == wanted)
    }

    pub fn parsed_record(&self) -> Record {
        self.record.as_ref().map(Record::parse).unwrap_or_default()
    }
}

/// Whether an object is on its way out.
pub fn is_going(object: &Json) -> bool {
    at(object, &["metadata", "deletionTimestamp"]).is_some()
}

/// The kind of objects that every cluster serves.
pub async fn core(cluster: &Connection, gvk: &Gvk) -> Result<Served, Failure> {
    cluster.served(&gvk.api_version, &gvk.kind).await?.ok_or_else(|| {
        let Gvk { api_version, kind } = gvk;
        Failure::invalid(format!("{} doesn't serve {api_version} {kind}", cluster.label))
    })
}

/// Everything that is the App's: of the kinds in its record, and of those given.
pub async fn live(
    cluster: &Connection,
    owner: &Owner,
    namespace: &str,
    kinds: &BTreeSet<Gvk>,
) -> Result<Live, Failure> {
    let selector = marks::selector(owner);
    let config_maps = core(cluster, &Gvk::config_map()).await?;
    let mut found = cluster.list(&config_maps, namespace, &selector).await?;
    let record_name = marks::record_name(owner.address);
    let record = found.iter().position(|object| name(object) == record_name);
    let record = record.map(|index| found.swap_remove(index));

    let mut kinds = kinds.clone();
    kinds.extend(record.as_ref().map(Record::parse).unwrap_or_default().kinds);
    kinds.remove(&Gvk::config_map());
    let own_namespace = match kinds.remove(&Gvk::namespace()) {
        false => None,
        true => {
            let served = core(cluster, &Gvk::namespace()).await?;
            cluster.get(&served, "", namespace).await?.filter(|o| marks::is_ours(o, owner))
        }
    };
    let lists = kinds.iter().map(|gvk| async {
        let Some(kind) = cluster.served(&gvk.api_version, &gvk.kind).await? else {
            // A definition that is gone took its objects with it.
            return Ok(vec![]);
        };
        let items = cluster.list(&kind, namespace, &selector).await?;
        Ok(items.into_iter().map(|item| (kind.clone(), item)).collect())
    });
    let lists: Vec<Vec<(Served, Json)>> = side_by_side(lists.collect()).await?;
    let mut objects: Vec<(Served, Json)> =
        found.into_iter().map(|item| (config_maps.clone(), item)).collect();
    objects.extend(lists.into_iter().flatten());
    // Two versions of one kind list the same objects.
    let mut seen = BTreeSet::new();
    objects.retain(|(_, object)| seen.insert(text(object, &["metadata", "uid"]).to_owned()));
    Ok(Live { namespace: own_namespace, record, objects })
}

/// The wanted objects by key, as far as they are known.
pub fn wanted(inputs: &Data) -> BTreeMap<String, Json> {
    let objects = inputs.get("objects").and_then(Data::as_map);
    let parse = |(key, object): (&String, &Data)| Some((key.clone(), object.parse().ok()?));
    objects.into_iter().flatten().filter_map(parse).collect()
}

/// The namespace that a subject lives in, or is to live in.
pub fn namespace(subject: &Subject) -> Result<&str, Failure> {
    match subject.id.as_deref().and_then(|id| id.split_once('/')) {
        Some((namespace, _)) => Ok(namespace),
        None => subject.input("namespace"),
    }
}

/// The identifier of an App: its namespace and the name of its record there.
pub fn id(owner: &Owner, namespace: &str) -> String {
    format!("{namespace}/{}", marks::record_name(owner.address))
}

/// One App as found, `None` where nothing of it is there.
pub async fn app(cluster: &Connection, subject: &Subject) -> Result<Option<Found<App>>, Failure> {
    let Ok(namespace) = namespace(subject) else { return Ok(None) };
    let wanted = wanted(&subject.inputs);
    let kinds = wanted.values().map(Gvk::of).collect();
    let live = live(cluster, &subject.owner, namespace, &kinds).await?;
    if live.is_empty() {
        return Ok(None);
    }
    let record = live.parsed_record();
    let conflicts = Conflicts::of(&subject.inputs)?;
    let shown = shown(&wanted, &live, &record, deletes_volumes(&subject.inputs));
    let matched = matched(&wanted, namespace, shown.into_iter().chain(&live.namespace), &record);
    let going = live.namespace.iter().chain(&live.record).any(is_going);
    let waits = subject.inputs.get("wait") != Some(&Data::Bool(false));
    let ours = || matched.iter().filter(|(key, _)| wanted.contains_key(*key)).map(|(_, o)| *o);
    let status = match (going, unfinished(ours())) {
        (true, _) => Status::Deleting,
        (false, Some(unfinished)) => unfinished,
        (false, None) if waits => status(ours()),
        (false, None) => Status::Ready,
    };
    let mut held = BTreeMap::new();
    let mut objects = BTreeMap::new();
    for (key, live) in matched {
        match wanted.get(&key) {
            Some(wanted) => {
                let observed = manifest::observed(wanted, live, conflicts);
                held.insert(key.clone(), holders::of(wanted, &observed.0, live));
                objects.insert(key, observed);
            }
            None if is_going(live) => {}
            None => drop(objects.insert(key, Manifest(compare::named(live)))),
        }
    }
    // Until the record is there, the labels say whose it is and not which intent made it.
    let intent = match &live.record {
        Some(_) => record.intent,
        None => subject.owner.intent.clone(),
    };
    let owner = Owner { intent, ..subject.owner.clone() };
    Ok(Some(Found {
        id: id(&subject.owner, namespace),
        observed: AppObserved {
            namespace: Some(namespace.to_owned()),
            objects: Some(objects),
            holders: holders::data(held),
        },
        outputs: AppOutputs { namespace: namespace.to_owned(), release: record.release },
        status,
        owner: Some(owner),
    }))
}

/// Everything of an App that is there, by key.
pub async fn objects(
    cluster: &Connection,
    subject: &Subject,
) -> Result<BTreeMap<String, Json>, Failure> {
    let (namespace, wanted) = (namespace(subject)?, wanted(&subject.inputs));
    let kinds = wanted.values().map(Gvk::of).collect();
    let live = live(cluster, &subject.owner, namespace, &kinds).await?;
    let all = live.objects.iter().map(|(_, object)| object).chain(&live.namespace);
    let matched = matched(&wanted, namespace, all, &live.parsed_record());
    Ok(matched.into_iter().map(|(key, object)| (key, object.clone())).collect())
}

/// Whether volumes that left the overlay are deleted with their data.
pub fn deletes_volumes(inputs: &Data) -> bool {
    inputs.get("delete_volumes") == Some(&Data::Bool(true))
}

/// What a plan is about: not what was left though it isn't wanted, nor the generations that earlier revisions need.
///
/// The generation of the last apply is shown until the wanted one is there: as what that changes.
fn shown<'a>(
    wanted: &BTreeMap<String, Json>,
    live: &'a Live,
    record: &Record,
    deletes_volumes: bool,
) -> Vec<&'a Json> {
    let is_wanted = |object: &Json| {
        let same = |wanted: &&Json| {
            (text(wanted, &["kind"]), name(wanted)) == (text(object, &["kind"]), name(object))
        };
        wanted.get(&key::of(object)).filter(same).is_some()
    };
    let objects = || live.objects.iter().map(|(_, object)| object);
    let there: BTreeSet<String> = objects().filter(|o| is_wanted(o)).map(key::of).collect();
    let hidden = |object: &Json| {
        let left = at(object, &["metadata", "annotations", marks::LEFT]).is_some();
        let left = left && !immutable::may_go(object, deletes_volumes);
        let kept = Generation::of(object).is_some_and(|generation| {
            let replaced = there.contains(&key::of(object));
            record.kept.contains(&generation) && (replaced || !record.current.contains(&generation))
        });
        left || kept
    };
    objects().filter(|object| is_wanted(object) || !hidden(object)).collect()
}

/// Live objects by key. Of generations of one name the wanted one has the key, else that of the last
/// apply, else the newest; the others have keys of their own.
fn matched<'a>(
    wanted: &BTreeMap<String, Json>,
    namespace: &str,
    live: impl Iterator<Item = &'a Json>,
    record: &Record,
) -> BTreeMap<String, &'a Json> {
    let mut by_key: BTreeMap<String, Vec<&Json>> = BTreeMap::new();
    for object in live {
        let mut own = key::of(object);
        // The overlay gives a namespace to what it doesn't know to have none.
        let placed = key::of_in(object, namespace);
        if !wanted.contains_key(&own) && wanted.contains_key(&placed) {
            own = placed;
        }
        by_key.entry(own).or_default().push(object);
    }
    let mut out = BTreeMap::new();
    for (key, mut generations) in by_key {
        let wanted_name = wanted.get(&key).map(name);
        generations.sort_by_key(|object| {
            let is_wanted = wanted_name == Some(name(object));
            let is_current = Generation::of(object).is_some_and(|g| record.current.contains(&g));
            (
                is_wanted,
                !is_going(object),
                is_current,
                text(object, &["metadata", "creationTimestamp"]),
            )
        });
        if let Some(current) = generations.pop() {
            out.insert(key, current);
        }
        out.extend(generations.into_iter().map(|object| (key::full(object), object)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_wanted_generation_has_the_key() {
        let config = |hash: &str, created: &str| {
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
                "name": format!("config-{hash}"), "namespace": "n", "creationTimestamp": created,
            }})
        };
        let (old, new) = (
            config("c5ththm4t2", "2026-01-01T00:00:00Z"),
            config("2222222222", "2026-02-01T00:00:00Z"),
        );
        let check = |wanted: BTreeMap<String, Json>, current: &str, other: &str| {
            let matched = matched(&wanted, "n", [&old, &new].into_iter(), &Record::default());
            let names: BTreeMap<&str, &str> =
                matched.iter().map(|(key, object)| (key.as_str(), name(object))).collect();
            let other_key = format!("ConfigMap/n/{other}");
            let expected = [("ConfigMap/n/config", current), (other_key.as_str(), other)];
            assert_eq!(names, expected.into());
        };
        let want =
            |object: &Json| BTreeMap::from([("ConfigMap/n/config".to_owned(), object.clone())]);
        check(want(&old), "config-c5ththm4t2", "config-2222222222");
        check(want(&new), "config-2222222222", "config-c5ththm4t2");
        check(BTreeMap::new(), "config-2222222222", "config-c5ththm4t2");
    }

    #[test]
    fn a_plan_is_not_about_what_earlier_revisions_need() {
        let config = |hash: &str| {
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
                "name": format!("config-{hash}"), "namespace": "n",
            }})
        };
        let [one, two, three] = ["2222222222", "4444444444", "5555555555"].map(config);
        let check = |wanted: Option<&Json>,
                     live: &[&Json],
                     current: &Json,
                     kept: &[&Json],
                     expected: &[&Json]| {
            let kind = Served {
                resource: kube::api::ApiResource::erase::<k8s_openapi::api::core::v1::ConfigMap>(
                    &(),
                ),
                namespaced: true,
            };
            let live = Live {
                namespace: None,
                record: None,
                objects: live.iter().map(|o| (kind.clone(), (*o).clone())).collect(),
            };
            let record = Record {
                current: Generation::all([current]),
                kept: Generation::all(kept.iter().copied()),
                ..Record::default()
            };
            let wanted = wanted.map(|o| ("ConfigMap/n/config".to_owned(), o.clone()));
            let shown = shown(&wanted.into_iter().collect(), &live, &record, false);
            assert_eq!(shown, expected);
        };
        // As applied: the one before is kept, and nothing is to be done.
        check(Some(&two), &[&one, &two], &two, &[&one, &two], &[&two]);
        // A new one is to come: what it changes is the last one.
        check(Some(&three), &[&one, &two], &two, &[&one, &two], &[&two]);
        // An older one is to come back, and is still there.
        check(Some(&one), &[&one, &two], &two, &[&one, &two], &[&one]);
        // The generator left the overlay.
        check(None, &[&one, &two], &two, &[&one, &two], &[&two]);
        // What no revision needs is in nobody's way of being deleted.
        check(Some(&two), &[&one, &two], &two, &[&two], &[&one, &two]);
    }
}
