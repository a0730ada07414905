//! Bringing an App to what is wanted: apply in order, prune, note it down; and taking it all away.

use super::{
    App, Manifest, manifest,
    marks::{self, Gvk, Record},
    observe::{self, Live, core, is_going},
    order,
};
use crate::{
    api::{Served, at, name, side_by_side, text, title},
    cluster::Connection,
};
use formwork_engine::{Data, Failure, FailureKind, Owner, Secrets, Subject};
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
/// Characters of the release's digest.
const RELEASE: usize = 16;

/// Applies everything wanted, then deletes what is ours and isn't wanted any more.
///
/// Applying what is there already changes nothing, so a second try after a failure only does the rest.
pub async fn apply(
    cluster: &Connection,
    subject: &Subject,
    want: App,
    secrets: &Secrets,
) -> Result<String, Failure> {
    let (owner, namespace) = (&subject.owner, want.namespace.as_str());
    let run = Run { cluster, owner, namespace, secrets, changed: AtomicBool::new(false) };
    let objects = want.objects.unwrap_or_default();
    let release = release(&objects)?;
    let wanted: Vec<Json> = objects.into_values().map(|Manifest(object)| object).collect();
    let kinds: BTreeSet<Gvk> = wanted.iter().map(Gvk::of).collect();
    let live = observe::live(cluster, run.owner, run.namespace, &kinds).await?;
    if let Some(going) = live.namespace.iter().chain(&live.record).find(|o| is_going(o)) {
        return Err(Failure::busy(format!("{} is being deleted", title(going))));
    }
    run.refuse_strangers(&wanted, &live).await?;

    run.bring_about(&wanted, &kinds, &live, release)
        .await
        .map_err(|failure| run.so_far(failure))?;
    Ok(observe::id(run.owner, run.namespace))
}

fn release(objects: &BTreeMap<String, Manifest>) -> Result<String, Failure> {
    let data = Data::of(objects).map_err(|error| Failure::invalid(error.to_string()))?;
    Ok(data.digest().chars().take(RELEASE).collect())
}

struct Run<'a> {
    cluster: &'a Connection,
    owner: &'a Owner,
    namespace: &'a str,
    secrets: &'a Secrets,
    /// Whether anything was changed yet.
    changed: AtomicBool,
}

impl Run<'_> {
    /// Everything that changes something, in order.
    async fn bring_about(
        &self,
        wanted: &[Json],
        kinds: &BTreeSet<Gvk>,
        live: &Live,
        release: String,
    ) -> Result<(), Failure> {
        let old = live.parsed_record();
        let mut record = Record {
            intent: self.owner.intent.clone(),
            kinds: old.kinds.union(kinds).cloned().collect(),
            release: old.release,
        };
        for step in 0..order::ALL {
            let of_step = wanted.iter().filter(|o| order::step(text(o, &["kind"])) == step);
            let of_step: Vec<&Json> = of_step.collect();
            side_by_side(of_step.iter().map(|object| self.apply(object)).collect()).await?;
            match step {
                // From here on everything can be found by the record.
                order::NAMESPACES => self.write(&record).await?,
                order::DEFINITIONS => self.wait_until_served(&of_step).await?,
                _ => {}
            }
        }
        self.prune(wanted, live).await?;
        record.kinds = kinds.clone();
        record.release = release;
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

    async fn apply(&self, object: &Json) -> Result<(), Failure> {
        let gvk = Gvk::of(object);
        let kind = self.cluster.served(&gvk.api_version, &gvk.kind).await?.ok_or_else(|| {
            let Gvk { api_version, kind } = &gvk;
            Failure::invalid(format!(
                "{} doesn't serve {api_version} {kind}, the kind of {}",
                self.cluster.label,
                name(object)
            ))
            .hint("install what defines it first, or mend `apiVersion` and `kind`")
        })?;
        let mut object = manifest::revealed(object, self.secrets).await?;
        marks::mark(&mut object, self.owner);
        if let (false, Some(metadata)) = (kind.namespaced, object["metadata"].as_object_mut()) {
            metadata.remove("namespace");
        }
        self.cluster.apply(&kind, self.namespace, &object).await?;
        self.changed.store(true, Ordering::SeqCst);
        Ok(())
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

    /// Deletes what is ours and isn't wanted, the last applied first. The namespace is only let go.
    async fn prune(&self, wanted: &[Json], live: &Live) -> Result<(), Failure> {
        let kept: BTreeSet<(&str, &str)> =
            wanted.iter().map(|o| (text(o, &["kind"]), name(o))).collect();
        let is_kept = |object: &Json| kept.contains(&(text(object, &["kind"]), name(object)));
        for step in (0..order::ALL).rev() {
            let gone = live.objects.iter().filter(|(_, o)| {
                order::step(text(o, &["kind"])) == step && !is_kept(o) && !is_going(o)
            });
            let deletions =
                gone.map(|(kind, object)| self.cluster.delete(kind, self.namespace, object));
            side_by_side(deletions.collect()).await?;
        }
        match &live.namespace {
            Some(namespace) if !is_kept(namespace) => self.let_go(namespace).await,
            _ => Ok(()),
        }
    }

    /// Takes our labels off a namespace, which stays with all that is in it.
    async fn let_go(&self, namespace: &Json) -> Result<(), Failure> {
        let kind = core(self.cluster, &Gvk::namespace()).await?;
        let bare = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name(namespace)},
        });
        self.cluster.apply(&kind, "", &bare).await.map(drop)
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

/// Deletes everything that is the App's, the namespace last; busy until all of it is gone.
pub async fn delete(cluster: &Connection, subject: &Subject) -> Result<(), Failure> {
    let (owner, namespace) = (&subject.owner, observe::namespace(subject)?);
    let mut kinds: BTreeSet<Gvk> = observe::wanted(&subject.inputs).values().map(Gvk::of).collect();
    kinds.insert(Gvk::namespace());
    let live = observe::live(cluster, owner, namespace, &kinds).await?;
    let busy = |what: String| Failure::busy(format!("{what} on the way out"));
    if live.namespace.as_ref().is_some_and(|namespace| !is_going(namespace)) {
        refuse_other_apps(cluster, owner, namespace).await?;
    }

    for step in (0..order::ALL).rev() {
        let of_step = live.objects.iter().filter(|(_, object)| {
            order::step(text(object, &["kind"])) == step && !is_going(object)
        });
        let deletions = of_step.map(|(kind, object)| cluster.delete(kind, namespace, object));
        side_by_side(deletions.collect()).await?;
    }
    if !live.objects.is_empty() {
        let left = observe::live(cluster, owner, namespace, &kinds).await?.objects;
        if let Some((_, first)) = left.first() {
            return Err(busy(match left.len() {
                1 => format!("{} is", title(first)),
                count => format!("{} and {} more are", title(first), count - 1),
            }));
        }
    }
    match (&live.namespace, &live.record) {
        (Some(object), _) => {
            let kind = core(cluster, &Gvk::namespace()).await?;
            if !is_going(object) {
                cluster.delete(&kind, "", object).await?;
            }
            match cluster.metadata(&kind, "", namespace).await? {
                Some(_) => Err(busy(format!("namespace {namespace} is"))),
                None => Ok(()),
            }
        }
        (None, Some(record)) => {
            let kind: Served = core(cluster, &Gvk::config_map()).await?;
            cluster.delete(&kind, namespace, record).await.map(drop)
        }
        (None, None) => Ok(()),
    }
}

/// A namespace isn't deleted over the head of another App in it.
async fn refuse_other_apps(
    cluster: &Connection,
    owner: &Owner,
    namespace: &str,
) -> Result<(), Failure> {
    let config_maps = core(cluster, &Gvk::config_map()).await?;
    let records = cluster.list(&config_maps, namespace, marks::LINEAGE).await?;
    match records.iter().find(|record| !marks::is_ours(record, owner)) {
        None => Ok(()),
        Some(other) => {
            let label = |key| text(other, &["metadata", "labels", key]);
            Err(Failure::busy(format!(
                "namespace {namespace} still holds `{}/{}`",
                label(marks::STACK),
                label(marks::NODE)
            ))
            .hint("destroy that one first"))
        }
    }
}
