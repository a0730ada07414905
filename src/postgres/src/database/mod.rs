//! A database: empty, or cloned from a template and handed to its owner.
//!
//! A clone comes up under a name of its own, `formwork-<intent>`, and gets its final name in the
//! transaction that makes it complete. So whoever connects by the final name finds all of it or nothing,
//! and a creation that was cut off half-way is found by its intent and finished.

mod creation;
mod handover;
mod observation;

use crate::{
    Mark, Postgres, Server, mark,
    quote::{LONGEST_NAME, ident},
    with_defaults,
};
use formwork_engine::{
    Change, Data, Failure, Found, Outputs, Prediction, Reconcile, Resource, Secrets, Subject,
};
use observation::Row;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A database of a server.
///
/// Its owner gets all that the template's owner had in the template: schemas, tables, sequences, views,
/// functions, types. Things in the template that belong to other roles stay theirs. `ALTER DATABASE … SET`
/// is not copied. <https://www.postgresql.org/docs/current/sql-createdatabase.html>
#[derive(Resource, Deserialize)]
#[resource(kind = "postgres.Database", outputs = DatabaseOutputs, identity = name(63), stateful)]
pub struct Database {
    #[binding]
    pub server: Server,
    /// At most 63 bytes, any characters.
    #[replace]
    pub name: String,
    /// The role that owns it and may do anything in it.
    pub owner: String,
    /// The database that it is a copy of, rows included; empty (`template0`) by default. Nobody may be connected
    /// to the template while it is copied: one with `is_template(true)` and `allow_connections(false)` is safe.
    #[replace]
    pub template: Option<String>,
    /// Such as `UTF8`. A clone has that of its template, and naming another one is refused.
    #[replace]
    pub encoding: Option<String>,
    /// How texts are sorted (`LC_COLLATE`), such as `en_US.UTF-8`.
    #[replace]
    pub collation: Option<String>,
    /// What counts as a letter (`LC_CTYPE`), such as `en_US.UTF-8`.
    #[replace]
    pub ctype: Option<String>,
    /// How many sessions it takes; -1, the default, for any number.
    #[default(-1)]
    pub connection_limit: Option<i32>,
    /// Whether any role that may create databases may clone it; false by default.
    #[default(false)]
    pub is_template: Option<bool>,
    /// Whether it takes sessions at all; true by default.
    #[default(true)]
    pub allow_connections: Option<bool>,
    /// Whether every role may connect to it; false by default, unlike PostgreSQL's own default.
    #[default(false)]
    pub public_connect: Option<bool>,
}

/// What is known of a database.
#[derive(Outputs, Serialize)]
pub struct DatabaseOutputs {
    #[predicted]
    pub name: String,
}

impl Reconcile for Database {
    type Cloud = Postgres;

    async fn list(cloud: &Postgres, wanted: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
        observation::list(cloud, wanted).await
    }

    async fn create(
        cloud: &Postgres,
        subject: &Subject,
        want: Self,
        _: &Secrets,
    ) -> Result<String, Failure> {
        let doing = format!("creating the database `{}`", want.name);
        let created = creation::create(cloud, subject, &want).await;
        created.map(|()| want.name).map_err(|failure| failure.context(doing))
    }

    async fn update(
        cloud: &Postgres,
        subject: &Subject,
        change: Change<'_, Self>,
    ) -> Result<(), Failure> {
        let want = &change.want;
        let updated = match observation::locate(cloud, subject).await? {
            Some(row) if row.is_provisional(subject) => {
                creation::finish(cloud, subject, want).await
            }
            Some(row) => want.settle(cloud, subject, &row, |field| change.has(field)).await,
            None => Err(Failure::invalid("it is gone").hint("plan again")),
        };
        updated.map_err(|failure| failure.context(format!("changing the database `{}`", want.name)))
    }

    async fn delete(cloud: &Postgres, subject: &Subject) -> Result<(), Failure> {
        let doing = format!("dropping the database `{}`", subject.id()?);
        let dropped = creation::drop(cloud, subject).await;
        dropped.map_err(|failure| failure.context(doing))
    }

    fn predict(prediction: &Prediction<'_>) -> BTreeMap<&'static str, String> {
        prediction.text("name").map(|name| ("name", name.to_owned())).into_iter().collect()
    }

    fn expand(fields: Data) -> Result<Data, Failure> {
        Ok(with_defaults(Self::SCHEMA, fields))
    }
}

impl Database {
    /// Brings a finished database to what is wanted.
    async fn settle(
        &self,
        cloud: &Postgres,
        subject: &Subject,
        row: &Row,
        changed: impl Fn(&str) -> bool,
    ) -> Result<(), Failure> {
        mark::check_ours(&format!("the database `{}`", row.name), row.mark.as_ref(), subject)?;
        cloud.act_for(&row.owner).await?;
        let attributes = self.attributes(&row.name, &changed)?;
        // What shuts the database comes last, since handing it over needs a session in it.
        let shuts = self.allow_connections == Some(false);
        if !shuts {
            cloud.own().await?.change(&attributes).await?;
        }
        // The mark tells of a handover that was cut off.
        let from = row.mark.as_ref().and_then(|mark| mark.from.clone());
        if (changed("owner") && row.owner != self.owner) || from.is_some() {
            let from = from.unwrap_or_else(|| row.owner.clone());
            let mark = row.mark.clone().unwrap_or_else(|| Mark::of(&subject.owner));
            handover::begin(cloud, &row.name, &self.owner, &from, &mark).await?;
            handover::all(cloud, &row.name, &from, &self.owner).await?;
            handover::end(cloud, &row.name, &mark).await?;
        }
        if shuts {
            cloud.own().await?.change(&attributes).await?;
        }
        Ok(())
    }

    /// The statements that set the fields asked for, the owner apart.
    fn attributes(&self, name: &str, asked: impl Fn(&str) -> bool) -> Result<Vec<String>, Failure> {
        let name = ident(name)?;
        let mut options = vec![];
        if let Some(limit) = self.connection_limit.filter(|_| asked("connection_limit")) {
            options.push(format!("CONNECTION LIMIT {limit}"));
        }
        if let Some(on) = self.is_template.filter(|_| asked("is_template")) {
            options.push(format!("IS_TEMPLATE {on}"));
        }
        if let Some(on) = self.allow_connections.filter(|_| asked("allow_connections")) {
            options.push(format!("ALLOW_CONNECTIONS {on}"));
        }
        let mut statements = vec![];
        if !options.is_empty() {
            statements.push(format!("ALTER DATABASE {name} WITH {}", options.join(" ")));
        }
        match self.public_connect.filter(|_| asked("public_connect")) {
            Some(true) => statements.push(format!("GRANT CONNECT ON DATABASE {name} TO PUBLIC")),
            Some(false) => {
                statements.push(format!("REVOKE CONNECT ON DATABASE {name} FROM PUBLIC"))
            }
            None => {}
        }
        Ok(statements)
    }
}

/// The name of a database whose creation isn't finished.
fn provisional(intent: &str) -> Result<String, Failure> {
    let name = format!("formwork-{intent}");
    match name.len() <= LONGEST_NAME {
        true => Ok(name),
        false => Err(Failure::invalid(format!("the intent `{intent}` is too long for a name"))),
    }
}
