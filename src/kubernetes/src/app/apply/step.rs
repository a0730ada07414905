//! Jobs that are steps of a deploy: run before anything else is changed, or anew after it.

use super::{
    super::{
        App,
        conflict::Conflicts,
        immutable::{self, Dependents},
        key, manifest,
        marks::Gvk,
        observe::{self, Live, is_going},
        status,
        steps::{self, Step},
    },
    Checked, Run, objects,
};
use crate::{
    api::{name, side_by_side, title},
    cluster::Connection,
    rollout::Target,
};
use formwork_engine::{Failure, Secrets, Subject};
use serde_json::Value as Json;
use std::{collections::BTreeSet, sync::atomic::Ordering};

impl Run<'_> {
    /// Whether an object isn't applied among the others.
    pub(super) fn is_apart(&self, object: &Json) -> bool {
        match steps::of(object) {
            Some(Step::Before) => true,
            Some(Step::After) => self.followed,
            None => false,
        }
    }

    /// A migration isn't torn out of its work: not by another one, and not by going back.
    pub(super) fn refuse_while_at_work(&self, wanted: &[Json], live: &Live) -> Result<(), Failure> {
        let stays = |there: &Json| {
            let same = |object: &&Json| {
                (title(object), steps::of(object)) == (title(there), steps::of(there))
            };
            !self.restores && wanted.iter().find(same).is_some_and(|object| is_same(object, there))
        };
        let at_work =
            live.objects.iter().map(|(_, object)| object).filter(|o| steps::is_at_work(o));
        match at_work.into_iter().find(|there| !stays(there)) {
            None => Ok(()),
            Some(there) => Err(Failure::busy(format!(
                "{} of the deploy before is still at work",
                title(there)
            ))
            .hint(format!(
                "wait until it is through: kubectl logs job/{} -n {} shows its work",
                name(there),
                self.namespace
            ))),
        }
    }

    /// Whether a migration failed that is to be tried again: it is the same, and so would never run.
    pub(super) fn is_to_run_again(&self, object: &Json, there: &Json) -> bool {
        let failed = matches!(status::job_end(there), Some(Err(_)));
        steps::of(object) == Some(Step::Before)
            && !self.restores
            && failed
            && is_same(object, there)
    }

    /// Applies the migrations; whether all of them are through. Those that aren't are to be followed.
    ///
    /// Where an earlier revision is put back, none is run; one that never came to an end is deleted, so that it
    /// doesn't begin some time later by itself.
    pub(super) async fn migrated(
        &self,
        wanted: &[Json],
        live: &Live,
        checked: &Checked,
    ) -> Result<bool, Failure> {
        let is_migration = |object: &&Json| steps::of(object) == Some(Step::Before);
        if self.restores {
            let stuck = live.objects.iter().filter(|(_, object)| {
                is_migration(&object) && !is_going(object) && status::job_end(object).is_none()
            });
            let deletions =
                stuck.map(|(kind, object)| self.cluster.delete(kind, self.namespace, object));
            side_by_side(deletions.collect()).await?;
            return Ok(true);
        }
        let jobs = wanted.iter().filter(is_migration);
        let applied = side_by_side(jobs.map(|job| self.apply(job, checked)).collect()).await?;
        let open = applied.iter().filter(|job| status::job_end(job) != Some(Ok(())));
        let open: Vec<Target> = open.filter_map(Target::of).collect();
        let through = open.is_empty();
        for target in open {
            self.cluster.touched.add(self.owner.address, target);
        }
        Ok(through)
    }
}

/// Whether a Job is, in all that can't be changed, the one that is wanted.
fn is_same(wanted: &Json, there: &Json) -> bool {
    let ours = manifest::observed(wanted, there, Conflicts::Take).0;
    immutable::differences(wanted, &ours).is_empty()
}

/// Applies the Jobs that come after the rollout, each made anew, and answers what is to be followed.
///
/// A Job that ran for an earlier deploy says nothing of this one, even where it is made of the same.
pub async fn after(
    cluster: &Connection,
    subject: &Subject,
    want: &App,
    secrets: &Secrets,
) -> Result<Vec<Target>, Failure> {
    let mut jobs = objects(want);
    jobs.retain(|object| steps::of(object) == Some(Step::After));
    if jobs.is_empty() {
        return Ok(vec![]);
    }
    let kinds: BTreeSet<Gvk> = jobs.iter().map(Gvk::of).collect();
    let live = observe::live(cluster, &subject.owner, &want.namespace, &kinds).await?;
    let run = Run::new(cluster, subject, want, secrets, &live)?;
    let mut checked = Checked::default();
    for job in &jobs {
        if let Some((kind, there)) = live.self_of(job) {
            run.try_next(kind, job).await?;
            checked.again.insert(key::full(job), (there.clone(), Dependents::Go));
        }
    }
    run.changed.store(true, Ordering::SeqCst);
    let applied = side_by_side(jobs.iter().map(|job| run.apply(job, &checked)).collect()).await?;
    let names: Vec<&str> = applied.iter().map(name).collect();
    // They are followed by whoever asked for them.
    cluster.touched.take_those(subject.owner.address, |target| steps::is_among(target, &names));
    Ok(applied.iter().filter_map(Target::of).collect())
}
