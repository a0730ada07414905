//! One kind, used as the engine uses it.

use super::{data, registry};
use formwork_engine::{
    Data, Failure, Observation, Owner, Provider, Registry, Secret, SecretRef, SecretStore, Secrets,
    Status, Subject,
    plan::{Versions, diff},
};
use futures::future::BoxFuture;
use secrecy::SecretString;
use serde_json::Value as Json;

/// A store of secrets whose texts are their keys.
pub struct Texts;

impl SecretStore for Texts {
    fn name(&self) -> &'static str {
        "test"
    }
    fn fetch<'a>(
        &'a self,
        reference: &'a SecretRef,
    ) -> BoxFuture<'a, Result<SecretString, Failure>> {
        Box::pin(async move { Ok(SecretString::from(reference.key.clone())) })
    }
}

/// A secret with this text, as an expression's value has it.
pub fn secret(text: &str, version: &str) -> Json {
    let reference = SecretRef {
        store: "test".into(),
        at: String::new(),
        key: text.into(),
        version: version.into(),
    };
    Data::Secret(Secret::stored(reference)).to_json()
}

pub fn owner_of(address: &str) -> Owner {
    Owner {
        lineage: "lineage-1".into(),
        address: format!("test/{address}").parse().unwrap(),
        intent: format!("intent-{address}"),
    }
}

/// One resource of a kind, with its fields.
pub struct Kind {
    registry: Registry,
    kind: &'static str,
    pub subject: Subject,
    binding: Data,
}

impl Kind {
    /// A resource that doesn't exist yet, reached through `binding`.
    pub fn new(kind: &'static str, address: &str, binding: &Json, fields: Json) -> Self {
        let owner = owner_of(address);
        let subject = Subject {
            owner,
            name: address.to_owned(),
            id: None,
            inputs: Data::Null,
            outputs: Data::empty_map(),
        };
        let mut this = Self { registry: registry(), kind, subject, binding: data(binding) };
        this.subject.inputs = this.expanded(fields, binding);
        this
    }

    pub fn address(&self) -> &'static str {
        self.subject.owner.address.name()
    }

    fn expanded(&self, mut fields: Json, binding: &Json) -> Data {
        fields["server"] = binding.clone();
        self.provider().expand(data(&fields)).unwrap()
    }

    pub fn provider(&self) -> &dyn Provider {
        self.registry.get(self.kind).unwrap()
    }

    pub fn secrets(&self) -> &Secrets {
        self.registry.secrets()
    }

    pub async fn try_create(&mut self) -> Result<(), Failure> {
        let id = self.provider().create(&self.binding, &self.subject, self.secrets()).await?;
        self.subject.id = Some(id);
        Ok(())
    }

    /// Creates it, and makes sure that it is then as wanted, by its own read and by the list.
    pub async fn create(&mut self) {
        self.try_create().await.unwrap();
        self.settled().await;
    }

    /// Nothing is left to change.
    pub async fn settled(&mut self) {
        let read = self.read().await.unwrap();
        assert_eq!(read.status, Status::Ready);
        assert_eq!(self.drift().await, [] as [String; 0]);
        let listed = self.list().await;
        assert_eq!(listed, std::slice::from_ref(&read));
        self.subject.outputs = Data::Map(read.outputs);
    }

    pub async fn read(&self) -> Option<Observation> {
        self.provider().read(&self.binding, &self.subject).await.unwrap()
    }

    /// Reads it as a settling run does, which doesn't know whether it exists.
    pub async fn read_unknown(&self) -> Option<Observation> {
        let subject = Subject { id: None, ..self.subject.clone() };
        self.provider().read(&self.binding, &subject).await.unwrap()
    }

    pub async fn list(&self) -> Vec<Observation> {
        let wanted = std::slice::from_ref(&self.subject);
        self.provider().list(&self.binding, wanted).await.unwrap()
    }

    /// What differs between what is there and what is wanted, as `path: before -> after`.
    pub async fn drift(&self) -> Vec<String> {
        self.differences(&self.subject.inputs).await
    }

    async fn differences(&self, desired: &Data) -> Vec<String> {
        let found = self.read().await.expect("it is gone");
        let versions = Versions {
            desired,
            recorded: &self.subject.inputs,
            observed: Some(&found.fields),
            ignore: &[],
        };
        let show = |data: &Option<Data>| data.as_ref().map_or("∅".into(), Data::plain_json);
        let changes = diff(self.provider().schema(), &versions);
        changes
            .iter()
            .map(|c| format!("{}: {} -> {}", c.path, show(&c.before), show(&c.after)))
            .collect()
    }

    /// Changes it to have these fields, as an apply does; answers what it changed.
    pub async fn change(&mut self, fields: Json) -> Vec<String> {
        let binding = self.binding.to_json();
        let desired = self.expanded(fields, &binding);
        let differences = self.differences(&desired).await;
        self.subject.inputs = desired;
        self.apply(&differences).await.unwrap();
        self.settled().await;
        differences
    }

    /// Changes back what differs from what is wanted.
    pub async fn repair(&mut self) {
        let differences = self.drift().await;
        assert!(!differences.is_empty(), "nothing to repair");
        self.apply(&differences).await.unwrap();
        self.settled().await;
    }

    pub async fn apply(&self, differences: &[String]) -> Result<(), Failure> {
        let field = |path: &String| path.split(['.', '[', ':']).next().unwrap().to_owned();
        let mut changed: Vec<String> = differences.iter().map(field).collect();
        changed.sort();
        changed.dedup();
        self.provider().update(&self.binding, &self.subject, &changed, self.secrets()).await
    }

    pub async fn try_delete(&self) -> Result<(), Failure> {
        self.provider().delete(&self.binding, &self.subject).await
    }

    /// Deletes it twice, as a run that was cut off does, and makes sure that it is gone.
    pub async fn delete(&self) {
        self.try_delete().await.unwrap();
        assert_eq!(self.read().await, None);
        assert_eq!(self.list().await, []);
        self.try_delete().await.unwrap();
    }
}
