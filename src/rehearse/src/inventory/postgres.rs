//! What PostgreSQL holds, asked with psql as the superuser, through the Unix socket.

use super::{InventoryError, ask};
use crate::{Site, parts::psql};

/// Roles with their attributes and memberships, databases with owner, locale, settings and grants.
const SERVER: &str = include_str!("server.sql");
/// Schemas, relations, functions and default privileges of one database.
const DATABASE: &str = include_str!("database.sql");
/// The databases that can be looked into.
const DATABASES: &str =
    "select datname from pg_database where datallowconn and datname <> 'template1' order by 1";

pub(super) fn list(site: &Site) -> Result<Vec<String>, InventoryError> {
    let query = |database: &str, sql: &str| {
        let mut psql =
            psql(&site.tools.psql, &site.postgres_socket, site.postgres_port, database, sql);
        let answer = ask(site, &mut psql)?;
        Ok::<_, InventoryError>(answer.lines().map(str::to_owned).collect::<Vec<_>>())
    };
    let mut lines: Vec<String> =
        query("postgres", SERVER)?.iter().map(|line| format!("postgres/{line}")).collect();
    for database in query("postgres", DATABASES)? {
        let inside = query(&database, DATABASE)?;
        lines.extend(inside.iter().map(|line| format!("postgres/{database}/{line}")));
    }
    Ok(lines)
}
