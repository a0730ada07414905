//! State: what is known of a stack after the last run. A cache with a memory, not the truth.

pub mod envelope;
mod error;
mod journal;
mod lease;
mod seal;
mod store;

pub use envelope::{EnvelopeError, Header};
pub use error::{Previous, StateError};
pub use journal::{Action as IntentAction, Entry, Folded, Intent, Journal, fold};
pub use lease::{Hold, Terms};
pub use seal::{IdentityFile, Keyring, Passphrase, Seal, SealError};
pub use store::{KEPT_VERSIONS, Store, Version};

use crate::{Address, Data, Symbol};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The version of the form of states and journals that this program writes. It reads all up to it.
///
/// 1: plain JSON. 2: the same JSON in an envelope that names who wrote it, and says if it is damaged.
pub const STATE_FORMAT: u32 = 2;
/// What the envelopes of states and journals say that they hold.
const STATE: &str = "state";
const JOURNAL: &str = "journal";

/// What is known of a stack.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    pub format: u32,
    pub stack: String,
    /// Random, from the first write on: two states of one name are told apart by it.
    pub lineage: String,
    /// Grows by one with each write.
    pub serial: u64,
    pub resources: BTreeMap<Address, Record>,
    /// Old selves of resources whose new ones were created before: still to be deleted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub deposed: BTreeMap<Address, Vec<Record>>,
    #[serde(default)]
    pub exports: BTreeMap<String, Data>,
    /// What this stack uses of others: their names, and the exports used of each.
    #[serde(default)]
    pub imports: BTreeMap<String, BTreeSet<String>>,
    /// Creations whose answer was lost: the next apply finds out first whether they happened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<Intent>,
    /// The last runs whose journals it includes: what is left of those counts for nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<String>,
    /// Why some of those are still open after a look, by intent: what a person should see to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub undecided: BTreeMap<String, String>,
    /// Creations that weren't there when they were settled. A call can land late, so they are looked
    /// for again for a while.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub watched: Vec<Intent>,
}

/// Runs that a state remembers. Each run clears the journals of those before it, so few are ever needed.
const REMEMBERED_RUNS: usize = 20;

impl State {
    pub fn empty(stack: &str) -> Self {
        Self {
            format: STATE_FORMAT,
            stack: stack.to_owned(),
            lineage: uuid::Uuid::now_v7().to_string(),
            serial: 0,
            resources: BTreeMap::new(),
            deposed: BTreeMap::new(),
            exports: BTreeMap::new(),
            imports: BTreeMap::new(),
            open: vec![],
            runs: vec![],
            undecided: BTreeMap::new(),
            watched: vec![],
        }
    }

    /// Remembers that a run's journal is part of it.
    pub fn include(&mut self, run: &str) {
        self.runs.push(run.to_owned());
        let surplus = self.runs.len().saturating_sub(REMEMBERED_RUNS);
        self.runs.drain(..surplus);
    }

    /// Moves resources to new addresses, wherever they are named.
    pub fn move_all(&mut self, moves: &BTreeMap<Address, Address>) {
        if moves.is_empty() {
            return;
        }
        let moved = |address: Address| moves.get(&address).copied().unwrap_or(address);
        self.resources = std::mem::take(&mut self.resources)
            .into_iter()
            .map(|(address, mut record)| {
                record.dependencies = record.dependencies.into_iter().map(moved).collect();
                (moved(address), record)
            })
            .collect();
        self.deposed = std::mem::take(&mut self.deposed)
            .into_iter()
            .map(|(address, records)| (moved(address), records))
            .collect();
    }

    /// Takes a new record in. Where it deposes the one before, that one is kept until it is deleted.
    pub fn put(&mut self, address: Address, record: Record, deposes: bool) {
        let intent = record.intent.clone();
        let before = self.resources.insert(address, record);
        match before.filter(|old| old.intent != intent) {
            Some(old) if deposes => self.deposed.entry(address).or_default().push(old),
            Some(old) => self.watch(address, old),
            None => {}
        }
    }

    /// Takes a record out, of what was deleted, or isn't there any more.
    pub fn remove(&mut self, address: Address, deleted: bool) {
        let gone = self.resources.remove(&address);
        if let Some(record) = gone.filter(|_| !deleted) {
            self.watch(address, record);
        }
    }

    /// A call may have changed it, and no run has seen what came of it.
    pub fn not_seen_well(&mut self, address: Address) {
        if let Some(record) = self.resources.get_mut(&address) {
            record.ready = false;
        }
    }

    /// What was never seen since it was created isn't gone for sure when reads don't show it.
    fn watch(&mut self, address: Address, record: Record) {
        if record.ready || record.intent.is_empty() {
            return;
        }
        let (id, action) = (record.intent.clone(), IntentAction::Create);
        let record = Record { id: String::new(), ..record };
        self.watched.push(Intent { id, address, action, record, deposes: false });
    }

    /// Every self that is recorded at an address, the present one first.
    pub fn selves(&self, address: Address) -> impl Iterator<Item = &Record> {
        let old = self.deposed.get(&address).into_iter().flatten();
        self.resources.get(&address).into_iter().chain(old)
    }

    /// Forgets an old self that is deleted by now; twins of one intent are told apart by their ids.
    pub fn forget_deposed(&mut self, address: Address, intent: &str, id: Option<&str>) {
        let Some(records) = self.deposed.get_mut(&address) else { return };
        let gone = |record: &Record| record.intent == intent && id.is_none_or(|id| record.id == id);
        records.retain(|record| !gone(record));
        if records.is_empty() {
            self.deposed.remove(&address);
        }
    }
}

/// One resource as last applied. Inputs and outputs are apart: a service's defaults are no inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub kind: String,
    /// The service's identifier.
    pub id: String,
    /// The physical name derived at creation; sticky.
    pub name: String,
    /// The intent that created it, as on its marks.
    pub intent: String,
    /// What it was reached through, resolved: enough to delete it without its stack.
    pub binding: Data,
    /// The inputs as last written, secrets as references.
    pub inputs: Data,
    pub outputs: BTreeMap<String, Data>,
    /// The resources of the same stack that must outlive it.
    #[serde(default)]
    pub dependencies: BTreeSet<Address>,
    #[serde(default)]
    pub protect: bool,
    #[serde(default)]
    pub retain: bool,
    /// Fields that others may change: never compared after creation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<Symbol>,
    /// Whether it was seen ready after its creation; of kinds that are followed, whether its last change was followed
    /// to a good end.
    #[serde(default)]
    pub ready: bool,
    /// How often it was replaced by one that was created before; part of its physical name.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub generation: u32,
    /// Rebuilt from what exists, and not confirmed by a person yet: it is neither deleted nor replaced.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unconfirmed: bool,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}
