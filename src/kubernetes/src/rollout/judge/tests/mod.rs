//! Tables: a cluster as it is seen, and what is said of it.

mod healthy;
mod pods;
mod workloads;

use super::*;
use serde_json::json;
use std::collections::BTreeSet;

/// A world of one Deployment `server`, changed to generation 2, with two replicas.
struct Scene {
    kind: WorkloadKind,
    workload: Json,
    others: Vec<(Sort, Json)>,
    tolerance: Tolerance,
}

/// Patience of the tables, in seconds.
const PATIENCE: u64 = 60;
const DEADLINE: u64 = 600;
/// What is hopeless unless it is over in a moment, in seconds.
const SETTLING: u64 = 3;

fn template() -> Json {
    json!({
        "metadata": {"labels": {"app": "server"}},
        "spec": {"containers": [{"name": "main", "readinessProbe": {}}]},
    })
}

impl Scene {
    fn deployment(status: Json) -> Self {
        Self::of(WorkloadKind::Deployment, json!({"replicas": 2, "template": template()}), status)
    }

    fn of(kind: WorkloadKind, spec: Json, status: Json) -> Self {
        let mut workload = json!({
            "metadata": {"name": "server", "uid": "u", "generation": 2},
            "spec": spec,
            "status": status,
        });
        if workload["status"].get("observedGeneration").is_none() {
            workload["status"]["observedGeneration"] = json!(2);
        }
        let tolerance = Tolerance {
            patience: Duration::from_secs(PATIENCE),
            deadline: Duration::from_secs(DEADLINE),
            ..Tolerance::default()
        };
        Self { kind, workload, others: vec![], tolerance }
    }

    /// With the new ReplicaSet `r2` and the old one `r1`.
    fn with_sets(mut self) -> Self {
        for (name, image) in [("r1", "old"), ("r2", "new")] {
            let mut template = template();
            template["metadata"]["labels"]["pod-template-hash"] = json!(name);
            if image == "old" {
                template["spec"]["containers"][0]["image"] = json!(image);
            }
            let set = json!({
                "metadata": owned_by("u", name, json!({})),
                "spec": {"template": template},
                "status": {"readyReplicas": 0},
            });
            self.others.push((Sort::ReplicaSet, set));
        }
        self
    }

    fn with_pod(mut self, owner: &str, uid: &str, labels: Json, spec: Json, status: Json) -> Self {
        let mut spec = spec;
        if spec.get("containers").is_none() {
            spec["containers"] = template()["spec"]["containers"].clone();
        }
        if spec.get("restartPolicy").is_none() {
            spec["restartPolicy"] = json!("Always");
        }
        let pod = json!({"metadata": owned_by(owner, uid, labels), "spec": spec, "status": status});
        self.others.push((Sort::POD, pod));
        self
    }

    /// With a pod of the new ReplicaSet whose main container has this status.
    fn with_main(self, uid: &str, container: Json) -> Self {
        let mut container = container;
        container["name"] = json!("main");
        let status = json!({"phase": "Running", "containerStatuses": [container]});
        self.with_pod("r2", uid, json!({}), json!({}), status)
    }

    fn with_event(mut self, about: &str, reason: &str, message: &str) -> Self {
        let event = json!({
            "type": "Warning", "reason": reason, "message": message,
            "metadata": {"uid": format!("e-{about}-{reason}"), "resourceVersion": message},
            "involvedObject": {"uid": about, "fieldPath": "spec.containers{main}"},
        });
        self.others.push((Sort::Event, event));
        self
    }

    fn tolerating(mut self, change: impl FnOnce(&mut Tolerance)) -> Self {
        change(&mut self.tolerance);
        self
    }

    fn world(&self) -> World {
        let mut world = World::default();
        world.put(Sort::Workload(self.kind), self.workload.clone());
        self.others.iter().for_each(|(sort, object)| world.put(*sort, object.clone()));
        world
    }

    fn target(&self) -> Target {
        Target::new(self.kind, "server", "u", 2)
    }

    /// What is said at these times, in seconds, of a world that doesn't change.
    fn said(&self, times: &[u64]) -> Vec<String> {
        let targets = [self.target()];
        let (mut judge, world) = (Judge::new(&targets, &self.tolerance), self.world());
        times.iter().map(|t| words(&judge.look(&world, Duration::from_secs(*t), "now"))).collect()
    }

    /// Said at once, and never otherwise.
    #[track_caller]
    fn says(&self, expected: &str) {
        assert_eq!(self.said(&[0]), [expected]);
    }

    /// Said once patience is at its end, and not before.
    #[track_caller]
    fn says_after(&self, seconds: u64, expected: &str) {
        assert_eq!(self.said(&[0, seconds - 1, seconds]), ["-", "-", expected]);
    }

    /// No verdict, though all patience is over; only the deadline is waited for.
    #[track_caller]
    fn waits(&self) {
        assert_eq!(self.said(&[0, 2 * PATIENCE]), ["-", "-"]);
    }
}

fn owned_by(owner: &str, uid: &str, labels: Json) -> Json {
    json!({
        "name": uid, "uid": uid, "labels": labels,
        "ownerReferences": [{"uid": owner, "controller": true}],
    })
}

/// A verdict in a few words: kinds, each with its pod; `-` for none.
fn words(ruling: &Ruling) -> String {
    match &ruling.verdict {
        None => "-".into(),
        Some(Verdict::Healthy { notes }) => match notes.first() {
            None => "healthy".into(),
            Some(note) => format!("healthy: {note}"),
        },
        Some(Verdict::Superseded { by }) => format!("superseded: {}", by[0].message),
        Some(Verdict::Bad { reasons }) => {
            let one = |reason: &crate::rollout::Reason| match &reason.pod {
                None => format!("{:?}", reason.kind),
                Some(pod) => format!("{:?} {pod}", reason.kind),
            };
            reasons.iter().map(one).collect::<Vec<_>>().join(", ")
        }
    }
}

/// What the last look tells of the first workload.
fn reason(ruling: &Ruling) -> String {
    let Some(Progress::Workload(workload)) = ruling.progress.first() else { return String::new() };
    workload.reason.clone().unwrap_or_default()
}
