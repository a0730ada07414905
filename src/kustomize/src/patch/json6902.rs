//! JSON patches (RFC 6902), with the liberties that kustomize's library takes.
//!
//! `replace` of a missing key adds it, indexes may be negative, and `add` of an index counts the new element too.

use super::tree::{Parent, Tree};
use crate::error::{Error, Result, fail};
use crate::suggest;
use crate::yaml::{Dialect, Mark, Node, ParseOptions, from_json, parse_document, to_json};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The longest list that a patch may build, so that `copy` can't double an object for ever.
const MAX_COPIED_BYTES: usize = 64 << 20;

/// The operations that there are.
const OPERATIONS: &str = "there are: add, remove, replace, move, copy, test";

/// A list of operations.
#[derive(Clone, Debug)]
pub struct JsonPatch {
    operations: Vec<Operation>,
    /// The file that the patch stands in.
    file: PathBuf,
}

#[derive(Clone, Debug)]
struct Operation {
    op: String,
    path: Option<String>,
    from: Option<String>,
    value: Option<Value>,
    /// The operation as it was written; `None` for JSON that isn't YAML.
    written: Option<Node>,
}

impl JsonPatch {
    /// Reads a patch, which may be JSON or YAML; `before` is what of its file stands before it.
    pub fn parse(text: &str, file: &Path, before: Mark) -> Result<Self> {
        let node = parse_document(text, ParseOptions { before, ..ParseOptions::CONFIG });
        let written = node.as_ref().ok().and_then(Option::as_ref).and_then(Node::as_sequence);
        let written = written.map_or_else(Vec::new, |list| list.items.clone());
        let value = if text.starts_with('[') {
            serde_json::from_str(text).map_err(|error| not_json(&error, file, before))?
        } else {
            let node = node.map_err(|error| Error::yaml(&error, file))?;
            let node = node.unwrap_or_else(Node::null);
            to_json(&node, Dialect::V2).map_err(|error| fail!(Patch, "{error}"))?
        };
        let Value::Array(items) = value else {
            return Err(fail!(Patch, "a JSON patch is a list of operations"));
        };
        let mut written = written.into_iter();
        let operations = items.into_iter().map(|item| {
            let written = written.next();
            let at = written.as_ref().map_or_else(Mark::default, |node| node.at);
            Operation::new(item, written).map_err(|error| error.at(file, at))
        });
        Ok(Self { operations: operations.collect::<Result<_>>()?, file: file.to_owned() })
    }

    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Applies every operation in order; the object comes back as JSON would leave it.
    pub fn apply(&self, node: &mut Node) -> Result<()> {
        let mut document = to_json(node, Dialect::V3).map_err(|error| fail!(Patch, "{error}"))?;
        let mut copied = 0;
        for operation in &self.operations {
            operation.apply(&mut document, &mut copied).map_err(|error| {
                let path = operation.path.as_deref().unwrap_or_default();
                let error = error.maybe_help(suggest::in_json(&document, path));
                match &operation.written {
                    Some(written) => error.at(&self.file, written.at),
                    None => error,
                }
            })?;
        }
        if !document.is_object() {
            return Err(fail!(Patch, "the patch leaves something that isn't an object"));
        }
        // The same operations on the tree that was: places are all that is taken from it.
        for operation in &self.operations {
            operation.move_places(node);
        }
        let mut patched = from_json(&document);
        patched.stand_like(node);
        *node = patched;
        Ok(())
    }
}

impl Operation {
    fn new(value: Value, written: Option<Node>) -> Result<Self> {
        let Value::Object(mut fields) = value else {
            return Err(fail!(Patch, "an operation of a JSON patch is a map with op and path"));
        };
        let text = |field: Option<Value>| field.and_then(|value| value.as_str().map(str::to_owned));
        Ok(Self {
            op: text(fields.remove("op")).unwrap_or_default(),
            path: text(fields.remove("path")),
            from: text(fields.remove("from")),
            value: fields.remove("value"),
            written,
        })
    }

    fn path(&self) -> Result<&str> {
        self.path.as_deref().ok_or_else(|| fail!(Patch, "operation {:?} without a path", self.op))
    }

    fn from(&self) -> Result<&str> {
        self.from.as_deref().ok_or_else(|| fail!(Patch, "operation {:?} without from", self.op))
    }

    fn value(&self) -> Value {
        self.value.clone().unwrap_or(Value::Null)
    }

    fn apply(&self, document: &mut Value, copied: &mut usize) -> Result<()> {
        let path = self.path()?;
        match self.op.as_str() {
            "add" => add(document, path, self.value()),
            "remove" => remove(document, path).map(drop),
            "replace" => replace(document, path, self.value()),
            "move" => {
                let value = remove(document, self.from()?)?;
                add(document, path, value)
            }
            "copy" => {
                let value = get(document, self.from()?)?.cloned().unwrap_or(Value::Null);
                *copied += value.to_string().len();
                if *copied > MAX_COPIED_BYTES {
                    return Err(fail!(
                        Patch,
                        "the patch copies more than {MAX_COPIED_BYTES} bytes"
                    ));
                }
                add(document, path, value)
            }
            "test" => self.test(document, path),
            "" => Err(fail!(Patch, "an operation without an op").with_help(OPERATIONS)),
            other => Err(fail!(Patch, "unknown operation {other:?}").with_help(OPERATIONS)),
        }
    }

    /// Does to places what was done to the object; what has none there is left without.
    fn move_places(&self, tree: &mut Node) {
        let (Some(path), from) = (self.path.as_deref(), self.from.as_deref()) else { return };
        let written = || {
            let written = self.written.as_ref();
            written.and_then(|node| node.get("value")).cloned().unwrap_or_else(Node::null)
        };
        // Whatever can fail has failed on the object before.
        let _ = match (self.op.as_str(), from) {
            ("add", _) => add(tree, path, written()),
            ("replace", _) => replace(tree, path, written()),
            ("remove", _) => remove(tree, path).map(drop),
            ("move", Some(from)) => remove(tree, from).and_then(|moved| add(tree, path, moved)),
            ("copy", Some(from)) => match get(tree, from) {
                Ok(Some(node)) => {
                    let node = node.clone();
                    add(tree, path, node)
                }
                _ => add(tree, path, Node::null()),
            },
            _ => Ok(()),
        };
    }

    fn test(&self, document: &mut Value, path: &str) -> Result<()> {
        let found = if path.is_empty() { Some(&*document) } else { get(document, path)? };
        if found.unwrap_or(&Value::Null) == self.value.as_ref().unwrap_or(&Value::Null) {
            Ok(())
        } else {
            let shown = |value: Option<&Value>| match value {
                Some(value) => value.to_string(),
                None => "nothing".to_owned(),
            };
            let (wanted, found) = (shown(self.value.as_ref()), shown(found));
            Err(fail!(Patch, "the test of {path} failed: it is {found}, not {wanted}")
                .with_help("the patch was written for another object; read both again"))
        }
    }
}

/// Text that isn't JSON, with the place of what is wrong with it.
fn not_json(error: &serde_json::Error, file: &Path, before: Mark) -> Error {
    let line = u32::try_from(error.line()).unwrap_or(u32::MAX);
    let column = u16::try_from(error.column()).unwrap_or(u16::MAX);
    let at = Mark {
        line: line.saturating_add(before.line),
        column: column.max(1).saturating_add(before.column),
        ..before
    };
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or_default();
    let error = fail!(Patch, "not JSON: {reason}").at(file, at);
    error.with_help("what begins with [ is read as JSON; a list with dashes may be YAML")
}

/// The map or list that a path's last part is in, and that part.
fn parent<'a, T: Tree>(document: &'a mut T, path: &str) -> Result<(Parent<'a, T>, String)> {
    let missing = || fail!(Patch, "there is no {path} in the object");
    let (way, last) = path.rsplit_once('/').ok_or_else(missing)?;
    let mut current = document;
    for part in way.split('/').skip(1) {
        let key = unescape(part);
        current = match current.open().ok_or_else(missing)? {
            Parent::Map(map) => T::field(map, &key).ok_or_else(missing)?,
            Parent::List(list) => {
                let at = index(&key, list.len(), path)?;
                &mut list[at]
            }
        };
    }
    Ok((current.open().ok_or_else(missing)?, unescape(last)))
}

fn get<'a, T: Tree>(document: &'a mut T, path: &str) -> Result<Option<&'a T>> {
    Ok(match parent(document, path)? {
        (Parent::Map(map), key) => T::field(map, &key).map(|value| &*value),
        (Parent::List(list), key) => {
            let at = index(&key, list.len(), path)?;
            Some(&list[at])
        }
    })
}

fn add<T: Tree>(document: &mut T, path: &str, value: T) -> Result<()> {
    match parent(document, path)? {
        (Parent::Map(map), key) => T::set_field(map, key, value),
        (Parent::List(list), key) if key == "-" => list.push(value),
        (Parent::List(list), key) => {
            let at = index(&key, list.len() + 1, path)?;
            list.insert(at, value);
        }
    }
    Ok(())
}

fn replace<T: Tree>(document: &mut T, path: &str, value: T) -> Result<()> {
    if path.is_empty() {
        *document = value;
        return Ok(());
    }
    match parent(document, path)? {
        (Parent::Map(map), key) => T::set_field(map, key, value),
        (Parent::List(list), key) => {
            let at = index(&key, list.len(), path)?;
            list[at] = value;
        }
    }
    Ok(())
}

fn remove<T: Tree>(document: &mut T, path: &str) -> Result<T> {
    match parent(document, path)? {
        (Parent::Map(map), key) => T::remove_field(map, &key)
            .ok_or_else(|| fail!(Patch, "there is no {path} in the object")),
        (Parent::List(list), key) => {
            let at = index(&key, list.len(), path)?;
            Ok(list.remove(at))
        }
    }
}

/// An index into a list, counted from its end where negative.
fn index(key: &str, count: usize, path: &str) -> Result<usize> {
    let wrong = || fail!(Patch, "{key:?} in {path} is not an index of a list of {count}");
    let number: isize = key.parse().map_err(|_| wrong())?;
    let at = if number < 0 {
        count.checked_sub(number.unsigned_abs())
    } else {
        Some(number.unsigned_abs())
    };
    at.filter(|at| *at < count).ok_or_else(wrong)
}

fn unescape(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}
