//! State in a bucket: conditional writes, racing writers, leases and sealing, against two emulators of S3.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use formwork_aws::{KmsKey, Setup, open_bucket};
use formwork_engine::{
    Data, State, StateError,
    state::{Entry, Journal, Store},
};
use futures::{StreamExt as _, stream::FuturesUnordered};
use std::time::Duration;
use support::{REGION, emulators, key};

/// Writers that race for one serial.
const RACERS: usize = 32;

struct Place {
    account: String,
    url: String,
    setup: Setup,
}

impl Place {
    /// A new bucket in an account of its own.
    fn new(endpoint: &str) -> Self {
        let account = support::fresh_account();
        let bucket = format!("state-{account}");
        let put = ureq::put(format!("{endpoint}/{bucket}"));
        let put = put.header("Authorization", authorization(&account, "s3"));
        let body = format!(
            "<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>"
        );
        put.send(body).unwrap();
        let url =
            format!("s3://{bucket}/team/app?region={REGION}&endpoint={endpoint}&path_style=true");
        let setup = Setup { credentials: Some(key(&account)), ..Setup::default() };
        Self { account, url, setup }
    }

    async fn store(&self, by: &str) -> Store {
        let bucket = open_bucket(&self.url, &self.setup).await.unwrap();
        Store::objects(bucket.objects, &bucket.prefix, bucket.place).by(by)
    }
}

/// To the emulators, a key of twelve digits is the root of that account, and its signature isn't checked.
fn authorization(account: &str, service: &str) -> String {
    let credential = format!("{account}/20260101/{REGION}/{service}/aws4_request");
    format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=unchecked")
}

/// A key of KMS, made without formwork.
fn make_key(endpoint: &str, account: &str) -> String {
    let post = ureq::post(endpoint)
        .header("Authorization", authorization(account, "kms"))
        .header("X-Amz-Target", "TrentService.CreateKey")
        .header("Content-Type", "application/x-amz-json-1.1");
    let answer = post.send("{}").unwrap().body_mut().read_to_string().unwrap();
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    answer["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned()
}

fn state(serial: u64) -> State {
    State { serial, lineage: "lineage".into(), ..State::empty("s") }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_writers_of_one_serial_exactly_one_wins() {
    for (name, endpoint) in emulators() {
        let place = Place::new(&endpoint);
        let store = place.store("me").await;
        for serial in 1..=3 {
            let race: FuturesUnordered<_> = (0..RACERS)
                .map(|i| {
                    let store = store.clone();
                    tokio::spawn(async move {
                        let mut state = state(serial);
                        state.exports.insert("racer".into(), Data::Text(i.to_string()));
                        store.write(&state).await.map(|()| state)
                    })
                })
                .collect();
            let ended: Vec<_> = race.map(Result::unwrap).collect().await;
            let won: Vec<&State> = ended.iter().filter_map(|end| end.as_ref().ok()).collect();
            assert_eq!(won.len(), 1, "{name}: {ended:?}");
            assert_eq!(&store.read("s").await.unwrap().unwrap(), won[0], "{name}");
            let lost = ended.iter().filter(|end| matches!(end, Err(StateError::Conflict { .. })));
            assert_eq!(lost.count(), RACERS - 1, "{name}: {ended:?}");
        }
        assert_eq!(store.stacks().await.unwrap(), ["s"], "{name}");
        assert_eq!(store.serials("s").await.unwrap(), [1, 2, 3], "{name}");
        let journal = Journal::begin(&store, &state(3)).await.unwrap();
        journal.write(Entry::Void { intent: "1".into(), reason: "no".into() }).await.unwrap();
        assert_eq!(store.journals("s").await.unwrap()[0].1.len(), 2, "{name}");
        store.clear_journal("s", journal.run()).await.unwrap();
        assert!(store.journals("s").await.unwrap().is_empty(), "{name}");
        store.remove("s").await.unwrap();
        assert!(store.stacks().await.unwrap().is_empty(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_has_one_writer_and_a_paused_one_is_fenced() {
    for (name, endpoint) in emulators() {
        let place = Place::new(&endpoint);
        let (ours, theirs) = (place.store("us").await, place.store("them").await);
        let race: FuturesUnordered<_> = (0..8)
            .map(|i| {
                let store = ours.clone().by(format!("racer {i}"));
                tokio::spawn(async move {
                    // One that finds it taken waits for a sign of life, which comes after a while.
                    tokio::time::timeout(Duration::from_secs(5), store.hold("s")).await
                })
            })
            .collect();
        let ended: Vec<_> = race.map(Result::unwrap).collect().await;
        let mut held: Vec<_> = ended.into_iter().filter_map(|end| end.ok()?.ok()).collect();
        assert_eq!(held.len(), 1, "{name}");
        let first = held.pop().unwrap();
        first.allows(Duration::from_secs(60)).unwrap();
        // The first is paused, and a person who takes it for dead gives the stack to the next.
        ours.write(&state(1)).await.unwrap();
        theirs.break_hold("s").await.unwrap();
        let second = theirs.hold("s").await.unwrap();
        theirs.write(&state(2)).await.unwrap();
        // Woken up, it can't write what it thinks is the next serial.
        let late = ours.write(&state(2)).await;
        assert!(matches!(late, Err(StateError::Conflict { serial: 2, .. })), "{name}: {late:?}");
        first.release().await.unwrap();
        assert_eq!(theirs.holder("s").await.unwrap().as_deref(), Some("them"), "{name}");
        second.release().await.unwrap();
        assert_eq!(theirs.holder("s").await.unwrap(), None, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_is_sealed_by_a_key_of_kms() {
    let (_, endpoint) = emulators().remove(0);
    let place = Place::new(&endpoint);
    let key = KmsKey::with("alias/unknown", REGION, Some(&endpoint), &place.setup).await;
    let error = place.store("me").await.sealed_by(&key).await.err().unwrap();
    assert!(error.to_string().contains("kms alias/unknown"), "{error}");
    let id = make_key(&endpoint, &place.account);
    let key = KmsKey::with(&id, REGION, Some(&endpoint), &place.setup).await;
    let store = place.store("me").await.sealed_by(&key).await.unwrap();
    store.write(&state(1)).await.unwrap();
    let error = place.store("me").await.read("s").await.unwrap_err();
    assert!(error.hint().unwrap().contains("--encryption"), "{error}");
    let again = place.store("me").await.sealed_by(&key).await.unwrap();
    assert_eq!(again.read("s").await.unwrap().unwrap(), state(1));
}

#[tokio::test]
async fn a_place_that_is_none_is_said_to_be_none() {
    let setup = Setup::default();
    for (url, why) in [
        ("s3://", "names no bucket"),
        ("s3:///x", "names no bucket"),
        ("s3://bucket/x?regoin=eu", "there is no option `regoin`"),
    ] {
        let error = open_bucket(url, &setup).await.err().unwrap();
        assert!(error.message.contains(why), "{url}: {error}");
        assert!(error.hint.unwrap().contains("s3://BUCKET/PREFIX"));
    }
}
