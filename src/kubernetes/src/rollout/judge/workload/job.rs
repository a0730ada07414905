//! Jobs, by their own rules.

use super::{
    super::{
        super::{
            target::Target,
            verdict::ReasonKind,
            world::{World, condition_is, going, list, number, uid},
        },
        sign::{Grace, Sign},
    },
    Owned, Standing, Workload, uncreated,
};
use crate::api::{at, name, text};
use serde_json::Value as Json;

const SUSPENDED: &str = "it is suspended: it starts when somebody resumes it";

pub fn look<'a>(
    object: &'a Json,
    target: &Target,
    world: &World,
    owned: &Owned<'a>,
) -> Workload<'a> {
    let pods = owned.pods(uid(object)).to_vec();
    let succeeded = number(object, &["status", "succeeded"]);
    let failed = number(object, &["status", "failed"]);
    // A deleted pod counts as one that failed.
    let limit = at(object, &["spec", "backoffLimit"]).and_then(Json::as_i64).unwrap_or(6);
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
        match number(object, &["metadata", "generation"]) > target.generation {
            true => Standing::Superseded("somebody suspended it".into()),
            false => Standing::Up(Some(SUSPENDED.into())),
        }
    } else if failed > 0 {
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
        desired,
        updated: number(object, &["status", "active"]) + succeeded,
        ready: succeeded,
        pods,
        signs,
        deadline: if begun { None } else { Some(0) },
        replaces: failed < limit,
        ..Workload::new(standing)
    }
}

/// Whether a container of a pod runs or has run.
fn has_run(pod: &Json) -> bool {
    list(pod, &["status", "containerStatuses"]).iter().any(|status| {
        at(status, &["state", "running"]).is_some() || number(status, &["restartCount"]) > 0
    })
}
