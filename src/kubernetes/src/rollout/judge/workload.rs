//! A workload by its own status: how far it is, which pods are its new ones, what its controller says.

use super::{
    super::{
        target::{Target, WorkloadKind, fingerprint},
        verdict::ReasonKind,
        world::{REVISION_NOTE, Sort, World, condition_is, going, list, number, uid},
    },
    refusal::refused,
    sign::{Grace, Memory, Sign},
};
use crate::api::{at, name, text};
use serde_json::Value as Json;
use std::collections::HashMap;

/// The label of a StatefulSet's or DaemonSet's pods that says which revision they are of.
const REVISION_LABEL: &str = "controller-revision-hash";
/// The label of a ReplicaSet's pods; the Deployment's own template doesn't have it.
const TEMPLATE_LABEL: &str = "pod-template-hash";
/// A progress deadline that stands for none.
const NO_DEADLINE: i64 = i32::MAX as i64;

/// Objects by the uid of their controller, for one look.
pub struct Owned<'a> {
    pub pods: HashMap<&'a str, Vec<&'a Json>>,
    pub replica_sets: HashMap<&'a str, Vec<&'a Json>>,
    pub revisions: HashMap<&'a str, Vec<&'a Json>>,
}

impl<'a> Owned<'a> {
    pub fn of(world: &'a World) -> Self {
        Self {
            pods: world.owned(Sort::POD),
            replica_sets: world.owned(Sort::ReplicaSet),
            revisions: world.owned(Sort::ControllerRevision),
        }
    }

    fn pods(&self, owner: &str) -> &[&'a Json] {
        self.pods.get(owner).map_or(&[], Vec::as_slice)
    }
}

/// How a workload stands, by its own status.
pub enum Standing {
    /// It is gone, or its template is another's.
    Superseded(String),
    /// All that is to be waited for is there; with a word where that isn't all there could be.
    Up(Option<String>),
    /// On its way; what is missing, in words.
    Waiting(String),
}

/// A workload as one look sees it.
pub struct Workload<'a> {
    pub standing: Standing,
    pub desired: i64,
    pub updated: i64,
    pub ready: i64,
    /// The pods of its new revision, those on their way out included.
    pub pods: Vec<&'a Json>,
    pub signs: Vec<Sign>,
    /// Seconds without progress that it allows itself, 0 where it doesn't say; `None` for as long as it
    /// takes.
    pub deadline: Option<i64>,
    /// One of its containers has no readiness probe: it counts as ready from its start.
    pub unproved: bool,
}

impl Workload<'_> {
    fn new(standing: Standing) -> Self {
        let signs = vec![];
        Self {
            standing,
            desired: 0,
            updated: 0,
            ready: 0,
            pods: vec![],
            signs,
            deadline: Some(0),
            unproved: false,
        }
    }

    fn waiting(why: impl Into<String>) -> Self {
        Self::new(Standing::Waiting(why.into()))
    }
}

/// Looks at a target.
pub fn look<'a>(
    index: usize,
    target: &Target,
    world: &'a World,
    owned: &Owned<'a>,
    memory: &mut Memory,
) -> Workload<'a> {
    let Some(object) = world.get(Sort::Workload(target.kind), &target.uid) else {
        // A Job may clean up after itself (`ttlSecondsAfterFinished`).
        if memory.finished.contains(&index) {
            return Workload::new(Standing::Up(None));
        }
        return Workload::new(Standing::Superseded("it was deleted".into()));
    };
    if going(object) {
        return Workload::new(Standing::Superseded("it is being deleted".into()));
    }
    let generation = number(object, &["metadata", "generation"]);
    if generation < target.generation {
        return Workload::waiting("the change isn't seen yet");
    }
    if let Some(now) = fingerprint(object) {
        let ours = target.template().unwrap_or(*memory.templates.entry(index).or_insert(now));
        if now != ours {
            let message = format!(
                "its pod template was changed by somebody else (generation {generation}, this deploy's was {})",
                target.generation
            );
            return Workload::new(Standing::Superseded(message));
        }
    }
    let workload = match target.kind {
        WorkloadKind::Deployment => deployment(object, owned),
        WorkloadKind::StatefulSet => stateful_set(object, world, owned),
        WorkloadKind::DaemonSet => daemon_set(object, world, owned),
        WorkloadKind::Job => job(object, world, owned),
        WorkloadKind::Pod => pod(object),
    };
    if target.kind == WorkloadKind::Job && matches!(workload.standing, Standing::Up(None)) {
        memory.finished.insert(index);
    }
    let template = match target.kind {
        WorkloadKind::Pod => Some(object),
        WorkloadKind::Job => None,
        _ => at(object, &["spec", "template"]),
    };
    Workload { unproved: template.is_some_and(super::pod::is_unproved), ..workload }
}

/// Whether its controller has yet to see the object as it is.
fn unseen(object: &Json) -> Option<Workload<'_>> {
    let seen = number(object, &["status", "observedGeneration"]);
    let generation = number(object, &["metadata", "generation"]);
    (seen < generation).then(|| silent("its controller hasn't seen the change yet"))
}

/// A workload whose controller has yet to act.
fn silent<'a>(why: &str) -> Workload<'a> {
    let sign = Sign::new(ReasonKind::Controller, Grace::Patience, why);
    Workload { signs: vec![sign], ..Workload::waiting(why) }
}

fn replicas(object: &Json) -> i64 {
    at(object, &["spec", "replicas"]).and_then(Json::as_i64).unwrap_or(1)
}

/// The first count that falls short, in words.
fn short(counts: &[(i64, i64, &str)]) -> Standing {
    match counts.iter().find(|(count, wanted, _)| count < wanted) {
        Some((count, wanted, what)) => Standing::Waiting(format!("{count} of {wanted} {what}")),
        None => Standing::Up(None),
    }
}

fn deployment<'a>(object: &'a Json, owned: &Owned<'a>) -> Workload<'a> {
    if at(object, &["spec", "paused"]) == Some(&Json::Bool(true)) {
        let note = "it is paused: its pods aren't replaced until somebody resumes it";
        return Workload::new(Standing::Up(Some(note.into())));
    }
    if let Some(unseen) = unseen(object) {
        return unseen;
    }
    let mut signs = vec![];
    // What the controller can't make a ReplicaSet of.
    if let Some(condition) = condition_is(object, "Progressing", "False") {
        let since = text(condition, &["lastTransitionTime"]);
        let message = text(condition, &["message"]);
        match text(condition, &["reason"]) {
            "ReplicaSetCreateError" => signs.push(refused(message, true).since(since)),
            "ProgressDeadlineExceeded" => {
                signs.push(Sign::new(ReasonKind::Deadline, Grace::Hopeless, message).since(since));
            }
            _ => {}
        }
    }
    let Some(current) = current(object, owned) else {
        let silent = silent("there is no ReplicaSet of it yet");
        return match signs.is_empty() {
            true => silent,
            false => Workload { signs, ..silent },
        };
    };
    let (desired, updated) = (replicas(object), number(object, &["status", "updatedReplicas"]));
    let available = number(object, &["status", "availableReplicas"]);
    let old = number(object, &["status", "replicas"]) - updated;
    if let Some(condition) = condition_is(current, "ReplicaFailure", "True") {
        let since = text(condition, &["lastTransitionTime"]);
        signs.push(refused(text(condition, &["message"]), old == 0).since(since));
    }
    let standing = match short(&[(updated, desired, "updated")]) {
        Standing::Up(_) if old > 0 => Standing::Waiting(format!("{old} old ones still run")),
        Standing::Up(_) => short(&[(available, desired, "available")]),
        other => other,
    };
    let deadline = at(object, &["spec", "progressDeadlineSeconds"]).and_then(Json::as_i64);
    Workload {
        standing,
        desired,
        updated,
        ready: number(current, &["status", "readyReplicas"]),
        pods: owned.pods(uid(current)).to_vec(),
        signs,
        deadline: deadline.map_or(Some(0), |seconds| (seconds < NO_DEADLINE).then_some(seconds)),
        unproved: false,
    }
}

/// The ReplicaSet whose template is the Deployment's now.
///
/// A template that an older API server completed differs in what was added since; then the revision
/// tells, which the controller writes on both.
fn current<'a>(deployment: &Json, owned: &Owned<'a>) -> Option<&'a Json> {
    let sets = owned.replica_sets.get(uid(deployment))?;
    let template = at(deployment, &["spec", "template"])?;
    let same = |set: &&&Json| {
        let Some(mut theirs) = at(set, &["spec", "template"]).cloned() else { return false };
        if let Some(labels) = theirs.pointer_mut("/metadata/labels").and_then(Json::as_object_mut) {
            labels.remove(TEMPLATE_LABEL);
        }
        theirs == *template
    };
    let revision =
        |object: &Json| text(object, &["metadata", "annotations", REVISION_NOTE]).to_owned();
    let numbered = |set: &&&Json| {
        let ours = revision(deployment);
        !ours.is_empty() && revision(set) == ours
    };
    sets.iter().find(same).or_else(|| sets.iter().find(numbered)).copied()
}

/// Pods of a set or daemon that are of a revision.
fn of_revision<'a>(object: &Json, hash: &str, owned: &Owned<'a>) -> Vec<&'a Json> {
    let all = owned.pods(uid(object)).iter();
    all.filter(|pod| text(pod, &["metadata", "labels", REVISION_LABEL]) == hash).copied().collect()
}

/// The pods of an object that aren't on their way out, of whatever revision.
fn present(object: &Json, owned: &Owned<'_>) -> i64 {
    let count = owned.pods(uid(object)).iter().filter(|pod| !going(pod)).count();
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// What the API server said when the controller last tried to make a pod, while some are missing; `alone`
/// when it has none.
fn uncreated(object: &Json, missing: bool, alone: bool, world: &World) -> Option<Sign> {
    let note = world.event(uid(object), &["FailedCreate"]).filter(|_| missing)?;
    // Of an object that an earlier deploy made, the past says nothing about this one.
    let ours = note.fresh || number(object, &["metadata", "generation"]) <= 1;
    ours.then(|| refused(&note.message, alone))
}

fn stateful_set<'a>(object: &'a Json, world: &World, owned: &Owned<'a>) -> Workload<'a> {
    if text(object, &["spec", "updateStrategy", "type"]) == "OnDelete" {
        let note = "its pods are replaced when somebody deletes them (OnDelete)";
        return Workload::new(Standing::Up(Some(note.into())));
    }
    if let Some(unseen) = unseen(object) {
        return unseen;
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
        standing,
        desired,
        updated,
        ready: number(object, &["status", "readyReplicas"]),
        pods,
        signs: uncreated(object, there < desired, there == 0, world).into_iter().collect(),
        deadline: Some(0),
        unproved: false,
    }
}

fn daemon_set<'a>(object: &'a Json, world: &World, owned: &Owned<'a>) -> Workload<'a> {
    if text(object, &["spec", "updateStrategy", "type"]) == "OnDelete" {
        let note = "its pods are replaced when somebody deletes them (OnDelete)";
        return Workload::new(Standing::Up(Some(note.into())));
    }
    if let Some(unseen) = unseen(object) {
        return unseen;
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
        standing,
        desired,
        updated,
        ready: number(object, &["status", "numberReady"]),
        pods: of_revision(object, hash, owned),
        signs: uncreated(object, there < desired, there == 0, world).into_iter().collect(),
        deadline: Some(0),
        unproved: false,
    }
}

fn job<'a>(object: &'a Json, world: &World, owned: &Owned<'a>) -> Workload<'a> {
    let pods = owned.pods(uid(object)).to_vec();
    let succeeded = number(object, &["status", "succeeded"]);
    let failed = number(object, &["status", "failed"]);
    let desired = at(object, &["spec", "completions"]).and_then(Json::as_i64).unwrap_or(1);
    let mut signs = vec![];
    let ends =
        ["Failed", "FailureTarget"].iter().find_map(|kind| condition_is(object, kind, "True"));
    let standing = if let Some(condition) = ends {
        let (reason, message) = (text(condition, &["reason"]), text(condition, &["message"]));
        let message = format!("{reason}: {message}");
        let since = text(condition, &["lastTransitionTime"]);
        // The pod to look at: of those that failed, the last one.
        let failed = pods.iter().filter(|pod| text(pod, &["status", "phase"]) == "Failed");
        let last = failed.max_by_key(|pod| text(pod, &["metadata", "creationTimestamp"]));
        let mut sign = Sign::new(ReasonKind::JobFailed, Grace::Hopeless, message).since(since);
        sign.pod = last.map(|pod| (uid(pod).to_owned(), name(pod).to_owned()));
        signs.push(sign);
        Standing::Waiting("it has failed".into())
    } else if condition_is(object, "Complete", "True").is_some() {
        Standing::Up(None)
    } else if at(object, &["spec", "suspend"]) == Some(&Json::Bool(true)) {
        Standing::Up(Some("it is suspended: it starts when somebody resumes it".into()))
    } else if failed > 0 {
        let limit = at(object, &["spec", "backoffLimit"]).and_then(Json::as_i64).unwrap_or(6);
        Standing::Waiting(format!("still runs; {failed} pods have failed, {limit} may"))
    } else {
        Standing::Waiting("still runs".into())
    };
    let unfinished = matches!(standing, Standing::Waiting(_)) && signs.is_empty();
    let active = pods.iter().any(|pod| !going(pod));
    signs.extend(uncreated(object, unfinished && !active, true, world));
    if unfinished && !active && signs.is_empty() {
        signs.push(Sign::new(ReasonKind::Controller, Grace::Patience, "there is no pod of it yet"));
    }
    // A container that works takes as long as it takes (`activeDeadlineSeconds` is the Job's own limit),
    // and one that failed is tried again as often as the Job says.
    let begun = failed > 0 || pods.iter().any(|pod| has_run(pod));
    Workload {
        standing,
        desired,
        updated: number(object, &["status", "active"]) + succeeded,
        ready: succeeded,
        pods,
        signs,
        deadline: if begun { None } else { Some(0) },
        unproved: false,
    }
}

/// Whether a container of a pod runs or has run.
fn has_run(pod: &Json) -> bool {
    list(pod, &["status", "containerStatuses"]).iter().any(|status| {
        at(status, &["state", "running"]).is_some() || number(status, &["restartCount"]) > 0
    })
}

fn pod(object: &Json) -> Workload<'_> {
    let ready = super::pod::is_ready(object);
    let standing = match text(object, &["status", "phase"]) {
        "Succeeded" => Standing::Up(None),
        _ if ready => Standing::Up(None),
        "" => Standing::Waiting("it isn't seen yet".into()),
        phase => Standing::Waiting(phase.to_lowercase()),
    };
    Workload {
        standing,
        desired: 1,
        updated: 1,
        ready: i64::from(ready),
        pods: vec![object],
        signs: vec![],
        deadline: Some(0),
        unproved: false,
    }
}
