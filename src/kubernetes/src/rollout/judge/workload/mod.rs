//! A workload by its own status: how far it is, which pods are its new ones, what its controller says.

mod deployment;
mod job;
mod sets;

use super::{
    super::{
        target::{Target, WorkloadKind, fingerprint},
        verdict::ReasonKind,
        world::{Sort, World, going, number, uid},
    },
    refusal::refused,
    sign::{Grace, Memory, Sign},
};
use crate::api::{at, text};
use serde_json::Value as Json;
use std::collections::HashMap;

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
    /// Pods of earlier revisions that aren't ready, while its controller waits for each before it replaces one.
    pub waited_for: Vec<&'a Json>,
    /// Seconds without progress that it allows itself, 0 where it doesn't say; `None` for as long as it
    /// takes.
    pub deadline: Option<i64>,
    /// A pod that is deleted is made anew.
    pub replaces: bool,
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
            waited_for: vec![],
            deadline: Some(0),
            replaces: true,
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
    // It may clean up after itself (`ttlSecondsAfterFinished`).
    if memory.finished.contains(&index) {
        return Workload::new(Standing::Up(None));
    }
    let Some(object) = world.get(Sort::Workload(target.kind), &target.uid) else {
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
    let controlled = !matches!(target.kind, WorkloadKind::Job | WorkloadKind::Pod);
    let mut workload = match target.kind {
        WorkloadKind::Deployment => {
            let before = memory.overdue.entry(index);
            let before = before.or_insert_with(|| deployment::overdue(object));
            deployment::look(object, target, owned, before)
        }
        WorkloadKind::StatefulSet => sets::stateful(object, target, world, owned),
        WorkloadKind::DaemonSet => sets::daemon(object, target, world, owned),
        WorkloadKind::Job => job::look(object, target, world, owned),
        WorkloadKind::Pod => pod(object),
    };
    if target.kind == WorkloadKind::Job && matches!(workload.standing, Standing::Up(None)) {
        memory.finished.insert(index);
    }
    if controlled && matches!(workload.standing, Standing::Up(None)) && seen(object) < generation {
        workload.standing = Standing::Waiting("a later change isn't seen yet".into());
    }
    if matches!(target.kind, WorkloadKind::Deployment | WorkloadKind::StatefulSet) {
        // Also while its controller is silent.
        workload.desired = replicas(object);
    }
    let template = match target.kind {
        WorkloadKind::Pod => Some(object),
        WorkloadKind::Job => None,
        _ => at(object, &["spec", "template"]),
    };
    Workload { unproved: template.is_some_and(super::pod::is_unproved), ..workload }
}

/// Whether its controller has yet to see this deploy's change. Where a later one is unseen, an
/// autoscaler's, the status is still about ours.
fn unseen<'a>(object: &Json, target: &Target) -> Option<Workload<'a>> {
    (seen(object) < target.generation).then(|| silent("its controller hasn't seen the change yet"))
}

fn seen(object: &Json) -> i64 {
    number(object, &["status", "observedGeneration"])
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

fn pod(object: &Json) -> Workload<'_> {
    let ready = super::pod::is_ready(object);
    let standing = match text(object, &["status", "phase"]) {
        "Succeeded" => Standing::Up(None),
        _ if ready => Standing::Up(None),
        "" => Standing::Waiting("it isn't seen yet".into()),
        phase => Standing::Waiting(phase.to_lowercase()),
    };
    Workload {
        desired: 1,
        updated: 1,
        ready: i64::from(ready),
        pods: vec![object],
        replaces: false,
        ..Workload::new(standing)
    }
}
