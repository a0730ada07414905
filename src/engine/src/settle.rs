//! Settling: finding out whether the calls of a run that was cut off had their effect.
//!
//! Only creations need it. What an update or a deletion did shows when the resource is read again.
//!
//! - Found, and ours by its marks or its key: the state takes it in.
//! - Absent in two reads, a window apart: it didn't happen. Since a call can land late, it is watched for
//!   [`LATE`]: each run until then looks once more.
//! - Unreadable: the intent stays open and blocks its own address, and what depends on that.

use crate::{
    Address, Data, Failure, Owner, Provider, Record, Registry, State, Status, Subject,
    schema::Identity,
    state::{Intent, IntentAction},
};
use futures::{StreamExt as _, stream};
use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Intents that are looked into at the same time.
const PARALLEL_LOOKS: usize = 16;

/// How long after it was intended a creation may still land, and is looked for. Services carry out what
/// they accepted within minutes; a day leaves room for their bad days.
pub const LATE: Duration = Duration::from_secs(24 * 60 * 60);

/// What became of an intent.
#[derive(Debug)]
pub struct Settled {
    pub address: Address,
    pub verdict: Verdict,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was created; the state has it now.
    Created,
    /// It was created, and another try has its place: it is an old self, to be deleted.
    Surplus,
    /// It never happened, or not yet.
    Nothing,
    /// Nobody knows, and what to look at: its address is blocked until somebody does.
    Undecided(String),
}

/// Looks for what each open intent was to create, and takes it into the state where it is found.
///
/// What stays undecided is open in the state after.
pub async fn settle(
    registry: &Registry,
    state: &mut State,
    open: Vec<Intent>,
    window: Duration,
) -> Vec<Settled> {
    let lineage = state.lineage.clone();
    let watched = std::mem::take(&mut state.watched);
    (state.open, state.undecided) = (vec![], Default::default());
    let creations = open.into_iter().filter(|intent| intent.action == IntentAction::Create);
    let all = creations.map(|intent| (intent, false)).chain(watched.into_iter().map(|i| (i, true)));
    let looked = look_twice(registry, &lineage, all.collect(), window).await;
    let unsettled: BTreeSet<Address> = looked.iter().map(|look| look.intent.address).collect();
    let mut settled = vec![];
    for Look { intent, watched, found } in looked {
        let found = match found {
            Err(_) if lost_its_host(registry, state, &unsettled, &intent) => Ok(vec![]),
            found => found,
        };
        let address = intent.address;
        let verdict = match found {
            Ok(found) if !found.is_empty() => {
                for record in found {
                    let verdict = take_in(registry, state, &intent, record, watched);
                    settled.extend(verdict.map(|verdict| Settled { address, verdict }));
                }
                None
            }
            Ok(_) if !watched => {
                state.watched.push(intent);
                Some(Verdict::Nothing)
            }
            Err(failure) if !watched => {
                let why = look_at(&intent, &failure);
                state.undecided.insert(intent.id.clone(), why.clone());
                state.open.push(intent);
                Some(Verdict::Undecided(why))
            }
            // It was decided before; this was one more look.
            Ok(_) | Err(_) => {
                if is_recent(&intent) {
                    state.watched.push(intent);
                }
                None
            }
        };
        settled.extend(verdict.map(|verdict| Settled { address, verdict }));
    }
    settled
}

/// Takes it in under its address, or where another try has that place, as an old self that goes; not at
/// all where the state has it already.
fn take_in(
    registry: &Registry,
    state: &mut State,
    intent: &Intent,
    record: Record,
    late: bool,
) -> Option<Verdict> {
    let same = |known: &Record| known.kind == record.kind && known.id == record.id;
    if state.resources.values().chain(state.deposed.values().flatten()).any(same) {
        return None;
    }
    // Intents are UUIDs of version 7, which sort by time. Of one intent's twins the first has its place.
    let overtaken = state.resources.get(&intent.address).is_some_and(|present| {
        present.intent == intent.id || late && !(intent.deposes && present.intent < intent.id)
    });
    if !overtaken {
        state.put(intent.address, record, intent.deposes);
        return Some(Verdict::Created);
    }
    // What has the same key is the same thing, by whichever try.
    if registry.schema(&record.kind).is_some_and(|schema| schema.identity == Identity::Key) {
        return None;
    }
    state.deposed.entry(intent.address).or_default().push(record);
    Some(Verdict::Surplus)
}

/// Whether an intent is so young that its call may still land; one that tells no time is.
fn is_recent(intent: &Intent) -> bool {
    let id = uuid::Uuid::parse_str(&intent.id).ok();
    let Some(time) = id.and_then(|id| id.get_timestamp()) else { return true };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    now.saturating_sub(time.to_unix().0) < LATE.as_secs()
}

/// Whether what it was reached through is gone, and so is whatever it made there.
fn lost_its_host(
    registry: &Registry,
    state: &State,
    unsettled: &BTreeSet<Address>,
    intent: &Intent,
) -> bool {
    let schema = registry.schema(&intent.record.kind);
    let hosted = schema.is_some_and(|schema| schema.binding().is_some());
    let gone =
        |address: &Address| !state.resources.contains_key(address) && !unsettled.contains(address);
    hosted && intent.record.dependencies.iter().any(gone)
}

/// What a look for the effect of an intent found.
struct Look {
    intent: Intent,
    /// Whether it was settled by an earlier run, and this is only one more look.
    watched: bool,
    found: Result<Vec<Record>, Failure>,
}

/// Looks for all intents, and after the window once more for those that weren't there: one window for all.
async fn look_twice(
    registry: &Registry,
    lineage: &str,
    intents: Vec<(Intent, bool)>,
    window: Duration,
) -> Vec<Look> {
    let look_at = async |intents: Vec<(Intent, bool)>| -> Vec<Look> {
        let looks = intents.into_iter().map(async |(intent, watched)| {
            let found = look(registry, lineage, &intent).await;
            Look { intent, watched, found }
        });
        stream::iter(looks).buffered(PARALLEL_LOOKS).collect().await
    };
    let looked = look_at(intents).await;
    let absent =
        |look: &Look| !look.watched && look.found.as_ref().is_ok_and(|found| found.is_empty());
    let (absent, mut looked): (Vec<Look>, Vec<Look>) = looked.into_iter().partition(absent);
    if !absent.is_empty() {
        tokio::time::sleep(window).await;
        let again = absent.into_iter().map(|look| (look.intent, look.watched));
        looked.extend(look_at(again.collect()).await);
    }
    // As they were intended: a later try overtakes an earlier one.
    looked.sort_by(|a, b| (a.watched, &a.intent.id).cmp(&(b.watched, &b.intent.id)));
    looked
}

/// The records of what an intent created: several where the call had its effect more than once, by their
/// identifiers.
async fn look(registry: &Registry, lineage: &str, intent: &Intent) -> Result<Vec<Record>, Failure> {
    let record = &intent.record;
    let unknown =
        || Failure::invalid(format!("this program doesn't know the kind {}", record.kind));
    let provider = registry.get(&record.kind).ok_or_else(unknown)?;
    let subject = Subject {
        owner: Owner {
            lineage: lineage.to_owned(),
            address: intent.address,
            intent: intent.id.clone(),
        },
        name: record.name.clone(),
        id: None,
        inputs: record.inputs.clone(),
        outputs: Data::empty_map(),
    };
    let found = match provider.schema().identity {
        Identity::Tag | Identity::Token => {
            provider.list(&record.binding, std::slice::from_ref(&subject)).await?
        }
        Identity::Name(_) | Identity::Key => {
            provider.read(&record.binding, &subject).await?.into_iter().collect()
        }
    };
    // Something else may have the name: creating it again will be refused with a reason.
    let ours =
        found.into_iter().filter(|found| is_ours(provider, &subject.owner, found.owner.as_ref()));
    let mut ours: Vec<Record> = ours
        .map(|found| Record {
            id: found.id,
            outputs: found.outputs,
            ready: found.status == Status::Ready && !provider.follows(),
            ..record.clone()
        })
        .collect();
    ours.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(ours)
}

/// A key lies under a parent that is ours, and has no room for marks; all else has them.
fn is_ours(provider: &dyn Provider, owner: &Owner, found: Option<&Owner>) -> bool {
    let by_key = provider.schema().identity == Identity::Key;
    found == Some(owner) || (by_key && found.is_none())
}

/// What a person should look at, where nobody knows whether it happened.
fn look_at(intent: &Intent, failure: &Failure) -> String {
    let Record { kind, name, .. } = &intent.record;
    format!(
        "a run that was cut off may have created it, and that can't be found out: {failure}; look for a {kind} called `{name}`, or one with the mark {}={}",
        crate::TAG_INTENT,
        intent.id
    )
}
