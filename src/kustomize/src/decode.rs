//! From trees to settings: fields taken by name, types checked, places remembered for messages.
//!
//! Names match whatever their case, null is as good as absent, and a type that doesn't fit is an error, as in Go's JSON.

use crate::error::{Error, ErrorKind, Result};
use crate::id::Gvk;
use crate::suggest::nearest;
use crate::yaml::{Dialect, Mapping, Mark, Node, Style, Typed, json_key, typed};
use std::cell::RefCell;
use std::path::Path;

/// With more fields than this they aren't listed in a message.
const MAX_FIELDS: usize = 20;
/// Where the fields of a kustomization are listed.
const FIELDS: &str = "https://kubectl.docs.kubernetes.io/references/kustomize/kustomization";

/// A text of a kustomization file, and where it stands: a path, or a patch or a transformer written out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    pub text: String,
    /// Where it begins; for a block (`|` or `>`), where the first of its lines does that isn't empty.
    pub at: Mark,
    /// It stands between quotes.
    quoted: bool,
}

impl Text {
    /// What of the file stands before the text, once blanks at its start are taken off.
    ///
    /// Exact for blocks and for texts of one line.
    pub fn before(&self) -> Mark {
        let column = self.at.column.saturating_sub(u16::from(!self.quoted));
        Mark { line: self.at.line.saturating_sub(1), column, ..self.at }
    }
}

impl std::ops::Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

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
            _ => {
                let help = format!("put it in quotes: {:?}", scalar.text);
                Err(self.wrong_type(field, "a string", node).with_help(help))
            }
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

    pub fn text(&self, field: &str, node: &Node) -> Result<Text> {
        let quoted = node
            .as_scalar()
            .is_some_and(|scalar| matches!(scalar.style, Style::Single | Style::Double));
        Ok(Text { text: self.string(field, node)?, at: node.at, quoted })
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
            Ok((json_key(key, self.dialect).into_owned(), self.string(&name, value)?))
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

    /// The fields `group`, `version` and `kind`, as a selector.
    pub fn gvk(&self) -> Result<Gvk> {
        Ok(Gvk {
            group: self.string("group")?.into(),
            version: self.string("version")?.into(),
            kind: self.string("kind")?.into(),
        })
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

    /// Where the value of a field stands, or the map where it is missing.
    pub fn place(&self, name: &'static str) -> Mark {
        self.get(name).map_or(self.node.at, |node| node.at)
    }

    /// Where the name of a field stands, or the map where it is missing.
    pub fn place_of_key(&self, name: &str) -> Mark {
        let keys = self.node.as_mapping().into_iter().flat_map(Mapping::iter);
        let key = keys.filter(|(key, _)| key.text.eq_ignore_ascii_case(name)).last();
        key.map_or(self.node.at, |(key, _)| key.at)
    }

    /// A text with its place; where it is missing, the place of the map.
    pub fn text(&self, name: &'static str) -> Result<Text> {
        match self.get(name) {
            Some(node) => self.reading.text(name, node),
            None => Ok(Text { at: self.node.at, ..Text::default() }),
        }
    }

    pub fn texts(&self, name: &'static str) -> Result<Vec<Text>> {
        self.each(name, |reading, node| reading.text(name, node))
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
                let kind =
                    ErrorKind::UnknownField { field: key.text.to_string(), inside: self.what };
                let help = match nearest(&key.text, known.iter().copied()) {
                    Some(name) => format!("did you mean {name:?}?"),
                    None if known.len() > MAX_FIELDS => {
                        format!("its fields are listed at {FIELDS}")
                    }
                    None => format!("its fields are: {}", known.join(", ")),
                };
                return Err(self.reading.fail(kind, key.at).with_help(help));
            }
        }
        Ok(())
    }
}
