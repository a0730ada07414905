//! Privileges by name: <https://www.postgresql.org/docs/current/ddl-priv.html>.

use formwork_engine::leaf;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value as Json;

/// What a role may do with a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatabasePrivilege {
    Connect,
    /// Create schemas and trusted extensions in it.
    Create,
    /// Create temporary tables.
    Temporary,
}

/// What a role may do with a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaPrivilege {
    /// Reach what is in it.
    Usage,
    Create,
}

/// What a role may do with tables and views.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TablePrivilege {
    Select,
    Insert,
    Update,
    Delete,
    Truncate,
    References,
    Trigger,
    /// `VACUUM`, `ANALYZE` and the like, from PostgreSQL 17 on.
    Maintain,
}

/// What a role may do with sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SequencePrivilege {
    /// Take the next value, as inserting into a `serial` column does.
    Usage,
    Select,
    Update,
}

leaf!(DatabasePrivilege, SchemaPrivilege, TablePrivilege, SequencePrivilege);

/// Privileges that the catalog and statements write in capitals.
pub(super) trait Privilege: Serialize + DeserializeOwned {
    /// The word in statements and in the catalog: `SELECT`.
    fn word(&self) -> String {
        // A variant without content serialises as its name.
        match serde_json::to_value(self) {
            Ok(Json::String(name)) => name.to_uppercase(),
            _ => String::new(),
        }
    }

    /// The privilege that the catalog names; `None` for one that this program doesn't know.
    fn named(word: &str) -> Option<Self> {
        serde_json::from_value(Json::String(word.to_lowercase())).ok()
    }
}

impl Privilege for DatabasePrivilege {}
impl Privilege for SchemaPrivilege {}
impl Privilege for TablePrivilege {}
impl Privilege for SequencePrivilege {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn privileges_have_the_catalogs_words() {
        assert_eq!(DatabasePrivilege::Temporary.word(), "TEMPORARY");
        assert_eq!(TablePrivilege::named("REFERENCES"), Some(TablePrivilege::References));
        assert_eq!(TablePrivilege::named("SING"), None);
    }
}
