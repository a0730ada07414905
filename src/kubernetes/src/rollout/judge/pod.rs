//! A pod's status: its place, its volumes, its containers.

use super::{
    super::{
        target::{Tolerance, WorkloadKind},
        verdict::ReasonKind,
        world::{World, condition, condition_is, going, list, uid},
    },
    container::{Container, Role},
    sign::{Grace, Memory, Sign},
};
use crate::api::{name, text};
use serde_json::Value as Json;

/// The variable that the EKS Pod Identity webhook gives to containers
/// (<https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html>).
const CREDENTIALS_VARIABLE: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";

/// Words of a FailedMount event for what isn't there. In a new namespace that is so for a moment.
const MISSING: &[&str] = &["not found", "non-existent"];

/// What stands in a pod's way, and the restarts of its containers since the deploy began.
pub fn look(
    pod: &Json,
    workload: WorkloadKind,
    world: &World,
    tolerance: &Tolerance,
    memory: &mut Memory,
) -> (Vec<Sign>, i64) {
    let (mut signs, restarts) = containers(pod, workload, world, tolerance, memory);
    if going(pod) {
        // Whoever deletes it, it is replaced.
        return (vec![], restarts);
    }
    match text(pod, &["status", "phase"]) {
        "Succeeded" => signs.clear(),
        "Failed" => signs = failed(pod, workload).into_iter().collect(),
        _ => {
            signs.extend(unscheduled(pod));
            signs.extend(not_set_up(pod, world));
            if signs.is_empty() {
                signs.extend(unready(pod));
            }
        }
    }
    let named = Some((uid(pod).to_owned(), name(pod).to_owned()));
    signs.iter_mut().for_each(|sign| sign.pod.clone_from(&named));
    (signs, restarts)
}

/// Whether a pod is ready.
pub fn is_ready(pod: &Json) -> bool {
    condition_is(pod, "Ready", "True").is_some()
}

/// Whether a container of a pod, or of a pod template, counts as ready though no probe says so.
pub fn is_unproved(pod: &Json) -> bool {
    list(pod, &["spec", "containers"]).iter().any(|c| c.get("readinessProbe").is_none())
}

/// Whether the Pod Identity webhook gave credentials to a pod: to all containers, or to none.
pub fn has_credentials(pod: &Json) -> bool {
    let variables = |container| list(container, &["env"]).iter();
    let mut all = list(pod, &["spec", "containers"]).iter().flat_map(variables);
    all.any(|variable| text(variable, &["name"]) == CREDENTIALS_VARIABLE)
}

fn containers(
    pod: &Json,
    workload: WorkloadKind,
    world: &World,
    tolerance: &Tolerance,
    memory: &mut Memory,
) -> (Vec<Sign>, i64) {
    let (up, mut signs, mut restarts) = (is_ready(pod), vec![], 0);
    for (specs, statuses, init) in [
        ("initContainers", "initContainerStatuses", true),
        ("containers", "containerStatuses", false),
    ] {
        for spec in list(pod, &["spec", specs]) {
            let role = match (init, text(spec, &["restartPolicy"])) {
                (true, "Always") => Role::Sidecar,
                (true, _) => Role::Init,
                (false, _) => Role::Main,
            };
            let same = |status: &&Json| text(status, &["name"]) == text(spec, &["name"]);
            let Some(status) = list(pod, &["status", statuses]).iter().find(same) else { continue };
            let container = Container { workload, pod, role, spec, status, tolerance, world };
            let (found, count) = container.look(memory, up);
            signs.extend(found);
            restarts += count;
        }
    }
    (signs, restarts)
}

/// A pod that has ended and shouldn't have.
fn failed(pod: &Json, workload: WorkloadKind) -> Option<Sign> {
    let reason = match text(pod, &["status", "reason"]) {
        "" => "failed",
        reason => reason,
    };
    let message = match text(pod, &["status", "message"]) {
        "" => reason.to_owned(),
        message => format!("{reason}: {message}"),
    };
    let grace = match workload {
        WorkloadKind::Pod => Grace::Hopeless,
        // Evicted, lost with its node, refused by it: the controller replaces it.
        _ => Grace::Deadline,
    };
    Some(Sign::new(ReasonKind::PodFailed, grace, message))
}

fn unscheduled(pod: &Json) -> Option<Sign> {
    let condition = condition_is(pod, "PodScheduled", "False")?;
    let grace = match text(condition, &["reason"]) {
        // An autoscaler may bring a node.
        "Unschedulable" => Grace::Patience,
        _ => Grace::Deadline,
    };
    let message = text(condition, &["message"]);
    let since = text(condition, &["lastTransitionTime"]);
    Some(Sign::new(ReasonKind::Unschedulable, grace, message).since(since))
}

/// A pod that its node can't set up: a volume, the network. Statuses don't say it, events do.
fn not_set_up(pod: &Json, world: &World) -> Option<Sign> {
    let creating = |status: &Json| {
        let reason = text(status, &["state", "waiting", "reason"]);
        matches!(reason, "ContainerCreating" | "PodInitializing")
    };
    let statuses = ["initContainerStatuses", "containerStatuses"];
    let all = || statuses.iter().flat_map(|key| list(pod, &["status", key]));
    if text(pod, &["status", "phase"]) != "Pending" || !all().all(creating) {
        return None;
    }
    if let Some(note) = world.event(uid(pod), &["FailedMount", "FailedAttachVolume"]) {
        let missing = MISSING.iter().any(|words| note.message.contains(words));
        let grace = if missing { Grace::Settling } else { Grace::Patience };
        return Some(Sign::new(ReasonKind::Mount, grace, &note.message));
    }
    let note = world.event(uid(pod), &["FailedCreatePodSandBox"])?;
    Some(Sign::new(ReasonKind::Node, Grace::Patience, &note.message))
}

/// A pod that isn't ready though no container says why: its node doesn't answer, a gate isn't open.
fn unready(pod: &Json) -> Option<Sign> {
    let condition = condition(pod, "Ready").filter(|c| text(c, &["status"]) != "True")?;
    let reason = text(condition, &["reason"]);
    let kind = match reason {
        "" | "ContainersNotReady" => return None,
        // A load balancer's probe, say.
        "ReadinessGatesNotReady" => ReasonKind::Probe,
        _ => ReasonKind::Node,
    };
    let message = match text(condition, &["message"]) {
        "" => reason.to_owned(),
        message => format!("{reason}: {message}"),
    };
    Some(Sign::new(kind, Grace::Deadline, message))
}
