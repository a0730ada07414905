//! Deleting what is ours and isn't wanted any more.

use super::{
    super::{
        App, immutable,
        marks::{self, Gvk},
        observe::{self, Live, core, is_going},
        order,
    },
    Record, Run, objects,
};
use crate::{
    api::{Served, name, side_by_side, text},
    cluster::Connection,
    release::Generation,
};
use formwork_engine::{Failure, Secrets, Subject};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

/// Deletes what an apply left until its rollout was well.
pub async fn conclude(
    cluster: &Connection,
    subject: &Subject,
    want: &App,
    secrets: &Secrets,
) -> Result<(), Failure> {
    let wanted = objects(want);
    let kinds: BTreeSet<Gvk> = wanted.iter().map(Gvk::of).collect();
    let live = observe::live(cluster, &subject.owner, &want.namespace, &kinds).await?;
    let record = live.parsed_record();
    let run = Run::new(cluster, subject, want, secrets, &live)?;
    let stays = run.prune(&wanted, &live, &record.kept, |_| true).await?;
    let kinds = kinds.union(&stays).cloned().collect();
    match kinds == record.kinds {
        true => Ok(()),
        false => run.write(&Record { kinds, ..record }).await,
    }
}

impl Run<'_> {
    /// Whether what isn't wanted goes only once the rest is well: a release that isn't leaves what it would have
    /// taken away. Where an earlier revision is put back, nothing of the bad one is to hold it up.
    pub(super) fn goes_late(&self, object: &Json) -> bool {
        self.followed && !self.restores && !order::constrains(text(object, &["kind"]))
    }

    /// Deletes what is ours and isn't wanted, as far as it is to go by now, the last applied first; answers the kinds
    /// of what stays all the same: what goes later, generations that a kept revision needs, and what takes data with
    /// it. The namespace is only let go.
    pub(super) async fn prune(
        &self,
        wanted: &[Json],
        live: &Live,
        needed: &BTreeSet<Generation>,
        goes_now: impl Fn(&Json) -> bool,
    ) -> Result<BTreeSet<Gvk>, Failure> {
        let kept: BTreeSet<(&str, &str)> =
            wanted.iter().map(|o| (text(o, &["kind"]), name(o))).collect();
        let is_kept = |object: &Json| kept.contains(&(text(object, &["kind"]), name(object)));
        let is_needed = |object: &Json| Generation::of(object).is_some_and(|g| needed.contains(&g));
        let unwanted: Vec<&(Served, Json)> =
            live.objects.iter().filter(|(_, o)| !is_kept(o) && !is_going(o)).collect();
        let (now, later): (Vec<_>, Vec<_>) =
            unwanted.into_iter().partition(|(_, object)| goes_now(object));
        let (stays, goes): (Vec<_>, Vec<_>) =
            now.into_iter().partition(|(_, o)| is_needed(o) || !self.may_go(o));
        let left = stays.iter().filter(|(_, object)| !is_needed(object));
        side_by_side(left.map(|(kind, object)| self.leave(kind, object)).collect()).await?;
        for step in (0..order::ALL).rev() {
            let of_step = goes.iter().filter(|(_, o)| order::step(text(o, &["kind"])) == step);
            let deletions =
                of_step.map(|(kind, object)| self.cluster.delete(kind, self.namespace, object));
            side_by_side(deletions.collect()).await?;
        }
        let stays = stays.iter().chain(&later).map(|(_, object)| object);
        let namespace = live.namespace.as_ref().filter(|namespace| !is_kept(namespace));
        match namespace.filter(|namespace| goes_now(namespace)) {
            Some(namespace) => {
                self.let_go(namespace).await?;
                Ok(stays.map(Gvk::of).collect())
            }
            None => Ok(stays.chain(namespace).map(Gvk::of).collect()),
        }
    }

    /// Whether an object may be deleted: one that takes data with it only with its author's consent.
    pub(super) fn may_go(&self, object: &Json) -> bool {
        immutable::may_go(object, self.deletes_volumes)
    }

    /// Notes on an object that it left the overlay, so that no plan is about it any more.
    async fn leave(&self, kind: &Served, object: &Json) -> Result<(), Failure> {
        let patch = json!({"metadata": {"annotations": {marks::LEFT: "true"}}});
        self.cluster.patch(kind, self.namespace, name(object), &patch).await.map(drop)
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
