//! What is known of a namespace: the objects that a rollout is judged by, as the API server told them.

use super::target::WorkloadKind;
use crate::api::{Served, at, text};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Objects that events are kept of. Beyond that, events of further objects are lost, which costs
/// a reason its text, and no verdict that a status alone gives.
pub const MAX_EVENT_SUBJECTS: usize = 20_000;

/// The annotation by which a Deployment and its newest ReplicaSet know each other: a number.
pub const REVISION_NOTE: &str = "deployment.kubernetes.io/revision";

/// A kind that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sort {
    Workload(WorkloadKind),
    ReplicaSet,
    ControllerRevision,
    Event,
}

impl Sort {
    pub const POD: Self = Self::Workload(WorkloadKind::Pod);

    /// The kind as every cluster serves it.
    pub fn served(self) -> Served {
        let (group, kind) = match self {
            Self::Workload(WorkloadKind::Deployment) => ("apps", "Deployment"),
            Self::Workload(WorkloadKind::StatefulSet) => ("apps", "StatefulSet"),
            Self::Workload(WorkloadKind::DaemonSet) => ("apps", "DaemonSet"),
            Self::Workload(WorkloadKind::Job) => ("batch", "Job"),
            Self::Workload(WorkloadKind::Pod) => ("", "Pod"),
            Self::ReplicaSet => ("apps", "ReplicaSet"),
            Self::ControllerRevision => ("apps", "ControllerRevision"),
            Self::Event => ("", "Event"),
        };
        Served::builtin(group, "v1", kind)
    }

    /// What has to be watched for these kinds.
    pub fn needed(kinds: impl IntoIterator<Item = WorkloadKind>) -> BTreeSet<Self> {
        let mut sorts = BTreeSet::from([Self::POD, Self::Event]);
        for kind in kinds {
            sorts.insert(Self::Workload(kind));
            match kind {
                WorkloadKind::Deployment => sorts.insert(Self::ReplicaSet),
                WorkloadKind::DaemonSet => sorts.insert(Self::ControllerRevision),
                _ => false,
            };
        }
        sorts
    }
}

/// The last Warning event of its reason about an object.
#[derive(Clone, Debug)]
pub struct Note {
    pub message: String,
    /// The container that it is about, where it is about one.
    pub container: Option<String>,
    /// It came after the watch began, and isn't an earlier deploy's.
    pub fresh: bool,
    /// The event's uid and version.
    version: (String, String),
}

/// What is known, by kind and uid.
#[derive(Clone, Debug, Default)]
pub struct World {
    objects: BTreeMap<Sort, BTreeMap<String, Json>>,
    events: HashMap<String, BTreeMap<String, Note>>,
    events_listed: bool,
}

impl World {
    /// All objects of a kind anew.
    pub fn replace(&mut self, sort: Sort, all: Vec<Json>) {
        if sort == Sort::Event {
            // Events go by after an hour; what they said stays said. The first list is of the past.
            let fresh = std::mem::replace(&mut self.events_listed, true);
            all.into_iter().for_each(|event| self.note(&event, fresh));
            return;
        }
        let all = all.into_iter().map(|object| (uid(&object).to_owned(), trimmed(sort, object)));
        self.objects.insert(sort, all.collect());
    }

    pub fn put(&mut self, sort: Sort, object: Json) {
        match sort {
            Sort::Event => self.note(&object, true),
            _ => {
                let objects = self.objects.entry(sort).or_default();
                objects.insert(uid(&object).to_owned(), trimmed(sort, object));
            }
        }
    }

    pub fn remove(&mut self, sort: Sort, object: &Json) {
        if let Some(objects) = self.objects.get_mut(&sort) {
            objects.remove(uid(object));
        }
    }

    fn note(&mut self, event: &Json, fresh: bool) {
        let about = text(event, &["involvedObject", "uid"]);
        let room = self.events.len() < MAX_EVENT_SUBJECTS || self.events.contains_key(about);
        if text(event, &["type"]) != "Warning" || !room {
            return;
        }
        let field = text(event, &["involvedObject", "fieldPath"]);
        let container =
            field.split_once('{').map(|(_, name)| name.trim_end_matches('}').to_owned());
        let version =
            (uid(event).to_owned(), text(event, &["metadata", "resourceVersion"]).to_owned());
        let message = text(event, &["message"]).to_owned();
        let reasons = self.events.entry(about.to_owned()).or_default();
        let reason = text(event, &["reason"]);
        // A list tells again what is known.
        if reasons.get(reason).is_none_or(|known| known.version != version) {
            reasons.insert(reason.to_owned(), Note { message, container, fresh, version });
        }
    }

    pub fn get(&self, sort: Sort, uid: &str) -> Option<&Json> {
        self.objects.get(&sort)?.get(uid)
    }

    /// The last Warning of one of these reasons about an object.
    pub fn event(&self, uid: &str, reasons: &[&str]) -> Option<&Note> {
        let notes = self.events.get(uid)?;
        reasons.iter().find_map(|reason| notes.get(*reason))
    }

    /// Objects of a kind by the uid of the controller that owns them.
    pub fn owned(&self, sort: Sort) -> HashMap<&str, Vec<&Json>> {
        let mut owned: HashMap<&str, Vec<&Json>> = HashMap::new();
        for object in self.objects.get(&sort).into_iter().flat_map(BTreeMap::values) {
            if let Some(owner) = controller(object) {
                owned.entry(owner).or_default().push(object);
            }
        }
        owned
    }
}

pub fn uid(object: &Json) -> &str {
    text(object, &["metadata", "uid"])
}

/// The uid of the controller that an object belongs to.
pub fn controller(object: &Json) -> Option<&str> {
    let owners = at(object, &["metadata", "ownerReferences"])?.as_array()?;
    let owner = owners.iter().find(|owner| owner.get("controller") == Some(&Json::Bool(true)))?;
    owner.get("uid")?.as_str()
}

/// An object without what no verdict needs: of hundreds of pods that is most of it.
fn trimmed(sort: Sort, mut object: Json) -> Json {
    if let Some(metadata) = object.get_mut("metadata").and_then(Json::as_object_mut) {
        metadata.remove("managedFields");
        if let Some(notes) = metadata.get_mut("annotations").and_then(Json::as_object_mut) {
            notes.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    if let (Sort::ControllerRevision, Some(revision)) = (sort, object.as_object_mut()) {
        revision.remove("data");
    }
    object
}

/// A number at a path of keys, 0 where there is none.
pub fn number(object: &Json, path: &[&str]) -> i64 {
    at(object, path).and_then(Json::as_i64).unwrap_or(0)
}

/// A list at a path of keys, empty where there is none.
pub fn list<'a>(object: &'a Json, path: &[&str]) -> &'a [Json] {
    at(object, path).and_then(Json::as_array).map_or(&[], Vec::as_slice)
}

/// A condition of an object's status.
pub fn condition<'a>(object: &'a Json, kind: &str) -> Option<&'a Json> {
    list(object, &["status", "conditions"]).iter().find(|c| text(c, &["type"]) == kind)
}

/// A condition of an object's status, where it has the value.
pub fn condition_is<'a>(object: &'a Json, kind: &str, value: &str) -> Option<&'a Json> {
    condition(object, kind).filter(|c| text(c, &["status"]) == value)
}

/// Whether an object is on its way out.
pub fn going(object: &Json) -> bool {
    at(object, &["metadata", "deletionTimestamp"]).is_some()
}
