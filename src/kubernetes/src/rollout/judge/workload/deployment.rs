//! Deployments, by their newest ReplicaSet.

use super::{
    super::{
        super::{
            target::Target,
            verdict::ReasonKind,
            world::{REVISION_NOTE, condition_is, number, uid},
        },
        refusal::refused,
        sign::{Grace, Sign},
    },
    Owned, Standing, Workload, replicas, short, silent, unseen,
};
use crate::api::{at, text};
use serde_json::Value as Json;

/// The label of a ReplicaSet's pods; the Deployment's own template doesn't have it.
const TEMPLATE_LABEL: &str = "pod-template-hash";
/// A progress deadline that stands for none.
const NO_DEADLINE: i64 = i32::MAX as i64;
/// The reason of a progress deadline that is over.
const EXCEEDED: &str = "ProgressDeadlineExceeded";
const PAUSED: &str = "it is paused: its pods aren't replaced until somebody resumes it";

/// Looks at a Deployment; `before` is what [`overdue`] said when it was first seen. After a rollback from
/// a rollout that took too long, the controller leaves that as it is until something changes.
pub fn look<'a>(
    object: &'a Json,
    target: &Target,
    owned: &Owned<'a>,
    before: &Option<String>,
) -> Workload<'a> {
    if at(object, &["spec", "paused"]) == Some(&Json::Bool(true)) {
        return Workload::new(
            match number(object, &["metadata", "generation"]) > target.generation {
                true => Standing::Superseded("somebody paused it".into()),
                false => Standing::Up(Some(PAUSED.into())),
            },
        );
    }
    let unseen = unseen(object, target);
    let mut signs = vec![];
    // What the controller can't make a ReplicaSet of.
    if let Some(condition) = condition_is(object, "Progressing", "False") {
        let since = text(condition, &["lastTransitionTime"]);
        let message = text(condition, &["message"]);
        match text(condition, &["reason"]) {
            "ReplicaSetCreateError" => {
                let mut sign = refused(message, true).since(since);
                if unseen.is_some() {
                    // Maybe of an earlier change; then it is gone in a moment.
                    sign.grace = sign.grace.max(Grace::Settling);
                }
                signs.push(sign);
            }
            EXCEEDED if unseen.is_some() || *before == overdue(object) => {}
            EXCEEDED => {
                signs.push(Sign::new(ReasonKind::Deadline, Grace::Hopeless, message).since(since));
            }
            _ => {}
        }
    }
    if let Some(unseen) = unseen {
        signs.extend(unseen.signs);
        return Workload { signs, ..Workload::new(unseen.standing) };
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
        desired,
        updated,
        ready: number(current, &["status", "readyReplicas"]),
        pods: owned.pods(uid(current)).to_vec(),
        signs,
        deadline: deadline.map_or(Some(0), |seconds| (seconds < NO_DEADLINE).then_some(seconds)),
        ..Workload::new(standing)
    }
}

/// Since when its progress deadline is over.
pub fn overdue(object: &Json) -> Option<String> {
    let condition = condition_is(object, "Progressing", "False")?;
    let since = text(condition, &["lastTransitionTime"]).to_owned();
    (text(condition, &["reason"]) == EXCEEDED).then_some(since)
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
