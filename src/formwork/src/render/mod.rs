//! Plans and outcomes as people and programs read them.

pub(crate) mod drift;
mod json;
mod markdown;
mod text;
mod words;

pub(crate) use json::json;
pub(crate) use markdown::markdown;
pub(crate) use text::{outcome, text};
pub(crate) use words::{change, verb};
