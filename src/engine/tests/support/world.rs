//! A stack, a cloud in memory and a state in a folder, and what tests do with them.

use super::{Cloud, Host, Network};
use formwork_engine::{
    apply::{self, Outcome, Patience, Quiet},
    plan::{Action, Plan},
    session::{self, Planning, SessionError},
    state::{Hold, Store},
    *,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

exports! { pub struct Shared { network: Id<Network> } }

static ALONE: Hold = Hold::alone();
static NEVER: AtomicBool = AtomicBool::new(false);

pub fn options(consent: BTreeSet<Address>) -> apply::Options<'static> {
    apply::Options {
        parallelism: 4,
        consent,
        patience: patience(),
        reporter: &Quiet,
        hold: &ALONE,
        stop: &NEVER,
    }
}

pub fn patience() -> Patience {
    let short = Duration::from_millis(1);
    Patience { busy: short, visible: short, ..Patience::default() }
}

#[derive(Clone)]
pub struct Wanted {
    pub cidr: &'static str,
    pub label: &'static str,
    pub sizes: Vec<u32>,
    pub protect: bool,
    pub export: bool,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { cidr: "10.0.0.0/16", label: "a", sizes: vec![1, 2], protect: false, export: false }
    }
}

impl Wanted {
    pub fn graph(&self) -> Graph {
        let mut s = Stack::new("prod");
        s.bind("mem", serde_json::json!({}));
        let net = s.add("net", Network::new().cidr(self.cidr).label(self.label));
        for (i, size) in self.sizes.iter().enumerate() {
            let host = Host::new().network(net.id).size(*size).motd(net.banner);
            s.add(format!("host-{i}"), host.protect(self.protect));
        }
        if self.export {
            s.export(Shared { network: net.id });
        }
        s.finish().unwrap()
    }
}

pub struct World {
    pub cloud: Arc<Cloud>,
    pub registry: Registry,
    pub store: Store,
    _dir: tempfile::TempDir,
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cloud = Arc::new(Cloud::default());
        let registry = super::registry(&cloud);
        Self { registry, cloud, store: Store::folder(dir.path()).unwrap(), _dir: dir }
    }

    pub async fn plan(&self, graph: &Graph) -> Result<Plan, SessionError> {
        self.registry.check(graph).unwrap();
        let state = session::load(&self.store, &graph.stack).await?.state;
        let planning = Planning::default();
        let planned = session::make_plan(&self.registry, &self.store, graph, &state, &planning);
        Ok(planned.await?.plan)
    }

    /// The planned actions by name, without what is kept.
    pub async fn actions(&self, graph: &Graph) -> BTreeMap<&'static str, Action> {
        let plan = self.plan(graph).await.unwrap();
        plan.changes().map(|step| (step.address.name(), step.action)).collect()
    }

    pub async fn try_apply(&self, graph: &Graph) -> Outcome {
        self.try_apply_as(graph, &Planning::default()).await.unwrap()
    }

    /// Applies with everything consented to.
    pub async fn try_apply_as(
        &self,
        graph: &Graph,
        planning: &Planning,
    ) -> Result<Outcome, SessionError> {
        let held =
            session::hold(&self.registry, &self.store, &graph.stack, &patience()).await.unwrap();
        let planned =
            session::make_plan(&self.registry, &self.store, graph, &held.state, planning).await?;
        // A plan can be saved, and does the same when it is read again.
        let plan = serde_json::to_string(&planned.plan).unwrap();
        let plan: Plan = serde_json::from_str(&plan).unwrap();
        assert_eq!(plan, planned.plan);
        let options = options(plan.needs_consent().collect());
        Ok(apply::apply(&plan, held.state, &self.registry, &self.store, &options).await.unwrap())
    }

    pub async fn apply(&self, graph: &Graph) {
        let outcome = self.try_apply(graph).await;
        assert!(outcome.succeeded(), "{outcome:?}");
        assert_eq!(self.actions(graph).await, BTreeMap::new(), "a second plan is empty");
    }

    pub fn log(&self) -> Vec<String> {
        std::mem::take(&mut *self.cloud.log.lock().unwrap())
    }
}
