//! Following a deploy of an App to its verdict, and what to go back to where that is bad.

mod options;
mod revisions;
mod words;

pub use options::Rollout;
pub use revisions::{back_to, last_good};

use super::{
    App, apply, observe, smoke,
    steps::{self, Step},
};
use crate::{
    api::{at, name, text},
    cluster::Connection,
    release::{self, Holder, Lease, Revision, Status},
    rollout::{self, Reason, Target, Tolerance, Verdict, WorkloadKind},
};
use formwork_engine::{Data, Failure, FailureKind, Followed, Progress, Subject};
use options::tolerance;
use revisions::{changed, undone};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use words::{named, said, told};

/// Rounds of migrations: a Job that somebody makes anew while it is waited for is waited for again.
const ROUNDS: usize = 3;

/// Carries a deploy to its end, and writes down what became of its revision.
///
/// Migrations first, and the rest of the apply after them; then the rollout of what the apply changed, the end of
/// what isn't wanted any more, the Jobs that come after it, and the smoke checks. An apply comes before each, also
/// where nothing differs: so the newest revision is what is followed. A bad one ends with the evidence of it. What isn't to be waited for
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
                self.settle(newest, Status::Good).await?;
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
        self.conclude().await?;
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

    /// Deletes what isn't wanted any more, now that what takes its place is well.
    async fn conclude(&self) -> Result<(), Failure> {
        let want = self.want()?;
        match want.restores {
            // Nothing was left for later.
            Some(_) => Ok(()),
            None => apply::conclude(self.cluster, self.subject, &want, &self.cluster.secrets).await,
        }
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
        let targets: Vec<Target> = all.filter(|target| !steps::is_among(target, &steps)).collect();
        refuse_paused(&targets, &self.wanted, &live)?;
        Ok(targets)
    }
}

/// Fails where somebody else keeps a change from reaching any pod: it would pass for healthy.
fn refuse_paused(
    targets: &[Target],
    wanted: &BTreeMap<String, Json>,
    live: &BTreeMap<String, Json>,
) -> Result<(), Failure> {
    let is_paused = |object: &Json| at(object, &["spec", "paused"]) == Some(&Json::Bool(true));
    for target in targets.iter().filter(|target| target.kind == WorkloadKind::Deployment) {
        let by_somebody = live.iter().find(|(key, object)| {
            let same = text(object, &["metadata", "uid"]) == target.uid;
            same && is_paused(object) && !wanted.get(*key).is_some_and(is_paused)
        });
        if let Some((_, object)) = by_somebody {
            let (name, namespace) = (name(object), text(object, &["metadata", "namespace"]));
            return Err(Failure::invalid(format!(
                "somebody paused Deployment {name}: its pods aren't replaced"
            ))
            .hint(format!(
                "kubectl rollout resume deployment/{name} -n {namespace}; then deploy again"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_deployment_is_paused_by_its_author_or_by_somebody() {
        let deployment = |paused: bool| {
            let metadata = json!({"name": "server", "namespace": "n", "uid": "u", "generation": 2});
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
                "spec": {"paused": paused},
            })
        };
        let check = |wanted: bool, live: bool| {
            let of =
                |paused| BTreeMap::from([("Deployment/n/server".to_owned(), deployment(paused))]);
            let targets = vec![Target::of(&deployment(live)).unwrap()];
            refuse_paused(&targets, &of(wanted), &of(live)).err().map(|failure| failure.message)
        };
        assert_eq!(check(false, false), None);
        assert_eq!(check(true, true), None);
        assert_eq!(
            check(false, true).unwrap(),
            "somebody paused Deployment server: its pods aren't replaced"
        );
    }
}
