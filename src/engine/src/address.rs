//! Addresses of nodes, `stack/name`, and the symbols they are made of.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{
    collections::HashSet,
    fmt,
    str::FromStr,
    sync::{LazyLock, Mutex, PoisonError},
};

/// Longest stack name or node name; names go into tags, labels and file names.
pub const MAX_NAME: usize = 63;

/// The node name under which a stack's exports are addressed; no resource may take it.
pub const EXPORTS: &str = "exports";

/// An interned text, so that addresses and outputs stay `Copy` while a stack is being written.
///
/// Interned texts are never freed: a program has as many as its stacks have names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(&'static str);

impl Symbol {
    pub fn new(text: &str) -> Self {
        static KNOWN: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);
        // A panic while the set was held can't have left it half changed: an insert is its last step.
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(text) {
            return Self(found);
        }
        let leaked: &'static str = Box::leak(text.to_owned().into_boxed_str());
        known.insert(leaked);
        Self(leaked)
    }

    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, f)
    }
}

impl Serialize for Symbol {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Symbol {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d).map(|text| Self::new(&text))
    }
}

/// Where a node lives: the stack's name and its own, written `stack/name`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    stack: Symbol,
    name: Symbol,
}

/// Why a text is no address or no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("`{0}` is not an address: write it as `stack/name`")]
    Shape(String),
    #[error(
        "`{0}` is not a name: use 1 to {MAX_NAME} lower-case letters, digits and `-`, starting with a letter and not ending with `-`"
    )]
    Name(String),
}

impl Address {
    pub fn new(stack: &str, name: &str) -> Result<Self, AddressError> {
        for part in [stack, name] {
            if !is_name(part) {
                return Err(AddressError::Name(part.to_owned()));
            }
        }
        Ok(Self { stack: Symbol::new(stack), name: Symbol::new(name) })
    }

    /// An address whose parts were not checked; `Stack::finish` reports a bad one with its place.
    pub(crate) fn unchecked(stack: &str, name: &str) -> Self {
        Self { stack: Symbol::new(stack), name: Symbol::new(name) }
    }

    /// The address under which another stack finds what `stack` exports.
    pub fn exports_of(stack: &str) -> Self {
        Self::unchecked(stack, EXPORTS)
    }

    pub fn is_exports(self) -> bool {
        self.name.as_str() == EXPORTS
    }

    pub const fn stack(self) -> &'static str {
        self.stack.as_str()
    }

    pub const fn name(self) -> &'static str {
        self.name.as_str()
    }
}

/// Whether `text` may name a stack or a node: a DNS label, since it ends up in physical names.
pub fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

impl FromStr for Address {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (stack, name) =
            text.split_once('/').ok_or_else(|| AddressError::Shape(text.to_owned()))?;
        Self::new(stack, name)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.stack, self.name)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_stack_and_name() {
        let address: Address = "production/db".parse().unwrap();
        assert_eq!((address.stack(), address.name()), ("production", "db"));
        assert_eq!(address.to_string(), "production/db");
        for bad in ["db", "/db", "a/", "a/B", "a/b/c", "a/1b", "a/b-", "a/é"] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
