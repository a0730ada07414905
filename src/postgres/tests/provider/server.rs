use crate::support::*;
use formwork_engine::FailureKind;
use serde_json::{Value as Json, json};
use std::net::TcpListener;

fn with(mut binding: Json, field: &str, value: Json) -> Json {
    binding[field] = value;
    binding
}

#[tokio::test]
async fn each_way_of_not_connecting_says_what_to_do() {
    let server = shared();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let closed = json!({ "host": "127.0.0.1", "port": port, "user": "u" });
    let cases = [
        (closed, FailureKind::Unreachable, format!("can't reach PostgreSQL at 127.0.0.1:{port}")),
        (
            json!({ "host": "no-such-host.invalid", "user": "u", "tls": "disable" }),
            FailureKind::Unreachable,
            "can't reach PostgreSQL at no-such-host.invalid:5432".into(),
        ),
        (
            binding(server, MASTER, Some("wrong")),
            FailureKind::Denied,
            format!("127.0.0.1:{} doesn't let `{MASTER}` in", server.port),
        ),
        (
            binding(server, MASTER, None),
            FailureKind::Denied,
            format!("127.0.0.1:{} asks for the password of `{MASTER}`", server.port),
        ),
        (
            with(master(server), "database", json!("nowhere")),
            FailureKind::Invalid,
            format!("127.0.0.1:{} has no database `nowhere`", server.port),
        ),
        (
            with(master(server), "reach", json!("none")),
            FailureKind::Unreachable,
            format!("127.0.0.1:{} can't be reached from here", server.port),
        ),
        (
            with(master(server), "tls", json!({ "authorities": "/nowhere.pem" })),
            FailureKind::Invalid,
            "/nowhere.pem is no bundle of PEM certificates".into(),
        ),
        (
            with(master(server), "tls", json!("system")),
            FailureKind::Unreachable,
            format!("127.0.0.1:{} doesn't speak TLS", server.port),
        ),
    ];
    for (binding, kind, message) in cases {
        check(binding, kind, &message).await;
    }
}

/// Connecting by a binding fails in this way, and says what to do.
async fn check(binding: Json, kind: FailureKind, message: &str) {
    let name = unique("nobody");
    let mut role = Kind::new("postgres.Role", "nobody", &binding, json!({ "name": name }));
    let failure = role.try_create().await.unwrap_err();
    assert_eq!(failure.kind, kind, "{failure}");
    assert!(failure.message.starts_with(message), "{failure}");
    assert!(failure.hint.is_some(), "{failure}");
}

#[tokio::test]
async fn tls_proves_that_the_server_is_the_host() {
    let server = &Process::start(&["ssl = on"]);
    let cases = [
        (
            with(with(master(server), "tls", json!("system")), "host", json!("localhost")),
            FailureKind::Unreachable,
            format!("localhost:{} can't prove that it is localhost", server.port),
        ),
        (
            with(master(server), "tls", json!({ "authorities": server.authority() })),
            FailureKind::Unreachable,
            format!("127.0.0.1:{} can't prove that it is 127.0.0.1", server.port),
        ),
    ];
    for (binding, kind, message) in cases {
        check(binding, kind, &message).await;
    }
    let secured = with(master(server), "tls", json!({ "authorities": server.authority() }));
    let secured = with(secured, "host", json!("localhost"));
    let mut role =
        Kind::new("postgres.Role", "secured", &secured, json!({ "name": unique("secured") }));
    role.create().await;
    let encrypted = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
        WHERE ssl AND application_name = 'formwork'";
    assert_ne!(look(server, "postgres", encrypted).await, ["0"]);
    role.delete().await;
}
