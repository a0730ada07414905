//! The reference use, as stacks: staging makes a creator and a template, previews clone it as the creator.

use crate::support::*;
use formwork_engine::{
    Graph, IntoValue as _, Registry, Secret, Stack, State, Value,
    apply::{self, Patience, Quiet},
    exports, map,
    plan::{Action, Plan},
    session,
    state::Store,
};
use formwork_postgres::prelude::*;
use std::{collections::BTreeMap, sync::atomic::AtomicBool};

exports! { pub struct Platform { creator: String, creator_password: Secret, template: String } }

struct World {
    server: Process,
    registry: Registry,
    store: Store,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::folder(folder.path()).unwrap();
        Self { server: Process::start(&[]), registry: registry(), store, _folder: folder }
    }

    fn stack(&self, name: &str) -> Stack {
        let mut stack = Stack::new(name);
        stack.bind("test", serde_json::json!({}));
        stack
    }

    fn staging(&self) -> Graph {
        let mut s = self.stack("staging");
        let at = || Server::new().host("127.0.0.1").port(self.server.port);
        // Only here someone comes in without a password.
        let master: Value<Server> = at().user("postgres").into_value();
        let password = s.add("creator-password", Password::new().version("1"));
        let creator = s.add(
            "creator",
            Role::new()
                .server(master)
                .name("app_creator")
                .password(password.value)
                .createdb(true)
                .createrole(true),
        );
        let server: Value<Server> = at().user(creator.name).password(password.value).into_value();
        let template =
            s.add("template", Database::new().server(server).name("app_clone").owner(creator.name));
        s.export(Platform {
            creator: creator.name,
            creator_password: password.value,
            template: template.name,
        });
        s.finish().unwrap()
    }

    fn preview(&self, number: u32) -> Graph {
        let mut s = self.stack(&format!("preview-pr{number}"));
        let platform: Platform = s.import("staging");
        let server: Value<Server> = Server::new()
            .host("127.0.0.1")
            .port(self.server.port)
            .user(platform.creator)
            .password(platform.creator_password)
            .into_value();
        let name = format!("app_staging_pr{number}");
        let password = s.add("password", Password::new().version("1"));
        let user = s.add(
            "user",
            Role::new().server(server.clone()).name(name.as_str()).password(password.value),
        );
        let data = s.add(
            "data",
            Database::new()
                .server(server.clone())
                .name(name.as_str())
                .owner(user.name)
                .template(platform.template)
                .encoding("UTF8")
                .collation("en_US.UTF-8")
                .ctype("en_US.UTF-8"),
        );
        let reader = s.add(
            "reader",
            Role::new().server(server.clone()).name(format!("{name}_reader")).login(false),
        );
        s.add(
            "reading",
            Grants::new()
                .server(server)
                .role(reader.name)
                .database(data.name)
                .on_database([DatabasePrivilege::Connect])
                .on_schemas(map! { "public": [SchemaPrivilege::Usage] })
                .on_tables(map! { "public": map! { "*": [TablePrivilege::Select] } })
                .on_future([FutureGrant::new()
                    .owner(user.name)
                    .schema("public")
                    .tables([TablePrivilege::Select])]),
        );
        s.finish().unwrap()
    }

    async fn plan(&self, graph: &Graph, state: &State) -> Plan {
        self.registry.check(graph).unwrap();
        session::make_plan(&self.registry, &self.store, graph, state, &Default::default())
            .await
            .unwrap()
            .plan
    }

    async fn actions(&self, graph: &Graph) -> BTreeMap<&'static str, Action> {
        let state = session::load(&self.store, &graph.stack).await.unwrap().state;
        let plan = self.plan(graph, &state).await;
        plan.changes().map(|step| (step.address.name(), step.action)).collect()
    }

    async fn apply(&self, graph: &Graph) {
        let patience = Patience::default();
        let held =
            session::hold(&self.registry, &self.store, &graph.stack, &patience).await.unwrap();
        let plan = self.plan(graph, &held.state).await;
        let options = apply::Options {
            parallelism: 4,
            consent: plan.needs_consent().collect(),
            patience,
            reporter: &Quiet,
            hold: &held.hold,
            stop: &AtomicBool::new(false),
        };
        let outcome = apply::apply(&plan, held.state, &self.registry, &self.store, &options).await;
        let outcome = outcome.unwrap();
        assert!(outcome.succeeded(), "{:?}", outcome.failed);
        assert_eq!(self.actions(graph).await, BTreeMap::new(), "a second plan is empty");
    }

    /// Roles and databases that the server didn't come with.
    async fn inventory(&self) -> Vec<String> {
        let sql = "SELECT 'role ' || rolname FROM pg_roles WHERE oid >= 16384
            UNION ALL SELECT 'database ' || datname FROM pg_database WHERE oid >= 16384
            ORDER BY 1";
        look(&self.server, "postgres", sql).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staging_and_two_previews_come_change_and_go() {
    let world = World::new();
    let before = world.inventory().await;
    let staging = world.staging();
    world.apply(&staging).await;
    let creator = connect(&world.server, "app_creator", "staging-creator-password", "app_clone")
        .await
        .unwrap();
    creator
        .batch_execute(
            "CREATE TABLE items (id serial, name text); INSERT INTO items (name) VALUES ('a')",
        )
        .await
        .unwrap();
    drop(creator);

    let previews = [world.preview(7), world.preview(8)];
    for preview in &previews {
        world.apply(preview).await;
    }
    assert_eq!(world.actions(&staging).await, BTreeMap::new(), "staging doesn't mind its previews");
    for (own, other) in [("7", "8"), ("8", "7")] {
        let user = format!("app_staging_pr{own}");
        // The text of a test's password is its own physical name.
        let address = format!("preview-pr{own}/password").parse().unwrap();
        let password = formwork_engine::physical_name(address, 40);
        let inside = connect(&world.server, &user, &password, &user).await.unwrap();
        assert_eq!(rows(&inside, "SELECT name FROM items").await.unwrap(), ["a"]);
        rows(&inside, "INSERT INTO items (name) VALUES ('b')").await.unwrap();
        let elsewhere = format!("app_staging_pr{other}");
        assert!(connect(&world.server, &user, &password, &elsewhere).await.is_err());
    }

    let outside = "REVOKE CONNECT ON DATABASE app_staging_pr7 FROM app_staging_pr7_reader";
    superuser(&world.server, "postgres", outside).await;
    assert_eq!(world.actions(&previews[0]).await, [("reading", Action::Update)].into());
    world.apply(&previews[0]).await;

    world.apply(&Graph::empty("preview-pr7")).await;
    assert_eq!(world.actions(&previews[1]).await, BTreeMap::new());
    assert_eq!(world.actions(&staging).await, BTreeMap::new());
    world.apply(&Graph::empty("preview-pr8")).await;
    world.apply(&Graph::empty("staging")).await;
    assert_eq!(world.inventory().await, before);
}
