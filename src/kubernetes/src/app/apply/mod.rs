//! Bringing an App to what is wanted: apply in order, prune, note it down; and taking it all away.

mod check;
mod delete;
mod prune;
mod step;

pub use delete::delete;
pub use prune::conclude;
pub use step::after;

use super::{
    App, Manifest,
    conflict::{self, Conflicts},
    key, manifest,
    marks::{self, Gvk, Record},
    observe::{self, Live, core, is_going},
    order,
};
use crate::{
    api::{Served, at, name, side_by_side, text, title},
    cluster::Connection,
    release::{self, Draft, Generation, Holder, Lease, Status},
    rollout::Target,
};
use check::Checked;
use formwork_engine::{Failure, FailureKind, Owner, Secrets, Subject};
use serde_json::{Value as Json, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

/// How often a new definition is looked at until the server serves it.
pub const ESTABLISH_POLLS: u32 = 60;
/// The pause between two looks.
pub const ESTABLISH_PAUSE: Duration = Duration::from_millis(500);

/// Applies everything wanted, then deletes what is ours and isn't wanted any more; where the rollout is followed,
/// what running pods may need only once that is well ([`conclude`]).
///
/// Applying what is there already changes nothing, so a second try after a failure only does the rest. Where a
/// migration isn't through (`formwork/step: before`), it ends with that: [`super::deploy`] waits for it, then
/// applies again. Jobs that come after the rollout are left to it as well.
pub async fn apply(
    cluster: &Connection,
    subject: &Subject,
    want: &App,
    secrets: &Secrets,
) -> Result<String, Failure> {
    brought(cluster, subject, want, secrets, Leased::Here).await
}

/// Applies what an apply left, under the lease that the caller holds.
pub async fn rest(
    cluster: &Connection,
    subject: &Subject,
    want: &App,
    secrets: &Secrets,
) -> Result<(), Failure> {
    brought(cluster, subject, want, secrets, Leased::ByCaller).await.map(drop)
}

/// Whose the App's lease is.
enum Leased {
    Here,
    ByCaller,
}

async fn brought(
    cluster: &Connection,
    subject: &Subject,
    want: &App,
    secrets: &Secrets,
    leased: Leased,
) -> Result<String, Failure> {
    // What can't be kept isn't begun.
    let draft = Draft::of(subject)?;
    let wanted = objects(want);
    let kinds: BTreeSet<Gvk> = wanted.iter().map(Gvk::of).collect();
    let live = observe::live(cluster, &subject.owner, &want.namespace, &kinds).await?;
    let run = Run::new(cluster, subject, want, secrets, &live)?;
    if let Some(going) = live.namespace.iter().chain(&live.record).find(|o| is_going(o)) {
        return Err(Failure::busy(format!("{} is being deleted", title(going))));
    }
    run.refuse_strangers(&wanted, &live).await?;
    let checked = run.check(&wanted, &live).await?;

    if live.record.is_none() {
        run.anchor(&wanted, &kinds).await.map_err(|failure| run.so_far(failure))?;
    }
    let goal = Goal { subject, draft, wanted: &wanted, kinds: &kinds, live: &live, checked };
    let done = match leased {
        Leased::ByCaller => run.bring_about(goal).await,
        Leased::Here => {
            let lease = Lease::acquire(cluster, subject, Holder::this_run()).await?;
            let done = lease.during(run.bring_about(goal)).await;
            lease.release().await;
            done
        }
    };
    done.map_err(|failure| run.so_far(failure))?;
    Ok(observe::id(run.owner, run.namespace))
}

fn objects(want: &App) -> Vec<Json> {
    want.objects.iter().flatten().map(|(_, Manifest(object))| object.clone()).collect()
}

/// What an apply is to bring about, and from where.
struct Goal<'a> {
    subject: &'a Subject,
    draft: Draft,
    wanted: &'a [Json],
    kinds: &'a BTreeSet<Gvk>,
    live: &'a Live,
    checked: Checked,
}

struct Run<'a> {
    cluster: &'a Connection,
    owner: &'a Owner,
    namespace: &'a str,
    secrets: &'a Secrets,
    conflicts: Conflicts,
    /// Whether volumes may be deleted with their data.
    deletes_volumes: bool,
    /// Whether an earlier revision is put back: then no migration is run.
    restores: bool,
    /// Whether the rollout is followed: then the Jobs that come after it are applied there.
    followed: bool,
    /// The workloads' generations before, by uid.
    generations: BTreeMap<String, i64>,
    /// Whether anything was changed yet.
    changed: AtomicBool,
}

impl<'a> Run<'a> {
    fn new(
        cluster: &'a Connection,
        subject: &'a Subject,
        want: &'a App,
        secrets: &'a Secrets,
        live: &Live,
    ) -> Result<Self, Failure> {
        let workloads = live.objects.iter().filter_map(|(_, object)| Target::of(object));
        Ok(Self {
            cluster,
            owner: &subject.owner,
            namespace: &want.namespace,
            secrets,
            conflicts: Conflicts::of(&subject.inputs)?,
            deletes_volumes: want.delete_volumes == Some(true),
            restores: want.restores.is_some(),
            followed: want.wait != Some(false),
            generations: workloads.map(|workload| (workload.uid, workload.generation)).collect(),
            changed: AtomicBool::new(false),
        })
    }

    /// The record of an App that has none yet, in its namespace: by it everything else is found again.
    async fn anchor(&self, wanted: &[Json], kinds: &BTreeSet<Gvk>) -> Result<(), Failure> {
        let (intent, kinds) = (self.owner.intent.clone(), kinds.clone());
        let none = Checked::default();
        let namespaces =
            wanted.iter().filter(|o| order::step(text(o, &["kind"])) == order::NAMESPACES);
        side_by_side(namespaces.map(|object| self.apply(object, &none)).collect()).await?;
        self.write(&Record { intent, kinds, ..Record::default() }).await
    }

    /// Everything that changes something, as a revision of its own.
    async fn bring_about(&self, goal: Goal<'_>) -> Result<(), Failure> {
        let (cluster, subject) = (self.cluster, goal.subject);
        let begun = release::begin_draft(cluster, subject, &goal.draft).await?;
        self.changed.store(true, Ordering::SeqCst);
        let done = self.objects(&goal).await;
        if let Err(failure) = &done
            && matches!(failure.kind, FailureKind::Invalid | FailureKind::Denied)
            && !begun.good
        {
            // The failure is what matters; without this note the next apply finds it still deploying.
            let bad = Status::Bad(failure.message.clone());
            let _ = release::settle(cluster, subject, begun.number, &bad).await;
        }
        done
    }

    /// The objects, in order; then what is no longer wanted; each noted down before.
    async fn objects(&self, goal: &Goal<'_>) -> Result<(), Failure> {
        let Goal { subject, draft, wanted, kinds, live, checked } = goal;
        let old = live.parsed_record();
        let mut record = Record {
            intent: self.owner.intent.clone(),
            kinds: old.kinds.union(kinds).cloned().collect(),
            release: old.release,
            current: old.current,
            kept: old.kept.union(&draft.generations).cloned().collect(),
        };
        for step in 0..order::ALL {
            let of_step = wanted.iter().filter(|o| order::step(text(o, &["kind"])) == step);
            let of_step: Vec<&Json> = of_step.filter(|object| !self.is_apart(object)).collect();
            side_by_side(of_step.iter().map(|object| self.apply(object, checked)).collect())
                .await?;
            match step {
                // From here on everything can be found by the record.
                order::NAMESPACES => self.write(&record).await?,
                order::DEFINITIONS => self.wait_until_served(&of_step).await?,
                order::CONFIGURATION if !self.migrated(wanted, live, checked).await? => {
                    return Ok(());
                }
                _ => {}
            }
        }
        let needed = release::drop_old(self.cluster, subject).await?;
        if needed != record.kept {
            // Before anything is deleted: what is left half done shows up in the next plan.
            record.kept = needed;
            self.write(&record).await?;
        }
        let now = |object: &Json| !self.goes_late(object);
        let stays = self.prune(wanted, live, &record.kept, now).await?;
        record.kinds = kinds.union(&stays).cloned().collect();
        record.release = draft.release.clone();
        record.current = Generation::all(*wanted);
        self.write(&record).await
    }

    /// A refused call had no effect, but those before it had: so the whole had one.
    fn so_far(&self, failure: Failure) -> Failure {
        match failure.had_no_effect() && self.changed.load(Ordering::SeqCst) {
            true => Failure { kind: FailureKind::Service, ..failure },
            false => failure,
        }
    }

    /// Nothing that isn't ours is taken over; found out before anything is changed.
    async fn refuse_strangers(&self, wanted: &[Json], live: &Live) -> Result<(), Failure> {
        let ours: BTreeSet<(&str, &str)> =
            live.objects.iter().map(|(_, o)| (text(o, &["kind"]), name(o))).collect();
        let record = Record::default().object(self.owner, self.namespace);
        let new = wanted.iter().filter(|o| !ours.contains(&(text(o, &["kind"]), name(o))));
        let record = Some(&record).filter(|_| live.record.is_none());
        let checks = new.chain(record).map(|object| async move {
            let gvk = Gvk::of(object);
            let served = self.cluster.served(&gvk.api_version, &gvk.kind).await?;
            // What isn't served yet can't have objects.
            let Some(kind) = served else { return Ok(()) };
            match self.cluster.metadata(&kind, self.namespace, name(object)).await? {
                Some(found) if !marks::is_ours(&found, self.owner) => Err(marks::taken(&found)),
                _ => Ok(()),
            }
        });
        side_by_side(checks.collect()).await.map(drop)
    }

    async fn apply(&self, object: &Json, checked: &Checked) -> Result<Json, Failure> {
        let (kind, key) = (self.kind(object).await?, key::full(object));
        if let Some(old) = checked.again.get(&key) {
            self.make_way(&kind, old).await?;
        }
        let mut object = self.prepared(&kind, object).await?;
        for field in checked.theirs.get(&key).into_iter().flatten() {
            conflict::take_out(&mut object, field);
        }
        let applied = match self.takes(&object) {
            true => self.cluster.apply(&kind, self.namespace, &object).await?,
            false => self.cluster.apply_gently(&kind, self.namespace, &object).await?,
        };
        if let Some(target) = Target::of(&applied)
            && self.generations.get(&target.uid) != Some(&target.generation)
        {
            self.cluster.touched.add(self.owner.address, target);
        }
        self.changed.store(true, Ordering::SeqCst);
        Ok(applied)
    }

    /// The kind as the cluster serves it.
    async fn kind(&self, object: &Json) -> Result<Served, Failure> {
        let gvk = Gvk::of(object);
        self.cluster.served(&gvk.api_version, &gvk.kind).await?.ok_or_else(|| {
            let Gvk { api_version, kind } = &gvk;
            Failure::invalid(format!(
                "{} doesn't serve {api_version} {kind}, the kind of {}",
                self.cluster.label,
                name(object)
            ))
            .hint("install what defines it first, or mend `apiVersion` and `kind`")
        })
    }

    /// An object as it is sent, with the texts of its secrets. Never shown or kept.
    async fn prepared(&self, kind: &Served, object: &Json) -> Result<Json, Failure> {
        let mut object = manifest::revealed(object, self.secrets).await?;
        marks::mark(&mut object, self.owner);
        if let (false, Some(metadata)) = (kind.namespaced, object["metadata"].as_object_mut()) {
            metadata.remove("namespace");
        }
        Ok(object)
    }

    async fn write(&self, record: &Record) -> Result<(), Failure> {
        let config_maps = core(self.cluster, &Gvk::config_map()).await?;
        let object = record.object(self.owner, self.namespace);
        match self.cluster.apply(&config_maps, self.namespace, &object).await {
            Ok(_) => {
                self.changed.store(true, Ordering::SeqCst);
                Ok(())
            }
            Err(failure) if failure.message.contains("not found") => Err(failure
                .hint("create the namespace, or leave that to the App: `create_namespace(true)`")),
            Err(failure) => Err(failure),
        }
    }

    /// Waits until the server serves what new definitions define; that takes it a moment.
    async fn wait_until_served(&self, definitions: &[&Json]) -> Result<(), Failure> {
        if definitions.is_empty() {
            return Ok(());
        }
        for _ in 0..ESTABLISH_POLLS {
            self.cluster.forget_kinds().await;
            let mut missing = false;
            for (api_version, kind) in definitions.iter().flat_map(|d| defined(d)) {
                missing |= self.cluster.served(&api_version, &kind).await?.is_none();
            }
            if !missing {
                return Ok(());
            }
            tokio::time::sleep(ESTABLISH_PAUSE).await;
        }
        let names: Vec<&str> = definitions.iter().map(|d| name(d)).collect();
        Err(Failure::busy(format!("not served yet: {}", names.join(", ")))
            .hint("kubectl describe crd NAME says why"))
    }
}

/// The kinds that a custom resource definition defines, in the versions that are served.
fn defined(definition: &Json) -> Vec<(String, String)> {
    let group = text(definition, &["spec", "group"]);
    let kind = text(definition, &["spec", "names", "kind"]);
    let versions = at(definition, &["spec", "versions"]).and_then(Json::as_array);
    let served = versions.into_iter().flatten().filter(|v| v["served"] == json!(true));
    served.map(|v| (format!("{group}/{}", text(v, &["name"])), kind.to_owned())).collect()
}
