//! Grants: the privileges of one role in one database, as the catalogs have them.

mod held;
mod observation;
mod privilege;

pub use privilege::{DatabasePrivilege, SchemaPrivilege, SequencePrivilege, TablePrivilege};

use crate::{Postgres, Server, quote::ident, sort_texts};
use formwork_engine::{
    Change, Data, Failure, Found, Nested, Outputs, Prediction, Reconcile, Resource, Secrets,
    Subject,
};
use held::{Held, Object};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Stands for every table or sequence of a schema that isn't named beside it.
pub const ALL: &str = "*";

/// The privileges of one role in one database.
///
/// Each field that is given says all of its part: a privilege that is held beside it is drift, and goes. What
/// the role owns counts as granted, and what it has by memberships and through `PUBLIC` isn't looked at; nor
/// are grant options and grants on single columns. One that holds none of its privileges any more is gone.
/// <https://www.postgresql.org/docs/current/sql-grant.html>
#[derive(Resource, Deserialize)]
#[resource(kind = "postgres.Grants", outputs = GrantsOutputs, identity = key)]
pub struct Grants {
    #[binding]
    pub server: Server,
    /// The role that may.
    #[replace]
    pub role: String,
    /// The database that it is about.
    #[replace]
    pub database: String,
    /// On the database itself.
    #[unordered]
    pub on_database: Option<Vec<DatabasePrivilege>>,
    /// On schemas, by name.
    #[unordered]
    pub on_schemas: Option<BTreeMap<String, Vec<SchemaPrivilege>>>,
    /// On tables and views, by schema and name; the name [`ALL`] (`*`) stands for every one that isn't named.
    #[unordered]
    pub on_tables: Option<BTreeMap<String, BTreeMap<String, Vec<TablePrivilege>>>>,
    /// On sequences, by schema and name, in the same way.
    #[unordered]
    pub on_sequences: Option<BTreeMap<String, BTreeMap<String, Vec<SequencePrivilege>>>>,
    /// On what will be created.
    #[unordered]
    pub on_future: Option<Vec<FutureGrant>>,
}

/// Privileges on what a role will create in a schema (`ALTER DEFAULT PRIVILEGES`).
#[derive(Nested, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FutureGrant {
    /// The role that will create it.
    pub owner: String,
    /// The schema that it will be created in.
    pub schema: String,
    #[unordered]
    pub tables: Option<Vec<TablePrivilege>>,
    #[unordered]
    pub sequences: Option<Vec<SequencePrivilege>>,
}

/// What is known of grants. Who refers to them waits until the role may.
#[derive(Outputs, Serialize)]
pub struct GrantsOutputs {
    #[predicted]
    pub role: String,
    #[predicted]
    pub database: String,
}

impl Reconcile for Grants {
    type Cloud = Postgres;

    async fn list(cloud: &Postgres, wanted: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
        observation::list(cloud, wanted).await
    }

    async fn read(cloud: &Postgres, subject: &Subject) -> Result<Option<Found<Self>>, Failure> {
        Ok(observation::list(cloud, std::slice::from_ref(subject)).await?.pop())
    }

    async fn create(
        cloud: &Postgres,
        _: &Subject,
        want: Self,
        _: &Secrets,
    ) -> Result<String, Failure> {
        want.ensure(cloud, |_| true, Nothing::IsAnError).await?;
        identifier(&want.role, &want.database)
    }

    async fn update(
        cloud: &Postgres,
        _: &Subject,
        change: Change<'_, Self>,
    ) -> Result<(), Failure> {
        change.want.ensure(cloud, |field| change.has(field), Nothing::IsFine).await
    }

    async fn delete(cloud: &Postgres, subject: &Subject) -> Result<(), Failure> {
        let declared: Self = subject.inputs.parse().map_err(|error| {
            Failure::invalid(format!("what was granted isn't known any more: {error}"))
        })?;
        let Some(seen) = observation::one(cloud, &declared).await? else { return Ok(()) };
        let granted = seen.wanted(&declared);
        let gone = Held::default();
        let statements = held::statements(&declared, &seen.held.within(&granted), &gone)?;
        declared.carry_out(cloud, &seen, statements).await
    }

    fn predict(prediction: &Prediction<'_>) -> BTreeMap<&'static str, String> {
        let known = ["role", "database"].into_iter();
        known.filter_map(|field| Some((field, prediction.text(field)?.to_owned()))).collect()
    }

    fn expand(fields: Data) -> Result<Data, Failure> {
        let Data::Map(mut fields) = fields else {
            return Err(Failure::invalid("grants are made of named fields"));
        };
        let parts = ["on_database", "on_schemas", "on_tables", "on_sequences", "on_future"];
        if parts.iter().all(|part| fields.get(*part).is_none_or(grants_nothing)) {
            return Err(Failure::invalid("these grants grant nothing")
                .hint(format!("give one of {}", parts.join(", "))));
        }
        for part in parts {
            fields.entry(part.to_owned()).and_modify(sort_deep);
        }
        Ok(Data::Map(fields))
    }
}

/// Whether there is no privilege in a part, at any depth.
fn grants_nothing(part: &Data) -> bool {
    match part {
        Data::Null => true,
        Data::List(items) => items.is_empty(),
        Data::Map(map) => map.values().all(grants_nothing),
        _ => false,
    }
}

/// Sorts lists of privileges; of a future grant, a list that isn't given is an empty one.
fn sort_deep(part: &mut Data) {
    match part {
        Data::List(items) => {
            for future in items.iter_mut() {
                let Data::Map(fields) = future else { continue };
                for list in ["tables", "sequences"] {
                    sort_texts(fields.entry(list.into()).or_insert(Data::List(vec![])));
                }
            }
            sort_texts(part);
        }
        Data::Map(map) => map.values_mut().for_each(sort_deep),
        _ => {}
    }
}

/// The identifier of a role's grants in a database.
fn identifier(role: &str, database: &str) -> Result<String, Failure> {
    Ok(format!("{} in {}", ident(role)?, ident(database)?))
}

/// What it means that there is nothing to hold the privileges on.
#[derive(Clone, Copy, PartialEq)]
enum Nothing {
    IsAnError,
    IsFine,
}

impl Grants {
    /// Grants what is missing and revokes what is too much, in the fields asked for.
    async fn ensure(
        &self,
        cloud: &Postgres,
        asked: impl Fn(&str) -> bool,
        nothing: Nothing,
    ) -> Result<(), Failure> {
        let seen = observation::one(cloud, self).await?.ok_or_else(|| {
            let (role, database) = (&self.role, &self.database);
            Failure::invalid(format!("there is no role `{role}` or no database `{database}`"))
                .hint("create both first")
        })?;
        // Grants live in the catalogs of what they are on: without that, they would seem never to come about.
        if nothing == Nothing::IsAnError && seen.wanted(self).is_empty() {
            let (role, database) = (&self.role, &self.database);
            return Err(Failure::invalid(format!(
                "there is nothing in `{database}` yet that `{role}` could get these privileges on, or it owns all of it"
            ))
            .hint("add `on_future` for tables to come, or leave these grants out"));
        }
        let only = |object: &Object| asked(object.field());
        let (is, wanted) = (seen.held.only(only), seen.wanted(self).only(only));
        let statements = held::statements(self, &is, &wanted)?;
        self.carry_out(cloud, &seen, statements).await
    }

    async fn carry_out(
        &self,
        cloud: &Postgres,
        seen: &observation::Seen,
        statements: Vec<String>,
    ) -> Result<(), Failure> {
        if statements.is_empty() {
            return Ok(());
        }
        // Only the owner can grant, and whoever acts for it.
        cloud.act_for(&seen.database_owner).await?;
        for future in self.on_future.iter().flatten() {
            cloud.act_for(&future.owner).await?;
        }
        let session = cloud.inside(&self.database).await?;
        let done = session.change(&statements).await;
        session.close().await;
        let doing = format!("granting to `{}` in `{}`", self.role, self.database);
        done.map_err(|failure| failure.context(doing))
    }
}
