//! A bench for resources: an account of its own in the emulator, and each step of a resource's life.

#![allow(clippy::unwrap_used, reason = "a test that can't go on says so by panicking")]
#![allow(dead_code, unused_imports, reason = "each test file uses a part of it")]

mod emulator;

pub use emulator::emulators;

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_ec2::config::{BehaviorVersion, Region};
use formwork_aws::{CallLog, Setup, Target};
use formwork_engine::{
    Data, Draft, Failure, Identity, KnownOutputs, Observation, Owner, Provider, Registry, Resource,
    Secrets, Stack, Status, Subject, Symbol,
    plan::{Versions, diff},
};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::SystemTime,
};

pub const REGION: &str = "eu-central-1";

/// The connection of one test: an account that no other test has.
pub struct Bench {
    pub registry: Registry,
    pub binding: Data,
    pub account: String,
    pub log: CallLog,
    lineage: String,
}

impl Bench {
    pub fn new() -> Self {
        let account = fresh_account();
        // To the emulator, a key of twelve digits is the root of that account.
        let setup = Setup { credentials: Some(key(&account)), ..Setup::default() };
        Self::with(target(account, Some(emulator::endpoint())), setup)
    }

    pub fn with(target: Target, setup: Setup) -> Self {
        let log = setup.log.clone();
        let mut registry = Registry::new(Secrets::default());
        formwork_aws::register(&mut registry, setup);
        let binding = Data::of(&target).unwrap();
        Self { registry, binding, account: target.account, log, lineage: "lineage-1".into() }
    }

    pub fn target(&self) -> Target {
        self.binding.parse().unwrap()
    }

    pub fn setup(&self) -> Setup {
        Setup { credentials: Some(key(&self.account)), ..Setup::default() }
    }

    /// A client of somebody else, which may call anything.
    pub fn ec2(&self) -> aws_sdk_ec2::Client {
        let config = aws_sdk_ec2::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .credentials_provider(key(&self.account))
            .endpoint_url(emulator::endpoint())
            .build();
        aws_sdk_ec2::Client::from_conf(config)
    }

    /// The same thing in another's hands.
    pub fn again<'b>(&'b self, thing: &Thing<'_>) -> Thing<'b> {
        let provider = self.registry.get(thing.provider.schema().kind).unwrap();
        Thing { bench: self, provider, subject: thing.subject.clone() }
    }

    /// A thing as a stack would have it, not made yet.
    pub fn thing<D: Draft>(&self, name: &str, draft: D) -> Thing<'_> {
        let kind = D::Resource::SCHEMA.kind;
        let provider = self.registry.get(kind).unwrap();
        let mut stack = Stack::new("test");
        stack.add(name, draft);
        let node = stack.finish().unwrap().nodes.remove(0);
        let fields = node.fields.iter().map(|(name, expr)| (name.clone(), expr.eval(&Nothing)));
        let inputs = provider.expand(Data::Map(fields.collect())).unwrap();
        let owner = Owner {
            lineage: self.lineage.clone(),
            address: node.address,
            intent: format!("intent-{name}"),
        };
        let name = format!("test-{name}");
        let subject = Subject { owner, name, id: None, inputs, outputs: Data::empty_map() };
        Thing { bench: self, provider, subject }
    }

    /// Makes a thing and checks that it reads as it was written.
    pub async fn make<D: Draft>(&self, name: &str, draft: D) -> Thing<'_> {
        let mut thing = self.thing(name, draft);
        thing.create().await.unwrap();
        thing.check_written().await;
        thing
    }
}

pub fn target(account: String, endpoint: Option<String>) -> Target {
    Target { account, region: REGION.into(), endpoint, role: None, profile: None }
}

pub fn key(account: &str) -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new(account, "secret", None, None, "test"))
}

pub fn fresh_account() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
    let number = u64::try_from(nanos % 100_000_000_000).unwrap();
    format!("{:012}", 100_000_000_000 + number + NEXT.fetch_add(1, Ordering::Relaxed))
}

/// For drafts whose fields are all literals.
struct Nothing;

impl KnownOutputs for Nothing {
    fn output(&self, node: formwork_engine::Address, output: Symbol) -> Data {
        panic!("a bench's drafts are literals, and this one refers to {node}.{output}")
    }
}

/// A resource on the bench.
pub struct Thing<'b> {
    pub bench: &'b Bench,
    pub provider: &'b dyn Provider,
    pub subject: Subject,
}

impl Thing<'_> {
    pub async fn create(&mut self) -> Result<(), Failure> {
        let secrets = self.bench.registry.secrets();
        let id = self.provider.create(&self.bench.binding, &self.subject, secrets).await?;
        self.subject.id = Some(id);
        Ok(())
    }

    pub async fn read(&self) -> Option<Observation> {
        self.provider.read(&self.bench.binding, &self.subject).await.unwrap()
    }

    pub fn id(&self) -> &str {
        self.subject.id.as_deref().unwrap()
    }

    /// What differs from the stack: it is ready, and a list finds it once and as a read does.
    pub async fn drift(&self) -> Vec<String> {
        let (seen, differences) = self.look().await;
        let mut wanted = vec![self.subject.clone()];
        // Of two with the same key, one would be the other.
        if self.provider.schema().identity != Identity::Key {
            wanted.push(self.bench.other(self));
        }
        let listed = self.provider.list(&self.bench.binding, &wanted).await.unwrap();
        let listed: Vec<_> = listed.iter().filter(|found| found.id == self.id()).collect();
        assert_eq!(listed, [&seen], "a list finds it once, and as a read does");
        differences
    }

    /// What it reads as, being ready, and what differs from the stack; one read.
    pub async fn look(&self) -> (Observation, Vec<String>) {
        let seen = self.read().await.expect("it exists");
        assert_eq!(seen.status, Status::Ready);
        let versions = Versions {
            desired: &self.subject.inputs,
            recorded: &Data::empty_map(),
            observed: Some(&seen.fields),
            ignore: &[],
        };
        let changes = diff(self.provider.schema(), &versions);
        (seen, changes.into_iter().map(|change| change.path).collect())
    }

    /// It reads as it was written, in every field that the service tells, and is marked as ours.
    pub async fn check_written(&self) {
        self.check_written_but(&[]).await;
    }

    /// As [`Thing::check_written`], where the emulator doesn't tell some fields.
    pub async fn check_written_but(&self, untold: &[&str]) {
        assert_eq!(
            self.drift().await,
            untold,
            "{:?}\n{:?}",
            self.subject.inputs,
            self.read().await
        );
    }

    /// Changes what differs from the draft, and checks that it then reads as that.
    pub async fn change<D: Draft>(&mut self, draft: D, expected: &[&str]) {
        self.subject.inputs =
            self.bench.thing(self.subject.owner.address.name(), draft).subject.inputs;
        assert_eq!(self.drift().await, expected);
        self.repair().await;
        self.check_written().await;
    }

    /// Updates whatever differs.
    pub async fn repair(&self) {
        let mut fields: Vec<String> = self.drift().await;
        for path in &mut fields {
            let end = path.find(['.', '[']).unwrap_or(path.len());
            path.truncate(end);
        }
        fields.dedup();
        self.update(&fields).await.unwrap();
    }

    pub async fn update(&self, fields: &[String]) -> Result<(), Failure> {
        let (binding, secrets) = (&self.bench.binding, self.bench.registry.secrets());
        self.provider.update(binding, &self.subject, fields, secrets).await
    }

    pub async fn output(&self, name: &str) -> String {
        self.read().await.expect("it exists").outputs[name].plain_text()
    }

    pub fn predicted(&self, output: &str) -> Option<String> {
        let prediction = formwork_engine::Prediction {
            name: &self.subject.name,
            fields: &self.subject.inputs,
            binding: &self.bench.binding,
        };
        self.provider.predict(&prediction).get(output).map(Data::plain_text)
    }

    /// Deletes it, twice: being gone already is a success.
    pub async fn delete(&self) {
        for _ in 0..2 {
            self.provider.delete(&self.bench.binding, &self.subject).await.unwrap();
        }
        assert_eq!(self.read().await, None);
        let all = self
            .provider
            .list(&self.bench.binding, std::slice::from_ref(&self.subject))
            .await
            .unwrap();
        assert!(all.iter().all(|found| found.id != self.id()), "a list still has it");
    }

    /// Who it says made it.
    pub async fn owner(&self) -> Option<Owner> {
        self.read().await.expect("it exists").owner
    }
}

impl Bench {
    /// Another subject of the same kind, so that lists aren't asked for one only.
    fn other(&self, thing: &Thing<'_>) -> Subject {
        let mut other = thing.subject.clone();
        other.owner.address = "test/other".parse().unwrap();
        other.owner.intent = "intent-other".into();
        other.name = "test-other".into();
        other.id = None;
        other
    }
}
