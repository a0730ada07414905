//! One team's stack, runs of formwork on it, and what must hold after each.

use super::{
    cloud::{self, Cloud, Fault},
    stacks::Outside,
};
use formwork_engine::{
    apply::{self, Patience, Quiet},
    plan::{Operations, Plan, PlanError},
    rebuild::{self, RebuildError},
    session::{self, Planning, SessionError},
    state::{Hold, Store},
    *,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

static ALONE: Hold = Hold::alone();
static NEVER: AtomicBool = AtomicBool::new(false);

pub struct Team {
    pub cloud: Arc<Cloud>,
    registry: Registry,
    store: Store,
    _dir: tempfile::TempDir,
}

/// How a run ended.
#[derive(Debug, PartialEq)]
pub enum Ended {
    Clean,
    Killed,
    /// The plan would delete or replace what is protected.
    Protected,
    Failed(String),
}

fn patience() -> Patience {
    let (none, short) = (Duration::ZERO, Duration::from_millis(500));
    Patience {
        first_pause: none,
        longest_pause: none,
        ready: short,
        gone: short,
        busy: Duration::from_millis(2),
        visible: none,
    }
}

impl Team {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cloud = Arc::new(Cloud::default());
        let registry = cloud::registry(&cloud);
        Self { registry, cloud, store: Store::folder(dir.path()).unwrap(), _dir: dir }
    }

    async fn state(&self) -> State {
        session::load(&self.store, "random").await.unwrap().state
    }

    /// One run, with what goes wrong; whatever it does, the state stays readable and what was protected
    /// stays there.
    pub async fn run(&self, graph: &Graph, faults: BTreeMap<usize, Fault>) -> Ended {
        let before = self.state().await;
        let protected: BTreeSet<String> = before
            .resources
            .values()
            .filter(|record| record.protect)
            .map(|record| record.id.clone())
            .collect();
        let there = |id: &String| self.cloud.world.lock().unwrap().things.contains_key(id);
        let protected: Vec<String> = protected.into_iter().filter(there).collect();
        self.cloud.world.lock().unwrap().begin(faults);
        let ended = tokio::select! {
            biased;
            () = self.cloud.killed.notified() => Ended::Killed,
            ended = self.apply(graph) => ended,
        };
        self.cloud.world.lock().unwrap().begin(BTreeMap::new());
        // The journal's writer ends by itself once its run is gone.
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.state().await;
        let lost = protected.iter().find(|id| !there(id));
        assert_eq!(lost, None, "protected, and gone");
        ended
    }

    async fn apply(&self, graph: &Graph) -> Ended {
        let failed = |error: SessionError| match error {
            SessionError::Plan(PlanError::Protected(_)) => Ended::Protected,
            SessionError::Plan(error) => panic!("can't be planned: {error}"),
            other => Ended::Failed(other.to_string()),
        };
        let held = match session::hold(&self.registry, &self.store, &graph.stack, &patience()).await
        {
            Ok(held) => held,
            Err(error) => return failed(error),
        };
        let planning = Planning::default();
        let planned =
            session::make_plan(&self.registry, &self.store, graph, &held.state, &planning).await;
        let plan = match planned {
            Ok(planned) => planned.plan,
            Err(error) => return failed(error),
        };
        check_plan(&plan);
        let options = apply::Options {
            parallelism: 3,
            consent: plan.needs_consent().collect(),
            patience: patience(),
            reporter: &Quiet,
            hold: &ALONE,
            stop: &NEVER,
        };
        let applied = apply::apply(&plan, held.state, &self.registry, &self.store, &options).await;
        let outcome = applied.unwrap();
        match outcome.succeeded() {
            true => Ended::Clean,
            false => Ended::Failed(format!("{:?} {:?}", outcome.failed, outcome.skipped)),
        }
    }

    /// Whether a plan without a lock finds nothing to do.
    pub async fn is_as_wanted(&self, graph: &Graph) -> bool {
        let planning = Planning::default();
        let state = self.state().await;
        let planned =
            session::make_plan(&self.registry, &self.store, graph, &state, &planning).await;
        !planned.unwrap().plan.has_changes()
    }

    /// After a clean apply and an empty plan, state and cloud are the same, and are what is wanted.
    pub async fn check(&self, graph: &Graph) {
        let state = self.state().await;
        assert!(state.open.is_empty() && state.deposed.is_empty(), "{state:#?}");
        let wanted: BTreeSet<Address> = graph.nodes.iter().map(|node| node.address).collect();
        assert_eq!(state.resources.keys().copied().collect::<BTreeSet<_>>(), wanted);
        let known: BTreeSet<&String> = state.resources.values().map(|record| &record.id).collect();
        let world = self.cloud.world.lock().unwrap();
        let there: BTreeSet<&String> = world.things.keys().collect();
        assert_eq!(known, there, "the state, and what is there");
        for (address, record) in &state.resources {
            let there = &world.things[&record.id];
            let (has, wants) = (there.fields.get("value"), record.inputs.get("value"));
            assert_eq!(has, wants, "the value of {address}");
        }
    }

    /// The state is lost, rebuilt from what is there, and confirmed: it is the same again.
    pub async fn lose_state(&self, graph: &Graph) {
        let before = self.state().await;
        // A host that isn't ready tells no way to what lives on it.
        self.cloud.world.lock().unwrap().land();
        let rebuilt = rebuild::rebuild(&self.registry, graph, &BTreeMap::new(), None).await;
        let mut rebuilt = match rebuilt {
            Ok(proposal) => proposal.state,
            // Nothing is there, or only what has no room for marks.
            Err(RebuildError::Nothing(_)) => return,
            Err(error) => panic!("{error}"),
        };
        rebuild::confirm(&mut rebuilt, &[]).unwrap();
        let (ids, again) = (ids(&before), ids(&rebuilt));
        assert_eq!((&before.lineage, ids), (&rebuilt.lineage, again));
        self.store.remove("random").await.unwrap();
        rebuilt.serial = 1;
        self.store.write(&rebuilt).await.unwrap();
        assert!(self.is_as_wanted(graph).await, "what is rebuilt is as wanted");
    }

    /// Somebody changes or deletes something by another way.
    pub fn outside(&self, what: &Outside) {
        let mut world = self.cloud.world.lock().unwrap();
        let ids: Vec<String> = world.things.keys().cloned().collect();
        let (Outside::Change { which } | Outside::Delete { which }) = what else { return };
        let Some(id) = ids.get(which % ids.len().max(1)) else { return };
        match what {
            // The service refuses it to anybody while it is in use.
            Outside::Delete { .. } if world.things.values().any(|t| t.uses.contains(id)) => {}
            Outside::Delete { .. } => {
                world.things.remove(id);
                world.things.retain(|_, thing| thing.on.as_ref() != Some(id));
            }
            _ => {
                let thing = world.things.get_mut(id).unwrap();
                thing.fields.insert("value".into(), Data::Number(77.into()));
            }
        }
    }
}

fn ids(state: &State) -> BTreeMap<Address, (String, String, String)> {
    let records = state.resources.iter();
    let parts = |r: &Record| (r.kind.clone(), r.id.clone(), r.intent.clone());
    // What has no room for marks doesn't tell who made it.
    let parts = |r: &Record| match r.kind.as_str() {
        "mem.App" => (r.kind.clone(), r.id.clone(), String::new()),
        _ => parts(r),
    };
    records.map(|(address, record)| (*address, parts(record))).collect()
}

/// What holds of every plan: it can be saved, and its operations have an order.
fn check_plan(plan: &Plan) {
    let json = serde_json::to_string(plan).unwrap();
    assert_eq!(&serde_json::from_str::<Plan>(&json).unwrap(), plan);
    let mut left = Operations::of(plan).0;
    while !left.is_empty() {
        let free: Vec<_> = left
            .iter()
            .filter(|(_, waits)| {
                // That something exists is told while it is ensured.
                !waits.iter().any(|(address, phase)| {
                    let phase = match phase {
                        plan::Phase::Exist => plan::Phase::Ensure,
                        other => *other,
                    };
                    left.contains_key(&(*address, phase))
                })
            })
            .map(|(operation, _)| *operation)
            .collect();
        assert!(!free.is_empty(), "these wait for each other: {left:#?}");
        free.iter().for_each(|operation| drop(left.remove(operation)));
    }
}
