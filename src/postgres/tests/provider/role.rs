use crate::support::*;
use formwork_engine::FailureKind;
use serde_json::json;

const KIND: &str = "postgres.Role";

fn role(name: &str, fields: serde_json::Value) -> Kind {
    let mut all = json!({ "name": name });
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    Kind::new(KIND, &name.replace('_', "-"), &master(shared()), all)
}

#[tokio::test]
async fn a_role_lives_and_goes() {
    let (name, group) = (unique("app"), unique("group"));
    let mut group_role = role(&group, json!({ "login": false }));
    group_role.create().await;
    let mut app = role(&name, json!({}));
    app.create().await;

    let changed = app
        .change(json!({
            "name": name, "login": false, "createdb": true, "createrole": true, "inherit": false,
            "connection_limit": 5, "member_of": [group, "pg_monitor"],
            "valid_until": "2040-01-01T00:00:00+02:00",
        }))
        .await;
    assert_eq!(changed.len(), 8, "{changed:?}");
    let other = unique("group");
    role(&other, json!({ "login": false })).create().await;
    let changed = app.change(json!({ "name": name, "member_of": [other] })).await;
    assert!(
        changed.contains(&"valid_until: \"2039-12-31T22:00:00Z\" -> \"infinity\"".to_owned()),
        "{changed:?}"
    );
    let members = look(
        shared(),
        "postgres",
        &format!("SELECT roleid::regrole FROM pg_auth_members WHERE member = '{name}'::regrole"),
    )
    .await;
    assert_eq!(members, [other]);
    app.delete().await;
    group_role.delete().await;
}

#[tokio::test]
async fn drift_is_seen_and_repaired() {
    let (name, group) = (unique("app"), unique("group"));
    role(&group, json!({ "login": false })).create().await;
    let mut app = role(&name, json!({}));
    app.create().await;
    let change =
        format!("ALTER ROLE {name} CREATEROLE CONNECTION LIMIT 3; GRANT {group} TO {name}");
    superuser(shared(), "postgres", &change).await;
    assert_eq!(
        app.drift().await,
        [
            "createrole: true -> false".to_owned(),
            "connection_limit: 3 -> -1".to_owned(),
            format!("member_of[-]: \"{group}\" -> ∅"),
        ]
    );
    if server_version().await >= 160_000 {
        // From 16 on only who granted a membership takes it away, and that was a superuser.
        superuser(shared(), "postgres", &format!("REVOKE {group} FROM {name}")).await;
    }
    app.repair().await;
}

async fn server_version() -> i32 {
    let shown = look(shared(), "postgres", "SHOW server_version_num").await;
    shown[0].parse().unwrap()
}

#[tokio::test]
async fn passwords_work_and_are_in_no_log() {
    let name = unique("app");
    let (first, second) = ("pass word 1 é'\\\"", "pass word 2 é'\\\"");
    let mut app = role(&name, json!({ "password": secret(first, "1") }));
    app.create().await;
    connect(shared(), &name, first, "postgres").await.unwrap();
    let changed = app.change(json!({ "name": name, "password": secret(second, "2") })).await;
    assert_eq!(changed.len(), 1, "{changed:?}");
    connect(shared(), &name, second, "postgres").await.unwrap();
    assert!(connect(shared(), &name, first, "postgres").await.is_err());

    let log = shared().log();
    assert!(log.contains(&format!("CREATE ROLE \"{name}\"")), "statements aren't logged");
    for text in ["pass word 1", "pass word 2", MASTER_PASSWORD] {
        assert!(!log.contains(text), "`{text}` is in the log");
    }
}

#[tokio::test]
async fn what_is_not_ours_is_not_touched() {
    let name = unique("theirs");
    superuser(shared(), "postgres", &format!("CREATE ROLE {name}")).await;
    let mut app = role(&name, json!({}));
    let failure = app.try_create().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Taken, "{failure}");
    assert_eq!(app.read_unknown().await, None);
    app.subject.id = Some(name.clone());
    for refused in [app.try_delete().await, app.apply(&["login: ".into()]).await] {
        assert_eq!(refused.unwrap_err().kind, FailureKind::Taken);
    }
}

#[tokio::test]
async fn a_creation_whose_answer_was_lost_is_found_again() {
    let name = unique("app");
    let mut app = role(&name, json!({}));
    app.create().await;
    app.subject.id = None;
    assert_eq!(app.read_unknown().await.unwrap().owner, Some(app.subject.owner.clone()));
    app.create().await;
    let mut same_name = role(&name, json!({}));
    same_name.subject.owner.intent = "intent-other".into();
    let failure = same_name.try_create().await.unwrap_err();
    assert!(failure.message.contains(&format!("belongs to `test/{}`", app.address())), "{failure}");
}

#[tokio::test]
async fn a_role_with_privileges_goes_and_one_that_owns_things_stays() {
    let (name, owner) = (unique("app"), unique("app"));
    let mut app = role(&name, json!({}));
    app.create().await;
    let mut owning = role(&owner, json!({ "password": secret("p", "1") }));
    owning.create().await;
    let fields = json!({ "name": owner, "owner": owner });
    let address = format!("{}-data", owner.replace('_', "-"));
    let mut data = Kind::new("postgres.Database", &address, &master(shared()), fields);
    data.create().await;
    let inside = connect(shared(), &owner, "p", &owner).await.unwrap();
    let setup = format!(
        "CREATE TABLE t (); GRANT SELECT ON t TO {name}; GRANT CONNECT ON DATABASE {owner} TO {name}"
    );
    inside.batch_execute(&setup).await.unwrap();
    app.delete().await;
    let failure = owning.try_delete().await.unwrap_err();
    assert!(failure.message.contains(&format!("still owns things in `{owner}`")), "{failure}");
    data.delete().await;
    owning.delete().await;
}
