//! The journal: each changing call's intent is durable before the call, its result after it.
//!
//! A run writes numbered segments, each created once and never changed. What a run left behind is
//! folded into the state by the next one; intents without a result are settled by looking.

use super::{Record, State, StateError, Store};
use crate::{Address, Data};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tokio::sync::{mpsc, oneshot};

/// Entries that wait for the writer; a sender waits when there are more.
const QUEUE: usize = 512;
/// Most entries in one segment.
const BATCH: usize = 256;

/// What a call is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Create,
    Update,
    Delete,
}

/// A call that is about to be sent: enough to find out later whether it had its effect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// The intent's id: the client token, or the mark that creation leaves.
    pub id: String,
    pub address: Address,
    pub action: Action,
    /// The record as it will be if the call has its effect; its `id` is empty before creation.
    pub record: Record,
    /// A creation that leaves the one before in place, to be deleted later.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deposes: bool,
}

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// The first entry of a run: the state it started from.
    Begin {
        lineage: String,
        serial: u64,
    },
    Intent(Intent),
    /// The call had its effect; the record after it, or `None` after a deletion.
    Done {
        intent: String,
        address: Address,
        record: Option<Record>,
        /// The one before is still there, to be deleted later.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        deposes: bool,
    },
    /// The old self of a resource, created by the intent `of`, is deleted.
    Cleared {
        intent: String,
        address: Address,
        of: String,
        /// Its identifier; absent in journals of older programs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
    /// Resources have new addresses: new by old.
    Moved(BTreeMap<Address, Address>),
    /// The call certainly had no effect.
    Void {
        intent: String,
        reason: String,
    },
}

/// A state with the journals of unfinished runs folded in.
#[derive(Debug)]
pub struct Folded {
    pub state: State,
    /// Intents of which nobody knows yet whether they had their effect.
    pub open: Vec<Intent>,
    /// The runs whose journals were folded in, to be cleared once the state is written.
    pub runs: Vec<String>,
}

/// Folds the journals of earlier runs into the state that they started from.
pub fn fold(mut state: State, runs: Vec<(String, Vec<Entry>)>) -> Folded {
    let left_open = std::mem::take(&mut state.open);
    let mut open: BTreeMap<String, Intent> =
        left_open.into_iter().map(|intent| (intent.id.clone(), intent)).collect();
    let mut folded = vec![];
    for (run, entries) in runs {
        // A run whose end was written into the state only lacked time to clear its journal. Serials don't
        // tell: the one that it would have written may be another's, and then only its journal knows what
        // it did.
        let included = state.runs.contains(&run);
        folded.push(run);
        // Clearing takes the beginning last, so one without it is of no run that can be cut off.
        let begins = entries.iter().any(|entry| matches!(entry, Entry::Begin { .. }));
        if included || !begins {
            continue;
        }
        for entry in entries {
            match entry {
                Entry::Begin { lineage, .. } if state.serial == 0 => state.lineage = lineage,
                Entry::Begin { .. } => {}
                Entry::Intent(intent) => {
                    open.insert(intent.id.clone(), intent);
                }
                Entry::Done { intent, address, record, deposes } => {
                    open.remove(&intent);
                    match record {
                        Some(record) => state.put(address, record, deposes),
                        // Nothing was called for what is only forgotten.
                        None => state.remove(address, !intent.is_empty()),
                    }
                }
                Entry::Cleared { intent, address, of, id } => {
                    open.remove(&intent);
                    state.forget_deposed(address, &of, id.as_deref());
                }
                Entry::Moved(moves) => state.move_all(&moves),
                Entry::Void { intent, .. } => drop(open.remove(&intent)),
            }
        }
    }
    for intent in open.values().filter(|intent| intent.action == Action::Update) {
        state.not_seen_well(intent.address);
    }
    Folded { state, open: open.into_values().collect(), runs: folded }
}

/// The journal of the run in progress. Clones write to the same one.
#[derive(Clone)]
pub struct Journal {
    run: String,
    queue: mpsc::Sender<(Entry, oneshot::Sender<Result<(), String>>)>,
}

impl Journal {
    /// Begins a run's journal on top of a state.
    pub async fn begin(store: &Store, state: &State) -> Result<Self, StateError> {
        let run = uuid::Uuid::now_v7().to_string();
        let (queue, entries) = mpsc::channel(QUEUE);
        let (store, stack, writer_run) = (store.clone(), state.stack.clone(), run.clone());
        // A task of its own: what was begun is written to its end, whatever becomes of who waits for it.
        tokio::spawn(write_segments(store, stack, writer_run, entries));
        let journal = Self { run, queue };
        let (lineage, serial) = (state.lineage.clone(), state.serial);
        journal.write(Entry::Begin { lineage, serial }).await?;
        Ok(journal)
    }

    pub fn run(&self) -> &str {
        &self.run
    }

    /// Returns once the entry is durable.
    pub async fn write(&self, entry: Entry) -> Result<(), StateError> {
        let (done, written) = oneshot::channel();
        let gone = || StateError::Journal("its thread ended".into());
        self.queue.send((entry, done)).await.map_err(|_| gone())?;
        written.await.map_err(|_| gone())?.map_err(StateError::Journal)
    }
}

type Waiting = (Entry, oneshot::Sender<Result<(), String>>);

async fn write_segments(
    store: Store,
    stack: String,
    run: String,
    mut queue: mpsc::Receiver<Waiting>,
) {
    let mut number = 0;
    let mut batch: Vec<Waiting> = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let entries: Vec<&Entry> = batch.iter().map(|(entry, _)| entry).collect();
        let result = store.write_segment(&stack, &run, number, &entries).await;
        number += 1;
        let result = result.map_err(|error| error.to_string());
        for (_, done) in batch.drain(..) {
            // Whoever waited may have given up; the entry is durable all the same.
            let _ = done.send(result.clone());
        }
    }
}

/// What a record looks like before its creation: no identifier, no outputs.
impl Record {
    pub(crate) fn intended(kind: &str, name: String, intent: &str, binding: Data) -> Self {
        Self {
            kind: kind.to_owned(),
            id: String::new(),
            name,
            intent: intent.to_owned(),
            binding,
            inputs: Data::empty_map(),
            outputs: BTreeMap::new(),
            dependencies: Default::default(),
            protect: false,
            retain: false,
            ignore: vec![],
            ready: false,
            generation: 0,
            unconfirmed: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str) -> Record {
        let name = "n".to_owned();
        Record { id: id.into(), ..Record::intended("t", name, "i1", Data::Null) }
    }

    fn intent(id: &str, name: &str) -> Intent {
        Intent {
            id: id.into(),
            address: Address::new("s", name).unwrap(),
            action: Action::Create,
            record: record(""),
            deposes: false,
        }
    }

    fn done(id: &str, name: &str, record: Option<Record>) -> Entry {
        let address = Address::new("s", name).unwrap();
        Entry::Done { intent: id.into(), address, record, deposes: false }
    }

    #[test]
    fn a_cut_off_run_is_folded_in_and_its_open_intents_are_named() {
        let state = State::empty("s");
        let begin = Entry::Begin { lineage: state.lineage.clone(), serial: 0 };
        let entries = vec![
            begin,
            Entry::Intent(intent("1", "a")),
            Entry::Intent(intent("2", "b")),
            Entry::Intent(intent("3", "c")),
            done("1", "a", Some(record("a-1"))),
            Entry::Void { intent: "3".into(), reason: "refused".into() },
        ];
        let folded = fold(state, vec![("run".into(), entries)]);
        assert_eq!(folded.state.resources.len(), 1);
        assert_eq!(folded.open.iter().map(|i| i.id.as_str()).collect::<Vec<_>>(), ["2"]);
    }

    #[test]
    fn what_was_cut_off_in_an_update_is_not_known_to_be_well() {
        let mut state = State::empty("s");
        let address = intent("1", "a").address;
        let recorded = Record { ready: true, ..record("a-1") };
        let begin = || Entry::Begin { lineage: state.lineage.clone(), serial: 0 };
        let update = || Entry::Intent(Intent { action: Action::Update, ..intent("1", "a") });
        let refused = || Entry::Void { intent: "1".into(), reason: "refused".into() };
        let runs = [
            (vec![begin(), update()], false),
            (vec![begin(), update(), refused()], true),
            (vec![begin(), update(), done("1", "a", Some(recorded.clone()))], true),
        ];
        state.put(address, recorded, false);
        for (entries, well) in runs {
            let folded = fold(state.clone(), vec![("run".into(), entries)]);
            assert_eq!(folded.state.resources[&address].ready, well);
        }
    }

    #[test]
    fn a_run_that_the_state_already_holds_changes_nothing() {
        let mut state = State::empty("s");
        let begin = Entry::Begin { lineage: state.lineage.clone(), serial: 0 };
        state.serial = 1;
        state.include("run");
        let entries = vec![begin, Entry::Intent(intent("1", "a"))];
        let folded = fold(state.clone(), vec![("run".into(), entries)]);
        assert_eq!((folded.state, folded.open), (state, vec![]));
        assert_eq!(folded.runs, ["run"]);
    }

    #[test]
    fn a_run_that_lost_its_serial_to_another_is_folded_in_all_the_same() {
        let mut state = State::empty("s");
        let begin = Entry::Begin { lineage: state.lineage.clone(), serial: 0 };
        state.serial = 1;
        state.include("winner");
        let entries =
            vec![begin, Entry::Intent(intent("1", "a")), done("1", "a", Some(record("a-1")))];
        let folded = fold(state, vec![("loser".into(), entries)]);
        assert_eq!(folded.state.resources.len(), 1);
    }

    #[test]
    fn a_state_remembers_its_last_runs() {
        let mut state = State::empty("s");
        for i in 0..=super::super::REMEMBERED_RUNS {
            state.include(&i.to_string());
        }
        assert_eq!(state.runs.len(), super::super::REMEMBERED_RUNS);
        assert_eq!(state.runs[0], "1");
    }

    #[tokio::test]
    async fn what_was_written_is_read_back_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::folder(dir.path()).unwrap();
        let state = State::empty("s");
        let journal = Journal::begin(&store, &state).await.unwrap();
        for i in 0..10 {
            journal.write(Entry::Intent(intent(&i.to_string(), "a"))).await.unwrap();
        }
        let runs = store.journals("s").await.unwrap();
        assert_eq!(runs.len(), 1);
        assert_eq!(runs[0].1.len(), 11);
        assert_eq!(runs[0].1[10], Entry::Intent(intent("9", "a")));
        store.clear_journal("s", journal.run()).await.unwrap();
        assert!(store.journals("s").await.unwrap().is_empty());
    }
}
