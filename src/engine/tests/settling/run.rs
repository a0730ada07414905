//! Runs against the simulated cloud: one after the other, each of which may be killed.

use crate::cloud::{self, Sim};
use formwork_engine::{
    apply::{self, Outcome, Patience, Quiet},
    plan::{Plan, PlanError},
    session::{self, Planning, SessionError},
    state::{Hold, Store},
    *,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

pub const STACK: &str = "prod";
static ALONE: Hold = Hold::alone();
static NEVER: AtomicBool = AtomicBool::new(false);
/// Applies in calm weather after which everything must be as wanted.
const SETTLES_WITHIN: usize = 4;

/// A simulated cloud and a state.
pub struct Bench {
    pub sim: Arc<Sim>,
    pub registry: Registry,
    pub store: Store,
    _dir: tempfile::TempDir,
}

/// How one run ended.
#[derive(Debug)]
pub enum Ended {
    Killed,
    Refused(SessionError),
    Ran(Box<Outcome>),
}

impl Ended {
    fn brief(&self) -> String {
        match self {
            Self::Killed => "killed".to_owned(),
            Self::Refused(error) => error.to_string(),
            Self::Ran(outcome) => {
                let failed = outcome.failed.iter();
                let failed: Vec<String> =
                    failed.map(|f| format!("{} {}: {}", f.doing, f.address, f.failure)).collect();
                format!("failed {failed:?}, skipped {:?}, done {:?}", outcome.skipped, outcome.done)
            }
        }
    }
}

impl Bench {
    pub fn new() -> Self {
        // In memory where there is a file system for that: every journal entry is synced.
        let memory = Path::new("/dev/shm");
        let dir = match memory.is_dir() {
            true => tempfile::tempdir_in(memory),
            false => tempfile::tempdir(),
        };
        let dir = dir.unwrap();
        let sim = Arc::new(Sim::default());
        let registry = cloud::registry(&sim);
        Self { sim, registry, store: Store::folder(dir.path()).unwrap(), _dir: dir }
    }

    fn patience() -> Patience {
        let wait = Duration::from_secs(20);
        Patience {
            first_pause: Duration::from_micros(20),
            longest_pause: Duration::from_micros(100),
            ready: wait,
            gone: wait,
            busy: Duration::from_millis(20),
            visible: Duration::ZERO,
        }
    }

    pub async fn plan(&self, graph: &Graph) -> Result<Plan, SessionError> {
        self.registry.check(graph).unwrap();
        let state = session::load(&self.store, STACK).await?.state;
        let planning = Planning::default();
        let planned =
            session::make_plan(&self.registry, &self.store, graph, &state, &planning).await?;
        Ok(planned.plan)
    }

    async fn apply(&self, graph: &Graph) -> Result<Outcome, SessionError> {
        let patience = Self::patience();
        let held = session::hold(&self.registry, &self.store, STACK, &patience).await?;
        let planning = Planning::default();
        let planned =
            session::make_plan(&self.registry, &self.store, graph, &held.state, &planning).await?;
        let plan = serde_json::to_string(&planned.plan).unwrap();
        let plan: Plan = serde_json::from_str(&plan).unwrap();
        assert_eq!(plan, planned.plan, "a plan that was saved is the same");
        let options = apply::Options {
            parallelism: 4,
            consent: plan.needs_consent().collect(),
            patience,
            reporter: &Quiet,
            hold: &ALONE,
            stop: &NEVER,
        };
        Ok(apply::apply(&plan, held.state, &self.registry, &self.store, &options).await.unwrap())
    }

    /// Applies, until it ends or is killed.
    pub async fn run(&self, graph: &Graph) -> Ended {
        self.registry.check(graph).unwrap();
        let protected = self.protected().await;
        let ended = tokio::select! {
            biased;
            () = self.sim.kill.notified() => Ended::Killed,
            result = self.apply(graph) => match result {
                Ok(outcome) => Ended::Ran(Box::new(outcome)),
                Err(error) => Ended::Refused(error),
            },
        };
        // A kill that came with the end of the run is not one of the next run.
        let _ = tokio::time::timeout(Duration::ZERO, self.sim.kill.notified()).await;
        if matches!(ended, Ended::Killed) {
            // What the dropped run had given to the journal's writer is written by then.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let there = self.sim.items();
        let gone: Vec<_> = protected.iter().filter(|id| !there.contains_key(*id)).collect();
        assert!(gone.is_empty(), "protected, and gone: {gone:?}");
        ended
    }

    /// The state as stored and with its journals; panics where it can't be read.
    pub async fn state(&self) -> State {
        session::load(&self.store, STACK).await.unwrap().state
    }

    /// What the state protects and exists.
    async fn protected(&self) -> BTreeSet<String> {
        let there = self.sim.items();
        let state = self.state().await;
        let records = state.resources.into_values().filter(|record| record.protect);
        records.map(|record| record.id).filter(|id| there.contains_key(id)).collect()
    }

    /// Takes protection off, as an apply of its own would.
    async fn unprotect(&self, addresses: &[Address]) {
        let patience = Self::patience();
        let held = session::hold(&self.registry, &self.store, STACK, &patience).await.unwrap();
        let mut state = held.state.clone();
        for address in addresses {
            state.resources.get_mut(address).unwrap().protect = false;
        }
        state.serial += 1;
        self.store.write(&state).await.unwrap();
    }

    /// Applies in calm weather until all is as wanted, and holds the cloud to the state.
    pub async fn converge(&self, graph: &Graph) {
        self.sim.calm();
        let (mut history, mut revealed) = (vec![], false);
        for _ in 0..SETTLES_WITHIN {
            let mut ended = self.run(graph).await;
            if let Ended::Refused(SessionError::Plan(PlanError::Protected(addresses))) = &ended {
                self.unprotect(addresses).await;
                ended = self.run(graph).await;
            }
            let done = matches!(&ended, Ended::Ran(outcome) if outcome.succeeded());
            history.push(ended);
            // What reads hid from settling, a later run finds.
            if done && (revealed || self.state().await.watched.is_empty()) {
                self.check(graph).await;
                return;
            }
            revealed = done;
            self.sim.reveal();
        }
        let history: Vec<String> = history.iter().map(Ended::brief).collect();
        panic!("not as wanted after {SETTLES_WITHIN} applies: {history:#?}");
    }

    async fn check(&self, graph: &Graph) {
        let plan = self.plan(graph).await.unwrap();
        let changes: Vec<_> = plan.changes().map(|step| (step.address, step.action)).collect();
        assert!(!plan.has_changes(), "a second plan isn't empty: {changes:?}");
        let state = self.state().await;
        let known: BTreeMap<String, Address> =
            state.resources.iter().map(|(address, record)| (record.id.clone(), *address)).collect();
        let there: BTreeSet<String> = self.sim.items().into_keys().collect();
        let orphans: Vec<_> = there.iter().filter(|id| !known.contains_key(*id)).collect();
        assert!(orphans.is_empty(), "nobody knows of {orphans:?}");
        let missing: Vec<_> = known.iter().filter(|(id, _)| !there.contains(*id)).collect();
        assert!(missing.is_empty(), "not there: {missing:?}");
        assert_eq!(known.len(), state.resources.len(), "one thing, two addresses");
        assert!(state.deposed.is_empty() && state.open.is_empty(), "{state:?}");
        assert_eq!(self.store.journals(STACK).await.unwrap(), []);
    }
}
