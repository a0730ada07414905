//! The tree that a build works on: scalars keep their text, so that nothing is lost by reading them too early.
//!
//! Nearly every text is short and stands in its node ([`SmolStr`]): a tree of small strings elsewhere would cost twice the
//! memory, and a miss of the processor's cache for each key that is compared.

use super::mapping::Mapping;
use smol_str::SmolStr;
use std::sync::Arc;

/// Where a node stands in its file, counted from 1; zero for what the build made itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    pub line: u32,
    pub column: u16,
    /// Which of the build's files it is ([`Sources`]); zero where nobody asked for it.
    ///
    /// [`Sources`]: crate::sources::Sources
    pub file: u16,
}

impl Mark {
    pub const NOWHERE: Self = Self { line: 0, column: 0, file: 0 };
}

/// A value and the place it was read from.
#[derive(Clone, Debug)]
pub struct Node {
    pub value: Value,
    pub at: Mark,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub enum Value {
    Scalar(Scalar),
    Sequence(Sequence),
    Mapping(Mapping),
}

/// A scalar as it was written, together with the type that it was read as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    pub text: SmolStr,
    pub tag: Tag,
    pub style: Style,
    /// The tag was written out (`!!int "7"`), so it outranks the quotes.
    pub tagged: bool,
    /// Which of an object's shared values this is; 0 for none. See [`Resource::settle_shared`].
    ///
    /// [`Resource::settle_shared`]: crate::resource::Resource::settle_shared
    pub shared: u32,
    /// A shared value that has been changed here, and not yet in its other places.
    pub changed: bool,
}

/// The type of a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// Not decided: the text decides when the object is written.
    Unset,
    Str,
    Int,
    Float,
    Bool,
    Null,
    Timestamp,
    Binary,
    Merge,
    /// A tag of the document's own (`!foo`), read as a string.
    Other,
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    #[default]
    Plain,
    Single,
    Double,
    Literal,
    Folded,
}

/// A list.
#[derive(Clone, Debug, Default)]
pub struct Sequence {
    pub items: Vec<Node>,
    pub flow: bool,
}

/// A map's key.
#[derive(Clone, Debug)]
pub struct Key {
    pub text: SmolStr,
    pub tag: Tag,
    pub style: Style,
    pub at: Mark,
    /// The schema that a comment on the key's line gives its value (`list: # {"type": "array", …}`).
    pub schema: Option<Arc<serde_json::Value>>,
}

impl Key {
    /// A key that the build adds; as in kustomize, it turns into a number if it looks like one.
    pub fn new(text: impl Into<SmolStr>) -> Self {
        Self {
            text: text.into(),
            tag: Tag::Unset,
            style: Style::Plain,
            at: Mark::default(),
            schema: None,
        }
    }

    /// A key that is a string whatever it looks like.
    pub fn string(text: impl Into<SmolStr>) -> Self {
        Self { tag: Tag::Str, ..Self::new(text) }
    }
}

impl Scalar {
    /// A string, whatever its text looks like.
    pub fn string(text: impl Into<SmolStr>) -> Self {
        Self { tag: Tag::Str, ..Self::untyped(text) }
    }

    /// Text whose type is decided by its looks.
    pub fn untyped(text: impl Into<SmolStr>) -> Self {
        Self {
            text: text.into(),
            tag: Tag::Unset,
            style: Style::Plain,
            tagged: false,
            shared: 0,
            changed: false,
        }
    }

    /// Replaces text and type and keeps the quotes that were there, as kustomize does.
    pub fn replace(&mut self, text: impl Into<SmolStr>, tag: Tag) {
        self.text = text.into();
        self.tag = tag;
        self.changed = self.shared != 0;
    }

    /// Whether kustomize takes this for a string: tagged so, or not tagged at all.
    pub fn is_stringlike(&self) -> bool {
        matches!(self.tag, Tag::Str | Tag::Unset)
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl Node {
    pub fn new(value: Value) -> Self {
        Self { value, at: Mark::default() }
    }

    pub fn scalar(scalar: Scalar) -> Self {
        Self::new(Value::Scalar(scalar))
    }

    pub fn string(text: impl Into<SmolStr>) -> Self {
        Self::scalar(Scalar::string(text))
    }

    pub fn untyped(text: impl Into<SmolStr>) -> Self {
        Self::scalar(Scalar::untyped(text))
    }

    pub fn bool(value: bool) -> Self {
        Self::scalar(Scalar { tag: Tag::Bool, ..Scalar::untyped(value.to_string()) })
    }

    pub fn null() -> Self {
        Self::scalar(Scalar { tag: Tag::Null, ..Scalar::untyped("null") })
    }

    pub fn mapping(mapping: Mapping) -> Self {
        Self::new(Value::Mapping(mapping))
    }

    pub fn empty_mapping() -> Self {
        Self::mapping(Mapping::default())
    }

    pub fn sequence(items: Vec<Node>) -> Self {
        Self::new(Value::Sequence(Sequence { items, flow: false }))
    }

    pub fn as_scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    pub fn as_scalar_mut(&mut self) -> Option<&mut Scalar> {
        match &mut self.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    pub fn as_mapping(&self) -> Option<&Mapping> {
        match &self.value {
            Value::Mapping(mapping) => Some(mapping),
            _ => None,
        }
    }

    pub fn as_mapping_mut(&mut self) -> Option<&mut Mapping> {
        match &mut self.value {
            Value::Mapping(mapping) => Some(mapping),
            _ => None,
        }
    }

    pub fn as_sequence(&self) -> Option<&Sequence> {
        match &self.value {
            Value::Sequence(sequence) => Some(sequence),
            _ => None,
        }
    }

    pub fn as_sequence_mut(&mut self) -> Option<&mut Sequence> {
        match &mut self.value {
            Value::Sequence(sequence) => Some(sequence),
            _ => None,
        }
    }

    /// A scalar's text, or nothing for lists and maps.
    pub fn text(&self) -> &str {
        self.as_scalar().map_or("", |scalar| scalar.text.as_str())
    }

    /// A field of a map.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_mapping()?.get(key)
    }

    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.as_mapping_mut()?.get_mut(key)
    }

    pub fn is_null(&self) -> bool {
        self.as_scalar().is_some_and(|scalar| scalar.tag == Tag::Null)
    }

    /// Null, or a list or map without elements; an empty string is not empty in this sense.
    pub fn is_null_or_empty(&self) -> bool {
        match &self.value {
            Value::Scalar(scalar) => scalar.tag == Tag::Null,
            Value::Sequence(sequence) => sequence.items.is_empty(),
            Value::Mapping(mapping) => mapping.is_empty(),
        }
    }

    /// The word for this node's shape in messages.
    pub fn shape(&self) -> &'static str {
        match &self.value {
            Value::Scalar(scalar) => match scalar.tag {
                Tag::Int | Tag::Float => "number",
                Tag::Bool => "bool",
                Tag::Null => "null",
                _ => "string",
            },
            Value::Sequence(_) => "list",
            Value::Mapping(_) => "map",
        }
    }
}
