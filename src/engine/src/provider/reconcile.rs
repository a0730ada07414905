//! The typed side of a kind: what a resource file implements.

use super::{Author, Failure, Followed, Observation, Progress, Provider, Status, Subject};
use crate::{
    Data, Expr, OutputField, Owner, Resource, Schema, Secrets, plan::Versions, schema::Nature,
};
use futures::future::BoxFuture;
use std::{
    collections::{BTreeMap, HashMap},
    future::Future,
    path::Path,
    sync::Arc,
};
use tokio::sync::{Mutex, OnceCell};

/// A connection that resources of one provider are reached through.
pub trait Connect: Sized + Send + Sync + 'static {
    /// What the program gives to every connection, such as a source of tokens; often `()`.
    type Setup: Send + Sync + 'static;

    /// Connects to what the binding says. Called once per binding and run.
    fn connect(
        setup: &Self::Setup,
        binding: &Data,
        secrets: &Secrets,
    ) -> impl Future<Output = Result<Self, Failure>> + Send;
}

/// A resource of kind `R` as found in the service.
pub struct Found<R: Resource> {
    pub id: String,
    pub observed: R::Observed,
    pub outputs: R::Outputs,
    pub status: Status,
    pub owner: Option<Owner>,
}

/// What an update changes.
pub struct Change<'a, R> {
    pub want: R,
    changed: &'a [String],
    pub secrets: &'a Secrets,
}

impl<R> Change<'_, R> {
    /// Whether the field is among those that differ.
    pub fn has(&self, field: &str) -> bool {
        self.changed.iter().any(|name| name == field)
    }
}

/// What is known at plan time of a resource that doesn't exist yet.
pub struct Prediction<'a> {
    pub name: &'a str,
    pub fields: &'a Data,
    pub binding: &'a Data,
}

impl Prediction<'_> {
    /// A field that is a known text.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.as_str()
    }
    /// A text in the binding, such as `account`.
    pub fn bound(&self, field: &str) -> Option<&str> {
        self.binding.get(field)?.as_str()
    }
}

/// How resources of a kind are brought to what the stack says.
///
/// None of these waits for readiness or retries: the engine does, with limits of its own. Only
/// [`Reconcile::follow`] takes its time, after the changing call.
pub trait Reconcile: Resource {
    type Cloud: Connect;

    /// Everything of this kind, by as few calls as can be. It must hold the wanted ones if they exist.
    fn list(
        cloud: &Self::Cloud,
        wanted: &[Subject],
    ) -> impl Future<Output = Result<Vec<Found<Self>>, Failure>> + Send;

    /// One of this kind, to confirm what a list says and to wait for readiness.
    ///
    /// By default the list, asked for one.
    fn read(
        cloud: &Self::Cloud,
        subject: &Subject,
    ) -> impl Future<Output = Result<Option<Found<Self>>, Failure>> + Send {
        async move {
            let all = Self::list(cloud, std::slice::from_ref(subject)).await?;
            Ok(all.into_iter().find(|found| match &subject.id {
                Some(id) => found.id == *id,
                None => found.owner.as_ref().is_some_and(|owner| subject.owner.covers(owner)),
            }))
        }
    }

    /// Creates it and answers its identifier.
    fn create(
        cloud: &Self::Cloud,
        subject: &Subject,
        want: Self,
        secrets: &Secrets,
    ) -> impl Future<Output = Result<String, Failure>> + Send;

    /// Changes what differs.
    fn update(
        cloud: &Self::Cloud,
        subject: &Subject,
        change: Change<'_, Self>,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Whether changes are followed by [`Reconcile::follow`], rather than read until they are ready.
    const FOLLOWS: bool = false;

    /// Follows what was just created or changed to its end, telling how far it is.
    fn follow(
        _: &Self::Cloud,
        _: &Subject,
        _: &(dyn Fn(Progress) + Send + Sync),
    ) -> impl Future<Output = Result<Followed, Failure>> + Send {
        std::future::ready(Ok(Followed::Ready))
    }

    /// The inputs that it was well with last, to go back to after a change that was hopeless.
    fn last_good(
        _: &Self::Cloud,
        _: &Subject,
    ) -> impl Future<Output = Result<Option<Data>, Failure>> + Send {
        std::future::ready(Ok(None))
    }

    /// Deletes it; one that is gone already is a success.
    fn delete(
        cloud: &Self::Cloud,
        subject: &Subject,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Who could have changed these paths of it, beside us; nothing where the service doesn't tell.
    fn authors(
        _: &Self::Cloud,
        _: &Subject,
        _: &[String],
    ) -> impl Future<Output = Result<Vec<(String, Author)>, Failure>> + Send {
        std::future::ready(Ok(vec![]))
    }

    /// The outputs marked `#[predicted]`, from what is known beforehand.
    fn predict(_: &Prediction<'_>) -> BTreeMap<&'static str, String> {
        BTreeMap::new()
    }

    /// Makes the fields that are compared from those that the author wrote.
    fn expand(fields: Data) -> Result<Data, Failure> {
        Ok(fields)
    }

    /// What an author would want to know of expanded fields that can be applied; shown beside the change.
    fn remarks(_: &Data) -> Vec<String> {
        Vec::new()
    }

    /// What a change of an existing one brings with it that the changed fields don't say, such as a part that
    /// is deleted and made again; shown beside the change.
    fn consequences(_: &Versions<'_>) -> Vec<String> {
        Vec::new()
    }

    /// Reads what fields name outside of the stack, such as an overlay's files, into the graph.
    fn embed(_: &Path, _: &mut BTreeMap<String, Expr>) -> Result<(), Failure> {
        Ok(())
    }
}

/// The connections of one cloud type, made once per binding.
pub(crate) struct Connections<C: Connect> {
    setup: C::Setup,
    secrets: Secrets,
    by_binding: Mutex<HashMap<String, Arc<OnceCell<C>>>>,
}

impl<C: Connect> Connections<C> {
    pub(crate) fn new(setup: C::Setup, secrets: Secrets) -> Self {
        Self { setup, secrets, by_binding: Mutex::default() }
    }

    async fn get(&self, binding: &Data) -> Result<ConnectionRef<C>, Failure> {
        let key = binding.to_json().to_string();
        let cell = self.by_binding.lock().await.entry(key).or_default().clone();
        let connecting = cell.get_or_try_init(|| C::connect(&self.setup, binding, &self.secrets));
        connecting.await.map_err(Failure::before_the_call)?;
        Ok(ConnectionRef(cell))
    }
}

/// A connection that is known to be made.
struct ConnectionRef<C>(Arc<OnceCell<C>>);

impl<C> ConnectionRef<C> {
    fn cloud(&self) -> Result<&C, Failure> {
        self.0.get().ok_or_else(|| Failure::service("the connection was lost"))
    }
}

/// A typed kind as the engine's untyped [`Provider`].
pub(crate) struct Typed<R: Reconcile> {
    pub(crate) connections: Arc<Connections<R::Cloud>>,
}

impl<R: Reconcile> Typed<R> {
    fn want(subject: &Subject) -> Result<R, Failure> {
        subject.inputs.parse().map_err(|error| {
            Failure::invalid(format!(
                "the fields of `{}` don't make a {}: {error}",
                subject.owner.address,
                R::SCHEMA.kind
            ))
        })
    }

    fn observation(found: Found<R>) -> Result<Observation, Failure> {
        let broken = |error: serde_json::Error| {
            Failure::service(format!("a {} could not be taken in: {error}", R::SCHEMA.kind))
        };
        let mut fields = Data::of(&found.observed).map_err(broken)?.into_map();
        fields.retain(|_, value| *value != Data::Null);
        let mut outputs = Data::of(&found.outputs).map_err(broken)?.into_map();
        outputs.retain(|_, value| *value != Data::Null);
        if found.status != Status::Ready {
            // What was predicted is known whether it is of use yet or not.
            let known = |output: &OutputField| !output.ready || output.nature == Nature::Predicted;
            outputs.retain(|name, _| R::SCHEMA.output(name).is_some_and(known));
        }
        let Found { id, status, owner, .. } = found;
        Ok(Observation { id, fields, outputs, status, owner })
    }
}

impl<R: Reconcile> Provider for Typed<R> {
    fn schema(&self) -> &'static Schema {
        R::SCHEMA
    }

    fn embed(&self, project: &Path, fields: &mut BTreeMap<String, Expr>) -> Result<(), Failure> {
        R::embed(project, fields)
    }

    fn expand(&self, fields: Data) -> Result<Data, Failure> {
        R::expand(fields)
    }

    fn remarks(&self, fields: &Data) -> Vec<String> {
        R::remarks(fields)
    }

    fn consequences(&self, versions: &Versions<'_>) -> Vec<String> {
        R::consequences(versions)
    }

    fn predict(&self, prediction: &Prediction<'_>) -> BTreeMap<String, Data> {
        let declared = |name: &str| {
            R::SCHEMA.output(name).is_some_and(|output| output.nature == Nature::Predicted)
        };
        R::predict(prediction)
            .into_iter()
            .filter(|(name, _)| declared(name))
            .map(|(name, value)| (name.to_owned(), Data::Text(value)))
            .collect()
    }

    fn list<'a>(
        &'a self,
        binding: &'a Data,
        wanted: &'a [Subject],
    ) -> BoxFuture<'a, Result<Vec<Observation>, Failure>> {
        Box::pin(async move {
            let connection = self.connections.get(binding).await?;
            let found = R::list(connection.cloud()?, wanted).await?;
            found.into_iter().map(Self::observation).collect()
        })
    }

    fn read<'a>(
        &'a self,
        binding: &'a Data,
        subject: &'a Subject,
    ) -> BoxFuture<'a, Result<Option<Observation>, Failure>> {
        Box::pin(async move {
            let connection = self.connections.get(binding).await?;
            R::read(connection.cloud()?, subject).await?.map(Self::observation).transpose()
        })
    }

    fn authors<'a>(
        &'a self,
        binding: &'a Data,
        subject: &'a Subject,
        paths: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<(String, Author)>, Failure>> {
        Box::pin(async move {
            let connection = self.connections.get(binding).await?;
            R::authors(connection.cloud()?, subject, paths).await
        })
    }

    fn create<'a>(
        &'a self,
        binding: &'a Data,
        subject: &'a Subject,
        secrets: &'a Secrets,
    ) -> BoxFuture<'a, Result<String, Failure>> {
        Box::pin(async move {
            let want = Self::want(subject)?;
            let connection = self.connections.get(binding).await?;
            R::create(connection.cloud()?, subject, want, secrets).await
        })
    }

    fn update<'a>(
        &'a self,
        binding: &'a Data,
        subject: &'a Subject,
        changed: &'a [String],
        secrets: &'a Secrets,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let change = Change { want: Self::want(subject)?, changed, secrets };
            let connection = self.connections.get(binding).await?;
            R::update(connection.cloud()?, subject, change).await
        })
    }

    fn follows(&self) -> bool {
        R::FOLLOWS
    }

    fn follow<'a>(
        &'a self,
        binding: &'a Data,
        subject: &'a Subject,
        tell: &'a (dyn Fn(Progress) + Send + Sync),
    ) -> BoxFuture<'a, Result<Followed, Failure>> {
        Box::pin(async move {
            let connection = self.connections.get(binding).await?;
            R::follow(connection.cloud()?, subject, tell).await
        })
    }

    fn last_good<'a>(
        &'a self,
        binding: &'a Data,
        subject: &'a Subject,
    ) -> BoxFuture<'a, Result<Option<Data>, Failure>> {
        Box::pin(async move {
            let connection = self.connections.get(binding).await?;
            R::last_good(connection.cloud()?, subject).await
        })
    }

    fn delete<'a>(
        &'a self,
        binding: &'a Data,
        subject: &'a Subject,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let connection = self.connections.get(binding).await?;
            R::delete(connection.cloud()?, subject).await
        })
    }
}
