//! Making a database, finishing one that was cut off, dropping one.

use super::{
    Database, handover,
    observation::{self, LOCK_KEY, Row, holders},
    provisional,
};
use crate::{
    Mark, Postgres, mark,
    quote::{ident, literal},
    session::{Session, get},
};
use formwork_engine::{Failure, FailureKind, Subject};

/// The template of an empty database: unlike `template1`, nobody adds to it.
const EMPTY: &str = "template0";

/// Roles with lower numbers came with the server; what the first superuser owns can't be handed over.
/// (`FirstNormalObjectId` in PostgreSQL's source.)
const FIRST_OWN_ROLE: i64 = 16_384;

/// How long the end of an abandoned copy is waited for, in milliseconds.
const END_WITHIN: i64 = 15_000;

/// Creates it. May be called again for the same intent, and goes on where it was cut off.
///
/// In order: refuse what can't work; copy under the provisional name; mark; hand over; publish.
pub(super) async fn create(
    cloud: &Postgres,
    subject: &Subject,
    want: &Database,
) -> Result<(), Failure> {
    ident(&want.name)?;
    if let Some(there) = observation::read(cloud, &[&want.name]).await?.pop() {
        let ours = there.mark.as_ref().is_some_and(|mark| mark.owner == subject.owner);
        let what = format!("the database `{}`", want.name);
        return if ours { Ok(()) } else { Err(mark::taken(&what, there.mark.as_ref())) };
    }
    cloud.act_for(&want.owner).await?;
    let session = cloud.apart().await?;
    let created = locked(cloud, &session, subject, want).await;
    // A server lets go of an ended session's locks only a moment later, and a look just then would find a creation
    // under way. Where this fails, it is so.
    let _ = session.query("SELECT pg_advisory_unlock_all()", &[]).await;
    session.close().await;
    created
}

/// Who owns the template's things, where they have to be handed over.
async fn template_owner(cloud: &Postgres, want: &Database) -> Result<Option<String>, Failure> {
    let Some(template) = &want.template else { return Ok(None) };
    let sql = "SELECT r.rolname::text, r.oid::bigint
        FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE d.datname = $1";
    let rows = cloud.own().await?.query(sql, &[template]).await?;
    let Some(row) = rows.first() else {
        return Err(Failure::invalid(format!("there is no template `{template}`"))
            .hint("create it first, or name a database that exists"));
    };
    let (owner, oid): (String, i64) = (get(row, 0)?, get(row, 1)?);
    if owner == want.owner {
        return Ok(None);
    }
    if oid < FIRST_OWN_ROLE {
        return Err(Failure::invalid(format!(
            "the template `{template}` belongs to the superuser `{owner}`, whose things can't be handed to `{}`",
            want.owner
        ))
        .hint(format!("give `{template}` and what is in it to a role of its own")));
    }
    cloud.act_for(&owner).await?;
    Ok(Some(owner))
}

/// Creates it on a session that holds the creation's lock as long as it lives.
async fn locked(
    cloud: &Postgres,
    session: &Session,
    subject: &Subject,
    want: &Database,
) -> Result<(), Failure> {
    let intent = &subject.owner.intent;
    let sql =
        format!("SELECT pg_try_advisory_lock({LOCK_KEY}) FROM (SELECT $1::text AS i) AS intent");
    let rows = session.query(&sql, &[intent]).await?;
    if !rows.first().map(|row| get(row, 0)).transpose()?.unwrap_or(false) {
        return Err(Failure::busy("another run of formwork is creating it"));
    }
    let name = provisional(intent)?;
    drop_leftovers(cloud, session, subject, &name).await?;
    let half_made = observation::read(cloud, &[&name]).await?.pop();
    let mark = match half_made.as_ref().and_then(|row| row.mark.clone()) {
        Some(mark) => mark,
        None => {
            let from = template_owner(cloud, want).await?;
            Mark { template: want.template.clone(), from, ..Mark::of(&subject.owner) }
        }
    };
    if half_made.is_none() {
        copy(session, &name, want).await?;
    }
    let marked = session
        .change(&[
            format!("COMMENT ON DATABASE {} IS {}", ident(&name)?, mark.literal()?),
            format!("REVOKE CONNECT ON DATABASE {} FROM PUBLIC", ident(&name)?),
        ])
        .await;
    let finished = match marked {
        Ok(()) => publish(cloud, session, &name, want, &mark).await,
        Err(failure) => Err(failure),
    };
    finished.map_err(half_done)
}

/// There is a copy by now, so it isn't true any more that nothing happened.
fn half_done(failure: Failure) -> Failure {
    let kind = if failure.had_no_effect() { FailureKind::Service } else { failure.kind };
    Failure { kind, ..failure }
}

/// Copies the template. PostgreSQL itself waits 5 s for other sessions of the template, then says that it is busy.
async fn copy(session: &Session, name: &str, want: &Database) -> Result<(), Failure> {
    let template = want.template.as_deref().unwrap_or(EMPTY);
    let mut statement = format!(
        "CREATE DATABASE {} OWNER {} TEMPLATE {}",
        ident(name)?,
        ident(&want.owner)?,
        ident(template)?
    );
    let settings =
        [("ENCODING", &want.encoding), ("LC_COLLATE", &want.collation), ("LC_CTYPE", &want.ctype)];
    for (word, setting) in settings {
        if let Some(setting) = setting {
            statement.push_str(&format!(" {word} {}", literal(setting)?));
        }
    }
    session.alone(&statement).await.map_err(|failure| match failure.kind {
        FailureKind::Busy => failure.hint(format!(
            "end the sessions in `{template}`; with `allow_connections(false)` a template has none"
        )),
        _ => failure,
    })
}

/// Hands over what came with the copy, and gives it its name in one transaction with all that makes it complete.
async fn publish(
    cloud: &Postgres,
    session: &Session,
    name: &str,
    want: &Database,
    mark: &Mark,
) -> Result<(), Failure> {
    if let Some(from) = &mark.from {
        handover::all(cloud, name, from, &want.owner).await?;
    }
    let done = Mark { from: None, ..mark.clone() };
    let mut statements = want.attributes(name, |_| true)?;
    statements.push(format!("COMMENT ON DATABASE {} IS {}", ident(name)?, done.literal()?));
    statements.push(format!("ALTER DATABASE {} RENAME TO {}", ident(name)?, ident(&want.name)?));
    session.change(&statements).await
}

/// Finishes one that was cut off, whoever began it.
pub(super) async fn finish(
    cloud: &Postgres,
    subject: &Subject,
    want: &Database,
) -> Result<(), Failure> {
    create(cloud, subject, want).await
}

/// Drops half-made databases of the same address that a state doesn't know any more.
async fn drop_leftovers(
    cloud: &Postgres,
    session: &Session,
    subject: &Subject,
    keep: &str,
) -> Result<(), Failure> {
    for row in observation::read(cloud, &[]).await? {
        let Some(mark) = &row.mark else { continue };
        let half_made = provisional(&mark.owner.intent).is_ok_and(|name| name == row.name);
        let ours = mark::check_ours("", Some(mark), subject).is_ok();
        if !half_made || !ours || row.name == keep {
            continue;
        }
        if holders(cloud, &[&mark.owner.intent]).await?.is_empty() {
            drop_row(cloud, session, &row).await?;
        }
    }
    Ok(())
}

/// Drops the subject, finished or not; one that is gone already is a success.
pub(super) async fn drop(cloud: &Postgres, subject: &Subject) -> Result<(), Failure> {
    let own = cloud.own().await?;
    for (_, pid) in holders(cloud, &[&subject.owner.intent]).await? {
        // A copy whose client is gone; it can't be dropped before it ends.
        let sql = "SELECT pg_terminate_backend($1, $2)";
        let rows = own.query(sql, &[&pid, &END_WITHIN]).await?;
        if !rows.first().map(|row| get(row, 0)).transpose()?.unwrap_or(false) {
            return Err(Failure::busy("the copy that is being made of it doesn't end yet"));
        }
    }
    let Some(row) = observation::locate(cloud, subject).await? else { return Ok(()) };
    if !row.is_provisional(subject) {
        mark::check_ours(&format!("the database `{}`", row.name), row.mark.as_ref(), subject)?;
    }
    let session = cloud.apart().await?;
    let dropped = drop_row(cloud, &session, &row).await;
    session.close().await;
    dropped
}

async fn drop_row(cloud: &Postgres, session: &Session, row: &Row) -> Result<(), Failure> {
    cloud.act_for(&row.owner).await?;
    let name = ident(&row.name)?;
    if row.is_template {
        session.change(&[format!("ALTER DATABASE {name} WITH IS_TEMPLATE false")]).await?;
    }
    let force = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    session.alone(&force).await.map_err(|failure| match failure.kind {
        FailureKind::Denied => {
            failure.hint("ending other roles' sessions needs membership in `pg_signal_backend`")
        }
        _ => failure,
    })
}
