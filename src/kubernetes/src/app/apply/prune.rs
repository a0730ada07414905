//! Deleting what is ours and isn't wanted any more.

use super::{
    super::{
        immutable,
        marks::{self, Gvk},
        observe::{Live, core, is_going},
        order,
    },
    Run,
};
use crate::{
    api::{Served, name, side_by_side, text},
    release::Generation,
};
use formwork_engine::Failure;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

impl Run<'_> {
    /// Deletes what is ours and isn't wanted, the last applied first, and answers the kinds of what stays all the
    /// same: generations that a kept revision needs, and volumes. The namespace is only let go.
    pub(super) async fn prune(
        &self,
        wanted: &[Json],
        live: &Live,
        needed: &BTreeSet<Generation>,
    ) -> Result<BTreeSet<Gvk>, Failure> {
        let kept: BTreeSet<(&str, &str)> =
            wanted.iter().map(|o| (text(o, &["kind"]), name(o))).collect();
        let is_kept = |object: &Json| kept.contains(&(text(object, &["kind"]), name(object)));
        let is_needed = |object: &Json| Generation::of(object).is_some_and(|g| needed.contains(&g));
        let unwanted: Vec<&(Served, Json)> =
            live.objects.iter().filter(|(_, o)| !is_kept(o) && !is_going(o)).collect();
        let (stays, goes): (Vec<_>, Vec<_>) =
            unwanted.into_iter().partition(|(_, o)| is_needed(o) || !self.may_go(o));
        let left = stays.iter().filter(|(_, object)| !is_needed(object));
        side_by_side(left.map(|(kind, object)| self.leave(kind, object)).collect()).await?;
        for step in (0..order::ALL).rev() {
            let of_step = goes.iter().filter(|(_, o)| order::step(text(o, &["kind"])) == step);
            let deletions =
                of_step.map(|(kind, object)| self.cluster.delete(kind, self.namespace, object));
            side_by_side(deletions.collect()).await?;
        }
        if let Some(namespace) = live.namespace.as_ref().filter(|namespace| !is_kept(namespace)) {
            self.let_go(namespace).await?;
        }
        Ok(stays.iter().map(|(_, object)| Gvk::of(object)).collect())
    }

    /// Whether an object may be deleted: one that holds data only with its author's consent.
    pub(super) fn may_go(&self, object: &Json) -> bool {
        !immutable::is_volume(object) || self.deletes_volumes || marks::may_delete(object)
    }

    /// Notes on a volume that it left the overlay, so that no plan is about it any more.
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
