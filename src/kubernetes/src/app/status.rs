//! Whether an App's workloads are up: one status for all of them.

use super::steps::{self, Step};
use crate::api::{at, text, title};
use formwork_engine::Status;
use serde_json::Value as Json;

/// The status of all objects together: the worst of them, with the first reason.
pub fn status<'a>(objects: impl IntoIterator<Item = &'a Json>) -> Status {
    let mut waiting = vec![];
    for object in objects {
        match of(object) {
            Progress::Done => {}
            Progress::Waiting(why) => waiting.push(format!("{}: {why}", title(object))),
            Progress::Failed(why) => return Status::Failed(format!("{}: {why}", title(object))),
        }
    }
    match waiting.first() {
        None => Status::Ready,
        Some(first) if waiting.len() == 1 => Status::Pending(first.clone()),
        Some(first) => Status::Pending(format!("{first}, and {} more", waiting.len() - 1)),
    }
}

/// That a migration failed, which the next deploy tries again.
pub fn unfinished<'a>(objects: impl IntoIterator<Item = &'a Json>) -> Option<Status> {
    let migrations = objects.into_iter().filter(|o| steps::of(o) == Some(Step::Before));
    migrations.into_iter().find_map(|job| match job_end(job) {
        Some(Err(why)) => Some(Status::Unfinished(format!("{}: {why}", title(job)))),
        _ => None,
    })
}

#[derive(Debug, PartialEq)]
enum Progress {
    Done,
    Waiting(String),
    Failed(String),
}

fn number(object: &Json, path: &[&str]) -> i64 {
    at(object, path).and_then(Json::as_i64).unwrap_or(0)
}

/// A condition of the object's status, where it has the value.
fn condition<'a>(object: &'a Json, kind: &str, value: &str) -> Option<&'a Json> {
    let conditions = at(object, &["status", "conditions"])?.as_array()?;
    conditions.iter().find(|c| text(c, &["type"]) == kind && text(c, &["status"]) == value)
}

/// One object's progress, by the rules of `kubectl rollout status`.
fn of(object: &Json) -> Progress {
    let kind = text(object, &["kind"]);
    let rolls = matches!(kind, "Deployment" | "StatefulSet" | "DaemonSet");
    let seen = number(object, &["status", "observedGeneration"]);
    if rolls && seen < number(object, &["metadata", "generation"]) {
        return Progress::Waiting("the change isn't seen yet".into());
    }
    match kind {
        "Deployment" => deployment(object),
        "StatefulSet" => stateful_set(object),
        "DaemonSet" => daemon_set(object),
        "Job" => job(object),
        _ => Progress::Done,
    }
}

fn replicas(object: &Json) -> i64 {
    at(object, &["spec", "replicas"]).and_then(Json::as_i64).unwrap_or(1)
}

fn reached(count: i64, wanted: i64, what: &str) -> Option<Progress> {
    (count < wanted).then(|| Progress::Waiting(format!("{count} of {wanted} {what}")))
}

fn deployment(object: &Json) -> Progress {
    if let Some(condition) = condition(object, "Progressing", "False")
        && text(condition, &["reason"]) == "ProgressDeadlineExceeded"
    {
        return Progress::Failed(text(condition, &["message"]).to_owned());
    }
    let wanted = replicas(object);
    let updated = number(object, &["status", "updatedReplicas"]);
    let old = number(object, &["status", "replicas"]) - updated;
    reached(updated, wanted, "updated")
        .or_else(|| (old > 0).then(|| Progress::Waiting(format!("{old} old ones still run"))))
        .or_else(|| reached(number(object, &["status", "availableReplicas"]), wanted, "available"))
        .unwrap_or(Progress::Done)
}

fn stateful_set(object: &Json) -> Progress {
    // Pods are replaced when somebody deletes them: there is nothing to wait for.
    if text(object, &["spec", "updateStrategy", "type"]) == "OnDelete" {
        return Progress::Done;
    }
    let wanted = replicas(object);
    let partition = number(object, &["spec", "updateStrategy", "rollingUpdate", "partition"]);
    let updated = number(object, &["status", "updatedReplicas"]);
    reached(updated, wanted - partition, "updated")
        .or_else(|| reached(number(object, &["status", "readyReplicas"]), wanted, "ready"))
        .unwrap_or(Progress::Done)
}

fn daemon_set(object: &Json) -> Progress {
    let wanted = number(object, &["status", "desiredNumberScheduled"]);
    reached(number(object, &["status", "updatedNumberScheduled"]), wanted, "updated")
        .or_else(|| reached(number(object, &["status", "numberAvailable"]), wanted, "available"))
        .unwrap_or(Progress::Done)
}

fn job(object: &Json) -> Progress {
    match job_end(object) {
        Some(Ok(())) => Progress::Done,
        Some(Err(why)) => Progress::Failed(why.to_owned()),
        None => Progress::Waiting("still runs".into()),
    }
}

/// How a Job ended, as an error why it failed; `None` while it hasn't ended.
pub fn job_end(job: &Json) -> Option<Result<(), &str>> {
    let ended = |kind| condition(job, kind, "True");
    let failed = ended("Failed").map(|condition| Err(text(condition, &["message"])));
    failed.or_else(|| ended("Complete").map(|_| Ok(())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_deployment_is_done_when_only_new_pods_are_available() {
        let check = |status: Json, expected: Status| {
            let object = json!({
                "kind": "Deployment",
                "metadata": {"name": "d", "generation": 2},
                "spec": {"replicas": 2},
                "status": status,
            });
            assert_eq!(super::status([&object]), expected);
        };
        let pending = |why: &str| Status::Pending(format!("Deployment d: {why}"));
        check(json!({"observedGeneration": 1}), pending("the change isn't seen yet"));
        check(json!({"observedGeneration": 2, "updatedReplicas": 1}), pending("1 of 2 updated"));
        check(
            json!({"observedGeneration": 2, "updatedReplicas": 2, "replicas": 3}),
            pending("1 old ones still run"),
        );
        check(
            json!({"observedGeneration": 2, "updatedReplicas": 2, "replicas": 2, "availableReplicas": 1}),
            pending("1 of 2 available"),
        );
        check(
            json!({"observedGeneration": 2, "updatedReplicas": 2, "replicas": 2, "availableReplicas": 2}),
            Status::Ready,
        );
        check(
            json!({"observedGeneration": 2, "conditions": [{
                "type": "Progressing", "status": "False",
                "reason": "ProgressDeadlineExceeded", "message": "timed out",
            }]}),
            Status::Failed("Deployment d: timed out".into()),
        );
    }

    #[test]
    fn other_workloads_have_their_own_words() {
        let check = |object: Json, expected: &Progress| assert_eq!(of(&object), *expected);
        let set = |status: Json| json!({"kind": "StatefulSet", "spec": {"replicas": 2}, "status": status});
        check(
            set(json!({"updatedReplicas": 2, "readyReplicas": 1})),
            &Progress::Waiting("1 of 2 ready".into()),
        );
        check(set(json!({"updatedReplicas": 2, "readyReplicas": 2})), &Progress::Done);
        let daemons =
            json!({"desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 2});
        check(
            json!({"kind": "DaemonSet", "status": daemons}),
            &Progress::Waiting("2 of 3 available".into()),
        );
        let job = |kind: &str| {
            json!({"kind": "Job", "status": {"conditions": [
                {"type": kind, "status": "True", "message": "m"},
            ]}})
        };
        check(job("Complete"), &Progress::Done);
        check(job("Failed"), &Progress::Failed("m".into()));
        check(json!({"kind": "Job"}), &Progress::Waiting("still runs".into()));
        check(json!({"kind": "Service"}), &Progress::Done);
    }

    #[test]
    fn a_migration_that_failed_is_unfinished() {
        let job = |step: Json, kind: &str| {
            json!({
                "kind": "Job",
                "metadata": {"name": "migrate", "annotations": step},
                "status": {"conditions": [{"type": kind, "status": "True", "message": "m"}]},
            })
        };
        let migration = || json!({"formwork/step": "before"});
        let failed = Status::Unfinished("Job migrate: m".into());
        assert_eq!(unfinished([&job(migration(), "Failed")]), Some(failed));
        assert_eq!(unfinished([&job(migration(), "Complete")]), None);
        assert_eq!(unfinished([&job(json!({}), "Failed")]), None);
    }
}
