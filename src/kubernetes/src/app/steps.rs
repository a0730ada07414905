//! Jobs as steps of a deploy: `formwork/step: before` on a migration, `after` on a smoke check of the team's.

use super::status;
use crate::{
    api::{at, text, title},
    rollout::{Target, WorkloadKind},
};
use formwork_engine::{Data, Failure};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// On a Job, by its author: when it runs.
const STEP: &str = "formwork/step";

/// When a Job runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// To its end, before anything is changed that a running pod or its callers see.
    Before,
    /// Anew for each deploy, once the rollout is healthy.
    After,
}

/// When an object runs, `None` where it isn't a step.
pub fn of(object: &Json) -> Option<Step> {
    match text(object, &["metadata", "annotations", STEP]) {
        "before" => Some(Step::Before),
        "after" => Some(Step::After),
        _ => None,
    }
}

/// Fails on a step that can't be one.
pub fn refuse(object: &Json) -> Result<(), Failure> {
    let said = text(object, &["metadata", "annotations", STEP]);
    let bad = |why: String| Err(Failure::invalid(format!("{}: `{STEP}` {why}", title(object))));
    if said.is_empty() {
        Ok(())
    } else if of(object).is_none() {
        bad(format!("can't be `{said}`: it is `before` or `after`"))
    } else if WorkloadKind::of(object) != Some(WorkloadKind::Job) {
        bad("is for Jobs (batch/v1) only".into())
    } else if at(object, &["spec", "ttlSecondsAfterFinished"]).is_some() {
        bad("can't be on a Job with `ttlSecondsAfterFinished`: by the Job it is known that it ran"
            .into())
    } else if at(object, &["spec", "suspend"]) == Some(&Json::Bool(true)) {
        bad("can't be on a Job that is suspended: a deploy would wait for it in vain".into())
    } else {
        Ok(())
    }
}

/// The names of the Jobs of a step.
pub fn names(wanted: &BTreeMap<String, Json>, step: Step) -> Vec<&str> {
    let of_step = wanted.values().filter(|object| of(object) == Some(step));
    of_step.map(crate::api::name).collect()
}

/// Whether a target is one of these Jobs.
pub fn is_among(target: &Target, names: &[&str]) -> bool {
    target.kind == WorkloadKind::Job && names.contains(&target.name.as_str())
}

/// Whether a migration is at work: a pod of it runs, which must not be torn out of it.
pub fn is_at_work(job: &Json) -> bool {
    let ready = at(job, &["status", "ready"]).and_then(Json::as_i64).unwrap_or(0);
    of(job) == Some(Step::Before) && ready > 0 && status::job_end(job).is_none()
}

/// Gives inputs that go back the migrations of the current ones: those that ran. None is undone, and the older
/// program's are not run by going back to it.
pub fn keep_migrations(fields: &mut BTreeMap<String, Data>, current: &Data) {
    let is_migration = |object: &Data| {
        let object: Result<Json, _> = object.parse();
        object.is_ok_and(|object| of(&object) == Some(Step::Before))
    };
    let Some(Data::Map(mut objects)) = fields.remove("objects") else { return };
    objects.retain(|_, object| !is_migration(object));
    let todays = current.get("objects").and_then(Data::as_map).into_iter().flatten();
    let todays = todays.filter(|(_, object)| is_migration(object));
    objects.extend(todays.map(|(key, object)| (key.clone(), object.clone())));
    fields.insert("objects".into(), Data::Map(objects));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn job(step: &str) -> Json {
        json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": "migrate", "annotations": {STEP: step}}, "spec": {},
        })
    }

    #[test]
    fn a_step_is_a_job_that_ends() {
        let refused = |object: &Json| refuse(object).err().map(|failure| failure.message);
        assert_eq!(of(&job("before")), Some(Step::Before));
        assert_eq!(of(&job("after")), Some(Step::After));
        assert_eq!(of(&json!({"kind": "Job"})), None);
        assert_eq!(refused(&job("before")), None);
        assert_eq!(refused(&json!({"kind": "Service"})), None);
        let with = |key: &str, value: Json| {
            let mut job = job("before");
            job["spec"][key] = value;
            job
        };
        let mut deployment = job("before");
        deployment["apiVersion"] = "apps/v1".into();
        deployment["kind"] = "Deployment".into();
        for (object, words) in [
            (job("first"), "can't be `first`"),
            (deployment, "for Jobs"),
            (with("ttlSecondsAfterFinished", json!(0)), "ttlSecondsAfterFinished"),
            (with("suspend", json!(true)), "suspended"),
        ] {
            let message = refused(&object).unwrap();
            assert!(message.contains(words), "{message}");
        }
        assert_eq!(refused(&with("suspend", json!(false))), None);
    }

    #[test]
    fn a_migration_is_at_work_while_a_pod_of_it_runs() {
        let check = |step: &str, status: Json, expected: bool| {
            let mut job = job(step);
            job["status"] = status.clone();
            assert_eq!(is_at_work(&job), expected, "{step} {status}");
        };
        check("before", json!({"active": 1, "ready": 1}), true);
        check("after", json!({"active": 1, "ready": 1}), false);
        // Its image can't be pulled, or it waits for its next try.
        check("before", json!({"active": 1, "ready": 0}), false);
        check("before", json!({"failed": 1}), false);
        let failed = json!([{"type": "Failed", "status": "True"}]);
        check("before", json!({"ready": 1, "conditions": failed}), false);
    }

    #[test]
    fn going_back_keeps_the_migrations_that_ran() {
        let migration = |image: &str| {
            let mut job = job("before");
            job["image"] = image.into();
            job
        };
        let server = |image: &str| json!({"kind": "Deployment", "image": image});
        let check = |old: Json, current: Json, expected: Json| {
            let fields = Data::from_json(&json!({ "objects": old }));
            let mut fields = fields.into_map();
            keep_migrations(&mut fields, &Data::from_json(&json!({ "objects": current })));
            assert_eq!(fields["objects"].to_json(), expected);
        };
        check(
            json!({"m": migration("1"), "s": server("1")}),
            json!({"m": migration("2"), "s": server("2")}),
            json!({"m": migration("2"), "s": server("1")}),
        );
        check(
            json!({"s": server("1")}),
            json!({"m": migration("2")}),
            json!({"m": migration("2"), "s": server("1")}),
        );
        check(json!({"m": migration("1"), "s": server("1")}), json!({}), json!({"s": server("1")}));
    }
}
