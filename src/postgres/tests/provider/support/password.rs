//! A kind whose only output is a secret, since nothing else in a stack makes one.

use formwork_engine::{
    Change, Connect, Data, Failure, Found, Outputs, Reconcile, Registry, Resource, Secret,
    SecretRef, Secrets, Status, Subject,
};
use serde::{Deserialize, Serialize};
use std::sync::{Mutex, PoisonError};

/// A password whose text is its name.
#[derive(Resource, Deserialize)]
#[resource(kind = "test.Password", outputs = PasswordOutputs, identity = name(40))]
pub struct Password {
    /// Another version is another secret.
    #[allow(dead_code, reason = "read from the inputs, where a list needs it")]
    pub version: String,
}

#[derive(Outputs, Serialize)]
pub struct PasswordOutputs {
    #[secret]
    pub value: Secret,
}

/// The names of the passwords that there are.
#[derive(Default)]
pub struct Drawer(Mutex<Vec<String>>);

impl Drawer {
    fn names(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connect for Drawer {
    type Setup = ();
    async fn connect((): &(), _: &Data, _: &Secrets) -> Result<Self, Failure> {
        Ok(Self::default())
    }
}

impl Reconcile for Password {
    type Cloud = Drawer;

    async fn list(drawer: &Drawer, wanted: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
        let names = drawer.names();
        let there = wanted.iter().filter(|subject| names.contains(&subject.name));
        there
            .map(|subject| {
                let version = subject.input("version")?.to_owned();
                let reference = SecretRef {
                    store: "test".into(),
                    at: String::new(),
                    key: subject.name.clone(),
                    version: version.clone(),
                };
                Ok(Found {
                    id: subject.name.clone(),
                    observed: PasswordObserved { version: Some(version) },
                    outputs: PasswordOutputs { value: Secret::stored(reference) },
                    status: Status::Ready,
                    owner: Some(subject.owner.clone()),
                })
            })
            .collect()
    }

    async fn create(
        drawer: &Drawer,
        subject: &Subject,
        _: Self,
        _: &Secrets,
    ) -> Result<String, Failure> {
        drawer.names().push(subject.name.clone());
        Ok(subject.name.clone())
    }

    async fn update(_: &Drawer, _: &Subject, _: Change<'_, Self>) -> Result<(), Failure> {
        Ok(())
    }

    async fn delete(drawer: &Drawer, subject: &Subject) -> Result<(), Failure> {
        drawer.names().retain(|name| *name != subject.name);
        Ok(())
    }
}

pub fn register(registry: &mut Registry) {
    registry.cloud::<Drawer>(()).add::<Password>();
}
