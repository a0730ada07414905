//! The kinds that a program knows, by name.

use super::{
    Connect, Failure, Provider, Reconcile,
    reconcile::{Connections, Typed},
};
use crate::{Graph, GraphError, Schema, Secrets};
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeMap, path::Path, sync::Arc};

/// The kinds that a program knows, and the secret stores that they reveal secrets from.
pub struct Registry {
    kinds: BTreeMap<&'static str, Box<dyn Provider>>,
    secrets: Secrets,
}

impl Registry {
    pub fn new(secrets: Secrets) -> Self {
        Self { kinds: BTreeMap::new(), secrets }
    }

    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// The kinds of one cloud, which share their connections.
    pub fn cloud<C: Connect>(&mut self, setup: C::Setup) -> Kinds<'_, C> {
        let connections = Arc::new(Connections::new(setup, self.secrets.clone()));
        Kinds { registry: self, connections }
    }

    /// Adds a kind whose provider is written without types, such as a test's.
    pub fn add(&mut self, provider: Box<dyn Provider>) {
        self.kinds.insert(provider.schema().kind, provider);
    }

    pub fn get(&self, kind: &str) -> Option<&dyn Provider> {
        self.kinds.get(kind).map(AsRef::as_ref)
    }

    pub fn schema(&self, kind: &str) -> Option<&'static Schema> {
        self.get(kind).map(Provider::schema)
    }

    pub fn schemas(&self) -> impl Iterator<Item = &'static Schema> {
        self.kinds.values().map(|provider| provider.schema())
    }

    /// The digest of what these kinds are made of. Two programs with the same one read, plan and change
    /// the same things in the same ways, as far as schemas and the version tell.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(env!("CARGO_PKG_VERSION"));
        for schema in self.schemas() {
            hash.update(schema.describe());
        }
        hex::encode(hash.finalize())
    }

    /// Checks a graph against these kinds.
    pub fn check(&self, graph: &Graph) -> Result<(), GraphError> {
        graph.check()?;
        graph.check_kinds(|kind| self.schema(kind))
    }

    /// Reads what the graph names outside of itself into it, so that nothing else is needed later.
    pub fn embed(&self, project: &Path, graph: &mut Graph) -> Result<(), Failure> {
        for node in &mut graph.nodes {
            let Some(provider) = self.get(&node.kind) else { continue };
            provider.embed(project, &mut node.fields).map_err(|failure| {
                let place = node.source.as_ref().map(|s| format!("{s}: ")).unwrap_or_default();
                failure.context(format!("{place}`{}`", node.address))
            })?;
        }
        Ok(())
    }
}

/// Adds kinds of one cloud to a registry.
pub struct Kinds<'r, C: Connect> {
    registry: &'r mut Registry,
    connections: Arc<Connections<C>>,
}

impl<C: Connect> Kinds<'_, C> {
    pub fn add<R: Reconcile<Cloud = C>>(self) -> Self {
        let provider = Typed::<R> { connections: self.connections.clone() };
        self.registry.add(Box::new(provider));
        self
    }
}
