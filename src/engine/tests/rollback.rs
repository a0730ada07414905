//! Following a change, and going back from one that is hopeless.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use formwork_engine::{
    apply::{self, Event, Options, Outcome, Patience, Reporter},
    plan::{Action, Scope},
    rollback,
    session::{self, Held, Planning},
    state::{Hold, Store},
    *,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// The services that run, and what each was well with last.
#[derive(Default)]
pub struct Cluster {
    running: Mutex<BTreeMap<String, (String, Owner)>>,
    good: Mutex<BTreeMap<String, Data>>,
    calls: Mutex<Vec<String>>,
    /// The run is cut off while it follows.
    cut: AtomicBool,
    /// Updates have their effect, and then: the run is cut off, or the answer is lost.
    cut_in_update: AtomicBool,
    lost: AtomicBool,
    /// A part of what it was told failed.
    unfinished: AtomicBool,
    /// Whoever followed last isn't known to be dead yet: so often it is in the way.
    busy: AtomicUsize,
}

pub struct Mem(Arc<Cluster>);

impl Connect for Mem {
    type Setup = Arc<Cluster>;
    async fn connect(setup: &Arc<Cluster>, _: &Data, _: &Secrets) -> Result<Self, Failure> {
        Ok(Self(setup.clone()))
    }
}

/// A service whose image either comes up or doesn't.
#[derive(Resource, Deserialize)]
#[resource(kind = "mem.Service", outputs = ServiceOutputs, identity = name(40))]
pub struct Service {
    pub image: String,
    #[source]
    pub near: Option<String>,
}

#[derive(Outputs, Serialize)]
pub struct ServiceOutputs {
    pub id: Id<Service>,
}

impl Reconcile for Service {
    type Cloud = Mem;

    async fn list(cloud: &Mem, wanted: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
        let running = cloud.0.running.lock().unwrap();
        let there = wanted.iter().filter_map(|subject| {
            let (image, owner) = running.get(&subject.name)?.clone();
            Some(Found {
                observed: ServiceObserved { image: Some(image) },
                outputs: ServiceOutputs { id: Id::existing(&subject.name) },
                id: subject.name.clone(),
                // Something else in it may be unwell all the time: whoever follows it knows better.
                status: match cloud.0.unfinished.load(Ordering::SeqCst) {
                    true => Status::Unfinished("the migration failed".into()),
                    false => Status::Pending("something else is unwell".into()),
                },
                owner: Some(owner),
            })
        });
        Ok(there.collect())
    }

    async fn create(cloud: &Mem, s: &Subject, want: Self, _: &Secrets) -> Result<String, Failure> {
        cloud.0.calls.lock().unwrap().push(format!("create {} {}", s.name, want.image));
        cloud.0.running.lock().unwrap().insert(s.name.clone(), (want.image, s.owner.clone()));
        Ok(s.name.clone())
    }

    async fn update(cloud: &Mem, s: &Subject, change: Change<'_, Self>) -> Result<(), Failure> {
        let image = change.want.image;
        cloud.0.calls.lock().unwrap().push(format!("update {} {image}", s.name));
        cloud.0.running.lock().unwrap().get_mut(&s.name).unwrap().0 = image;
        cloud.0.unfinished.store(false, Ordering::SeqCst);
        if cloud.0.cut_in_update.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        match cloud.0.lost.load(Ordering::SeqCst) {
            true => Err(Failure::service("the connection broke")),
            false => Ok(()),
        }
    }

    async fn delete(cloud: &Mem, subject: &Subject) -> Result<(), Failure> {
        cloud.0.running.lock().unwrap().remove(&subject.name);
        cloud.0.good.lock().unwrap().remove(&subject.name);
        Ok(())
    }

    const FOLLOWS: bool = true;

    async fn follow(
        cloud: &Mem,
        subject: &Subject,
        tell: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Followed, Failure> {
        let part = Part { name: subject.name.clone(), desired: 1, ..Part::default() };
        tell(Progress { parts: vec![part], message: None });
        if cloud.0.cut.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let busy = |left: usize| left.checked_sub(1);
        if cloud.0.busy.fetch_update(Ordering::SeqCst, Ordering::SeqCst, busy).is_ok() {
            return Err(Failure::busy("somebody else follows it"));
        }
        let image = cloud.0.running.lock().unwrap()[&subject.name].0.clone();
        if image.starts_with("bad") {
            let evidence = format!("{image}: command not found");
            return Ok(Followed::Hopeless { why: "it crashes".into(), evidence });
        }
        let inputs = subject.inputs.clone();
        cloud.0.good.lock().unwrap().insert(subject.name.clone(), inputs);
        Ok(Followed::Ready)
    }

    async fn last_good(cloud: &Mem, subject: &Subject) -> Result<Option<Data>, Failure> {
        Ok(cloud.0.good.lock().unwrap().get(&subject.name).cloned())
    }
}

/// What was told, in order.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Reporter for Told {
    fn report(&self, event: Event) {
        let line = match event {
            Event::Progress { progress, .. } => format!("progress of {}", progress.parts[0].name),
            Event::Evidence { evidence, .. } => evidence,
            Event::Failed { failure, .. } => failure.message,
            _ => return,
        };
        self.0.lock().unwrap().push(line);
    }
}

struct World {
    cluster: Arc<Cluster>,
    registry: Registry,
    store: Store,
    told: Told,
    _folder: tempfile::TempDir,
}

static NEVER: AtomicBool = AtomicBool::new(false);

impl World {
    fn new() -> Self {
        let (folder, cluster) = (tempfile::tempdir().unwrap(), Arc::<Cluster>::default());
        let mut registry = Registry::new(Secrets::default());
        registry.cloud::<Mem>(cluster.clone()).add::<Service>();
        let store = Store::folder(folder.path()).unwrap();
        Self { cluster, registry, store, told: Told::default(), _folder: folder }
    }

    fn graph(database: &str, server: &str) -> Graph {
        let mut s = Stack::new("prod");
        s.bind("mem", serde_json::json!({}));
        let database = s.add("database", Service::new().image(database.to_owned()));
        s.add("server", Service::new().image(server.to_owned()).near(text![database.id]));
        s.finish().unwrap()
    }

    fn options<'a>(&'a self, hold: &'a Hold) -> Options<'a> {
        Options {
            parallelism: 2,
            consent: BTreeSet::new(),
            patience: Patience::default(),
            reporter: &self.told,
            hold,
            stop: &NEVER,
        }
    }

    /// What would be done, by address.
    async fn planned(&self, graph: &Graph) -> Vec<(&'static str, Action)> {
        let state = session::load(&self.store, "prod").await.unwrap().state;
        let planning = Planning::default();
        let planned = session::make_plan(&self.registry, &self.store, graph, &state, &planning);
        let plan = planned.await.unwrap().plan;
        plan.changes().map(|step| (step.address.name(), step.action)).collect()
    }

    /// Applies, and goes back from what is hopeless.
    async fn deploy(&self, graph: &Graph) -> (Outcome, Option<Outcome>) {
        self.deploy_as(graph, &Planning::default()).await
    }

    async fn deploy_as(&self, graph: &Graph, planning: &Planning) -> (Outcome, Option<Outcome>) {
        let (registry, store) = (&self.registry, &self.store);
        let held = session::hold(registry, store, "prod", &Patience::default()).await.unwrap();
        let Held { state, hold, .. } = held;
        let planned = session::make_plan(registry, store, graph, &state, planning);
        let plan = planned.await.unwrap().plan;
        let options = self.options(&hold);
        let outcome = apply::apply(&plan, state, registry, store, &options).await.unwrap();
        let hopeless = |failed: &&apply::Failed| failed.failure.kind == FailureKind::Hopeless;
        let Some(failed) = outcome.failed.iter().find(hopeless) else { return (outcome, None) };
        let state = outcome.state.clone();
        let back = rollback::go_back(registry, store, state, failed.address, &options);
        let back = back.await.unwrap();
        (outcome, back)
    }

    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.cluster.calls.lock().unwrap())
    }

    fn told(&self) -> Vec<String> {
        std::mem::take(&mut *self.told.0.lock().unwrap())
    }
}

#[tokio::test]
async fn a_hopeless_change_is_taken_back_and_nothing_else_is_touched() {
    let world = World::new();
    let (first, back) = world.deploy(&World::graph("pg:1", "server:1")).await;
    assert!(first.succeeded() && back.is_none(), "{first:?}");
    assert!(first.state.resources.values().all(|record| record.ready));
    world.calls();
    world.told();

    // The database changes with it, and stays changed.
    let graph = World::graph("pg:2", "bad:2");
    let (outcome, back) = world.deploy(&graph).await;
    assert_eq!(outcome.failed.len(), 1, "{outcome:?}");
    let back = back.unwrap();
    assert!(back.succeeded(), "{back:?}");
    let calls =
        ["update prod-database pg:2", "update prod-server bad:2", "update prod-server server:1"];
    assert_eq!(world.calls(), calls);
    let told = [
        "progress of prod-database",
        "progress of prod-server",
        "bad:2: command not found",
        "it crashes",
        "progress of prod-server",
    ];
    assert_eq!(world.told(), told, "evidence comes before anything is undone");

    let server = &back.state.resources[&"prod/server".parse().unwrap()];
    assert_eq!(server.inputs.get("image"), Some(&Data::Text("server:1".into())));
    assert!(server.dependencies.contains(&"prod/database".parse().unwrap()), "{server:?}");
    // The stack still says what failed, and the next plan shows it.
    assert_eq!(world.planned(&graph).await, [("server", Action::Update)]);
}

#[tokio::test]
async fn what_was_cut_off_while_it_was_followed_is_followed_by_the_next_run() {
    let world = World::new();
    let graph = |server: &str| World::graph("pg:1", server);
    assert!(world.deploy(&graph("server:1")).await.0.succeeded());
    world.cluster.cut.store(true, Ordering::SeqCst);
    let second = graph("server:2");
    tokio::time::timeout(Duration::from_millis(300), world.deploy(&second)).await.unwrap_err();
    world.cluster.cut.store(false, Ordering::SeqCst);
    world.calls();

    // It is as wanted, and nobody knows whether it is well.
    assert_eq!(world.planned(&second).await, [("server", Action::Update)]);
    world.cluster.busy.store(2, Ordering::SeqCst);
    assert!(world.deploy(&second).await.0.succeeded());
    assert_eq!(world.calls(), ["update prod-server server:2"]);
    assert_eq!(world.planned(&second).await, []);
    // So it is what the next one goes back to.
    let (_, back) = world.deploy(&graph("bad:3")).await;
    assert!(back.unwrap().succeeded());
    assert_eq!(world.calls(), ["update prod-server bad:3", "update prod-server server:2"]);
}

#[tokio::test]
async fn what_may_have_changed_unseen_is_told_again_and_followed() {
    let world = World::new();
    let graph = |server: &str| World::graph("pg:1", server);
    assert!(world.deploy(&graph("server:1")).await.0.succeeded());
    let second = graph("bad:2");

    // The change had its effect, and the run was cut off, or the answer was lost.
    world.cluster.cut_in_update.store(true, Ordering::SeqCst);
    tokio::time::timeout(Duration::from_millis(300), world.deploy(&second)).await.unwrap_err();
    world.cluster.cut_in_update.store(false, Ordering::SeqCst);
    assert_eq!(world.planned(&second).await, [("server", Action::Update)]);
    let (outcome, back) = world.deploy(&second).await;
    assert_eq!(outcome.failed[0].failure.kind, FailureKind::Hopeless);
    assert!(back.unwrap().succeeded());

    world.cluster.lost.store(true, Ordering::SeqCst);
    let (outcome, _) = world.deploy(&second).await;
    assert_eq!(outcome.failed[0].failure.kind, FailureKind::Service);
    world.cluster.lost.store(false, Ordering::SeqCst);
    assert_eq!(world.planned(&second).await, [("server", Action::Update)]);
    assert!(world.deploy(&second).await.1.unwrap().succeeded());

    // Somebody brought it to what the stack says by now.
    world.cluster.running.lock().unwrap().get_mut("prod-server").unwrap().0 = "server:3".into();
    world.calls();
    let third = graph("server:3");
    assert_eq!(world.planned(&third).await, [("server", Action::Update)]);
    assert!(world.deploy(&third).await.0.succeeded());
    assert_eq!(world.calls(), ["update prod-server server:3"]);
    assert_eq!(world.planned(&third).await, []);

    // A part of it failed, and only the service knows.
    world.cluster.unfinished.store(true, Ordering::SeqCst);
    let all = [("database", Action::Update), ("server", Action::Update)];
    assert_eq!(world.planned(&third).await, all);
    assert!(world.deploy(&third).await.0.succeeded());
    assert_eq!(world.planned(&third).await, []);
}

#[tokio::test]
async fn a_canary_is_well_before_what_it_tries_out_is_changed_and_leaves_again() {
    let world = World::new();
    let graph = |image: &str| {
        let mut s = Stack::new("prod");
        s.bind("mem", serde_json::json!({}));
        let server = s.add("server", Service::new().image(image.to_owned()));
        s.add("beta", Service::new().image(image.to_owned()).canary_of(server));
        s.finish().unwrap()
    };
    // A first release, and any run that isn't told, has none.
    let canaries =
        Planning { scope: Scope { canaries: true, ..Scope::default() }, no_refresh: false };
    assert!(world.deploy_as(&graph("server:1"), &canaries).await.0.succeeded());
    assert_eq!(world.calls(), ["create prod-server server:1"]);
    assert_eq!(world.planned(&graph("server:2")).await, [("server", Action::Update)]);

    let (outcome, _) = world.deploy_as(&graph("server:2"), &canaries).await;
    assert!(outcome.succeeded(), "{outcome:?}");
    assert_eq!(world.calls(), ["create prod-beta server:2", "update prod-server server:2"]);
    // It is of no other run; here its own was cut off before it took it away.
    assert_eq!(world.planned(&graph("server:2")).await, [("beta", Action::Delete)]);
    assert!(world.deploy(&graph("server:2")).await.0.succeeded());
    assert_eq!(world.planned(&graph("server:2")).await, []);
    // Nor is there one where nothing is to be tried out.
    assert!(world.deploy_as(&graph("server:2"), &canaries).await.0.succeeded());
    assert_eq!(world.calls(), Vec::<String>::new());

    // A hopeless one leaves the other as it is.
    let (outcome, back) = world.deploy_as(&graph("bad:3"), &canaries).await;
    assert_eq!(outcome.failed[0].address.name(), "beta");
    assert!(back.is_none(), "{back:?}");
    assert_eq!(outcome.skipped, ["prod/server".parse().unwrap()]);
    assert_eq!(world.calls(), ["create prod-beta bad:3"]);
    assert_eq!(world.planned(&graph("server:2")).await, [("beta", Action::Delete)]);
}

#[tokio::test]
async fn a_first_release_has_nothing_to_go_back_to() {
    let world = World::new();
    let (outcome, back) = world.deploy(&World::graph("pg:1", "bad:1")).await;
    assert_eq!(outcome.failed.len(), 1, "{outcome:?}");
    assert!(back.is_none(), "{back:?}");
    assert_eq!(world.calls(), ["create prod-database pg:1", "create prod-server bad:1"]);
}

#[tokio::test]
async fn no_stack_can_write_a_recorded_value() {
    let world = World::new();
    let mut graph = World::graph("pg:1", "server:1");
    let value = Expr::Value(Data::Text("server:0".into()));
    graph.nodes[1].fields.insert("image".into(), value);
    let refused = world.registry.check(&graph).unwrap_err().to_string();
    assert!(refused.contains("recorded value in its field `image`"), "{refused}");
}
