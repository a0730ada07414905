//! Following a deploy of an App to its verdict, and what to go back to where that is bad.

use super::observe;
use crate::{
    cluster::Connection,
    release::{self, Holder, Lease, Revision, Status},
    rollout::{self, Reason, Target, Tolerance, Verdict, WorkloadKind},
};
use formwork_engine::{Data, Failure, Followed, Nested, Part, Progress, Subject};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Reasons that a verdict names; the others are counted, and are in the evidence.
const NAMED: usize = 3;

/// How much of a rollout may go wrong, for how long. Times are in seconds.
#[derive(Nested, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// Crashes that a container may have before it is up: 1 by default; one more is a crash loop.
    pub allowed_failures: Option<u32>,
    /// How long a thing may take that can heal by itself, such as a failing probe or a pod that no node takes: 300
    /// by default.
    pub patience: Option<u32>,
    /// How long a workload may show no progress where it has no `progressDeadlineSeconds`: 600 by default.
    pub deadline: Option<u32>,
    /// How long everything must have stayed up where a container has no readiness probe: 10 by default.
    pub steady: Option<u32>,
    /// Service accounts whose pods must get EKS Pod Identity credentials; a pod without them is made anew once.
    pub credentials: Option<Vec<String>>,
}

impl Rollout {
    fn tolerance(self) -> Tolerance {
        let default = Tolerance::default();
        let seconds = |given: Option<u32>, default: Duration| {
            given.map_or(default, |seconds| Duration::from_secs(seconds.into()))
        };
        Tolerance {
            allowed_failures: self.allowed_failures.unwrap_or(default.allowed_failures),
            patience: seconds(self.patience, default.patience),
            deadline: seconds(self.deadline, default.deadline),
            steady: seconds(self.steady, default.steady),
            credentials: self.credentials.unwrap_or_default().into_iter().collect(),
        }
    }
}

/// Follows what the last apply changed, and writes down what became of its revision.
///
/// A bad one ends with the evidence of it. What isn't to be waited for is not followed, and its revision stays
/// one of which nobody knows.
pub async fn follow(
    cluster: &Connection,
    subject: &Subject,
    tell: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Followed, Failure> {
    if subject.inputs.get("wait") == Some(&Data::Bool(false)) {
        return Ok(Followed::Ready);
    }
    let lease = Lease::acquire(cluster, subject, Holder::this_run()).await?;
    let followed = lease.during(follow_held(cluster, subject, tell)).await;
    lease.release().await;
    followed
}

async fn follow_held(
    cluster: &Connection,
    subject: &Subject,
    tell: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Followed, Failure> {
    let namespace = observe::namespace(subject)?;
    let revisions = release::history(cluster, subject).await?;
    let targets = targets(cluster, subject, &revisions).await?;
    let tolerance = tolerance(&subject.inputs)?;
    let tell_of = |progress| tell(told(progress));
    let verdict = rollout::follow(cluster, namespace, &targets, &tolerance, &tell_of).await?;
    let (newest, before) = match revisions.as_slice() {
        [.., before, newest] => (Some(newest), Some(before)),
        [newest] => (Some(newest), None),
        [] => (None, None),
    };
    let settle = async |revision: Option<&Revision>, status: Status| match revision {
        Some(revision) => release::settle(cluster, subject, revision.number, &status).await,
        None => Ok(()),
    };
    match verdict {
        Verdict::Healthy { notes } => {
            notes.into_iter().for_each(|note| tell(said(note)));
            settle(newest, Status::Good).await?;
            if let Some(status) = newest.and_then(|newest| undone(newest, before?)) {
                settle(before, status).await?;
            }
            Ok(Followed::Ready)
        }
        Verdict::Bad { reasons } => {
            let evidence = rollout::evidence(cluster, namespace, &reasons).await;
            let why = why(&reasons);
            settle(newest, Status::Bad(why.clone())).await?;
            Ok(Followed::Hopeless { why, evidence: evidence.to_string() })
        }
        Verdict::Superseded { by } => {
            settle(newest, Status::Superseded).await?;
            let by: Vec<String> =
                by.into_iter().map(|by| format!("{}: {}", by.object, by.message)).collect();
            Err(Failure::invalid(format!("somebody changed it in the middle: {}", by.join("; ")))
                .hint("it is their change that would be judged: look at it, then deploy again"))
        }
    }
}

/// What becomes of a bad revision by a good one that put another back.
fn undone(newest: &Revision, before: &Revision) -> Option<Status> {
    match (&before.status, newest.restores) {
        (Status::Bad(reason), Some(to)) => Some(Status::RolledBack { to, reason: reason.clone() }),
        _ => None,
    }
}

/// The workloads that this deploy changed: those that the apply before touched, and those that aren't as in all
/// revisions since the last good one, where an apply was cut off.
async fn targets(
    cluster: &Connection,
    subject: &Subject,
    revisions: &[Revision],
) -> Result<Vec<Target>, Failure> {
    let wanted = observe::wanted(&subject.inputs);
    let touched = cluster.touched.take(subject.owner.address);
    let names: BTreeSet<(WorkloadKind, String)> =
        touched.iter().map(|target| (target.kind, target.name.clone())).collect();
    let changed = changed(&wanted, revisions);
    let live = observe::objects(cluster, subject).await?;
    let rest = changed.into_iter().filter_map(|key| Target::of(live.get(key)?));
    let rest = rest.filter(|target| !names.contains(&(target.kind, target.name.clone())));
    Ok(touched.into_iter().chain(rest).collect())
}

/// The keys of objects that differ from what one of the revisions since the last good one had.
fn changed<'w>(wanted: &'w BTreeMap<String, Json>, revisions: &[Revision]) -> Vec<&'w String> {
    let earlier = revisions.split_last().map_or(revisions, |(_, earlier)| earlier);
    let last_good = earlier.iter().rposition(|revision| revision.status == Status::Good);
    let since: Vec<BTreeMap<String, Json>> = match last_good {
        Some(good) => earlier[good..].iter().map(|r| observe::wanted(&r.inputs)).collect(),
        // Nothing was ever good: all of it is new.
        None => vec![BTreeMap::new()],
    };
    let is_new = |key: &String, object: &Json| since.iter().any(|had| had.get(key) != Some(object));
    wanted.iter().filter(|(key, object)| is_new(key, object)).map(|(key, _)| key).collect()
}

fn tolerance(inputs: &Data) -> Result<Tolerance, Failure> {
    let given = inputs.get("rollout").filter(|given| **given != Data::Null);
    let rollout: Option<Rollout> = given
        .map(Data::parse)
        .transpose()
        .map_err(|error| Failure::invalid(format!("the field `rollout` is bad: {error}")))?;
    Ok(rollout.unwrap_or_default().tolerance())
}

/// The inputs that put the last good revision back.
///
/// Refused where a migration has gone further than that one tolerates: then only forward is a way.
pub async fn last_good(cluster: &Connection, subject: &Subject) -> Result<Option<Data>, Failure> {
    let Some(good) = release::last_good(cluster, subject).await? else { return Ok(None) };
    back_to(&good, &subject.inputs).map(Some)
}

/// The inputs that put a revision back in the place of the current ones.
pub fn back_to(revision: &Revision, current: &Data) -> Result<Data, Failure> {
    let schema = current.get("schema").and_then(|schema| schema.get("oldest"));
    let version = schema.and_then(Data::as_str);
    let tolerated =
        |version: &str| revision.schema.as_ref().is_none_or(|schema| schema.tolerates(version));
    match version.filter(|version| !tolerated(version)) {
        None => release::restored(revision, current),
        Some(version) => Err(Failure::invalid(format!(
            "revision {} doesn't work with schema {version}, which the database has by now",
            revision.number
        ))
        .hint("go forward: mend the release, and deploy it again")),
    }
}

/// A workload's progress in the engine's words.
fn told(progress: rollout::Progress) -> Progress {
    let workload = match progress {
        rollout::Progress::Workload(workload) => workload,
        rollout::Progress::Message { text } => return said(text),
    };
    let count = |number: i64| u32::try_from(number).unwrap_or_default();
    let part = Part {
        name: workload.object,
        done: workload.state == rollout::WorkloadState::Up,
        desired: count(workload.desired),
        updated: count(workload.updated),
        ready: count(workload.ready),
        restarts: count(workload.restarts),
        reason: workload.reason,
    };
    Progress { parts: vec![part], message: None }
}

fn said(message: String) -> Progress {
    Progress { parts: vec![], message: Some(message) }
}

fn why(reasons: &[Reason]) -> String {
    let named: Vec<String> = reasons.iter().take(NAMED).map(Reason::to_string).collect();
    match reasons.len().saturating_sub(NAMED) {
        0 => named.join("; "),
        more => format!("{}; and {more} more", named.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn objects(images: &[(&str, &str)]) -> Data {
        let all = images.iter().map(|(name, image)| {
            (format!("Deployment/n/{name}"), json!({"kind": "Deployment", "image": image}))
        });
        let all: serde_json::Map<String, Json> = all.collect();
        Data::from_json(&json!({ "objects": all }))
    }

    fn revision(number: u64, status: Status, images: &[(&str, &str)]) -> Revision {
        Revision::of(number, status, objects(images))
    }

    #[test]
    fn what_differs_from_anything_since_the_last_good_one_is_watched() {
        let check = |revisions: &[Revision], wanted: &[(&str, &str)], expected: &[&str]| {
            let wanted = observe::wanted(&objects(wanted));
            let expected: Vec<String> =
                expected.iter().map(|name| format!("Deployment/n/{name}")).collect();
            assert_eq!(
                changed(&wanted, revisions).into_iter().cloned().collect::<Vec<_>>(),
                expected
            );
        };
        let (one, two) = ([("client", "1"), ("server", "1")], [("client", "1"), ("server", "2")]);
        let bad = || Status::Bad("crash loop".into());
        check(&[], &one, &["client", "server"]);
        check(&[revision(1, Status::Deploying, &one)], &one, &["client", "server"]);
        let first = || revision(1, Status::Good, &one);
        check(&[first(), revision(2, Status::Deploying, &two)], &two, &["server"]);
        // Going back is a change of what the bad one changed.
        let back = [first(), revision(2, bad(), &two), revision(3, Status::Deploying, &one)];
        check(&back, &one, &["server"]);
    }

    #[test]
    fn what_an_app_does_not_say_is_as_by_default() {
        let of = |rollout: Json| tolerance(&Data::from_json(&json!({"rollout": rollout})));
        assert_eq!(of(Json::Null).unwrap(), Tolerance::default());
        let said = of(json!({"patience": 20, "allowed_failures": 3, "credentials": ["server"]}));
        let expected = Tolerance {
            patience: Duration::from_secs(20),
            allowed_failures: 3,
            credentials: ["server".to_owned()].into(),
            ..Tolerance::default()
        };
        assert_eq!(said.unwrap(), expected);
        assert!(of(json!({"patience": "long"})).is_err());
    }

    #[test]
    fn a_migration_is_not_passed() {
        let schema = |oldest: &str, newest: Option<&str>| {
            let range = json!({"oldest": oldest, "newest": newest});
            Some(serde_json::from_value(range).unwrap())
        };
        let current = Data::from_json(&json!({"schema": {"oldest": "0014"}}));
        let with = |schema| Revision { schema, ..revision(3, Status::Good, &[]) };
        assert!(back_to(&with(None), &current).is_ok());
        assert!(back_to(&with(schema("0012", Some("0014"))), &current).is_ok());
        let refused = back_to(&with(schema("0012", Some("0013"))), &current).unwrap_err();
        assert_eq!(
            refused.message,
            "revision 3 doesn't work with schema 0014, which the database has by now"
        );
    }

    #[test]
    fn a_good_one_that_puts_another_back_says_so_of_the_bad_one() {
        let bad = revision(2, Status::Bad("crash loop".into()), &[]);
        let back = Revision { restores: Some(1), ..revision(3, Status::Deploying, &[]) };
        let status = Status::RolledBack { to: 1, reason: "crash loop".into() };
        assert_eq!(undone(&back, &bad), Some(status));
        assert_eq!(undone(&revision(3, Status::Deploying, &[]), &bad), None);
    }
}
