//! From scalars to typed values, the way a round trip through go-yaml and Go's JSON leaves them.

use super::emit::embedded_style;
use super::mapping::Mapping;
use super::node::{Key, Mark, Node, Scalar, Style, Tag, Value};
use super::number::{go_json, go_shortest};
use super::options::Dialect;
use super::parse::tag_of;
use super::resolve::{Resolved, resolve};
use base64::Engine;
use std::borrow::Cow;

/// A scalar's value as Kubernetes reads it.
#[derive(Clone, Debug, PartialEq)]
pub enum Typed<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Str(Cow<'a, str>),
}

/// A scalar whose text doesn't fit its type, for example `!!int yes`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct TypeError {
    pub text: String,
    pub expected: &'static str,
    pub at: Mark,
}

/// The value of a scalar.
///
/// A tag that the text implies anyway is not written by go-yaml, so quotes then turn the value into a string; a tag
/// that the text does not imply is written, and the text must fit it.
pub fn typed<'a>(scalar: &'a Scalar, at: Mark, dialect: Dialect) -> Result<Typed<'a>, TypeError> {
    let text = scalar.text.as_str();
    if scalar.style == Style::Folded {
        return Ok(Typed::Str(refold(text)));
    }
    let string = || Ok(Typed::Str(Cow::Borrowed(text)));
    let expected = match scalar.tag {
        Tag::Str | Tag::Other | Tag::Merge => return string(),
        Tag::Binary => return Ok(Typed::Str(Cow::Owned(decode_binary(text)))),
        Tag::Unset if scalar.style != Style::Plain => return string(),
        Tag::Unset => return value_of(resolve(dialect, text), text, at, dialect),
        Tag::Int => "an integer",
        Tag::Float => "a number",
        Tag::Bool => "a boolean",
        Tag::Null => "null",
        Tag::Timestamp => "a date",
    };
    let resolved = resolve(dialect, text);
    let implied = tag_of(&resolved) == scalar.tag;
    match resolved {
        _ if implied && !scalar.tagged && scalar.style != Style::Plain => string(),
        resolved if implied => value_of(resolved, text, at, dialect),
        Resolved::Int(value) if scalar.tag == Tag::Float => Ok(json_number(value as f64)),
        _ => Err(TypeError { text: text.to_owned(), expected, at }),
    }
}

fn value_of<'a>(
    resolved: Resolved,
    text: &'a str,
    at: Mark,
    dialect: Dialect,
) -> Result<Typed<'a>, TypeError> {
    Ok(match resolved {
        Resolved::Null => Typed::Null,
        Resolved::Bool(value) => Typed::Bool(value),
        Resolved::Int(value) => Typed::Int(value),
        Resolved::Uint(value) => Typed::Uint(value),
        Resolved::Float(value) if value.is_finite() => json_number(value),
        Resolved::Float(_) => {
            return Err(TypeError {
                text: text.to_owned(),
                expected: "a number that JSON can hold",
                at,
            });
        }
        Resolved::Timestamp(normal) if dialect == Dialect::V3 => Typed::Str(Cow::Owned(normal)),
        Resolved::Timestamp(_) | Resolved::Str => Typed::Str(Cow::Borrowed(text)),
    })
}

/// A float after its way through JSON, where `1.0` is `1` and therefore an integer.
fn json_number(value: f64) -> Typed<'static> {
    match resolve(Dialect::V2, &go_json(value)) {
        Resolved::Int(value) => Typed::Int(value),
        Resolved::Uint(value) => Typed::Uint(value),
        _ => Typed::Float(value),
    }
}

/// A folded text after go-yaml has written and read it: breaks around indented lines are doubled on the way.
fn refold(text: &str) -> Cow<'_, str> {
    let mut writer = super::write::Writer::new(usize::MAX, true);
    writer.scalar("text", Style::Plain, super::write::Place::ROOT);
    writer.indicator(":", false, false, false);
    writer.scalar(text, Style::Folded, super::write::Place::ROOT);
    writer.finish_document();
    let read = super::parse::parse_document(&writer.out, super::options::Options::EMBEDDED);
    match read.ok().flatten().and_then(|mut node| node.as_mapping_mut()?.remove("text")) {
        Some(Node { value: Value::Scalar(scalar), .. }) => Cow::Owned(scalar.text.into()),
        _ => Cow::Borrowed(text),
    }
}

fn decode_binary(text: &str) -> String {
    let packed: String = text.split_ascii_whitespace().collect();
    match base64::engine::general_purpose::STANDARD.decode(packed) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => text.to_owned(),
    }
}

/// A tree as JSON, with the types that Kubernetes would read.
///
/// Keys must be strings, but for the outermost map's, which Go turns into strings.
pub fn to_json(node: &Node, dialect: Dialect) -> Result<serde_json::Value, TypeError> {
    convert(node, dialect, true)
}

fn convert(node: &Node, dialect: Dialect, outermost: bool) -> Result<serde_json::Value, TypeError> {
    Ok(match &node.value {
        Value::Scalar(scalar) => match typed(scalar, node.at, dialect)? {
            Typed::Null => serde_json::Value::Null,
            Typed::Bool(value) => value.into(),
            Typed::Int(value) => value.into(),
            Typed::Uint(value) => value.into(),
            Typed::Float(value) => value.into(),
            Typed::Str(text) => text.into_owned().into(),
        },
        Value::Sequence(sequence) => {
            let items: Result<Vec<_>, _> =
                sequence.items.iter().map(|item| convert(item, dialect, false)).collect();
            items?.into()
        }
        Value::Mapping(mapping) => {
            let mut object = serde_json::Map::with_capacity(mapping.len());
            for (key, value) in mapping.iter() {
                let checked = match dialect {
                    Dialect::V3 => !outermost,
                    // Every key but null is turned into a string.
                    Dialect::V2 => key.tag == Tag::Null,
                };
                if checked {
                    check_key(key)?;
                }
                object.insert(json_key(key, dialect).into_owned(), convert(value, dialect, false)?);
            }
            object.into()
        }
    })
}

/// The text of a key in JSON: a key that YAML 1.1 takes for a boolean or a number is written as such (`yes` is `true`).
pub fn json_key(key: &Key, dialect: Dialect) -> Cow<'_, str> {
    let is_plain = key.style == Style::Plain && key.tag != Tag::Str && key.tag != Tag::Unset;
    if dialect == Dialect::V3 || !is_plain {
        return Cow::Borrowed(&key.text);
    }
    match resolve(dialect, &key.text) {
        Resolved::Bool(value) => Cow::Owned(value.to_string()),
        Resolved::Int(value) => Cow::Owned(value.to_string()),
        Resolved::Uint(value) => Cow::Owned(value.to_string()),
        Resolved::Float(value) if value.is_finite() => Cow::Owned(go_shortest(value)),
        _ => Cow::Borrowed(&key.text),
    }
}

/// Whether a tree can be written: every scalar fits its type and every key is a string.
pub fn check(node: &Node, outermost: bool) -> Result<(), TypeError> {
    match &node.value {
        Value::Scalar(scalar) => typed(scalar, node.at, Dialect::V3).map(drop),
        Value::Sequence(sequence) => sequence.items.iter().try_for_each(|item| check(item, false)),
        Value::Mapping(mapping) => mapping.iter().try_for_each(|(key, value)| {
            if !outermost {
                check_key(key)?;
            }
            check(value, false)
        }),
    }
}

fn check_key(key: &Key) -> Result<(), TypeError> {
    if is_string_key(key) {
        return Ok(());
    }
    let expected = "a string, as keys must be; put it in quotes";
    Err(TypeError { text: key.text.to_string(), expected, at: key.at })
}

/// Whether a key is still a string after go-yaml has written and read it.
fn is_string_key(key: &Key) -> bool {
    match key.tag {
        Tag::Str | Tag::Other | Tag::Merge | Tag::Binary => true,
        Tag::Unset => key.style != Style::Plain || resolve(Dialect::V3, &key.text) == Resolved::Str,
        Tag::Int | Tag::Float | Tag::Bool | Tag::Null | Tag::Timestamp => false,
    }
}

/// A tree from JSON, with numbers as Go's floats, which is what kustomize makes of a JSON-patched object.
pub fn from_json(value: &serde_json::Value) -> Node {
    match value {
        serde_json::Value::Null => Node::null(),
        serde_json::Value::Bool(value) => Node::bool(*value),
        serde_json::Value::Number(number) => {
            let text = number.as_f64().map_or_else(|| number.to_string(), go_shortest);
            let tag = tag_of(&resolve(Dialect::V3, &text));
            Node::scalar(Scalar { tag, ..Scalar::untyped(text) })
        }
        serde_json::Value::String(text) => {
            Node::scalar(Scalar { style: embedded_style(text), ..Scalar::string(text.as_str()) })
        }
        serde_json::Value::Array(items) => Node::sequence(items.iter().map(from_json).collect()),
        serde_json::Value::Object(object) => {
            let entries =
                object.iter().map(|(key, value)| (Key::string(key.as_str()), from_json(value)));
            Node::mapping(entries.collect::<Mapping>())
        }
    }
}
