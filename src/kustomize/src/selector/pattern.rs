//! A regular expression that must match as a whole; one without special characters is compared as text.

use crate::error::{Error, Result, fail};
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
    pub fn new(field: &str, pattern: &str) -> Result<Self> {
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
            Err(error) => Err(invalid(field, pattern, &error)),
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

/// A regular expression that can't be read, in one line.
pub fn invalid(field: &str, pattern: &str, error: &regex::Error) -> Error {
    // The library draws the expression over several lines; what is wrong with it comes last.
    let text = error.to_string();
    let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
    fail!(Field, "{field}: {pattern:?} is not a regular expression: {reason}")
        .with_help("a selector's parts are regular expressions; a backslash takes a sign as it is")
}
