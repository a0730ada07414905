//! A regular expression that must match as a whole; one without special characters is compared as text.

use crate::error::{Result, fail};
use regex::Regex;

/// What a name or a kind must look like.
#[derive(Debug)]
pub enum Pattern {
    Any,
    Text(String),
    Regex(Regex),
}

impl Pattern {
    /// An empty pattern takes anything.
    pub fn new(pattern: &str) -> Result<Self> {
        if pattern.is_empty() {
            return Ok(Self::Any);
        }
        if pattern
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/' | b':'))
        {
            return Ok(Self::Text(pattern.to_owned()));
        }
        match Regex::new(&format!("^(?:{pattern})$")) {
            Ok(regex) => Ok(Self::Regex(regex)),
            Err(error) => Err(fail!(Field, "{pattern:?} is not a regular expression: {error}")),
        }
    }

    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Text(wanted) => wanted == text,
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}
