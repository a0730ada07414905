//! A database for the app, with its role and its password.

use formwork::prelude::*;

/// Letters and digits that passwords have.
const PASSWORD_LENGTH: u32 = 32;
/// Days for which a deleted password can be taken back.
pub const RECOVERY_DAYS: u32 = 30;
pub const ENCODING: &str = "UTF8";
pub const LOCALE: &str = "en_US.UTF-8";

/// A database and how the app logs into it.
pub struct Data {
    pub role: Handle<postgres::Role>,
    pub database: Handle<postgres::Database>,
    pub password: Handle<secretsmanager::Secret>,
}

/// Where a database comes from.
pub enum Origin<'a> {
    Empty,
    Template(&'a str),
}

/// A role of its own, its password in Secrets Manager, and a database that belongs to it.
///
/// `name` is the name of both role and database, `secret` of the password.
pub fn data(
    s: &mut Stack,
    server: &Value<postgres::Server>,
    name: &str,
    secret: &str,
    origin: Origin<'_>,
) -> Data {
    // A preview's name comes back when its pull request is opened again, so nothing may hold it.
    let recovery_days = match origin {
        Origin::Empty => RECOVERY_DAYS,
        Origin::Template(_) => 0,
    };
    let password = s.add("database-password", password(secret, recovery_days));
    let role = s.add(
        "database-role",
        postgres::Role::new().server(server.clone()).name(name).password(password.value),
    );
    let database = postgres::Database::new()
        .server(server.clone())
        .name(name)
        .owner(role.name)
        .encoding(ENCODING)
        .collation(LOCALE)
        .ctype(LOCALE);
    let database = match origin {
        Origin::Empty => s.add("database", database),
        Origin::Template(template) => s.add("database", database.template(template)),
    };
    Data { role, database, password }
}

/// A generated password, kept in Secrets Manager, and this many days longer than the stack has it.
pub fn password(
    name: &str,
    recovery_days: u32,
) -> impl formwork::Draft<Resource = secretsmanager::Secret> {
    secretsmanager::Secret::new()
        .name(name)
        .generate(secretsmanager::Generate::new().length(PASSWORD_LENGTH))
        .recovery_days(recovery_days)
}
