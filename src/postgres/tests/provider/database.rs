use crate::support::*;
use formwork_engine::{FailureKind, Status};
use serde_json::{Value as Json, json};
use std::time::Duration;
use tokio::time::sleep;

const KIND: &str = "postgres.Database";
/// How long tests wait for something that the server does by itself, in tenths of a second.
const PATIENCE: usize = 300;

fn database(binding: &Json, name: &str, fields: Json) -> Kind {
    let mut all = json!({ "name": name });
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let address = format!("{}-data", name.replace('_', "-"));
    Kind::new(KIND, &address, binding, all)
}

/// A role with a password of its own name.
async fn role(binding: &Json, name: &str, fields: Json) -> Kind {
    let mut all = json!({ "name": name, "password": secret(name, "1") });
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let mut role = Kind::new("postgres.Role", &name.replace('_', "-"), binding, all);
    role.create().await;
    role
}

/// What the staging stack has: a creator role without superuser, and a template whose owner it may act for.
struct Staging {
    creator: Json,
    template: String,
}

/// Things of many types, all the template owner's.
const CONTENT: &str = r#"
    CREATE SCHEMA "Shop ""é";
    CREATE TABLE items (id bigserial PRIMARY KEY, name text NOT NULL);
    INSERT INTO items (name) SELECT 'item ' || i FROM generate_series(1, 100) i;
    CREATE TABLE "Shop ""é"."Odd ""Table" (id int GENERATED ALWAYS AS IDENTITY, day date) PARTITION BY RANGE (day);
    CREATE TABLE "Shop ""é".part PARTITION OF "Shop ""é"."Odd ""Table" DEFAULT;
    CREATE VIEW "Shop ""é".seen AS SELECT * FROM items;
    CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM items;
    CREATE SEQUENCE free_sequence;
    CREATE TYPE mood AS ENUM ('good', 'bad');
    CREATE TYPE pair AS (a int, b int);
    CREATE DOMAIN positive AS int CHECK (VALUE > 0);
    CREATE FUNCTION twice(i int) RETURNS int LANGUAGE sql AS 'SELECT 2 * i';
    CREATE PROCEDURE nothing() LANGUAGE sql AS 'SELECT 1';
    CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
    CREATE STATISTICS correlated ON id, name FROM items;
    CREATE EXTENSION citext;
"#;

impl Staging {
    async fn make(server: &Process) -> Self {
        let (creator, owner, template) =
            (unique("creator"), unique("clone_owner"), unique("clone"));
        let master = master(server);
        role(&master, &owner, json!({ "login": true })).await;
        let fields = json!({ "createdb": true, "createrole": true, "member_of": [owner] });
        role(&master, &creator, fields).await;
        let fields = json!({ "owner": owner, "encoding": "UTF8", "collation": "en_US.UTF-8",
            "ctype": "en_US.UTF-8" });
        database(&master, &template, fields).create().await;
        let inside = connect(server, &owner, &owner, &template).await.unwrap();
        inside.batch_execute(CONTENT).await.unwrap();
        Self { creator: binding(server, &creator, Some(&creator)), template }
    }

    fn clone(&self, name: &str, owner: &str) -> Kind {
        let fields = json!({ "owner": owner, "template": self.template, "encoding": "UTF8",
            "collation": "en_US.UTF-8", "ctype": "en_US.UTF-8" });
        database(&self.creator, name, fields)
    }
}

/// What in a database belongs to someone else than its owner, extensions and what they brought apart.
const NOT_THE_OWNERS: &str = "
    SELECT pg_describe_object(d.classid, d.objid, 0) FROM pg_shdepend d JOIN pg_database b ON b.oid = d.dbid
    WHERE b.datname = current_database() AND d.deptype = 'o' AND d.refobjid <> b.datdba
        AND d.classid <> 'pg_extension'::regclass
        AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.objid = d.objid AND e.deptype = 'e')";

#[tokio::test]
async fn two_previews_have_their_own_rows_and_nothing_of_each_other() {
    let server = shared();
    let staging = Staging::make(server).await;
    let (one, two) = (unique("app_staging_pr"), unique("app_staging_pr"));
    let mut made = vec![];
    for name in [&one, &two] {
        let owner = role(&staging.creator, name, json!({})).await;
        let mut data = staging.clone(name, name);
        data.create().await;
        made.push((owner, data));
    }
    for (own, other) in [(&one, &two), (&two, &one)] {
        assert_eq!(look(server, own, NOT_THE_OWNERS).await, [] as [String; 0]);
        let settings =
            "SELECT pg_encoding_to_char(encoding) || ' ' || datcollate || ' ' || datctype || ' '
            || datdba::regrole FROM pg_database WHERE datname = current_database()";
        let expected = format!("UTF8 en_US.UTF-8 en_US.UTF-8 {own}");
        assert_eq!(look(server, own, settings).await, [expected]);

        let inside = connect(server, own, own, own).await.unwrap();
        assert_eq!(rows(&inside, "SELECT count(*) FROM items").await.unwrap(), ["100"]);
        let insert = format!("INSERT INTO items (name) VALUES ('{own}') RETURNING id");
        assert_eq!(rows(&inside, &insert).await.unwrap(), ["101"]);
        inside.batch_execute("CREATE TABLE more (); DROP VIEW \"Shop \"\"é\".seen").await.unwrap();

        let refused = connect(server, own, own, other).await.err().unwrap();
        assert_eq!(refused.code().unwrap().code(), "42501", "{refused:?}");
        let refused = connect(server, own, own, &staging.template).await.err().unwrap();
        assert_eq!(refused.code().unwrap().code(), "42501", "{refused:?}");
    }
    let (first_role, first) = made.remove(0);
    // The application is still connected.
    let _app = connect(server, &one, &one, &one).await.unwrap();
    first.delete().await;
    first_role.delete().await;
    made[0].1.settled().await;
    let inside = connect(server, &two, &two, &two).await.unwrap();
    assert_eq!(rows(&inside, "SELECT count(*) FROM items").await.unwrap(), ["101"]);
    assert_eq!(look(server, &staging.template, "SELECT count(*) FROM items").await, ["100"]);
    let owner =
        format!("SELECT datdba::regrole FROM pg_database WHERE datname = '{}'", staging.template);
    assert_ne!(look(server, "postgres", &owner).await, [two]);
}

#[tokio::test]
async fn every_field_changes_and_drift_is_repaired() {
    let server = shared();
    let (name, other) = (unique("app"), unique("app"));
    let master = master(server);
    role(&master, &name, json!({})).await;
    role(&master, &other, json!({})).await;
    let mut data = database(&master, &name, json!({ "owner": name }));
    data.create().await;
    let inside = connect(server, &name, &name, &name).await.unwrap();
    inside.batch_execute(CONTENT).await.unwrap();
    drop(inside);

    let wanted = json!({ "name": name, "owner": other, "connection_limit": 7, "is_template": true,
        "allow_connections": false, "public_connect": true });
    let changed = data.change(wanted.clone()).await;
    assert_eq!(changed.len(), 5, "{changed:?}");
    let mut open = wanted;
    open["allow_connections"] = json!(true);
    data.change(open).await;
    assert_eq!(look(server, &name, NOT_THE_OWNERS).await, [] as [String; 0]);

    let outside = format!(
        "ALTER DATABASE {name} CONNECTION LIMIT 9; REVOKE CONNECT ON DATABASE {name} FROM PUBLIC"
    );
    superuser(server, "postgres", &outside).await;
    assert_eq!(data.drift().await, ["connection_limit: 9 -> 7", "public_connect: false -> true"]);
    data.repair().await;
    superuser(server, "postgres", &format!("ALTER DATABASE {name} OWNER TO {MASTER}")).await;
    assert_eq!(data.drift().await, [format!("owner: \"{MASTER}\" -> \"{other}\"")]);
    data.repair().await;
    data.delete().await;
}

#[tokio::test]
async fn sessions_on_the_template_make_it_busy_and_leave_nothing_behind() {
    let server = shared();
    let staging = Staging::make(server).await;
    let name = unique("app_staging_pr");
    role(&staging.creator, &name, json!({})).await;
    let mut data = staging.clone(&name, &name);
    let session = connect(server, "postgres", "", &staging.template).await.unwrap();
    let failure = data.try_create().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Busy, "{failure}");
    assert!(failure.message.contains("other session"), "{failure}");
    assert_eq!(data.read_unknown().await, None);
    drop(session);
    data.create().await;
}

#[tokio::test]
async fn what_is_not_ours_is_not_touched() {
    let server = shared();
    let name = unique("theirs");
    superuser(server, "postgres", &format!("CREATE DATABASE {name}")).await;
    let mut data = database(&master(server), &name, json!({ "owner": MASTER }));
    assert_eq!(data.try_create().await.unwrap_err().kind, FailureKind::Taken);
    assert_eq!(data.read_unknown().await, None);
    data.subject.id = Some(name.clone());
    assert_eq!(data.try_delete().await.unwrap_err().kind, FailureKind::Taken);
    assert_eq!(data.apply(&["owner: ".into()]).await.unwrap_err().kind, FailureKind::Taken);
}

#[tokio::test]
async fn what_can_not_work_is_refused_before_anything_is_made() {
    let server = shared();
    let name = unique("app");
    let master = master(server);
    role(&master, &name, json!({})).await;
    let cases = [
        (
            json!({ "owner": name, "template": "no_such_template" }),
            "there is no template `no_such_template`",
        ),
        (json!({ "owner": "no_such_role" }), "role \"no_such_role\" does not exist"),
        (json!({ "owner": name, "template": "postgres" }), "belongs to the superuser `postgres`"),
        (json!({ "owner": name, "collation": "xx_XX" }), "locale name: \"xx_XX\""),
        (json!({ "owner": "postgres" }), "acting for the role `postgres`"),
    ];
    for (fields, message) in cases {
        let mut data = database(&master, &name, fields);
        let failure = data.try_create().await.unwrap_err();
        assert!(failure.message.contains(message), "{failure}");
        assert!(failure.had_no_effect(), "{failure:?}");
        assert_eq!(data.read_unknown().await, None);
    }
}

#[tokio::test]
async fn odd_names_are_only_names() {
    let server = shared();
    let owner = format!("{}'\"; DROP TABLE x; --", unique("o dd é"));
    let name = format!("{}\\'\"$1 %", unique("Dä ta"));
    let master = master(server);
    let fields = json!({ "name": owner, "password": secret("p", "1") });
    let mut role = Kind::new("postgres.Role", "odd-role", &master, fields);
    role.create().await;
    let fields = json!({ "name": name, "owner": owner, "connection_limit": 4 });
    let mut data = Kind::new(KIND, "odd-data", &master, fields);
    data.create().await;
    let fields = json!({ "role": owner, "database": "postgres", "on_database": ["connect"] });
    let mut grants =
        Kind::new("postgres.Grants", "odd-grants", &binding(server, "postgres", None), fields);
    grants.create().await;
    connect(server, &owner, "p", &name).await.unwrap();
    grants.delete().await;
    data.delete().await;
    role.delete().await;
    for name in ["", &"x".repeat(64), "a\0b"] {
        let fields = json!({ "name": name, "owner": MASTER });
        let mut unusable = Kind::new(KIND, "unusable", &master, fields);
        assert_eq!(unusable.try_create().await.unwrap_err().kind, FailureKind::Invalid);
    }
}

/// A clone that was cut off after its copy was made, as its provisional database shows.
async fn half_made(server: &Process, staging: &Staging, data: &Kind, owner: &str, marked: bool) {
    let provisional = format!("formwork-{}", data.subject.owner.intent);
    let mut sql = vec![format!(
        "CREATE DATABASE \"{provisional}\" OWNER {owner} TEMPLATE {}",
        staging.template
    )];
    if marked {
        let from = look(
            server,
            "postgres",
            &format!(
                "SELECT datdba::regrole FROM pg_database WHERE datname = '{}'",
                staging.template
            ),
        )
        .await;
        let of = &data.subject.owner;
        let mark = json!({ "formwork": { "lineage": of.lineage, "address": of.address, "intent": of.intent,
            "template": staging.template, "from": from[0] } });
        sql.push(format!("COMMENT ON DATABASE \"{provisional}\" IS '{mark}'"));
    }
    for statement in sql {
        superuser(server, "postgres", &statement).await;
    }
}

#[tokio::test]
async fn a_half_made_clone_is_found_and_finished() {
    let server = shared();
    let staging = Staging::make(server).await;
    for marked in [false, true] {
        let name = unique("app_staging_pr");
        role(&staging.creator, &name, json!({})).await;
        let mut data = staging.clone(&name, &name);
        half_made(server, &staging, &data, &name, marked).await;

        let found = data.read_unknown().await.unwrap();
        assert!(matches!(found.status, Status::Failed(_)), "{:?}", found.status);
        assert_eq!(found.owner, Some(data.subject.owner.clone()));
        data.subject.id = Some(found.id);
        let drift = data.drift().await;
        assert!(drift.iter().any(|line| line.starts_with("owner: ")), "{drift:?}");
        data.repair().await;
        assert_eq!(look(server, &name, NOT_THE_OWNERS).await, [] as [String; 0]);
        data.delete().await;
    }
}

#[tokio::test]
async fn a_half_made_clone_is_dropped_by_deletion_and_by_the_next_creation() {
    let server = shared();
    let staging = Staging::make(server).await;
    let name = unique("app_staging_pr");
    role(&staging.creator, &name, json!({})).await;
    let mut data = staging.clone(&name, &name);
    half_made(server, &staging, &data, &name, false).await;
    data.subject.id = Some(name.clone());
    data.delete().await;

    half_made(server, &staging, &data, &name, true).await;
    data.subject.id = None;
    data.subject.owner.intent = "intent-of-a-later-run".into();
    data.create().await;
    assert_eq!(
        look(server, "postgres", PROVISIONAL).await.iter().filter(|n| n.contains(&name)).count(),
        0
    );
}

const PROVISIONAL: &str = "SELECT datname FROM pg_database WHERE datname LIKE 'formwork-%'";

#[tokio::test]
async fn a_handover_that_was_cut_off_goes_on() {
    let server = shared();
    let staging = Staging::make(server).await;
    let (name, next) = (unique("app_staging_pr"), unique("next"));
    role(&staging.creator, &name, json!({})).await;
    role(&staging.creator, &next, json!({})).await;
    let mut data = staging.clone(&name, &name);
    data.create().await;
    // The owner of the database changed, and that of what is in it didn't yet.
    let of = data.subject.owner.clone();
    let mark = json!({ "formwork": { "lineage": of.lineage, "address": of.address, "intent": of.intent,
        "template": staging.template, "from": name } });
    superuser(
        server,
        "postgres",
        &format!("ALTER DATABASE {name} OWNER TO {next}; COMMENT ON DATABASE {name} IS '{mark}'"),
    )
    .await;
    let fields = json!({ "name": name, "owner": next, "template": staging.template });
    let changed = data.change(fields).await;
    assert_eq!(changed, [format!("owner: \"{name}\" -> \"{next}\"")]);
    assert_eq!(look(server, &name, NOT_THE_OWNERS).await, [] as [String; 0]);
}

/// The server process that copies a database, as soon as there is one.
async fn copying(server: &Process) -> i32 {
    let sql =
        "SELECT pid FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE%' AND state = 'active'";
    for _ in 0..PATIENCE {
        if let Some(pid) = look(server, "postgres", sql).await.first() {
            return pid.parse().unwrap();
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("nothing is being copied");
}

/// A server whose template takes a while to copy, since its reads and writes are slowed down.
async fn slow() -> (Process, Staging, String) {
    let server =
        Process::start(&["wal_level = minimal", "max_wal_senders = 0", "autovacuum = off"]);
    let staging = Staging::make(&server).await;
    let fill = "CREATE TABLE filler AS SELECT i, repeat('x', 900) AS pad FROM generate_series(1, 400000) i";
    superuser(&server, &staging.template, fill).await;
    let name = unique("app_staging_pr");
    role(&staging.creator, &name, json!({})).await;
    (server, staging, name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_in_the_middle_of_a_copy_leaves_nothing_in_the_way() {
    let (server, staging, name) = slow().await;
    let mut data = staging.clone(&name, &name);
    let creating = async { data.try_create().await };
    let killing = async {
        let pid = copying(&server).await;
        let under_way = staging.clone(&name, &name).read_unknown().await.unwrap();
        assert_eq!(under_way.status, Status::Pending("cloning".into()));
        kill(pid);
    };
    let (created, ()) = tokio::join!(creating, killing);
    let failure = created.unwrap_err();
    assert!(!failure.had_no_effect(), "{failure:?}");
    let mut again = staging.clone(&name, &name);
    let mut settled = Err(failure);
    for _ in 0..PATIENCE {
        let provider = again.provider();
        settled = provider.read(&data_of(&staging), &again.subject).await;
        if settled.is_ok() {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(settled.unwrap(), None);
    again.create().await;
}

fn data_of(staging: &Staging) -> formwork_engine::Data {
    data(&staging.creator)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_whose_run_was_killed_ends_or_is_ended() {
    let (server, staging, name) = slow().await;
    let mut data = staging.clone(&name, &name);
    {
        let creating = data.try_create();
        tokio::pin!(creating);
        let pid = copying(&server);
        tokio::pin!(pid);
        tokio::select! {
            created = &mut creating => panic!("too fast to be cut off: {created:?}"),
            _ = &mut pid => {}
        }
        // Both ends of the future are dropped here, and the connection with them.
    }
    data.subject.id = Some(name);
    data.delete().await;
    assert_eq!(look(&server, "postgres", PROVISIONAL).await, [] as [String; 0]);
}

fn kill(pid: i32) {
    let killed = std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status();
    assert!(killed.unwrap().success());
}
