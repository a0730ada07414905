//! What an apply finds out before it changes anything: conflicts, and objects that have to be made again.

use super::{
    super::{
        conflict::Conflicts,
        immutable::{self, Dependents},
        key, manifest,
        observe::Live,
    },
    Run,
};
use crate::api::{Served, name, side_by_side, text, title};
use formwork_engine::Failure;
use serde_json::Value as Json;
use std::{collections::BTreeMap, sync::atomic::Ordering, time::Duration};

/// How often an object that makes way is looked at until it is gone.
pub const GONE_POLLS: u32 = 60;
/// The pause between two looks.
pub const GONE_PAUSE: Duration = Duration::from_millis(500);
/// The name under which the next self of an object is tried out, while the old one has its own.
const TRIAL: &str = "formwork-trial";

/// By the whole key of an object, what applying it takes.
#[derive(Default)]
pub struct Checked {
    /// The live ones that have to make way, and what becomes of their dependents.
    pub again: BTreeMap<String, (Json, Dependents)>,
    /// The fields that are left to other managers.
    pub theirs: BTreeMap<String, Vec<String>>,
}

impl Run<'_> {
    /// Looks at every object that is there and isn't as wanted; nothing is changed.
    pub(super) async fn check(&self, wanted: &[Json], live: &Live) -> Result<Checked, Failure> {
        let mut checked = Checked::default();
        let (mut changing, mut again) = (vec![], vec![]);
        self.refuse_while_at_work(wanted, live)?;
        for object in wanted {
            let Some((kind, there)) = live.self_of(object) else { continue };
            let ours = manifest::observed(object, there, Conflicts::Take).0;
            let fixed = immutable::differences(object, &ours);
            if self.is_to_run_again(object, there) {
                again.push(self.try_next(kind, object));
                checked.again.insert(key::full(object), (there.clone(), Dependents::Go));
                continue;
            }
            if fixed.is_empty() {
                if ours != *object {
                    changing.push((kind, object));
                }
                continue;
            }
            if !self.may_go(object) {
                return Err(Failure::invalid(format!(
                    "{} can't be changed in its `{}`, and isn't made again without consent: its data would be lost",
                    title(object),
                    fixed.join("`, `")
                ))
                .hint("give it another name, or consent with `delete_volumes(true)`"));
            }
            again.push(self.try_next(kind, object));
            let dependents = immutable::dependents(object, &fixed);
            checked.again.insert(key::full(object), (there.clone(), dependents));
        }
        side_by_side(again).await?;
        let tries = changing.into_iter().map(|(kind, object)| self.try_out(kind, object));
        let tried: Vec<(&Json, Vec<_>)> = side_by_side(tries.collect()).await?;
        let mut refused = vec![];
        for (object, conflicts) in tried.into_iter().filter(|(_, found)| !found.is_empty()) {
            match self.conflicts {
                Conflicts::Refuse => refused
                    .extend(conflicts.iter().map(|found| format!("{}: {found}", title(object)))),
                _ => {
                    let fields = conflicts.into_iter().map(|found| found.field);
                    checked.theirs.insert(key::full(object), fields.collect());
                }
            }
        }
        if refused.is_empty() {
            return Ok(checked);
        }
        refused.sort();
        Err(Failure::invalid(format!("others hold what would be changed:\n{}", refused.join("\n")))
            .hint(
                "ask them, then take the fields with `conflicts(\"take\")`, or leave them with \
                 `conflicts(\"leave\")`",
            ))
    }

    /// Whether fields are taken from others. Those of a Secret always are: what is in it is the stack's to say.
    pub(super) fn takes(&self, object: &Json) -> bool {
        let secret = text(object, &["kind"]) == "Secret";
        match self.conflicts {
            Conflicts::Take => true,
            Conflicts::Leave => secret,
            Conflicts::Refuse => false,
        }
    }

    async fn try_out<'o>(
        &self,
        kind: &Served,
        object: &'o Json,
    ) -> Result<(&'o Json, Vec<super::conflict::Conflict>), Failure> {
        let prepared = self.prepared(kind, object).await?;
        let force = self.takes(object);
        let conflicts = self.cluster.try_out(kind, self.namespace, &prepared, force).await?;
        Ok((object, conflicts))
    }

    /// Finds out whether the server would take the next self of an object, before the old one is deleted for it.
    pub(super) async fn try_next(&self, kind: &Served, object: &Json) -> Result<(), Failure> {
        let mut next = self.prepared(kind, object).await?;
        next["metadata"]["name"] = TRIAL.into();
        match self.cluster.try_out(kind, self.namespace, &next, true).await {
            Ok(_) => Ok(()),
            Err(failure) => {
                Err(Failure { message: failure.message.replace(TRIAL, name(object)), ..failure })
            }
        }
    }

    /// Deletes the old self of an object that can't be changed in place, and waits until its name is free.
    pub(super) async fn make_way(
        &self,
        kind: &Served,
        (old, dependents): &(Json, Dependents),
    ) -> Result<(), Failure> {
        self.cluster.delete_with(kind, self.namespace, old, (*dependents).into()).await?;
        self.changed.store(true, Ordering::SeqCst);
        for _ in 0..GONE_POLLS {
            let there = self.cluster.metadata(kind, self.namespace, name(old)).await?;
            let uid = |object: &Json| text(object, &["metadata", "uid"]).to_owned();
            if there.is_none_or(|there| uid(&there) != uid(old)) {
                return Ok(());
            }
            tokio::time::sleep(GONE_PAUSE).await;
        }
        Err(Failure::busy(format!("{} makes way for its next self and isn't gone yet", title(old)))
            .hint("its finalizers say what it waits for; then apply again"))
    }
}
