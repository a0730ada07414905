//! What is followed, and how much of it may go wrong for how long.

use crate::api::{at, name, text};
use formwork_engine::Address;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// A kind whose pods are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum WorkloadKind {
    Deployment,
    StatefulSet,
    DaemonSet,
    Job,
    Pod,
}

impl WorkloadKind {
    /// The kind of an object, `None` where it has no pods that a deploy waits for.
    pub fn of(object: &Json) -> Option<Self> {
        match (text(object, &["apiVersion"]), text(object, &["kind"])) {
            ("apps/v1", "Deployment") => Some(Self::Deployment),
            ("apps/v1", "StatefulSet") => Some(Self::StatefulSet),
            ("apps/v1", "DaemonSet") => Some(Self::DaemonSet),
            ("batch/v1", "Job") => Some(Self::Job),
            ("v1", "Pod") => Some(Self::Pod),
            _ => None,
        }
    }
}

impl fmt::Display for WorkloadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A workload that a deploy changed, as the API server answered the change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub kind: WorkloadKind,
    pub name: String,
    pub uid: String,
    /// `metadata.generation` after the change; 0 where the kind has none.
    pub generation: i64,
    /// The pod template after the change, hashed. Later generations with the same template (an
    /// autoscaler's, say) are still this deploy's rollout; with another one they are somebody else's.
    /// Good within one process only: `None` elsewhere, and then the first one seen counts.
    #[serde(skip)]
    template: Option<u64>,
}

impl Target {
    /// A target of which only this is known.
    pub fn new(
        kind: WorkloadKind,
        name: impl Into<String>,
        uid: impl Into<String>,
        generation: i64,
    ) -> Self {
        Self { kind, name: name.into(), uid: uid.into(), generation, template: None }
    }

    /// The target that an API server's answer to a change describes; `None` for other kinds.
    pub fn of(applied: &Json) -> Option<Self> {
        let kind = WorkloadKind::of(applied)?;
        let generation = at(applied, &["metadata", "generation"]).and_then(Json::as_i64);
        let target = Self::new(
            kind,
            name(applied),
            text(applied, &["metadata", "uid"]),
            generation.unwrap_or(0),
        );
        Some(Self { template: fingerprint(applied), ..target })
    }

    /// Kind and name, as in `Deployment/server`.
    pub fn object(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }

    pub(super) fn template(&self) -> Option<u64> {
        self.template
    }
}

/// Workloads that applies changed, by App, until they are followed.
#[derive(Default)]
pub(crate) struct Touched(Mutex<HashMap<Address, Vec<Target>>>);

impl Touched {
    pub fn add(&self, app: Address, target: Target) {
        let mut all = self.all();
        let of_app = all.entry(app).or_default();
        of_app.retain(|known| known.uid != target.uid);
        of_app.push(target);
    }

    pub fn take(&self, app: Address) -> Vec<Target> {
        self.all().remove(&app).unwrap_or_default()
    }

    /// Those of an App that are meant; the others stay.
    pub fn take_those(&self, app: Address, meant: impl Fn(&Target) -> bool) -> Vec<Target> {
        let mut all = self.all();
        let of_app = all.get_mut(&app);
        of_app
            .map(|targets| targets.extract_if(.., |target| meant(target)).collect())
            .unwrap_or_default()
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Address, Vec<Target>>> {
        // A panic can't leave it half changed: each change is one call.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A workload's pod template, hashed.
pub(super) fn fingerprint(workload: &Json) -> Option<u64> {
    let template = at(workload, &["spec", "template"])?;
    let mut hasher = DefaultHasher::new();
    // Maps are sorted by key: equal templates are equal texts.
    template.to_string().hash(&mut hasher);
    Some(hasher.finish())
}

/// How much may go wrong, for how long. Times are seconds where it is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tolerance {
    /// Crashes that a container may have before it is up; one more is a crash loop. Jobs have their own
    /// `backoffLimit` instead.
    pub allowed_failures: u32,
    /// How long a thing may take that can heal by itself: a crash with a restart, a readiness probe that
    /// fails, a pod that no node takes, a volume that isn't attached, a quota in use.
    #[serde(with = "seconds")]
    pub patience: Duration,
    /// How long a workload may show no progress where it has no `progressDeadlineSeconds` of its own.
    #[serde(with = "seconds")]
    pub deadline: Duration,
    /// How long everything must have stayed up where a container without a readiness probe counts as
    /// ready from its start; one that crashes a second later would pass for healthy.
    #[serde(with = "seconds")]
    pub steady: Duration,
    /// How long everything must have stayed up, whatever its probes say.
    #[serde(with = "seconds")]
    pub bake: Duration,
    /// Service accounts whose pods must get EKS Pod Identity credentials.
    pub credentials: BTreeSet<String>,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self {
            allowed_failures: 1,
            patience: Duration::from_secs(300),
            deadline: Duration::from_secs(600),
            steady: Duration::from_secs(10),
            bake: Duration::ZERO,
            credentials: BTreeSet::new(),
        }
    }
}

mod seconds {
    use serde::{Deserialize as _, Deserializer, Serializer};
    use std::time::Duration;

    pub fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(duration.as_secs())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_tolerance_is_written_in_seconds() {
        let written = json!({
            "allowed_failures": 1, "patience": 300, "deadline": 600, "steady": 10, "bake": 0,
            "credentials": [],
        });
        assert_eq!(serde_json::to_value(Tolerance::default()).unwrap(), written);
        let read: Tolerance = serde_json::from_value(json!({"patience": 5})).unwrap();
        assert_eq!(read, Tolerance { patience: Duration::from_secs(5), ..Tolerance::default() });
        serde_json::from_value::<Tolerance>(json!({"patients": 5})).unwrap_err();
    }
}
