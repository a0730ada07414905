//! The store of states: versions, races, damage, leases, sealing; in a folder and in an object store.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use formwork_engine::{
    Address, Data, Record, State, StateError,
    state::{Entry, Intent, IntentAction, Journal, KEPT_VERSIONS, Passphrase, Store},
};
use futures::{StreamExt as _, stream::FuturesUnordered};
use object_store::{ObjectStore, memory::InMemory};
use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::Duration};

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

/// A store that fails at its n-th write, as a full disk does.
mod full {
    use super::*;
    use object_store::{
        CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
        PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, path::Path,
    };
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[derive(Debug)]
    pub struct Full {
        pub inner: Arc<InMemory>,
        pub left: AtomicUsize,
    }

    impl std::fmt::Display for Full {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a full disk")
        }
    }

    #[async_trait::async_trait]
    impl ObjectStore for Full {
        async fn put_opts(&self, at: &Path, put: PutPayload, o: PutOptions) -> Result<PutResult> {
            if self.left.fetch_sub(1, Ordering::SeqCst) == 0 {
                self.left.store(0, Ordering::SeqCst);
                let source = "No space left on device (os error 28)".into();
                return Err(Error::Generic { store: "full", source });
            }
            self.inner.put_opts(at, put, o).await
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
            at: futures::stream::BoxStream<'static, Result<Path>>,
        ) -> futures::stream::BoxStream<'static, Result<Path>> {
            self.inner.delete_stream(at)
        }
        fn list(
            &self,
            prefix: Option<&Path>,
        ) -> futures::stream::BoxStream<'static, Result<ObjectMeta>> {
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

#[tokio::test]
async fn a_full_disk_is_said_and_what_was_there_stays() {
    for writes in 0..4 {
        let inner = Arc::new(InMemory::new());
        let good = Store::objects(inner.clone(), "", "memory:");
        good.write(&state(1)).await.unwrap();
        let full = Arc::new(full::Full { inner, left: writes.into() });
        let store = Store::objects(full, "", "memory:");
        let run = async {
            let journal = Journal::begin(&store, &state(1)).await?;
            journal.write(intent("1")).await?;
            journal.write(intent("2")).await?;
            store.write(&state(2)).await
        };
        let error = run.await.unwrap_err();
        assert!(error.to_string().contains("No space left on device"), "{error}");
        assert_eq!(good.read("s").await.unwrap().unwrap(), state(1));
        let entries: BTreeMap<String, Vec<Entry>> =
            good.journals("s").await.unwrap().into_iter().collect();
        assert!(entries.values().all(|entries| matches!(entries[0], Entry::Begin { .. })));
    }
}
