//! PostgreSQL resources: roles, databases cloned from templates, grants.
//!
//! ```
//! use formwork_engine::{IntoValue as _, Lifecycle as _, Output, Secret, Stack, Value};
//! use formwork_postgres::prelude::*;
//!
//! # struct Platform { host: Output<String>, creator_password: Output<Secret> }
//! # fn preview(s: &mut Stack, platform: Platform, own_password: Output<Secret>) {
//! let server: Value<Server> = Server::new()
//!     .host(platform.host)
//!     .user("app_creator")
//!     .password(platform.creator_password)
//!     .into_value();
//! let user = s.add(
//!     "user",
//!     Role::new().server(server.clone()).name("app_staging_pr7").password(own_password),
//! );
//! let data = s.add(
//!     "data",
//!     Database::new()
//!         .server(server)
//!         .name("app_staging_pr7")
//!         .owner(user.name)
//!         .template("app_clone")
//!         .encoding("UTF8")
//!         .collation("en_US.UTF-8")
//!         .ctype("en_US.UTF-8"),
//! );
//! # let _ = data;
//! # }
//! ```
//!
//! Everything here works as a role without superuser that has `LOGIN CREATEDB CREATEROLE`, such as the
//! master of an RDS instance or a creator role that it made. What is made carries a mark in its comment
//! ([`Mark`]), so that it is known again without any state, and a name that something else holds is refused.

mod database;
mod failure;
mod grants;
mod mark;
mod membership;
mod quote;
mod role;
mod server;
mod session;

pub use database::*;
pub use grants::*;
pub use mark::Mark;
pub use role::*;
pub use server::*;
pub use session::Postgres;

use formwork_engine::{Data, Registry, Schema};

/// What a stack needs of this crate.
pub mod prelude {
    pub use crate::{
        Database, DatabasePrivilege, FutureGrant, Grants, Reach, Role, SchemaPrivilege,
        SequencePrivilege, Server, TablePrivilege, Tls,
    };
}

/// Adds the kinds of this crate to a registry.
pub fn register(registry: &mut Registry) {
    registry.cloud::<Postgres>(()).add::<Role>().add::<Database>().add::<Grants>();
}

/// Fills in the defaults, so that what nobody wrote down is compared as well: an attribute or a privilege
/// that was added from outside is drift.
fn with_defaults(schema: &Schema, fields: Data) -> Data {
    let Data::Map(mut fields) = fields else { return fields };
    for field in schema.fields {
        let Some(default) = field.default else { continue };
        let given = fields.entry(field.name.to_owned()).or_insert(Data::Null);
        if *given == Data::Null {
            *given = Data::literal(&default());
        }
    }
    Data::Map(fields)
}

/// Sorts a list of texts and drops what is there twice, since its order says nothing.
fn sort_texts(list: &mut Data) {
    let Data::List(items) = list else { return };
    if items.iter().all(|item| item.as_str().is_some()) {
        items.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
        items.dedup();
    }
}
