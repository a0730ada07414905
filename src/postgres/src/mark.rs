//! The mark on what formwork made: a comment in JSON.

use crate::{quote::literal, session};
use formwork_engine::{Failure, Owner, Subject};
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;

/// The comment on a role or a database that formwork made, such as
/// `{"formwork":{"lineage":"…","address":"staging/data","intent":"…"}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    #[serde(flatten)]
    pub owner: Owner,
    /// The template that a database was cloned from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The role whose things in a database are being handed to its owner; absent once that is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Comment<M> {
    formwork: M,
}

/// A pattern that comments with a mark match.
pub(crate) const PATTERN: &str = r#"{"formwork":%"#;

impl Mark {
    pub(crate) fn of(owner: &Owner) -> Self {
        Self { owner: owner.clone(), template: None, from: None }
    }

    /// The mark in a column that holds a comment; any other comment is somebody else's.
    pub(crate) fn read(row: &Row, column: usize) -> Result<Option<Self>, Failure> {
        let comment: Option<&str> = session::get(row, column)?;
        let comment = comment.and_then(|text| serde_json::from_str::<Comment<Self>>(text).ok());
        Ok(comment.map(|comment| comment.formwork))
    }

    /// The mark as a literal for a `COMMENT` statement.
    pub(crate) fn literal(&self) -> Result<String, Failure> {
        let json = serde_json::to_string(&Comment { formwork: self });
        let json = json.map_err(|error| Failure::invalid(format!("a mark is no JSON: {error}")))?;
        literal(&json)
    }
}

/// Refuses to touch what isn't the subject's: another lineage's or address's, or nobody's.
pub(crate) fn check_ours(
    what: &str,
    mark: Option<&Mark>,
    subject: &Subject,
) -> Result<(), Failure> {
    let ours = mark.is_some_and(|mark| {
        mark.owner.lineage == subject.owner.lineage && mark.owner.address == subject.owner.address
    });
    if ours { Ok(()) } else { Err(taken(what, mark)) }
}

/// The failure of a name that is held by something else.
pub(crate) fn taken(what: &str, mark: Option<&Mark>) -> Failure {
    match mark {
        Some(Mark { owner, .. }) => Failure::taken(format!(
            "{what} belongs to `{}` (lineage {})",
            owner.address, owner.lineage
        ))
        .hint("choose another name, or remove it there"),
        None => Failure::taken(format!("{what} is there and isn't formwork's"))
            .hint("choose another name, or remove it by hand"),
    }
}
