//! StatefulSets and DaemonSets, by their newest revision.

use super::{
    super::{
        super::{
            target::Target,
            world::{World, going, number, uid},
        },
        pod::is_ready,
    },
    Owned, Standing, Workload, present, replicas, short, silent, uncreated, unseen,
};
use crate::api::{name, text};
use serde_json::Value as Json;

/// The label of pods that says which revision they are of.
const REVISION_LABEL: &str = "controller-revision-hash";
const ON_DELETE: &str = "its pods are replaced when somebody deletes them (OnDelete)";

pub fn stateful<'a>(
    object: &'a Json,
    target: &Target,
    world: &World,
    owned: &Owned<'a>,
) -> Workload<'a> {
    if let Some(workload) = not_rolling(object, target) {
        return workload;
    }
    let desired = replicas(object);
    let partition = number(object, &["spec", "updateStrategy", "rollingUpdate", "partition"]);
    let kept = partition.clamp(0, desired);
    let hash = text(object, &["status", "updateRevision"]);
    let pods = of_revision(object, hash, owned);
    let updated = number(object, &["status", "updatedReplicas"]);
    let there = present(object, owned);
    let standing = short(&[
        (updated, desired - kept, "updated"),
        (number(object, &["status", "availableReplicas"]), desired, "available"),
    ]);
    let standing = match standing {
        Standing::Up(_) if kept > 0 => Standing::Up(Some(format!(
            "{kept} of its pods stay as they are (partition {partition})"
        ))),
        other => other,
    };
    Workload {
        desired,
        updated,
        ready: number(object, &["status", "readyReplicas"]),
        pods,
        signs: uncreated(object, there < desired, there == 0, world).into_iter().collect(),
        waited_for: waited_for(object, hash, kept, owned),
        ..Workload::new(standing)
    }
}

pub fn daemon<'a>(
    object: &'a Json,
    target: &Target,
    world: &World,
    owned: &Owned<'a>,
) -> Workload<'a> {
    if let Some(workload) = not_rolling(object, target) {
        return workload;
    }
    let revisions = owned.revisions.get(uid(object)).into_iter().flatten();
    let Some(newest) = revisions.max_by_key(|revision| number(revision, &["revision"])) else {
        return silent("there is no ControllerRevision of it yet");
    };
    let hash = text(newest, &["metadata", "labels", REVISION_LABEL]);
    let desired = number(object, &["status", "desiredNumberScheduled"]);
    let updated = number(object, &["status", "updatedNumberScheduled"]);
    let there = present(object, owned);
    let standing = short(&[
        (updated, desired, "updated"),
        (number(object, &["status", "numberAvailable"]), desired, "available"),
    ]);
    let standing = match standing {
        Standing::Up(_) if desired == 0 => Standing::Up(Some("no node is to run it".into())),
        other => other,
    };
    Workload {
        desired,
        updated,
        ready: number(object, &["status", "numberReady"]),
        pods: of_revision(object, hash, owned),
        signs: uncreated(object, there < desired, there == 0, world).into_iter().collect(),
        ..Workload::new(standing)
    }
}

/// What isn't looked at any closer: nobody replaces its pods, or the change isn't seen yet.
fn not_rolling<'a>(object: &Json, target: &Target) -> Option<Workload<'a>> {
    match text(object, &["spec", "updateStrategy", "type"]) {
        "OnDelete" => Some(Workload::new(Standing::Up(Some(ON_DELETE.into())))),
        _ => unseen(object, target),
    }
}

/// Pods of a set or daemon that are of a revision.
fn of_revision<'a>(object: &Json, hash: &str, owned: &Owned<'a>) -> Vec<&'a Json> {
    let all = owned.pods(uid(object)).iter();
    all.filter(|pod| revision(pod) == hash).copied().collect()
}

fn revision(pod: &Json) -> &str {
    text(pod, &["metadata", "labels", REVISION_LABEL])
}

/// Pods of earlier revisions that aren't ready and are to be replaced, of a set that waits for each pod in turn.
fn waited_for<'a>(object: &Json, hash: &str, kept: i64, owned: &Owned<'a>) -> Vec<&'a Json> {
    if hash.is_empty() || text(object, &["spec", "podManagementPolicy"]) == "Parallel" {
        return vec![];
    }
    let ordinal = |pod: &Json| name(pod).rsplit('-').next().and_then(|n| n.parse::<i64>().ok());
    let all = owned.pods(uid(object)).iter().copied();
    all.filter(|pod| revision(pod) != hash && !going(pod) && !is_ready(pod))
        .filter(|pod| ordinal(pod).is_none_or(|ordinal| ordinal >= kept))
        .collect()
}
