//! Following a deploy of an App to its verdict, and what to go back to where that is bad.

use super::{
    App, apply, observe, smoke,
    steps::{self, Step},
};
use crate::{
    cluster::Connection,
    release::{self, Holder, Lease, Revision, Status},
    rollout::{self, Reason, Target, Tolerance, Verdict, WorkloadKind},
};
use formwork_engine::{Data, Failure, FailureKind, Followed, Nested, Part, Progress, Subject};
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
    /// How long everything must have stayed up, whatever its probes say: 0 by default. What crashes late, or only
    /// under load, is seen in that time; a canary is watched for it.
    pub bake: Option<u32>,
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
            bake: seconds(self.bake, default.bake),
            credentials: self.credentials.unwrap_or_default().into_iter().collect(),
        }
    }
}

/// Rounds of migrations: a Job that somebody makes anew while it is waited for is waited for again.
const ROUNDS: usize = 3;

/// Carries a deploy to its end, and writes down what became of its revision.
///
/// Migrations first, and the rest of the apply after them; then the rollout of what the apply changed, the Jobs
/// that come after it, and the smoke checks. A bad one ends with the evidence of it. What isn't to be waited for
/// is not followed further than its migrations, and its revision stays one of which nobody knows.
pub async fn follow(
    cluster: &Connection,
    subject: &Subject,
    tell: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Followed, Failure> {
    let wanted = observe::wanted(&subject.inputs);
    let waits = subject.inputs.get("wait") != Some(&Data::Bool(false));
    if !waits && steps::names(&wanted, Step::Before).is_empty() {
        return Ok(Followed::Ready);
    }
    let namespace = observe::namespace(subject)?;
    let tolerance = tolerance(&subject.inputs)?;
    let deploy = Deploy { cluster, subject, namespace, wanted, tolerance, tell };
    let lease = Lease::acquire(cluster, subject, Holder::this_run()).await?;
    let followed = lease.during(deploy.carry_on(waits)).await;
    lease.release().await;
    followed
}

/// A deploy on its way.
struct Deploy<'a> {
    cluster: &'a Connection,
    subject: &'a Subject,
    namespace: &'a str,
    wanted: BTreeMap<String, Json>,
    tolerance: Tolerance,
    tell: &'a (dyn Fn(Progress) + Send + Sync),
}

/// Why a deploy is hopeless, and what was seen of it.
struct Bad {
    why: String,
    evidence: String,
}

/// How a part of a deploy ended.
type Ended = Result<(), Bad>;

impl Deploy<'_> {
    async fn carry_on(&self, waits: bool) -> Result<Followed, Failure> {
        let revisions = release::history(self.cluster, self.subject).await?;
        let newest = revisions.last();
        match self.parts(waits, &revisions).await? {
            Ok(()) if !waits => Ok(Followed::Ready),
            Ok(()) => {
                let going_back = self.want()?.restores;
                let status = newest.map_or(Status::Good, |newest| well(newest, going_back));
                self.settle(newest, status).await?;
                if let [.., before, newest] = revisions.as_slice()
                    && let Some(status) = undone(newest, before)
                {
                    self.settle(Some(before), status).await?;
                }
                Ok(Followed::Ready)
            }
            Err(Bad { why, evidence }) => {
                self.settle(newest, Status::Bad(why.clone())).await?;
                Ok(Followed::Hopeless { why, evidence })
            }
        }
    }

    /// The parts of a deploy, in order; a bad one ends it.
    async fn parts(&self, waits: bool, revisions: &[Revision]) -> Result<Ended, Failure> {
        let newest = revisions.last();
        if let Err(bad) = self.migrations(newest).await? {
            return Ok(Err(bad));
        }
        if !waits {
            return Ok(Ok(()));
        }
        let targets = self.targets(revisions).await?;
        if let Err(bad) = self.judged(&targets, newest).await? {
            return Ok(Err(bad));
        }
        if let Err(bad) = self.jobs_after(newest).await? {
            return Ok(Err(bad));
        }
        self.checks().await
    }

    async fn settle(&self, revision: Option<&Revision>, status: Status) -> Result<(), Failure> {
        match revision {
            Some(revision) => {
                release::settle(self.cluster, self.subject, revision.number, &status).await
            }
            None => Ok(()),
        }
    }

    /// Waits for the migrations that the apply ended with, and applies the rest after them.
    async fn migrations(&self, newest: Option<&Revision>) -> Result<Ended, Failure> {
        let names = steps::names(&self.wanted, Step::Before);
        for _ in 0..ROUNDS {
            let address = self.subject.owner.address;
            let is_meant = |target: &Target| steps::is_among(target, &names);
            let open = self.cluster.touched.take_those(address, is_meant);
            if open.is_empty() {
                return Ok(Ok(()));
            }
            if let Err(bad) = self.judged(&open, newest).await? {
                return Ok(Err(bad));
            }
            let want = self.want()?;
            apply::rest(self.cluster, self.subject, &want, &self.cluster.secrets).await?;
        }
        Err(Failure::service(format!("Job {} is made anew again and again", names.join(", ")))
            .hint("somebody else deletes or changes it: look who, then deploy again"))
    }

    fn want(&self) -> Result<App, Failure> {
        let bad = |error| Failure::invalid(format!("the fields don't make an App: {error}"));
        self.subject.inputs.parse().map_err(bad)
    }

    /// Runs the Jobs that come after the rollout.
    async fn jobs_after(&self, newest: Option<&Revision>) -> Result<Ended, Failure> {
        let want = self.want()?;
        let applied = apply::after(self.cluster, self.subject, &want, &self.cluster.secrets).await;
        match applied {
            Ok(jobs) => self.judged(&jobs, newest).await,
            // What can't be run can't say that it is well.
            Err(failure) if matches!(failure.kind, FailureKind::Invalid | FailureKind::Denied) => {
                let hint = failure.hint.as_deref().unwrap_or_default();
                let evidence = format!("== {failure}\n{hint}\n");
                Ok(Err(Bad { why: failure.message, evidence }))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Asks at the public addresses.
    async fn checks(&self) -> Result<Ended, Failure> {
        let missed = smoke::run(&smoke::of(&self.subject.inputs)?, self.tell).await;
        if missed.is_empty() {
            return Ok(Ok(()));
        }
        let evidence = missed.iter().map(smoke::Missed::to_string).collect();
        Ok(Err(Bad { why: named(missed.iter().map(smoke::Missed::why)), evidence }))
    }

    /// Follows workloads to their verdict; one that somebody changed meanwhile is a failure.
    async fn judged(
        &self,
        targets: &[Target],
        newest: Option<&Revision>,
    ) -> Result<Ended, Failure> {
        let Self { cluster, namespace, tolerance, .. } = self;
        let tell_of = |progress| (self.tell)(told(progress));
        match rollout::follow(cluster, namespace, targets, tolerance, &tell_of).await? {
            Verdict::Healthy { notes } => {
                notes.into_iter().for_each(|note| (self.tell)(said(note)));
                Ok(Ok(()))
            }
            Verdict::Bad { reasons } => {
                let evidence = rollout::evidence(cluster, namespace, &reasons).await.to_string();
                Ok(Err(Bad { why: named(reasons.iter().map(Reason::to_string)), evidence }))
            }
            Verdict::Superseded { by } => {
                self.settle(newest, Status::Superseded).await?;
                let by: Vec<String> =
                    by.into_iter().map(|by| format!("{}: {}", by.object, by.message)).collect();
                Err(Failure::invalid(format!(
                    "somebody changed it in the middle: {}",
                    by.join("; ")
                ))
                .hint("it is their change that would be judged: look at it, then deploy again"))
            }
        }
    }

    /// The workloads that this deploy changed: those that the apply before touched, and those that aren't as in
    /// all revisions since the last good one, where an apply was cut off. Jobs that are steps have their own time.
    async fn targets(&self, revisions: &[Revision]) -> Result<Vec<Target>, Failure> {
        let touched = self.cluster.touched.take(self.subject.owner.address);
        let names: BTreeSet<(WorkloadKind, String)> =
            touched.iter().map(|target| (target.kind, target.name.clone())).collect();
        let changed = changed(&self.wanted, revisions);
        let live = observe::objects(self.cluster, self.subject).await?;
        let rest = changed.into_iter().filter_map(|key| Target::of(live.get(key)?));
        let rest = rest.filter(|target| !names.contains(&(target.kind, target.name.clone())));
        let steps =
            [Step::Before, Step::After].map(|step| steps::names(&self.wanted, step)).concat();
        let all = touched.into_iter().chain(rest);
        Ok(all.filter(|target| !steps::is_among(target, &steps)).collect())
    }
}

/// What becomes of the newest revision when all is well: where it is bad, going back found nothing of it to undo.
fn well(newest: &Revision, going_back: Option<u64>) -> Status {
    match (&newest.status, going_back) {
        (Status::Bad(reason), Some(to)) => Status::RolledBack { to, reason: reason.clone() },
        _ => Status::Good,
    }
}

/// What becomes of a bad revision by a good one that put another back.
fn undone(newest: &Revision, before: &Revision) -> Option<Status> {
    match (&before.status, newest.restores) {
        (Status::Bad(reason), Some(to)) => Some(Status::RolledBack { to, reason: reason.clone() }),
        _ => None,
    }
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

/// The first reasons by name, and how many more there are.
fn named(reasons: impl ExactSizeIterator<Item = String>) -> String {
    let more = reasons.len().saturating_sub(NAMED);
    let named: Vec<String> = reasons.take(NAMED).collect();
    match more {
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
    fn a_bad_one_that_changed_nothing_is_not_good_for_that() {
        let bad = revision(2, Status::Bad("a migration failed".into()), &[]);
        let status = Status::RolledBack { to: 1, reason: "a migration failed".into() };
        assert_eq!(well(&bad, Some(1)), status);
        // Deployed again as it was, it came up this time.
        assert_eq!(well(&bad, None), Status::Good);
        assert_eq!(well(&revision(2, Status::Deploying, &[]), Some(1)), Status::Good);
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
