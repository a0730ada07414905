//! Privileges as a flat set, by object: what is compared, and what statements are made of. Pure.

use super::{Grants, privilege::Privilege};
use crate::quote::ident;
use formwork_engine::Failure;
use std::collections::{BTreeMap, BTreeSet};

/// What a privilege is on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Object {
    Database,
    Schema(String),
    Table(String, String),
    Sequence(String, String),
    /// Tables that a role will create in a schema.
    FutureTables {
        owner: String,
        schema: String,
    },
    FutureSequences {
        owner: String,
        schema: String,
    },
}

impl Object {
    /// The field of [`Grants`] that says it.
    pub fn field(&self) -> &'static str {
        match self {
            Object::Database => "on_database",
            Object::Schema(_) => "on_schemas",
            Object::Table(..) => "on_tables",
            Object::Sequence(..) => "on_sequences",
            Object::FutureTables { .. } | Object::FutureSequences { .. } => "on_future",
        }
    }
}

/// The privileges held, by object, in the catalog's words.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Held(BTreeMap<Object, BTreeSet<String>>);

impl Held {
    pub fn add(&mut self, object: Object, word: impl Into<String>) {
        self.0.entry(object).or_default().insert(word.into());
    }

    pub fn add_all<P: Privilege>(&mut self, object: &Object, privileges: &[P]) {
        privileges.iter().for_each(|privilege| self.add(object.clone(), privilege.word()));
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.0.keys()
    }

    /// The privileges on one object, those that this program knows, sorted.
    pub fn on<P: Privilege + Ord>(&self, object: &Object) -> Vec<P> {
        let words = self.0.get(object).into_iter().flatten();
        let mut known: Vec<P> = words.filter_map(|word| P::named(word)).collect();
        known.sort();
        known
    }

    pub fn only(&self, keep: impl Fn(&Object) -> bool) -> Self {
        let kept = self.0.iter().filter(|(object, _)| keep(object));
        Self(kept.map(|(object, words)| (object.clone(), words.clone())).collect())
    }

    /// What is in both.
    pub fn within(&self, other: &Self) -> Self {
        let nothing = BTreeSet::new();
        let both = self.0.iter().map(|(object, words)| {
            let others = other.0.get(object).unwrap_or(&nothing);
            (object.clone(), words.intersection(others).cloned().collect::<BTreeSet<_>>())
        });
        Self(both.filter(|(_, words)| !words.is_empty()).collect())
    }

    fn minus(&self, other: &Self) -> Self {
        let nothing = BTreeSet::new();
        let left = self.0.iter().map(|(object, words)| {
            let others = other.0.get(object).unwrap_or(&nothing);
            (object.clone(), words.difference(others).cloned().collect::<BTreeSet<_>>())
        });
        Self(left.filter(|(_, words)| !words.is_empty()).collect())
    }
}

/// The statements that lead from what is held to what is wanted.
pub(super) fn statements(
    grants: &Grants,
    is: &Held,
    wanted: &Held,
) -> Result<Vec<String>, Failure> {
    let mut statements = vec![];
    for (change, held) in [(Way::Revoke, is.minus(wanted)), (Way::Grant, wanted.minus(is))] {
        for (object, words) in &held.0 {
            statements.push(statement(grants, change, object, words)?);
        }
    }
    Ok(statements)
}

#[derive(Clone, Copy)]
enum Way {
    Grant,
    Revoke,
}

fn statement(
    grants: &Grants,
    way: Way,
    object: &Object,
    words: &BTreeSet<String>,
) -> Result<String, Failure> {
    let two = |schema: &str, name: &str| Ok(format!("{}.{}", ident(schema)?, ident(name)?));
    let (prefix, on) = match object {
        Object::Database => (String::new(), format!("DATABASE {}", ident(&grants.database)?)),
        Object::Schema(schema) => (String::new(), format!("SCHEMA {}", ident(schema)?)),
        Object::Table(schema, name) => (String::new(), format!("TABLE {}", two(schema, name)?)),
        Object::Sequence(schema, name) => {
            (String::new(), format!("SEQUENCE {}", two(schema, name)?))
        }
        Object::FutureTables { owner, schema } => (future(owner, schema)?, "TABLES".to_owned()),
        Object::FutureSequences { owner, schema } => {
            (future(owner, schema)?, "SEQUENCES".to_owned())
        }
    };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (words, role) = (words.join(", "), ident(&grants.role)?);
    Ok(match way {
        Way::Grant => format!("{prefix}GRANT {words} ON {on} TO {role}"),
        Way::Revoke => format!("{prefix}REVOKE {words} ON {on} FROM {role}"),
    })
}

fn future(owner: &str, schema: &str) -> Result<String, Failure> {
    let (owner, schema) = (ident(owner)?, ident(schema)?);
    Ok(format!("ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {schema} "))
}
