//! How a document is read.

use super::node::Mark;

/// Whose rules decide what a plain scalar means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// go-yaml v2, YAML 1.1: `yes` is a boolean. Kustomization files are read so.
    V2,
    /// go-yaml v3: `yes` is a string. Resources are read so.
    V3,
}

/// What to do with a key that stands twice in one map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twice {
    Refused,
    LastWins,
}

/// How to read a document.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub dialect: Dialect,
    pub twice: Twice,
    /// Whether to find out which lists and maps are in brackets, which matters to what is written again.
    pub flow: bool,
    /// Lines above this text and columns left of it in its file, so that positions count from the file's start.
    pub before: Mark,
}

impl Options {
    /// Resources and patches.
    pub const RESOURCE: Self =
        Self { dialect: Dialect::V3, twice: Twice::Refused, flow: true, before: Mark::NOWHERE };
    /// Kustomization files and everything that kustomize turns into JSON before it reads it.
    pub const CONFIG: Self =
        Self { dialect: Dialect::V2, twice: Twice::LastWins, flow: false, before: Mark::NOWHERE };
    /// Text inside of a field, which keeps whatever it has.
    pub const EMBEDDED: Self =
        Self { dialect: Dialect::V3, twice: Twice::LastWins, flow: true, before: Mark::NOWHERE };
}
