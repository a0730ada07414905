//! What the tests share: a server, a stack's side of the provider trait, a look from outside.

mod kind;
mod password;
mod process;

pub use kind::{Kind, Texts, secret};
pub use password::Password;
pub use process::Process;

use formwork_engine::{Data, Registry, Secrets};
use serde_json::{Value as Json, json};
use std::sync::{
    LazyLock,
    atomic::{AtomicUsize, Ordering},
};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// The role that stands for an RDS master: no superuser.
pub const MASTER: &str = "test_master";
pub const MASTER_PASSWORD: &str = "the master's own password";

/// The server that most tests share; each test uses names of its own.
pub fn shared() -> &'static Process {
    static SHARED: LazyLock<Process> = LazyLock::new(|| Process::start(&[]));
    &SHARED
}

/// Every kind of the crate, with the secrets of [`secret`].
pub fn registry() -> Registry {
    let mut registry = Registry::new(Secrets::new(vec![Box::new(Texts)]));
    formwork_postgres::register(&mut registry);
    password::register(&mut registry);
    registry
}

/// A binding, as the engine evaluates it: the master's.
pub fn master(server: &Process) -> Json {
    binding(server, MASTER, Some(MASTER_PASSWORD))
}

pub fn binding(server: &Process, user: &str, password: Option<&str>) -> Json {
    let mut binding = json!({ "host": "127.0.0.1", "port": server.port, "user": user });
    if let Some(password) = password {
        binding["password"] = secret(password, "1");
    }
    binding
}

pub fn data(json: &Json) -> Data {
    Data::from_json(json)
}

/// A name that no other test uses.
pub fn unique(of: &str) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("{of}_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A connection from outside of formwork.
pub async fn connect(
    server: &Process,
    user: &str,
    password: &str,
    database: &str,
) -> Result<Client, tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(server.port).user(user).password(password).dbname(database);
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Runs statements as the superuser.
pub async fn superuser(server: &Process, database: &str, sql: &str) {
    let client = connect(server, "postgres", "", database).await.unwrap();
    client.batch_execute(sql).await.unwrap();
}

/// The first column of what a query gives, as the superuser.
pub async fn look(server: &Process, database: &str, sql: &str) -> Vec<String> {
    let client = connect(server, "postgres", "", database).await.unwrap();
    rows(&client, sql).await.unwrap()
}

pub async fn rows(client: &Client, sql: &str) -> Result<Vec<String>, tokio_postgres::Error> {
    let messages = client.simple_query(sql).await?;
    let rows = messages.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("(null)").to_owned()),
        _ => None,
    });
    Ok(rows.collect())
}

/// The SQLSTATE that a statement fails with.
pub async fn refusal(client: &Client, sql: &str) -> String {
    let error = rows(client, sql).await.expect_err("it was allowed");
    error.code().map(|code| code.code().to_owned()).unwrap_or_default()
}
