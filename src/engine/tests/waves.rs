//! Waves: who waits until something is ready, and who only until it exists.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use formwork_engine::{
    apply::{self, Patience, Quiet},
    session::{self, Planning},
    state::{Hold, Store},
    *,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, atomic::AtomicBool},
    time::Duration,
};

/// Reads after which a database is ready.
const READS: usize = 5;

/// What happened, in order, and how often the database was read.
#[derive(Default)]
pub struct Cloud {
    log: Mutex<Vec<String>>,
    reads: Mutex<usize>,
    there: Mutex<BTreeSet<String>>,
}

impl Cloud {
    fn say(&self, what: impl Into<String>) {
        self.log.lock().unwrap().push(what.into());
    }
}

pub struct Mem(Arc<Cloud>);

impl Connect for Mem {
    type Setup = Arc<Cloud>;
    async fn connect(setup: &Arc<Cloud>, _: &Data, _: &Secrets) -> Result<Self, Failure> {
        Ok(Self(setup.clone()))
    }
}

/// A database: its ARN is known at once, its host when it is ready.
#[derive(Resource, Deserialize)]
#[resource(kind = "mem.Database", outputs = DatabaseOutputs, identity = name(40))]
pub struct Database {
    pub size: u32,
}

#[derive(Outputs, Serialize)]
pub struct DatabaseOutputs {
    pub arn: String,
    #[ready]
    pub host: Option<String>,
}

/// A role that may use a database, or an app that does.
#[derive(Resource, Deserialize)]
#[resource(kind = "mem.User", outputs = UserOutputs, identity = name(40))]
pub struct User {
    pub of: String,
}

#[derive(Outputs, Serialize)]
pub struct UserOutputs {
    pub id: Id<User>,
}

impl Reconcile for Database {
    type Cloud = Mem;
    async fn list(cloud: &Mem, wanted: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
        let name = wanted[0].name.clone();
        if !cloud.0.there.lock().unwrap().contains(&name) {
            return Ok(vec![]);
        }
        let mut reads = cloud.0.reads.lock().unwrap();
        *reads += 1;
        let ready = *reads >= READS;
        if *reads == READS {
            cloud.0.say("database is ready");
        }
        Ok(vec![Found {
            id: name.clone(),
            observed: DatabaseObserved { size: Some(1) },
            outputs: DatabaseOutputs {
                arn: format!("arn:{name}"),
                host: ready.then(|| "host".to_owned()),
            },
            status: if ready { Status::Ready } else { Status::Pending("creating".into()) },
            owner: Some(wanted[0].owner.clone()),
        }])
    }
    async fn create(cloud: &Mem, s: &Subject, _: Self, _: &Secrets) -> Result<String, Failure> {
        cloud.0.say("create database");
        cloud.0.there.lock().unwrap().insert(s.name.clone());
        Ok(s.name.clone())
    }
    async fn update(_: &Mem, _: &Subject, _: Change<'_, Self>) -> Result<(), Failure> {
        Ok(())
    }
    async fn delete(cloud: &Mem, subject: &Subject) -> Result<(), Failure> {
        cloud.0.there.lock().unwrap().remove(subject.id()?);
        Ok(())
    }
}

impl Reconcile for User {
    type Cloud = Mem;
    async fn list(cloud: &Mem, wanted: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
        let there = cloud.0.there.lock().unwrap();
        let wanted = wanted.iter().filter(|subject| there.contains(&subject.name));
        let found = wanted.map(|subject| Found {
            id: subject.name.clone(),
            observed: UserObserved { of: subject.input("of").ok().map(str::to_owned) },
            outputs: UserOutputs { id: Id::existing(&subject.name) },
            status: Status::Ready,
            owner: Some(subject.owner.clone()),
        });
        Ok(found.collect())
    }
    async fn create(cloud: &Mem, s: &Subject, want: Self, _: &Secrets) -> Result<String, Failure> {
        cloud.0.say(format!("create {} of {}", s.owner.address.name(), want.of));
        cloud.0.there.lock().unwrap().insert(s.name.clone());
        Ok(s.name.clone())
    }
    async fn update(_: &Mem, _: &Subject, _: Change<'_, Self>) -> Result<(), Failure> {
        Ok(())
    }
    async fn delete(cloud: &Mem, subject: &Subject) -> Result<(), Failure> {
        cloud.0.there.lock().unwrap().remove(subject.id()?);
        Ok(())
    }
}

#[tokio::test]
async fn a_role_isn_t_waited_for_as_long_as_a_database() {
    let cloud = Arc::new(Cloud::default());
    let mut registry = Registry::new(Secrets::default());
    registry.cloud::<Mem>(cloud.clone()).add::<Database>().add::<User>();
    let mut s = Stack::new("prod");
    s.bind("mem", serde_json::json!({}));
    let database = s.add("database", Database::new().size(1u32));
    s.add("role", User::new().of(database.arn));
    s.add("app", User::new().of(database.host));
    let patient = User::new().of(database.arn).after(database);
    s.add("patient", patient);
    let graph = s.finish().unwrap();

    let dir = tempfile::tempdir().unwrap();
    let store = Store::folder(dir.path()).unwrap();
    let state = session::load(&store, "prod").await.unwrap().state;
    let planning = Planning::default();
    let planned = session::make_plan(&registry, &store, &graph, &state, &planning).await.unwrap();
    let short = Duration::from_millis(1);
    let options = apply::Options {
        parallelism: 4,
        consent: BTreeSet::new(),
        patience: Patience { first_pause: short, longest_pause: short, ..Patience::default() },
        reporter: &Quiet,
        hold: &Hold::alone(),
        stop: &AtomicBool::new(false),
    };
    let outcome = apply::apply(&planned.plan, state, &registry, &store, &options).await.unwrap();
    assert!(outcome.succeeded(), "{outcome:?}");
    let log = cloud.log.lock().unwrap().clone();
    let at =
        |what: &str| log.iter().position(|line| line == what).unwrap_or_else(|| panic!("{log:?}"));
    assert!(at("create role of arn:prod-database") < at("database is ready"), "{log:?}");
    assert!(at("database is ready") < at("create app of host"), "{log:?}");
    assert!(at("database is ready") < at("create patient of arn:prod-database"), "{log:?}");
}
