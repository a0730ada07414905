//! Settling: finding out whether the calls of a run that was cut off had their effect.
//!
//! Only creations need it. What an update or a deletion did shows when the resource is read again.

use crate::{
    Address, Failure, Owner, Record, Registry, State, Status, Subject,
    schema::Identity,
    state::{Intent, IntentAction},
};
use std::time::Duration;

/// What became of an intent.
#[derive(Debug)]
pub struct Settled {
    pub address: Address,
    pub verdict: Verdict,
}

#[derive(Debug)]
pub enum Verdict {
    /// It was created; the state has it now.
    Created,
    /// It never happened.
    Nothing,
}

/// An intent that can't be decided.
#[derive(Debug, thiserror::Error)]
#[error("can't find out whether `{address}` was {action} by the run that was cut off: {failure}")]
pub struct Undecided {
    pub address: Address,
    pub action: &'static str,
    pub failure: Failure,
}

/// Looks for what each open intent was to create, and takes it into the state where it is found.
///
/// That it never happened takes two reads, a window apart.
pub async fn settle(
    registry: &Registry,
    state: &mut State,
    open: Vec<Intent>,
    window: Duration,
) -> Result<Vec<Settled>, Undecided> {
    let mut settled = vec![];
    for intent in open.into_iter().filter(|intent| intent.action == IntentAction::Create) {
        let address = intent.address;
        let undecided = |failure| Undecided { address, action: "created", failure };
        let created = find(registry, &state.lineage, &intent, window).await.map_err(undecided)?;
        let verdict = match created {
            Some(record) => {
                state.put(address, record, intent.deposes);
                Verdict::Created
            }
            None => Verdict::Nothing,
        };
        settled.push(Settled { address, verdict });
    }
    Ok(settled)
}

async fn find(
    registry: &Registry,
    lineage: &str,
    intent: &Intent,
    window: Duration,
) -> Result<Option<Record>, Failure> {
    let record = &intent.record;
    let provider = registry.get(&record.kind).ok_or_else(|| {
        Failure::invalid(format!("this program doesn't know the kind {}", record.kind))
    })?;
    let owner =
        Owner { lineage: lineage.to_owned(), address: intent.address, intent: intent.id.clone() };
    let subject = Subject {
        owner: owner.clone(),
        name: record.name.clone(),
        id: None,
        inputs: record.inputs.clone(),
        outputs: crate::Data::empty_map(),
    };
    // A key lies under a parent that is ours, and has no room for marks.
    let by_key = provider.schema().identity == Identity::Key;
    for attempt in 0..2 {
        if attempt > 0 {
            tokio::time::sleep(window).await;
        }
        let found = provider.read(&record.binding, &subject).await?;
        let Some(found) = found else { continue };
        let ours = found.owner.as_ref() == Some(&owner) || (by_key && found.owner.is_none());
        if !ours {
            // Something else has the name; creating it again will be refused with a reason.
            return Ok(None);
        }
        let mut record = record.clone();
        record.id = found.id;
        record.outputs = found.outputs;
        record.ready = found.status == Status::Ready;
        return Ok(Some(record));
    }
    Ok(None)
}
