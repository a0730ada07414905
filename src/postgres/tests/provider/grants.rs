use crate::support::*;
use formwork_engine::FailureKind;
use serde_json::{Value as Json, json};

struct Setup {
    owner: String,
    reader: String,
    database: String,
}

/// An owner's database with tables, and a role that has nothing in it.
async fn setup() -> Setup {
    let (owner, reader, database) = (unique("owner"), unique("reader"), unique("shop"));
    let master = master(shared());
    for name in [&owner, &reader] {
        let fields = json!({ "name": name, "password": secret(name, "1") });
        Kind::new("postgres.Role", &name.replace('_', "-"), &master, fields).create().await;
    }
    let fields = json!({ "name": database, "owner": owner });
    Kind::new("postgres.Database", &database.replace('_', "-"), &master, fields).create().await;
    let inside = connect(shared(), &owner, &owner, &database).await.unwrap();
    inside
        .batch_execute(
            "CREATE TABLE items (id serial, name text); CREATE TABLE orders (id int);
             CREATE VIEW seen AS SELECT * FROM items; INSERT INTO items (name) VALUES ('a');
             CREATE SCHEMA private; CREATE TABLE private.keys (id int); CREATE SEQUENCE numbers",
        )
        .await
        .unwrap();
    Setup { owner, reader, database }
}

impl Setup {
    fn grants(&self, fields: Json) -> Kind {
        let address = format!("{}-in-{}", self.reader, self.database).replace('_', "-");
        Kind::new("postgres.Grants", &address, &master(shared()), self.fields(fields))
    }

    fn fields(&self, fields: Json) -> Json {
        let mut all = json!({ "role": self.reader, "database": self.database });
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        all
    }

    async fn outside(&self, sql: &str) {
        let sql = sql.replace("READER", &self.reader).replace("SHOP", &self.database);
        superuser(shared(), &self.database, &sql.replace("OWNER_ROLE", &self.owner)).await;
    }

    async fn reader(&self) -> tokio_postgres::Client {
        connect(shared(), &self.reader, &self.reader, &self.database).await.unwrap()
    }
}

fn reading() -> Json {
    json!({
        "on_database": ["connect"],
        "on_schemas": { "public": ["usage"] },
        "on_tables": { "public": { "*": ["select"], "items": ["insert", "select"] } },
        "on_sequences": { "public": { "items_id_seq": ["usage"] } },
    })
}

#[tokio::test]
async fn grants_allow_what_they_say_and_no_more() {
    let setup = setup().await;
    let refused = connect(shared(), &setup.reader, &setup.reader, &setup.database).await;
    assert!(refused.is_err(), "PUBLIC may connect");
    let mut grants = setup.grants(reading());
    grants.create().await;
    let reader = setup.reader().await;
    assert_eq!(rows(&reader, "SELECT name FROM items").await.unwrap(), ["a"]);
    rows(&reader, "INSERT INTO items (name) VALUES ('b')").await.unwrap();
    rows(&reader, "SELECT * FROM seen, orders").await.unwrap();
    for sql in ["DELETE FROM items", "INSERT INTO orders VALUES (1)", "SELECT * FROM private.keys"]
    {
        assert_eq!(refusal(&reader, sql).await, "42501", "{sql}");
    }
    drop(reader);
    grants.delete().await;
    let acls =
        "SELECT count(*) FROM pg_shdepend WHERE refobjid = 'READER'::regrole AND deptype = 'a'";
    let acls = acls.replace("READER", &setup.reader);
    assert_eq!(look(shared(), &setup.database, &acls).await, ["0"]);
}

#[tokio::test]
async fn each_grant_made_or_revoked_outside_is_seen_as_that_change() {
    let setup = setup().await;
    let mut grants = setup.grants(reading());
    grants.create().await;
    let cases = [
        ("GRANT CREATE ON DATABASE SHOP TO READER", r#"on_database[-]: "create" -> ∅"#),
        ("REVOKE CONNECT ON DATABASE SHOP FROM READER", r#"on_database[+]: ∅ -> "connect""#),
        ("GRANT CREATE ON SCHEMA public TO READER", r#"on_schemas.public[-]: "create" -> ∅"#),
        ("GRANT USAGE ON SCHEMA private TO READER", r#"on_schemas.private: ["usage"] -> ∅"#),
        ("REVOKE USAGE ON SCHEMA public FROM READER", r#"on_schemas.public[+]: ∅ -> "usage""#),
        ("GRANT DELETE ON items TO READER", r#"on_tables.public.items[-]: "delete" -> ∅"#),
        ("REVOKE INSERT ON items FROM READER", r#"on_tables.public.items[+]: ∅ -> "insert""#),
        ("REVOKE SELECT ON orders FROM READER", r#"on_tables.public.orders: [] -> ∅"#),
        (
            "GRANT UPDATE ON orders TO READER",
            r#"on_tables.public.orders: ["select","update"] -> ∅"#,
        ),
        (
            "CREATE TABLE new (); ALTER TABLE new OWNER TO OWNER_ROLE",
            r#"on_tables.public.new: [] -> ∅"#,
        ),
        (
            "GRANT SELECT ON private.keys TO READER",
            r#"on_tables.private: {"keys":["select"]} -> ∅"#,
        ),
        (
            "GRANT USAGE ON SEQUENCE numbers TO READER",
            r#"on_sequences.public.numbers: ["usage"] -> ∅"#,
        ),
        (
            "REVOKE USAGE ON SEQUENCE items_id_seq FROM READER",
            r#"on_sequences.public.items_id_seq[+]: ∅ -> "usage""#,
        ),
    ];
    for (sql, expected) in cases {
        setup.outside(sql).await;
        assert_eq!(grants.drift().await, [expected], "{sql}");
        grants.repair().await;
    }
}

#[tokio::test]
async fn every_part_changes_and_what_is_not_given_is_left_alone() {
    let setup = setup().await;
    let mut grants = setup.grants(json!({ "on_database": ["connect"] }));
    grants.create().await;
    setup.outside("GRANT SELECT ON items TO READER").await;
    grants.settled().await;
    grants.change(setup.fields(json!({ "on_database": ["connect", "temporary", "create"] }))).await;
    grants.change(setup.fields(reading())).await;
    let future = json!({ "on_future": [
        { "owner": setup.owner, "schema": "public", "tables": ["select"], "sequences": ["usage"] },
    ] });
    grants.change(setup.fields(future)).await;
    let owner = connect(shared(), &setup.owner, &setup.owner, &setup.database).await.unwrap();
    owner.batch_execute("CREATE TABLE later (id serial)").await.unwrap();
    setup.outside("GRANT CONNECT ON DATABASE SHOP TO READER").await;
    rows(&setup.reader().await, "SELECT * FROM later").await.unwrap();

    setup.outside("ALTER DEFAULT PRIVILEGES FOR ROLE OWNER_ROLE IN SCHEMA public GRANT DELETE ON TABLES TO READER").await;
    let drift = grants.drift().await;
    assert_eq!(drift.len(), 2, "{drift:?}");
    grants.repair().await;
    grants.delete().await;
}

#[tokio::test]
async fn one_that_holds_nothing_any_more_is_gone_and_comes_again() {
    let setup = setup().await;
    let mut grants = setup.grants(json!({ "on_database": ["connect"] }));
    assert_eq!(grants.read_unknown().await, None);
    grants.create().await;
    setup.outside("REVOKE CONNECT ON DATABASE SHOP FROM READER").await;
    assert_eq!(grants.read().await, None);
    grants.create().await;
}

#[tokio::test]
async fn grants_without_an_object_are_refused() {
    let setup = setup().await;
    let nowhere = setup.grants(json!({ "on_tables": { "empty": { "*": ["select"] } } }));
    let missing = setup.grants(json!({ "on_tables": { "public": { "nothing": ["select"] } } }));
    let mut no_role = setup.grants(json!({ "on_database": ["connect"] }));
    no_role.subject.inputs = data(&{
        let mut fields = no_role.subject.inputs.to_json();
        fields["role"] = json!("no_such_role");
        fields
    });
    for (mut grants, message) in [
        (nowhere, "there is nothing in"),
        (missing, "relation \"public.nothing\" does not exist"),
        (no_role, "there is no role `no_such_role` or no database"),
    ] {
        let failure = grants.try_create().await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Invalid, "{failure}");
        assert!(failure.message.contains(message), "{failure}");
        assert_eq!(grants.read_unknown().await, None);
    }
    let registry = registry();
    let provider = registry.get("postgres.Grants").unwrap();
    let nothing = json!({ "role": "r", "database": "d", "on_tables": { "s": {} } });
    assert!(provider.expand(data(&nothing)).is_err());
}
