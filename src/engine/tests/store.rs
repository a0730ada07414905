//! The store of states: versions, races, damage, leases, sealing; in a folder and in an object store.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use formwork_engine::{
    Address, Data, Record, State, StateError,
    state::{
        Entry, IdentityFile, Intent, IntentAction, Journal, KEPT_VERSIONS, Passphrase, Store, Terms,
    },
};
use futures::{
    StreamExt as _,
    stream::{self, FuturesUnordered},
};
use object_store::{ObjectStore, memory::InMemory};
use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::Duration};
use troubled::{Trouble, Troubled};

/// Writers that race for one serial.
const RACERS: usize = 32;

fn state(serial: u64) -> State {
    State { serial, lineage: "lineage".into(), ..State::empty("s") }
}

fn record(id: &str) -> Record {
    let json = serde_json::json!({
        "kind": "mem.Network", "id": id, "name": "n", "intent": id,
        "binding": {}, "inputs": {"cidr": "10.0.0.0/16"}, "outputs": {},
    });
    serde_json::from_value(json).unwrap()
}

fn folder(path: &Path) -> Store {
    Store::folder(path).unwrap().by("me")
}

fn memory() -> (Store, Arc<InMemory>) {
    let objects = Arc::new(InMemory::new());
    (Store::objects(objects.clone(), "team/app", "memory:team/app").by("me"), objects)
}

#[tokio::test]
async fn a_serial_is_written_once_and_the_last_versions_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    for store in [folder(dir.path()), memory().0] {
        assert!(store.read("s").await.unwrap().is_none());
        assert!(store.stacks().await.unwrap().is_empty());
        let last = KEPT_VERSIONS as u64 + 5;
        for serial in 1..=last {
            store.write(&state(serial)).await.unwrap();
        }
        let again = store.write(&state(last)).await;
        assert!(matches!(again, Err(StateError::Conflict { .. })));
        assert_eq!(store.read("s").await.unwrap().unwrap(), state(last));
        assert_eq!(store.stacks().await.unwrap(), ["s"]);
        let serials = store.serials("s").await.unwrap();
        assert_eq!((serials.len(), serials[0]), (KEPT_VERSIONS, 6));
        let history = store.history("s").await.unwrap();
        assert!(history.iter().all(|version| version.header.as_ref().unwrap().by == "me"));
        store.remove("s").await.unwrap();
        assert!(store.stacks().await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_writers_of_one_serial_exactly_one_wins() {
    let dir = tempfile::tempdir().unwrap();
    for store in [folder(dir.path()), memory().0] {
        let race: FuturesUnordered<_> = (0..RACERS)
            .map(|i| {
                let store = store.clone();
                tokio::spawn(async move {
                    let mut state = state(1);
                    state.exports.insert("racer".into(), Data::Text(i.to_string()));
                    store.write(&state).await.map(|()| state)
                })
            })
            .collect();
        let ended: Vec<_> = race.map(Result::unwrap).collect().await;
        let won: Vec<&State> = ended.iter().filter_map(|end| end.as_ref().ok()).collect();
        assert_eq!(won.len(), 1);
        assert_eq!(&store.read("s").await.unwrap().unwrap(), won[0]);
        let lost = ended.iter().filter(|end| matches!(end, Err(StateError::Conflict { .. })));
        assert_eq!(lost.count(), RACERS - 1);
    }
}

/// Yesterday's file: plain JSON of format 1.
const FORMAT_1: &str = r#"{
  "format": 1,
  "stack": "s",
  "lineage": "0197a1b2-0000-7000-8000-000000000001",
  "serial": 3,
  "resources": {
    "s/net": {
      "kind": "mem.Network",
      "id": "net-0",
      "name": "s-net",
      "intent": "0197a1b2-0000-7000-8000-000000000002",
      "binding": {},
      "inputs": { "cidr": "10.0.0.0/16" },
      "outputs": { "id": "net-0" },
      "dependencies": [],
      "protect": true,
      "retain": false,
      "ready": true
    }
  },
  "exports": { "network": "net-0" },
  "imports": {}
}"#;

#[tokio::test]
async fn a_state_of_the_first_format_is_read_and_goes_on_in_the_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = folder(dir.path());
    fs::create_dir_all(dir.path().join("s/state")).unwrap();
    fs::write(dir.path().join("s/state/00000003.json"), FORMAT_1).unwrap();
    let mut state = store.read("s").await.unwrap().unwrap();
    let net: Address = "s/net".parse().unwrap();
    assert_eq!((state.serial, state.resources[&net].id.as_str()), (3, "net-0"));
    assert!(state.resources[&net].protect);
    state.serial = 4;
    store.write(&state).await.unwrap();
    let text = fs::read_to_string(dir.path().join("s/state/00000004.json")).unwrap();
    assert!(text.starts_with(r#"{"formwork":"state","format":2,"#), "{text}");
    assert_eq!(store.read("s").await.unwrap().unwrap(), state);
}

#[tokio::test]
async fn any_damage_is_named_and_the_version_before_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = folder(dir.path());
    for serial in 1..=2 {
        store.write(&state(serial)).await.unwrap();
    }
    let path = dir.path().join("s/state/00000002.json");
    let whole = fs::read(&path).unwrap();
    let check = async |damaged: &[u8], what: &str| {
        fs::write(&path, damaged).unwrap();
        let error = store.read("s").await.err().unwrap_or_else(|| panic!("{what} goes unseen"));
        let text = error.to_string();
        assert!(text.contains("state/00000002.json"), "{what}: {text}");
        assert_eq!(fs::read(&path).unwrap(), damaged, "{what}: left as it was");
        error
    };
    for i in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[i] ^= 1 << (i % 8);
        check(&flipped, &format!("bit {i}")).await;
        if i % 5 == 0 {
            let error = check(&whole[..i], &format!("cut at {i}")).await;
            assert!(error.hint().unwrap().contains("formwork state rollback-to s 1"));
        }
    }
    let text = String::from_utf8(whole.clone()).unwrap();
    let future = text.replacen(r#""format":2"#, r#""format":99"#, 1);
    let error = check(future.as_bytes(), "the future").await;
    assert!(matches!(error, StateError::Format { found: 99, .. }), "{error}");
    // What the command of the hint does.
    let (back, _) = store.read_serial("s", 1, None).await.unwrap();
    store.write(&State { serial: 3, ..back }).await.unwrap();
    assert_eq!(store.read("s").await.unwrap().unwrap().serial, 3);
}

fn intent(id: &str) -> Entry {
    Entry::Intent(Intent {
        id: id.into(),
        address: "s/net".parse().unwrap(),
        action: IntentAction::Create,
        record: record(""),
        deposes: false,
    })
}

#[tokio::test]
async fn a_damaged_journal_is_named_and_stays() {
    let dir = tempfile::tempdir().unwrap();
    let store = folder(dir.path());
    let journal = Journal::begin(&store, &state(1)).await.unwrap();
    journal.write(intent("1")).await.unwrap();
    let path = dir.path().join(format!("s/journal/{}/00000001.json", journal.run()));
    let whole = fs::read(&path).unwrap();
    for damaged in [&whole[..whole.len() - 9], b"", b"[]"] {
        fs::write(&path, damaged).unwrap();
        let error = store.journals("s").await.unwrap_err();
        assert!(error.to_string().contains("00000001.json"), "{error}");
        assert!(error.hint().is_some());
    }
    fs::write(&path, whole).unwrap();
    assert_eq!(store.journals("s").await.unwrap()[0].1.len(), 2);
}

#[tokio::test]
async fn a_sealed_store_shows_nothing_and_opens_with_its_key_alone() {
    let dir = tempfile::tempdir().unwrap();
    let keyring = Passphrase::new("correct horse".into());
    let store = folder(dir.path()).sealed_by(&keyring).await.unwrap();
    let mut secretive = state(1);
    secretive.resources.insert("s/net".parse().unwrap(), record("very-telling-id"));
    store.write(&secretive).await.unwrap();
    let journal = Journal::begin(&store, &secretive).await.unwrap();
    journal.write(intent("very-telling-id")).await.unwrap();
    for file in files(dir.path()) {
        let bytes = fs::read(&file).unwrap();
        let telling = bytes.windows(15).any(|window| window == b"very-telling-id");
        assert!(!telling, "{}", file.display());
    }
    let again = folder(dir.path()).sealed_by(&keyring).await.unwrap();
    assert_eq!(again.read("s").await.unwrap().unwrap(), secretive);
    assert_eq!(again.journals("s").await.unwrap()[0].1.len(), 2);
    let error = folder(dir.path()).read("s").await.unwrap_err();
    assert!(error.hint().unwrap().contains("--encryption"), "{error}");
    let wrong = Passphrase::new("wrong".into());
    assert!(folder(dir.path()).sealed_by(&wrong).await.is_err());
}

#[tokio::test]
async fn a_sealed_store_takes_nothing_in_the_clear_and_changes_its_lock_on_demand() {
    let (store, _) = memory();
    let (old, new) = (Passphrase::new("old".into()), Passphrase::new("new".into()));
    let sealed = store.clone().sealed_by(&old).await.unwrap();
    sealed.write(&state(1)).await.unwrap();
    let error = store.clone().unsealed().await.err().unwrap();
    assert!(error.to_string().contains("age-passphrase"), "{error}");
    assert!(error.hint().unwrap().contains("--encryption"));
    // Another way to lock it isn't another key.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("identity");
    fs::write(&file, IDENTITY).unwrap();
    let identity = IdentityFile::read(&file).unwrap();
    let error = store.clone().sealed_by(&identity).await.err().unwrap();
    assert!(error.to_string().contains("locked by: age-passphrase"), "{error}");
    sealed.relock(&new).await.unwrap();
    assert!(store.clone().sealed_by(&old).await.is_err());
    let sealed = store.clone().sealed_by(&new).await.unwrap();
    assert_eq!(sealed.read("s").await.unwrap().unwrap(), state(1));
    sealed.relock(&identity).await.unwrap();
    assert_eq!(store.keyrings().await.unwrap(), ["age-identity"]);
    let sealed = store.sealed_by(&identity).await.unwrap();
    assert_eq!(sealed.read("s").await.unwrap().unwrap(), state(1));
}

/// Of no use but this: an identity of age's own documentation form.
const IDENTITY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn one_writer_at_a_time_and_people_are_told_who() {
    let dir = tempfile::tempdir().unwrap();
    let store = folder(dir.path());
    let hold = store.hold("s").await.unwrap();
    hold.allows(Duration::from_secs(1_000)).unwrap();
    let error = store.clone().by("you").hold("s").await.err().unwrap();
    assert_eq!(error.to_string(), "stack `s` is being changed by another run: me");
    assert_eq!(store.holder("s").await.unwrap().unwrap(), "me");
    hold.release().await.unwrap();
    assert_eq!(store.holder("s").await.unwrap(), None);
    store.hold("s").await.unwrap();
}

#[tokio::test]
async fn a_lease_that_was_taken_away_begins_no_call_any_more() {
    let (store, _) = memory();
    let hold = store.hold("s").await.unwrap();
    hold.allows(Duration::from_secs(60)).unwrap();
    assert!(hold.allows(Duration::from_secs(100_000)).is_err(), "longer than the lease lasts");
    assert_eq!(store.holder("s").await.unwrap().unwrap(), "me");
    // Let go, and it is free at once.
    hold.release().await.unwrap();
    let hold = store.hold("s").await.unwrap();
    // A person takes it away from a run that looks dead; the next run has it.
    store.break_hold("s").await.unwrap();
    let next = store.clone().by("next").hold("s").await.unwrap();
    assert_eq!(store.holder("s").await.unwrap().unwrap(), "next");
    // The one that was only paused can't take it back by letting go.
    hold.release().await.unwrap();
    assert_eq!(store.holder("s").await.unwrap().unwrap(), "next");
    next.allows(Duration::from_secs(60)).unwrap();
}

#[tokio::test]
async fn what_is_left_of_a_half_cleared_journal_counts_for_nothing() {
    let (store, objects) = memory();
    store.write(&state(1)).await.unwrap();
    let journal = Journal::begin(&store, &state(1)).await.unwrap();
    journal.write(intent("1")).await.unwrap();
    let begin = format!("team/app/s/journal/{}/00000000.json", journal.run());
    objects.delete_stream(futures::stream::iter([Ok(begin.into())]).boxed()).next().await;
    let folded = formwork_engine::session::load(&store, "s").await.unwrap();
    assert!(folded.open.is_empty());
    assert_eq!(folded.runs, [journal.run()]);
}

/// A store that has trouble with its n-th write or deletion.
mod troubled {
    use super::*;
    use futures::stream::BoxStream;
    use object_store::{
        CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
        PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, path::Path,
    };
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[derive(Clone, Copy, Debug, PartialEq)]
    pub enum Trouble {
        /// That write fails, and all after it.
        Full,
        /// That write is done, and its answer is lost.
        LostAnswer,
        /// That write is refused since another is under way, which fails too: S3's 409.
        Race,
        /// That deletion fails, and all after it.
        CutOff,
    }

    #[derive(Debug)]
    pub struct Troubled {
        inner: Arc<InMemory>,
        trouble: Trouble,
        left: AtomicUsize,
    }

    impl Troubled {
        pub fn new(inner: &Arc<InMemory>, trouble: Trouble, at: usize) -> Arc<Self> {
            Arc::new(Self { inner: inner.clone(), trouble, left: at.into() })
        }

        /// Whether it is time, once or from then on.
        fn due(&self, trouble: Trouble) -> bool {
            if self.trouble != trouble {
                return false;
            }
            let lasting = matches!(trouble, Trouble::Full | Trouble::CutOff);
            let counted =
                self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| match left {
                    0 if lasting => Some(0),
                    0 => Some(usize::MAX),
                    left => Some(left - 1),
                });
            counted == Ok(0)
        }
    }

    fn failure(text: &'static str) -> Error {
        Error::Generic { store: "troubled", source: text.into() }
    }

    impl std::fmt::Display for Troubled {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a store in trouble")
        }
    }

    #[async_trait::async_trait]
    impl ObjectStore for Troubled {
        async fn put_opts(&self, at: &Path, put: PutPayload, o: PutOptions) -> Result<PutResult> {
            if self.due(Trouble::Full) {
                return Err(failure("No space left on device (os error 28)"));
            }
            if self.due(Trouble::Race) {
                let source = "409 ConditionalRequestConflict".into();
                return Err(Error::AlreadyExists { path: at.to_string(), source });
            }
            let lost = self.due(Trouble::LostAnswer);
            let result = self.inner.put_opts(at, put, o).await;
            if lost { Err(failure("connection reset")) } else { result }
        }
        async fn put_multipart_opts(
            &self,
            at: &Path,
            options: PutMultipartOptions,
        ) -> Result<Box<dyn MultipartUpload>> {
            self.inner.put_multipart_opts(at, options).await
        }
        async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
            self.inner.get_opts(at, options).await
        }
        fn delete_stream(
            &self,
            at: BoxStream<'static, Result<Path>>,
        ) -> BoxStream<'static, Result<Path>> {
            if self.due(Trouble::CutOff) {
                return stream::iter([Err(failure("cut off"))]).boxed();
            }
            self.inner.delete_stream(at)
        }
        fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
            self.inner.list(prefix)
        }
        async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
            self.inner.list_with_delimiter(prefix).await
        }
        async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
            self.inner.copy_opts(from, to, options).await
        }
    }
}

/// A journal and a state, four writes in all.
async fn run(store: &Store) -> Result<(), StateError> {
    let journal = Journal::begin(store, &state(1)).await?;
    journal.write(intent("1")).await?;
    journal.write(intent("2")).await?;
    store.write(&state(2)).await
}

#[tokio::test]
async fn a_full_disk_is_said_and_what_was_there_stays() {
    for at in 0..4 {
        let (good, inner) = memory();
        good.write(&state(1)).await.unwrap();
        let store = Store::objects(Troubled::new(&inner, Trouble::Full, at), "team/app", "full");
        let error = run(&store).await.unwrap_err();
        assert!(error.to_string().contains("No space left on device"), "{error}");
        assert_eq!(good.read("s").await.unwrap().unwrap(), state(1));
        let entries: BTreeMap<String, Vec<Entry>> =
            good.journals("s").await.unwrap().into_iter().collect();
        assert!(entries.values().all(|entries| matches!(entries[0], Entry::Begin { .. })));
    }
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_or_that_raced_counts_if_it_is_there() {
    for trouble in [Trouble::LostAnswer, Trouble::Race] {
        for at in 0..4 {
            let (good, inner) = memory();
            good.write(&state(1)).await.unwrap();
            let store = Store::objects(Troubled::new(&inner, trouble, at), "team/app", "memory");
            run(&store).await.unwrap();
            assert_eq!(good.read("s").await.unwrap().unwrap(), state(2), "{trouble:?} {at}");
            let journals = good.journals("s").await.unwrap();
            assert_eq!(journals[0].1.len(), 3, "{trouble:?} {at}: every entry is durable");
        }
    }
}

#[tokio::test]
async fn a_removal_that_is_cut_off_leaves_no_state_of_long_ago() {
    for at in 0..5 {
        let (good, inner) = memory();
        for serial in 1..=3 {
            good.write(&state(serial)).await.unwrap();
        }
        Journal::begin(&good, &state(3)).await.unwrap();
        let store = Store::objects(Troubled::new(&inner, Trouble::CutOff, at), "team/app", "cut");
        let removed = store.remove("s").await;
        assert_eq!(removed.is_err(), at < 4, "four objects");
        let left = good.read("s").await.unwrap().map(|state| state.serial);
        assert_eq!(left, (at < 4).then_some(3), "cut at {at}");
    }
}

#[tokio::test]
async fn a_dead_holders_lease_is_taken_over_when_it_could_begin_no_call_any_more() {
    let short = Terms {
        lasts: Duration::from_millis(1500),
        heartbeat: Duration::from_millis(50),
        look: Duration::from_millis(20),
    };
    let (good, inner) = memory();
    // It takes the lease, and none of its heartbeats arrives.
    let cut = Store::objects(Troubled::new(&inner, Trouble::Full, 1), "team/app", "memory");
    let paused = cut.by("paused").terms(short).hold("s").await.unwrap();
    let next = good.by("next").terms(short).hold("s").await.unwrap();
    assert!(matches!(paused.allows(Duration::ZERO), Err(StateError::Lost { .. })));
    // What it was in the middle of sends nothing any more, however long it would go on.
    let call = paused.during(Duration::ZERO, std::future::pending::<()>()).await;
    assert!(call.unwrap_err().to_string().contains("No space left"));
    paused.release().await.unwrap();
    drop(next);
}

#[tokio::test]
async fn a_lease_that_a_person_takes_away_ends_what_is_under_way() {
    let (store, _) = memory();
    let store = store.terms(Terms { heartbeat: Duration::from_millis(20), ..Terms::default() });
    let hold = store.hold("s").await.unwrap();
    assert_eq!(hold.during(Duration::ZERO, async { 7 }).await.unwrap(), 7);
    store.break_hold("s").await.unwrap();
    let error = hold.during(Duration::ZERO, std::future::pending::<()>()).await.unwrap_err();
    assert!(error.to_string().contains("taken away"), "{error}");
}
