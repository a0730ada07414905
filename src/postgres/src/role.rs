//! A role: who may log in, what it may do on the server, whose privileges it has.

use crate::{
    Mark, Postgres, Server, mark,
    quote::{ident, literal},
    session::{self, Session},
    sort_texts, with_defaults,
};
use formwork_engine::{
    Change, Data, Failure, FailureKind, Found, Outputs, Prediction, Reconcile, Resource, Secret,
    Secrets, Status, Subject,
};
use postgres_protocol::password::scram_sha_256;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};
use tokio_postgres::Row;

/// A role of a server.
///
/// It never has `SUPERUSER`, `REPLICATION` or `BYPASSRLS`: only a superuser could give them, and on RDS there
/// is none. <https://www.postgresql.org/docs/current/sql-createrole.html>
#[derive(Resource, Deserialize)]
#[resource(kind = "postgres.Role", outputs = RoleOutputs, identity = name(63))]
pub struct Role {
    #[binding]
    pub server: Server,
    /// At most 63 bytes, any characters.
    #[replace]
    pub name: String,
    /// Whether it may log in; true by default.
    #[default(true)]
    pub login: Option<bool>,
    /// Its password. The server only ever sees the SCRAM-SHA-256 verifier of it (RFC 5802), so the text is in
    /// no statement and in no log.
    #[secret]
    pub password: Option<Secret>,
    /// Whether it may create databases; false by default.
    #[default(false)]
    pub createdb: Option<bool>,
    /// Whether it may create and change roles; false by default.
    #[default(false)]
    pub createrole: Option<bool>,
    /// Whether it has the privileges of the roles that it is a member of; true by default.
    #[default(true)]
    pub inherit: Option<bool>,
    /// How many sessions it may have; -1, the default, for any number.
    #[default(-1)]
    pub connection_limit: Option<i32>,
    /// The roles that it is a member of; none by default. Memberships that a role with `createrole` gave itself
    /// don't count: a creator joins the roles that it makes databases for.
    #[unordered]
    #[default([])]
    pub member_of: Option<Vec<String>>,
    /// Until when its password is good, in RFC 3339 to the second; `infinity`, the default, for ever.
    #[default("infinity")]
    pub valid_until: Option<String>,
}

/// What is known of a role.
#[derive(Outputs, Serialize)]
pub struct RoleOutputs {
    #[predicted]
    pub name: String,
}

impl Reconcile for Role {
    type Cloud = Postgres;

    async fn list(cloud: &Postgres, wanted: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
        let names: Vec<&str> = wanted.iter().filter_map(name_of).collect();
        let rows = read(cloud, &names).await?;
        rows.iter().map(found).collect()
    }

    async fn create(
        cloud: &Postgres,
        subject: &Subject,
        want: Self,
        secrets: &Secrets,
    ) -> Result<String, Failure> {
        let name = ident(&want.name)?;
        let mut options = want.options(|_| true)?;
        if let Some(password) = &want.password {
            options.push(password_option(password, secrets).await?);
        }
        let mut statements = vec![
            format!("CREATE ROLE {name} WITH {}", options.join(" ")),
            format!("COMMENT ON ROLE {name} IS {}", Mark::of(&subject.owner).literal()?),
        ];
        for group in want.member_of.iter().flatten() {
            statements.push(format!("GRANT {} TO {name}", ident(group)?));
        }
        let done = cloud.own().await?.change(&statements).await;
        match done {
            Ok(()) => Ok(want.name),
            Err(failure) if failure.kind == FailureKind::Taken => {
                let rows = read(cloud, &[&want.name]).await?;
                let mark = rows.first().map(mark_of).transpose()?.flatten();
                // The answer to an earlier call of this creation may have been lost.
                match mark {
                    Some(mark) if mark.owner == subject.owner => Ok(want.name),
                    mark => Err(mark::taken(&format!("the role `{}`", want.name), mark.as_ref())),
                }
            }
            Err(failure) => Err(failure.context(format!("creating the role `{}`", want.name))),
        }
    }

    async fn update(
        cloud: &Postgres,
        subject: &Subject,
        change: Change<'_, Self>,
    ) -> Result<(), Failure> {
        let Change { want, secrets, .. } = &change;
        let session = cloud.own().await?;
        let row = existing(cloud, subject).await?.ok_or_else(|| {
            Failure::invalid(format!("the role `{}` is gone", want.name)).hint("plan again")
        })?;
        let name = ident(&want.name)?;
        let mut options = want.options(|field| change.has(field))?;
        if change.has("password") {
            options.push(match &want.password {
                Some(password) => password_option(password, secrets).await?,
                None => "PASSWORD NULL".to_owned(),
            });
        }
        let mut statements = vec![];
        if !options.is_empty() {
            statements.push(format!("ALTER ROLE {name} WITH {}", options.join(" ")));
        }
        if change.has("member_of") {
            let is: Vec<String> = session::get(&row, MEMBER_OF)?;
            let is: BTreeSet<&str> = is.iter().map(String::as_str).collect();
            let wanted: BTreeSet<&str> =
                want.member_of.iter().flatten().map(String::as_str).collect();
            for group in wanted.difference(&is) {
                statements.push(format!("GRANT {} TO {name}", ident(group)?));
            }
            for group in is.difference(&wanted) {
                statements.push(format!("REVOKE {} FROM {name}", ident(group)?));
            }
        }
        let doing = format!("changing the role `{}`", want.name);
        session.change(&statements).await.map_err(|failure| failure.context(doing))
    }

    async fn delete(cloud: &Postgres, subject: &Subject) -> Result<(), Failure> {
        let Some(row) = existing(cloud, subject).await? else { return Ok(()) };
        let name: String = session::get(&row, NAME)?;
        let doing = || format!("dropping the role `{name}`");
        let session = cloud.own().await?;
        let databases = left_privileges(&session, &name).await?;
        if !databases.is_empty() {
            cloud.act_for(&name).await?;
        }
        for database in databases {
            // It owns nothing, as was just made sure: this only takes privileges away.
            let inside = cloud.inside(&database).await?;
            let done = inside.change(&[format!("DROP OWNED BY {}", ident(&name)?)]).await;
            inside.close().await;
            done.map_err(|failure| failure.context(doing()))?;
        }
        let dropped = session.change(&[format!("DROP ROLE IF EXISTS {}", ident(&name)?)]).await;
        dropped.map_err(|failure| {
            failure
                .context(doing())
                .hint("what others gave it, only they or a role that acts for them can take away")
        })
    }

    fn predict(prediction: &Prediction<'_>) -> BTreeMap<&'static str, String> {
        prediction.text("name").map(|name| ("name", name.to_owned())).into_iter().collect()
    }

    fn expand(fields: Data) -> Result<Data, Failure> {
        let Data::Map(mut fields) = with_defaults(Self::SCHEMA, fields) else {
            return Err(Failure::invalid("a role is made of named fields"));
        };
        fields.entry("member_of".into()).and_modify(sort_texts);
        if let Some(Data::Text(until)) = fields.get_mut("valid_until") {
            *until = in_utc(until)?;
        }
        Ok(Data::Map(fields))
    }
}

impl Role {
    /// The options of `CREATE ROLE` and `ALTER ROLE` for the fields asked for, the password apart.
    fn options(&self, asked: impl Fn(&str) -> bool) -> Result<Vec<String>, Failure> {
        let mut options = vec![];
        let mut flag = |field: &str, value: Option<bool>, word: &str| {
            if let Some(value) = value.filter(|_| asked(field)) {
                options.push(if value { word.to_owned() } else { format!("NO{word}") });
            }
        };
        flag("login", self.login, "LOGIN");
        flag("createdb", self.createdb, "CREATEDB");
        flag("createrole", self.createrole, "CREATEROLE");
        flag("inherit", self.inherit, "INHERIT");
        if let Some(limit) = self.connection_limit.filter(|_| asked("connection_limit")) {
            options.push(format!("CONNECTION LIMIT {limit}"));
        }
        if let Some(until) = self.valid_until.as_ref().filter(|_| asked("valid_until")) {
            options.push(format!("VALID UNTIL {}", literal(until)?));
        }
        Ok(options)
    }
}

async fn password_option(password: &Secret, secrets: &Secrets) -> Result<String, Failure> {
    let text = secrets.reveal(password).await?;
    Ok(format!("PASSWORD {}", literal(&scram_sha_256(text.expose_secret().as_bytes()))?))
}

/// A moment in RFC 3339, in UTC as the catalog is read.
fn in_utc(until: &str) -> Result<String, Failure> {
    if until == "infinity" {
        return Ok(until.to_owned());
    }
    let moment = OffsetDateTime::parse(until, &Rfc3339).ok().map(|m| m.to_offset(UtcOffset::UTC));
    let moment = moment.and_then(|moment| moment.replace_nanosecond(0).ok());
    moment.and_then(|moment| moment.format(&Rfc3339).ok()).ok_or_else(|| {
        Failure::invalid(format!("`valid_until` can't be `{until}`"))
            .hint("write it as 2027-01-31T00:00:00Z, or `infinity`")
    })
}

/// The name of the role as it is, which is its identifier, or as it will be.
fn name_of(subject: &Subject) -> Option<&str> {
    subject.id.as_deref().or_else(|| subject.input("name").ok())
}

// The columns of `read`.
const NAME: usize = 0;
const MEMBER_OF: usize = 7;
const COMMENT: usize = 8;

/// The roles of these names, or all that carry a mark where no name is given.
async fn read(cloud: &Postgres, names: &[&str]) -> Result<Vec<Row>, Failure> {
    // From 16 on, who makes a role gets a membership with neither option, only to administer it.
    let counts = match cloud.has_membership_options() {
        true => "AND (m.inherit_option OR m.set_option)",
        false => "",
    };
    let sql = format!(
        r#"SELECT r.rolname::text, r.rolcanlogin, r.rolcreatedb, r.rolcreaterole, r.rolinherit, r.rolconnlimit,
            CASE WHEN isfinite(r.rolvaliduntil)
                THEN to_char(r.rolvaliduntil AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
                ELSE 'infinity' END,
            ARRAY(SELECT DISTINCT g.rolname::text
                FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
                WHERE m.member = r.oid AND m.grantor <> m.member {counts} ORDER BY 1),
            shobj_description(r.oid, 'pg_authid')
        FROM pg_roles r
        WHERE r.rolname = ANY($1::text[])
            OR (cardinality($1::text[]) = 0 AND shobj_description(r.oid, 'pg_authid') LIKE $2)"#
    );
    cloud.own().await?.query(&sql, &[&names, &mark::PATTERN]).await
}

fn mark_of(row: &Row) -> Result<Option<Mark>, Failure> {
    Mark::read(row, COMMENT)
}

fn found(row: &Row) -> Result<Found<Role>, Failure> {
    let name: String = session::get(row, NAME)?;
    let observed = RoleObserved {
        name: Some(name.clone()),
        login: Some(session::get(row, 1)?),
        createdb: Some(session::get(row, 2)?),
        createrole: Some(session::get(row, 3)?),
        inherit: Some(session::get(row, 4)?),
        connection_limit: Some(session::get(row, 5)?),
        valid_until: Some(session::get(row, 6)?),
        member_of: Some(session::get(row, MEMBER_OF)?),
    };
    Ok(Found {
        id: name.clone(),
        observed,
        outputs: RoleOutputs { name },
        status: Status::Ready,
        owner: mark_of(row)?.map(|mark| mark.owner),
    })
}

/// The role as it is, where it is there; a failure where it isn't ours.
async fn existing(cloud: &Postgres, subject: &Subject) -> Result<Option<Row>, Failure> {
    let name = subject.id()?;
    let Some(row) = read(cloud, &[name]).await?.pop() else { return Ok(None) };
    mark::check_ours(&format!("the role `{name}`"), mark_of(&row)?.as_ref(), subject)?;
    Ok(Some(row))
}

/// The databases in which a role still has privileges; a failure where it still owns something.
async fn left_privileges(session: &Session, role: &str) -> Result<BTreeSet<String>, Failure> {
    // What is shared by all databases (dbid 0) can be taken away from any of them.
    let rows = session
        .query(
            "SELECT coalesce(i.datname, o.datname, current_database())::text,
                d.deptype = 'o' AND d.classid <> 'pg_default_acl'::regclass
            FROM pg_shdepend d
            LEFT JOIN pg_database i ON i.oid = d.dbid
            LEFT JOIN pg_database o ON d.classid = 'pg_database'::regclass AND o.oid = d.objid
                AND d.deptype = 'o'
            WHERE d.refclassid = 'pg_authid'::regclass
                AND d.refobjid = (SELECT oid FROM pg_roles WHERE rolname = $1)",
            &[&role],
        )
        .await?;
    let (mut owns, mut privileged) = (BTreeSet::new(), BTreeSet::new());
    for row in &rows {
        let owned: bool = session::get(row, 1)?;
        let of = if owned { &mut owns } else { &mut privileged };
        of.insert(session::get::<String>(row, 0)?);
    }
    if owns.is_empty() {
        return Ok(privileged);
    }
    let owns: Vec<String> = owns.into_iter().map(|database| format!("`{database}`")).collect();
    Err(Failure::invalid(format!("the role `{role}` still owns things in {}", owns.join(", ")))
        .hint("drop those databases first, or give what it owns to another role"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_compared_in_utc() {
        assert_eq!(in_utc("2027-01-31T01:30:00.5+01:00").unwrap(), "2027-01-31T00:30:00Z");
        assert_eq!(in_utc("infinity").unwrap(), "infinity");
        assert!(in_utc("tomorrow").is_err());
    }

    #[test]
    fn what_nobody_wrote_down_is_compared_too() {
        let fields = serde_json::json!({ "name": "r", "member_of": ["b", "a", "b"] });
        let fields = Role::expand(Data::literal(&fields)).unwrap();
        let expected = serde_json::json!({
            "name": "r", "login": true, "createdb": false, "createrole": false, "inherit": true,
            "connection_limit": -1, "member_of": ["a", "b"], "valid_until": "infinity",
        });
        assert_eq!(fields.to_json(), expected);
    }
}
