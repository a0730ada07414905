//! Reading databases, those half made included.

use super::{Database, DatabaseObserved, DatabaseOutputs, provisional};
use crate::{Mark, Postgres, mark, session::get};
use formwork_engine::{Failure, Found, Status, Subject};
use std::collections::{BTreeMap, BTreeSet};

/// What a database that isn't finished reports as its owner. It differs from any wanted owner, so that the
/// next plan has a change to make, and that change finishes it.
const NOBODY_YET: &str = "(nobody yet: its creation isn't finished)";

/// A database as the catalog has it.
pub(super) struct Row {
    pub name: String,
    pub owner: String,
    encoding: String,
    collation: String,
    ctype: String,
    connection_limit: i32,
    pub is_template: bool,
    allow_connections: bool,
    public_connect: bool,
    pub mark: Option<Mark>,
}

impl Row {
    /// Whether this is the subject under its provisional name.
    pub fn is_provisional(&self, subject: &Subject) -> bool {
        provisional(&subject.owner.intent).is_ok_and(|name| name == self.name)
    }

    fn found(&self) -> Found<Database> {
        let mark = self.mark.as_ref();
        // While things are being handed over, they are the former owner's.
        let from = mark.and_then(|mark| mark.from.clone());
        let observed = DatabaseObserved {
            name: Some(self.name.clone()),
            owner: Some(from.unwrap_or_else(|| self.owner.clone())),
            template: mark.and_then(|mark| mark.template.clone()),
            encoding: Some(self.encoding.clone()),
            collation: Some(self.collation.clone()),
            ctype: Some(self.ctype.clone()),
            connection_limit: Some(self.connection_limit),
            is_template: Some(self.is_template),
            allow_connections: Some(self.allow_connections),
            public_connect: Some(self.public_connect),
        };
        Found {
            id: self.name.clone(),
            observed,
            outputs: DatabaseOutputs { name: self.name.clone() },
            status: Status::Ready,
            owner: mark.map(|mark| mark.owner.clone()),
        }
    }
}

/// The databases of these names, or all that carry a mark where no name is given.
pub(super) async fn read(cloud: &Postgres, names: &[&str]) -> Result<Vec<Row>, Failure> {
    let sql = "SELECT d.datname::text, pg_get_userbyid(d.datdba)::text,
            pg_encoding_to_char(d.encoding)::text, d.datcollate::text, d.datctype::text,
            d.datconnlimit, d.datistemplate, d.datallowconn,
            EXISTS (SELECT FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
                WHERE a.grantee = 0 AND a.privilege_type = 'CONNECT'),
            shobj_description(d.oid, 'pg_database')
        FROM pg_database d
        WHERE d.datname = ANY($1::text[])
            OR (cardinality($1::text[]) = 0 AND shobj_description(d.oid, 'pg_database') LIKE $2)";
    let rows = cloud.own().await?.query(sql, &[&names, &mark::PATTERN]).await?;
    rows.iter()
        .map(|row| {
            Ok(Row {
                name: get(row, 0)?,
                owner: get(row, 1)?,
                encoding: get(row, 2)?,
                collation: get(row, 3)?,
                ctype: get(row, 4)?,
                connection_limit: get(row, 5)?,
                is_template: get(row, 6)?,
                allow_connections: get(row, 7)?,
                public_connect: get(row, 8)?,
                mark: Mark::read(row, 9)?,
            })
        })
        .collect()
}

pub(super) async fn list(
    cloud: &Postgres,
    wanted: &[Subject],
) -> Result<Vec<Found<Database>>, Failure> {
    let names: Vec<String> = wanted.iter().flat_map(names).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let rows = read(cloud, &names).await?;
    if wanted.is_empty() {
        return Ok(rows.iter().map(Row::found).collect());
    }
    let rows: BTreeMap<&str, &Row> = rows.iter().map(|row| (row.name.as_str(), row)).collect();
    let unfinished: Vec<&Subject> =
        wanted.iter().filter(|subject| finished(&rows, subject).is_none()).collect();
    let under_way = under_way(cloud, &unfinished).await?;
    let found = wanted.iter().filter_map(|subject| found(&rows, &under_way, subject));
    Ok(found.collect())
}

/// The name that the subject has or will have: its identifier.
fn name_of(subject: &Subject) -> Option<&str> {
    subject.id.as_deref().or_else(|| subject.input("name").ok())
}

fn names(subject: &Subject) -> Vec<String> {
    let name = name_of(subject).map(str::to_owned);
    name.into_iter().chain(provisional(&subject.owner.intent).ok()).collect()
}

/// The subject under its final name, if that one is its own.
fn finished<'r>(rows: &BTreeMap<&str, &'r Row>, subject: &Subject) -> Option<&'r Row> {
    let row = rows.get(name_of(subject)?)?;
    row.mark.as_ref().is_some_and(|mark| subject.owner.covers(&mark.owner)).then_some(*row)
}

fn found(
    rows: &BTreeMap<&str, &Row>,
    under_way: &BTreeSet<String>,
    subject: &Subject,
) -> Option<Found<Database>> {
    if let Some(row) = finished(rows, subject) {
        return Some(row.found());
    }
    let name = name_of(subject)?;
    let half_made = rows.get(provisional(&subject.owner.intent).ok()?.as_str());
    let creating = under_way.contains(&subject.owner.intent);
    if half_made.is_none() && !creating {
        // Something else may have the name: that is for the engine to see.
        return rows.get(name).map(|row| row.found());
    }
    let status = match creating {
        true => Status::Pending("cloning".to_owned()),
        false => Status::Failed("its creation was cut off; applying again finishes it".to_owned()),
    };
    let observed = half_made.map(|row| row.found().observed).unwrap_or_default();
    Some(Found {
        id: name.to_owned(),
        observed: DatabaseObserved {
            name: Some(name.to_owned()),
            owner: Some(NOBODY_YET.to_owned()),
            ..observed
        },
        outputs: DatabaseOutputs { name: name.to_owned() },
        status,
        owner: Some(subject.owner.clone()),
    })
}

/// The subject as it is: finished, or under its provisional name.
pub(super) async fn locate(cloud: &Postgres, subject: &Subject) -> Result<Option<Row>, Failure> {
    let names = names(subject);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut rows = read(cloud, &names).await?;
    let half_made = rows.iter().position(|row| row.is_provisional(subject));
    Ok(match half_made {
        Some(at) => Some(rows.swap_remove(at)),
        None => rows.pop(),
    })
}

/// The advisory lock that whoever creates a database holds, as SQL over the intent `i`.
pub(super) const LOCK_KEY: &str = "hashtextextended('formwork creates ' || i, 0)";

/// Which of the subjects are being created at this moment, by their intents.
///
/// A copy can't be seen in the catalog before it is complete, the lock of the session that makes it can.
async fn under_way(cloud: &Postgres, subjects: &[&Subject]) -> Result<BTreeSet<String>, Failure> {
    if subjects.is_empty() {
        return Ok(BTreeSet::new());
    }
    let intents: Vec<&str> = subjects.iter().map(|s| s.owner.intent.as_str()).collect();
    let rows = holders(cloud, &intents).await?;
    Ok(rows.into_iter().map(|(intent, _)| intent).collect())
}

/// The sessions that are creating databases for these intents, by their process.
pub(super) async fn holders(
    cloud: &Postgres,
    intents: &[&str],
) -> Result<Vec<(String, i32)>, Failure> {
    let sql = format!(
        "SELECT i, l.pid FROM unnest($1::text[]) AS i
        JOIN pg_locks l ON l.locktype = 'advisory' AND l.granted
            AND ((l.classid::bigint << 32) | l.objid::bigint) = {LOCK_KEY}"
    );
    let rows = cloud.own().await?.query(&sql, &[&intents]).await?;
    rows.iter().map(|row| Ok((get(row, 0)?, get(row, 1)?))).collect()
}
