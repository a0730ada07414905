//! The life of a secret, in the emulator: its text is only ever seen by who fetches it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod outside;
mod support;

use aws_sdk_secretsmanager::types::Tag;
use formwork_aws::{
    SecretsManager,
    iam::{Role, Trust},
    secretsmanager::{Generate, Secret},
};
use formwork_engine::{
    Data, FailureKind, SecretPart, SecretRef, SecretStore as _, Secrets, Stack, map,
};
use outside::outside;
use secrecy::ExposeSecret as _;
use support::{Bench, Thing};

/// Fields that the service never tells, compared with nothing recorded here.
const UNTOLD: &[&str] = &["generate"];

fn draft() -> impl formwork_engine::Draft<Resource = Secret> {
    Secret::new().generate(Generate::new().length(40))
}

async fn made<'b>(bench: &'b Bench, draft: impl formwork_engine::Draft) -> Thing<'b> {
    let mut thing = bench.thing("key", draft);
    thing.create().await.unwrap();
    thing
}

async fn value(thing: &Thing<'_>) -> formwork_engine::Secret {
    match &thing.read().await.expect("it exists").outputs["value"] {
        Data::Secret(secret) => secret.clone(),
        other => panic!("no secret: {other:?}"),
    }
}

fn reference(secret: &formwork_engine::Secret) -> SecretRef {
    match secret.parts() {
        [SecretPart::Ref(reference)] => reference.clone(),
        parts => panic!("not one reference: {parts:?}"),
    }
}

async fn text(bench: &Bench, secret: &formwork_engine::Secret) -> String {
    let secrets = Secrets::new(vec![Box::new(SecretsManager::new(bench.setup()))]);
    secrets.reveal(secret).await.unwrap().expose_secret().to_owned()
}

#[tokio::test]
async fn a_secret() {
    let bench = Bench::new();
    let mut secret = made(
        &bench,
        Secret::new()
            .generate(Generate::new().length(40))
            .description("signs sessions")
            .tags(map! {"team": "web"}),
    )
    .await;
    secret.check_written_but(UNTOLD).await;
    assert_eq!(secret.id(), "test-key");
    assert_eq!(secret.predicted("name").unwrap(), secret.output("name").await);
    assert_eq!(secret.owner().await.unwrap(), secret.subject.owner);

    let first = value(&secret).await;
    assert_eq!(reference(&first).key, secret.output("arn").await);
    assert_eq!(reference(&first).version, "intent-key-r1");
    let text_of_first = text(&bench, &first).await;
    assert_eq!(text_of_first.len(), 40);
    assert!(text_of_first.chars().all(|c| c.is_ascii_alphanumeric()));

    secret.create().await.unwrap();
    assert_eq!(value(&secret).await, first, "the same try again changes nothing");

    let rotated = Secret::new()
        .generate(Generate::new().length(50).symbols(true))
        .rotation(2)
        .description("");
    secret.subject.inputs = bench.thing("key", rotated).subject.inputs;
    assert_eq!(secret.drift().await, ["generate", "rotation", "description"]);
    secret.repair().await;
    secret.check_written_but(UNTOLD).await;
    assert_eq!(secret.owner().await.unwrap(), secret.subject.owner, "its marks stay");
    let second = value(&secret).await;
    assert_eq!(text(&bench, &second).await.len(), 50);
    assert_eq!(text(&bench, &first).await, text_of_first, "who holds the old one still gets it");

    secret.subject.inputs = bench.thing("key", draft()).subject.inputs;
    secret.repair().await;
    assert_eq!(value(&secret).await, first, "back to the one before");

    let seen = secret.read().await.unwrap();
    for shown in [format!("{seen:?}"), serde_json::to_string(&seen).unwrap()] {
        assert!(!shown.contains(&text_of_first), "the text is nowhere but in the store");
    }
    secret.delete().await;
}

#[tokio::test]
async fn tags_are_changed_and_marks_are_left() {
    let bench = Bench::new();
    let with = |tags| Secret::new().generate(Generate::new().length(8)).tags(tags);
    let mut secret = made(&bench, with(map! {"team": "web", "a": "1"})).await;
    secret.subject.inputs = bench.thing("key", with(map! {"team": "api", "b": "2"})).subject.inputs;
    secret.repair().await;
    secret.check_written_but(UNTOLD).await;
    assert_eq!(secret.owner().await.unwrap(), secret.subject.owner);
}

#[tokio::test]
async fn a_deleted_one_is_restored_with_a_new_text_when_it_is_wanted_again() {
    let bench = Bench::new();
    let old = made(&bench, draft()).await;
    let before = value(&old).await;
    let text_before = text(&bench, &before).await;
    old.delete().await;

    let mut new = bench.thing("key", draft());
    new.subject.owner.intent = "intent-later".into();
    new.create().await.unwrap();
    new.check_written_but(UNTOLD).await;
    let after = value(&new).await;
    assert_eq!(reference(&after).key, reference(&before).key, "it is the restored one");
    assert_ne!(text(&bench, &after).await, text_before);
    assert_eq!(new.owner().await.unwrap(), new.subject.owner);
}

#[tokio::test]
async fn no_recovery_days_delete_it_for_good() {
    let bench = Bench::new();
    let at_once = || Secret::new().generate(Generate::new().length(40)).recovery_days(0);
    let secret = made(&bench, at_once()).await;
    let before = value(&secret).await;
    secret.delete().await;
    let store = SecretsManager::new(bench.setup());
    let failure = store.fetch(&reference(&before)).await.unwrap_err();
    assert!(failure.message.contains("doesn't have this version"), "{failure}");

    let again = made(&bench, at_once()).await;
    assert_ne!(reference(&value(&again).await).key, reference(&before).key, "a new one");
}

#[tokio::test]
async fn a_name_that_anothers_secret_holds_is_refused() {
    let bench = Bench::new();
    let first = made(&bench, draft()).await;
    let before = value(&first).await;
    let mut other = bench.thing("key", draft());
    other.subject.owner.lineage = "lineage-2".into();
    let refused = other.create().await.unwrap_err();
    assert_eq!(refused.kind, FailureKind::Taken, "{refused}");
    assert_eq!(value(&first).await, before, "and nothing came of it");

    first.delete().await;
    let refused = other.create().await.unwrap_err();
    assert_eq!(refused.kind, FailureKind::Taken, "{refused}");
    assert!(refused.hint.unwrap().contains("recovery window"));
}

/// Cut off between the two calls of its creation: it is there and ours, without a text.
#[tokio::test]
async fn a_creation_that_was_cut_off_is_finished() {
    let bench = Bench::new();
    let mut secret = bench.thing("key", draft());
    let client = aws_sdk_secretsmanager::Client::new(&outside(&bench).await);
    let mut left = client.create_secret().name("test-key");
    for (key, value) in secret.subject.owner.tags() {
        left = left.tags(Tag::builder().key(key).value(value).build());
    }
    left.send().await.unwrap();
    secret.subject.id = Some("test-key".into());
    assert_eq!(secret.drift().await, ["generate", "rotation"], "the plan says what is missing");

    secret.repair().await;
    secret.check_written_but(UNTOLD).await;
    assert_eq!(text(&bench, &value(&secret).await).await.len(), 40);
}

#[tokio::test]
async fn a_text_from_outside_is_drift_and_the_stacks_own_comes_back() {
    let bench = Bench::new();
    let secret = made(&bench, draft()).await;
    let ours = value(&secret).await;
    let client = aws_sdk_secretsmanager::Client::new(&outside(&bench).await);
    client.put_secret_value().secret_id("test-key").secret_string("theirs").send().await.unwrap();
    assert_eq!(text(&bench, &value(&secret).await).await, "theirs", "it is what readers get");
    assert_eq!(secret.drift().await, ["generate", "rotation"]);
    secret.repair().await;
    assert_eq!(value(&secret).await, ours);
}

#[test]
fn a_role_is_granted_exactly_one_secret() {
    let mut s = Stack::new("prod");
    let key = s.add("key", draft());
    s.add("app", Role::new().assumed_by([Trust::pods()]).grants([key.read()]));
    let graph = s.finish().unwrap();
    let grants = serde_json::to_string(&graph.nodes[1].fields["grants"]).unwrap();
    assert_eq!(grants.matches("secretsmanager:").count(), 1, "{grants}");
    assert!(grants.contains("secretsmanager:GetSecretValue"), "{grants}");
    assert!(grants.contains(r#"{"node":"prod/key","output":"arn"}"#), "{grants}");
}
