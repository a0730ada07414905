//! One stack with one App, run by the engine against a real API server.
#![allow(dead_code, reason = "each test root uses a part of it")]

use formwork_engine::{
    apply::{self, Outcome, Patience, Quiet, Reporter},
    plan::Plan,
    rollback, session,
    state::Store,
    *,
};
use formwork_kubernetes::{
    App, Cluster, ClusterTokens, Connection, Eks, KubeconfigFile, TOKEN_MARGIN, Token,
};
use formwork_rehearse::{Inventory, LocalCloud, Options, Progress, Site};
use futures::future::BoxFuture;
use secrecy::SecretString;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

exports! {
    /// What the app uses of the platform.
    pub struct Platform { redis: String, password: Secret }
}

/// Runs cases on a local cloud, which has to be as it was in the end.
pub async fn on_a_cloud(cases: impl AsyncFnOnce(&Site)) {
    let folder = tempfile::tempdir().unwrap();
    let mut options = Options::new(folder.path()).only("staging");
    options.progress = Progress::lines();
    let cloud = LocalCloud::start(options).await.unwrap();
    let before = Inventory::take(cloud.sites()).await.unwrap();
    cases(cloud.site("staging").unwrap()).await;
    let after = Inventory::take(cloud.sites()).await.unwrap();
    assert_eq!(after.since(&before), Vec::<String>::new());
    cloud.stop().await;
}

/// What every secret text of these tests begins with; its version follows.
pub const PASSWORD: &str = "hunter2-version-";

/// Keeps one secret, whose text says its version.
struct Vault;

impl SecretStore for Vault {
    fn name(&self) -> &'static str {
        "vault"
    }

    fn fetch<'a>(
        &'a self,
        reference: &'a SecretRef,
    ) -> BoxFuture<'a, Result<SecretString, Failure>> {
        Box::pin(async { Ok(SecretString::from(format!("{PASSWORD}{}", reference.version))) })
    }
}

/// A token that ends so soon that it has to be asked for again before each call.
#[derive(Default)]
pub struct Tokens {
    pub text: String,
    pub asked: AtomicUsize,
}

impl ClusterTokens for Tokens {
    fn token<'a>(&'a self, _: &'a Eks) -> BoxFuture<'a, Result<Token, Failure>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let text = SecretString::from(self.text.clone());
        Box::pin(async { Ok(Token { text, expires: SystemTime::now() + TOKEN_MARGIN / 2 }) })
    }
}

/// The repository's root, two levels above this crate.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A project of one overlay, from its files.
pub fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let resources: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    write(folder.path(), "kustomization.yaml", &format!("resources: [{}]", resources.join(", ")));
    files.iter().for_each(|(name, text)| write(folder.path(), name, text));
    folder
}

/// Writes a file of the overlay.
pub fn write(folder: &Path, name: &str, text: &str) {
    std::fs::create_dir_all(folder.join("overlay")).unwrap();
    std::fs::write(folder.join("overlay").join(name), text).unwrap();
}

/// One state, and the cluster that it is about.
pub struct World<'a> {
    pub site: &'a Site,
    pub project: PathBuf,
    registry: Registry,
    pub store: Store,
    folder: tempfile::TempDir,
}

impl<'a> World<'a> {
    pub async fn new(site: &'a Site, project: PathBuf) -> Self {
        Self::with_tokens(site, project, Arc::default()).await
    }

    pub async fn with_tokens(site: &'a Site, project: PathBuf, tokens: Arc<Tokens>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut registry = Registry::new(Secrets::new(vec![Box::new(Vault)]));
        formwork_kubernetes::register(&mut registry, tokens);
        let store = Store::folder(folder.path()).unwrap();
        let world = Self { site, project, registry, store, folder };
        world.export("cache.internal", "1").await;
        world
    }

    /// Another version of what the platform exports.
    pub async fn export(&self, redis: &str, password: &str) {
        let mut platform =
            self.store.read("platform").await.unwrap().unwrap_or(State::empty("platform"));
        platform.serial += 1;
        let password = Secret::stored(SecretRef {
            store: "vault".into(),
            at: String::new(),
            key: "password".into(),
            version: password.into(),
        });
        platform.exports = BTreeMap::from([
            ("redis".to_owned(), Data::Text(redis.into())),
            ("password".to_owned(), Data::Secret(password)),
        ]);
        self.store.write(&platform).await.unwrap();
    }

    pub fn cluster(&self) -> Value<Cluster> {
        let path = self.site.kubeconfig.display().to_string();
        Cluster::new().kubeconfig(KubeconfigFile::new().path(path)).into_value()
    }

    /// The graph of a stack that has this App only.
    pub fn graph<D: Draft<Resource = App>>(
        &self,
        stack: &str,
        app: impl FnOnce(Platform) -> D,
    ) -> Graph {
        let mut s = Stack::new(stack);
        let platform = s.import("platform");
        s.add("shop", app(platform));
        let mut graph = s.finish().unwrap();
        self.registry.embed(&self.project, &mut graph).unwrap();
        self.registry.check(&graph).unwrap();
        graph
    }

    pub async fn plan(&self, graph: &Graph) -> Plan {
        let state = session::load(&self.store, &graph.stack).await.unwrap().state;
        session::make_plan(&self.registry, &self.store, graph, &state, &Default::default())
            .await
            .unwrap()
            .plan
    }

    /// What the plan changes: `path` or `~path` where it drifted.
    pub async fn changes(&self, graph: &Graph) -> Vec<String> {
        let plan = self.plan(graph).await;
        let changes = plan.changes().flat_map(|step| &step.changes);
        changes
            .map(|change| match change.drift {
                true => format!("~{}", change.path),
                false => change.path.clone(),
            })
            .collect()
    }

    pub async fn try_apply(&self, graph: &Graph) -> Outcome {
        self.try_apply_told(graph, &Quiet).await
    }

    /// Applies, and says to the reporter what happens.
    pub async fn try_apply_told(&self, graph: &Graph, reporter: &dyn Reporter) -> Outcome {
        let patience = Patience { ready: Duration::from_secs(90), ..Patience::default() };
        let held =
            session::hold(&self.registry, &self.store, &graph.stack, &patience).await.unwrap();
        let plan = session::make_plan(
            &self.registry,
            &self.store,
            graph,
            &held.state,
            &Default::default(),
        )
        .await
        .unwrap()
        .plan;
        let options = apply::Options {
            parallelism: 4,
            consent: plan.needs_consent().collect(),
            patience,
            reporter,
            hold: &held.hold,
            stop: &AtomicBool::new(false),
        };
        apply::apply(&plan, held.state, &self.registry, &self.store, &options).await.unwrap()
    }

    /// Brings the App back to what was good last, as the command line does after a hopeless deploy.
    pub async fn go_back(&self, stack: &str) -> Outcome {
        let patience = Patience { ready: Duration::from_secs(90), ..Patience::default() };
        let held = session::hold(&self.registry, &self.store, stack, &patience).await.unwrap();
        let address = *held.state.resources.keys().next().unwrap();
        let options = apply::Options {
            parallelism: 4,
            consent: Default::default(),
            patience,
            reporter: &Quiet,
            hold: &held.hold,
            stop: &AtomicBool::new(false),
        };
        let back =
            rollback::go_back(&self.registry, &self.store, held.state, address, &options).await;
        back.unwrap().unwrap()
    }

    /// Applies; a second plan is empty.
    pub async fn apply(&self, graph: &Graph) {
        let outcome = self.try_apply(graph).await;
        assert!(outcome.succeeded(), "{:?}", outcome.failed);
        let again = self.changes(graph).await;
        assert!(again.is_empty(), "a second plan isn't empty: {again:#?}");
    }

    /// The failure of an apply that has to fail.
    pub async fn refused(&self, graph: &Graph) -> Failure {
        let mut outcome = self.try_apply(graph).await;
        assert_eq!(outcome.failed.len(), 1, "{:?}", outcome.failed);
        outcome.failed.remove(0).failure
    }

    /// Everything that the engine has written, as one text.
    pub fn written(&self) -> String {
        let mut all = String::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => all += &String::from_utf8_lossy(&std::fs::read(path).unwrap()),
                }
            }
        }
        all
    }

    /// What kubectl answers.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let mut kubectl = Command::new(&self.site.tools.kubectl);
        kubectl.arg("--kubeconfig").arg(&self.site.kubeconfig).args(arguments);
        let output = kubectl.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A connection of one's own, and the App as a call about it has it.
    pub async fn reached(&self, stack: &str) -> (Connection, Subject) {
        let state = self.store.read(stack).await.unwrap().unwrap();
        let (address, record) = state.resources.iter().next().unwrap();
        let setup: Arc<dyn ClusterTokens> = Arc::new(Tokens::default());
        let secrets = self.registry.secrets();
        let connection = Connection::connect(&setup, &record.binding, secrets).await.unwrap();
        (connection, Subject::recorded(&state.lineage, *address, record))
    }

    /// A folder of this world's own.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn secrets(&self) -> &Secrets {
        self.registry.secrets()
    }
}
