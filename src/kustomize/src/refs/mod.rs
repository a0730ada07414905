//! What objects say about each other: names that must follow a renaming, and variables.

pub mod names;
pub mod variables;
