//! Handing what one role has in a database to another.
//!
//! `REASSIGN OWNED` would do it in one statement, and would take the template itself along: it also gives
//! away every database that the role owns.

use crate::{
    Mark, Postgres,
    quote::ident,
    session::{Session, get},
};
use formwork_engine::Failure;

/// Things handed over in one transaction. Each holds a lock to its end, and a server has room for some thousands.
const BATCH: i64 = 250;
/// Transactions of one handover.
const MOST_BATCHES: usize = 4_000;

/// The types of things that change owners by `ALTER <type> … OWNER TO`, as `pg_identify_object` calls them.
/// Extensions don't, and what belongs to one goes with it.
const TYPES: [&str; 18] = [
    "schema",
    "table",
    "foreign table",
    "view",
    "materialized view",
    "sequence",
    "type",
    "function",
    "procedure",
    "aggregate",
    "operator",
    "operator class",
    "operator family",
    "collation",
    "conversion",
    "text search configuration",
    "text search dictionary",
    "statistics object",
];
/// Large objects are named by number.
const LARGE_OBJECT: &str = "large object";

/// Gives the database itself to its new owner, and notes that its things are to follow.
pub(super) async fn begin(
    cloud: &Postgres,
    database: &str,
    owner: &str,
    from: &str,
    mark: &Mark,
) -> Result<(), Failure> {
    cloud.act_for(owner).await?;
    cloud.act_for(from).await?;
    let mark = Mark { from: Some(from.to_owned()), ..mark.clone() };
    let database = ident(database)?;
    let statements = [
        format!("COMMENT ON DATABASE {database} IS {}", mark.literal()?),
        format!("ALTER DATABASE {database} OWNER TO {}", ident(owner)?),
    ];
    cloud.own().await?.change(&statements).await
}

/// Notes that all is handed over.
pub(super) async fn end(cloud: &Postgres, database: &str, mark: &Mark) -> Result<(), Failure> {
    let mark = Mark { from: None, ..mark.clone() };
    let comment = format!("COMMENT ON DATABASE {} IS {}", ident(database)?, mark.literal()?);
    cloud.own().await?.change(&[comment]).await
}

/// Hands over everything in the database that belongs to `from`. Goes on where it was cut off.
pub(super) async fn all(
    cloud: &Postgres,
    database: &str,
    from: &str,
    to: &str,
) -> Result<(), Failure> {
    let session = cloud.inside(database).await?;
    let done = in_batches(&session, from, to).await;
    session.close().await;
    done.map_err(|failure| {
        failure.context(format!("handing what is `{from}`'s in `{database}` to `{to}`"))
    })
}

async fn in_batches(session: &Session, from: &str, to: &str) -> Result<(), Failure> {
    for _ in 0..MOST_BATCHES {
        let statements = next(session, from, to).await?;
        if statements.is_empty() {
            return Ok(());
        }
        session.change(&statements).await?;
    }
    Err(Failure::service(format!("there is no end of it after {MOST_BATCHES} transactions")))
}

/// The next statements: schemas first, since who gets a table must be able to create in its schema.
async fn next(session: &Session, from: &str, to: &str) -> Result<Vec<String>, Failure> {
    // Sequences that belong to a column follow their table and refuse to go alone.
    let rows = session
        .query(
            "SELECT i.type, i.identity
            FROM pg_shdepend d, pg_identify_object(d.classid, d.objid, d.objsubid) i
            WHERE d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
                AND d.refclassid = 'pg_authid'::regclass AND d.deptype = 'o'
                AND d.refobjid = (SELECT oid FROM pg_roles WHERE rolname = $1)
                AND i.type = ANY($2::text[])
                AND NOT EXISTS (SELECT FROM pg_depend e
                    WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype = 'e')
                AND NOT EXISTS (SELECT FROM pg_depend s JOIN pg_class c ON c.oid = s.objid
                    WHERE s.classid = 'pg_class'::regclass AND s.objid = d.objid
                        AND d.classid = 'pg_class'::regclass AND c.relkind = 'S'
                        AND s.refclassid = 'pg_class'::regclass AND s.deptype IN ('a', 'i'))
            ORDER BY i.type <> 'schema', i.identity
            LIMIT $3",
            &[&from, &TYPES.iter().chain([&LARGE_OBJECT]).collect::<Vec<_>>(), &BATCH],
        )
        .await?;
    let to = ident(to)?;
    rows.iter()
        .map(|row| {
            // The identity comes from PostgreSQL with its names quoted where they have to be.
            let (of, identity): (&str, &str) = (get(row, 0)?, get(row, 1)?);
            let keyword = if of == "statistics object" { "STATISTICS" } else { of };
            Ok(format!("ALTER {} {identity} OWNER TO {to}", keyword.to_uppercase()))
        })
        .collect()
}
