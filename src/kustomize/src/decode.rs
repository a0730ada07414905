//! From trees to settings: fields taken by name, types checked, places remembered for messages.
//!
//! Names match whatever their case, null is as good as absent, and a type that doesn't fit is an error, as in Go's JSON.

use crate::error::{Error, ErrorKind, Result};
use crate::yaml::{Dialect, Mapping, Mark, Node, Typed, typed};
use std::cell::RefCell;
use std::path::Path;

/// How strictly a map is read.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    pub file: &'a Path,
    pub dialect: Dialect,
    /// Fields that nobody asks for are let pass, as in the settings of transformers.
    pub unknown_fields: bool,
    /// Numbers and booleans are taken for strings where a string is wanted; kustomization files don't allow that.
    pub loose_types: bool,
}

/// A map that is being read, and the names asked for so far.
pub struct Fields<'a> {
    reading: Reading<'a>,
    what: &'static str,
    node: &'a Node,
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Reading<'a> {
    pub fn fail(&self, kind: ErrorKind, at: Mark) -> Error {
        Error::new(kind).at(self.file, at)
    }

    /// Starts on a map; `what` names it in messages.
    pub fn fields(self, what: &'static str, node: &'a Node) -> Result<Fields<'a>> {
        if node.as_mapping().is_none() && !node.is_null() {
            return Err(self.wrong_type(what, "a map", node));
        }
        Ok(Fields { reading: self, what, node, known: RefCell::default() })
    }

    fn wrong_type(&self, field: &str, expected: &'static str, node: &Node) -> Error {
        self.fail(
            ErrorKind::WrongType { field: field.to_owned(), expected, found: node.shape() },
            node.at,
        )
    }

    pub fn string(&self, field: &str, node: &Node) -> Result<String> {
        let Some(scalar) = node.as_scalar() else {
            return Err(self.wrong_type(field, "a string", node));
        };
        let value = typed(scalar, node.at, self.dialect)
            .map_err(|error| self.fail(error.into(), node.at))?;
        match value {
            Typed::Str(text) => Ok(text.into_owned()),
            Typed::Null => Ok(String::new()),
            Typed::Bool(value) if self.loose_types => Ok(value.to_string()),
            Typed::Int(value) if self.loose_types => Ok(value.to_string()),
            Typed::Uint(value) if self.loose_types => Ok(value.to_string()),
            Typed::Float(value) if self.loose_types => Ok(crate::yaml::go_shortest(value)),
            _ => Err(self.wrong_type(field, "a string (put it in quotes)", node)),
        }
    }

    fn bool(&self, field: &str, node: &Node) -> Result<bool> {
        let scalar =
            node.as_scalar().ok_or_else(|| self.wrong_type(field, "true or false", node))?;
        match typed(scalar, node.at, self.dialect) {
            Ok(Typed::Bool(value)) => Ok(value),
            Ok(Typed::Null) => Ok(false),
            _ => Err(self.wrong_type(field, "true or false", node)),
        }
    }

    fn integer(&self, field: &str, node: &Node) -> Result<i64> {
        let scalar = node.as_scalar().ok_or_else(|| self.wrong_type(field, "an integer", node))?;
        match typed(scalar, node.at, self.dialect) {
            Ok(Typed::Int(value)) => Ok(value),
            Ok(Typed::Null) => Ok(0),
            _ => Err(self.wrong_type(field, "an integer", node)),
        }
    }

    /// The elements of a list; nothing for null.
    pub fn list(&self, field: &str, node: &'a Node) -> Result<&'a [Node]> {
        match node.as_sequence() {
            Some(sequence) => Ok(&sequence.items),
            None if node.is_null() => Ok(&[]),
            None => Err(self.wrong_type(field, "a list", node)),
        }
    }

    pub fn strings(&self, field: &str, node: &'a Node) -> Result<Vec<String>> {
        self.list(field, node)?.iter().map(|item| self.string(field, item)).collect()
    }

    /// A map of strings, sorted by key.
    pub fn string_map(&self, field: &str, node: &'a Node) -> Result<Vec<(String, String)>> {
        let empty = Mapping::default();
        let mapping = match node.as_mapping() {
            Some(mapping) => mapping,
            None if node.is_null() => &empty,
            None => return Err(self.wrong_type(field, "a map", node)),
        };
        let entries = mapping.iter().map(|(key, value)| {
            let name = format!("{field}.{}", key.text);
            Ok((key.text.clone(), self.string(&name, value)?))
        });
        let mut entries: Vec<_> = entries.collect::<Result<_>>()?;
        entries.sort();
        Ok(entries)
    }
}

impl<'a> Fields<'a> {
    pub fn at(&self) -> Mark {
        self.node.at
    }

    /// The value of a field that is there and not null; of several spellings the last one counts.
    pub fn get(&self, name: &'static str) -> Option<&'a Node> {
        self.known.borrow_mut().push(name);
        let mapping = self.node.as_mapping()?;
        let exact = mapping.get(name).filter(|_| mapping.len() == 1);
        let spelled =
            || mapping.iter().filter(|(key, _)| key.text.eq_ignore_ascii_case(name)).last();
        exact.or_else(|| spelled().map(|(_, node)| node)).filter(|node| !node.is_null())
    }

    pub fn string(&self, name: &'static str) -> Result<String> {
        self.get(name).map_or(Ok(String::new()), |node| self.reading.string(name, node))
    }

    pub fn optional_string(&self, name: &'static str) -> Result<Option<String>> {
        self.get(name).map(|node| self.reading.string(name, node)).transpose()
    }

    pub fn bool(&self, name: &'static str) -> Result<bool> {
        self.get(name).map_or(Ok(false), |node| self.reading.bool(name, node))
    }

    pub fn integer(&self, name: &'static str) -> Result<i64> {
        self.get(name).map_or(Ok(0), |node| self.reading.integer(name, node))
    }

    pub fn strings(&self, name: &'static str) -> Result<Vec<String>> {
        self.get(name).map_or(Ok(Vec::new()), |node| self.reading.strings(name, node))
    }

    pub fn string_map(&self, name: &'static str) -> Result<Vec<(String, String)>> {
        self.get(name).map_or(Ok(Vec::new()), |node| self.reading.string_map(name, node))
    }

    /// A list whose elements are read by a function.
    pub fn each<T>(
        &self,
        name: &'static str,
        read: impl Fn(Reading<'a>, &'a Node) -> Result<T>,
    ) -> Result<Vec<T>> {
        let Some(node) = self.get(name) else { return Ok(Vec::new()) };
        self.reading.list(name, node)?.iter().map(|item| read(self.reading, item)).collect()
    }

    /// A field read by a function where it is there.
    pub fn optional<T>(
        &self,
        name: &'static str,
        read: impl Fn(Reading<'a>, &'a Node) -> Result<T>,
    ) -> Result<Option<T>> {
        self.get(name).map(|node| read(self.reading, node)).transpose()
    }

    /// Complains about fields that nothing asked for.
    pub fn finish(self) -> Result<()> {
        if self.reading.unknown_fields {
            return Ok(());
        }
        let known = self.known.borrow();
        for (key, _) in self.node.as_mapping().into_iter().flat_map(Mapping::iter) {
            if !known.iter().any(|name| key.text.eq_ignore_ascii_case(name)) {
                let suggestion = nearest(&key.text, &known);
                let kind = ErrorKind::UnknownField {
                    field: key.text.clone(),
                    inside: self.what,
                    suggestion,
                };
                return Err(self.reading.fail(kind, key.at));
            }
        }
        Ok(())
    }
}

/// The known name that is a few letters away.
fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    /// More differences than this and the name was meant to be another one.
    const MAX_DISTANCE: usize = 3;
    let near =
        known.iter().map(|known| (distance(&name.to_lowercase(), &known.to_lowercase()), *known));
    near.filter(|(distance, _)| *distance <= MAX_DISTANCE && *distance < name.len())
        .min()
        .map(|(_, name)| name)
}

/// How many letters must be changed, added or taken out.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
