//! A program of formwork with one App: what `formwork deploy --yes` does.

use formwork_engine::{
    apply::{self, Options, PARALLELISM, Patience, Reporter},
    session::{self, Held, Planning},
    state::Store,
    *,
};
use formwork_kubernetes::{App, Cluster, ClusterTokens, Eks, KubeconfigFile, Token};
use futures::future::BoxFuture;
use std::{collections::BTreeSet, path::Path, sync::Arc, sync::atomic::AtomicBool};

/// How a deploy has to end.
#[derive(Clone, Copy, PartialEq)]
pub enum End {
    Up,
    /// A bad verdict, after which nothing is put back.
    Hopeless,
    /// A bad verdict, and the set before is back and up.
    Restored,
}

impl End {
    pub fn of(word: &str) -> Self {
        match word {
            "up" => Self::Up,
            "hopeless" => Self::Hopeless,
            "restored" => Self::Restored,
            _ => panic!("a deploy ends up, hopeless or restored"),
        }
    }
}

/// Deploys a project's overlay into a namespace; its state is kept in the project's folder.
pub async fn deploy(
    end: End,
    kubeconfig: &Path,
    project: &Path,
    namespace: &str,
    reporter: &dyn Reporter,
) {
    let mut registry = Registry::new(Secrets::default());
    formwork_kubernetes::register(&mut registry, Arc::new(NoTokens));
    let graph = graph(&registry, kubeconfig, project, namespace);
    let store = Store::folder(project.join("state")).unwrap();
    let patience = Patience::default();
    let holding = session::hold(&registry, &store, &graph.stack, &patience);
    let Held { state, hold, .. } = holding.await.unwrap();
    let planning = Planning::default();
    let planned = session::make_plan(&registry, &store, &graph, &state, &planning);
    let plan = planned.await.unwrap().plan;
    let options = Options {
        parallelism: PARALLELISM,
        consent: BTreeSet::new(),
        patience,
        reporter,
        hold: &hold,
        stop: &AtomicBool::new(false),
    };
    let outcome = apply::apply(&plan, state, &registry, &store, &options).await.unwrap();
    if end == End::Up {
        assert!(outcome.succeeded(), "{:?}", outcome.failed);
        return;
    }
    let failed = &outcome.failed[0];
    assert_eq!(failed.failure.kind, FailureKind::Hopeless, "{}", failed.failure);
    if end == End::Restored {
        let back = rollback::go_back(&registry, &store, outcome.state, failed.address, &options);
        let back = back.await.unwrap().unwrap();
        assert!(back.succeeded(), "{:?}", back.failed);
    }
}

fn graph(registry: &Registry, kubeconfig: &Path, project: &Path, namespace: &str) -> Graph {
    let file = KubeconfigFile::new().path(kubeconfig.display().to_string());
    let cluster = Cluster::new().kubeconfig(file);
    let mut stack = Stack::new(namespace);
    stack.add("shop", App::new().cluster(cluster).overlay("overlay").namespace(namespace));
    let mut graph = stack.finish().unwrap();
    registry.embed(project, &mut graph).unwrap();
    registry.check(&graph).unwrap();
    graph
}

/// Nothing here is an EKS cluster.
struct NoTokens;

impl ClusterTokens for NoTokens {
    fn token<'a>(&'a self, cluster: &'a Eks) -> BoxFuture<'a, Result<Token, Failure>> {
        Box::pin(async { Err(Failure::denied(format!("no token for {}", cluster.name))) })
    }
}
