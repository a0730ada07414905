//! What can go wrong in a build, and where.

use crate::yaml::{Mark, TypeError, YamlError};
use std::fmt;
use std::path::{Path, PathBuf};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A build that failed: what, where in which file, and on the way to what.
#[derive(Debug)]
pub struct Error {
    pub kind: ErrorKind,
    /// The file at fault and the place in it, where that is known.
    pub place: Option<Place>,
    /// What was being done, outermost last.
    pub while_doing: Vec<String>,
}

/// A place in a file, counted from 1; line 0 stands for the file as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub file: PathBuf,
    pub line: u32,
    pub column: u32,
}

/// Why a build failed.
#[derive(Debug, thiserror::Error)]
pub enum ErrorKind {
    #[error("not valid YAML: {0}")]
    Yaml(String),
    #[error("not UTF-8 text")]
    NotText,
    #[error("can't read the file: {0}")]
    Read(#[source] std::io::Error),
    #[error("{0:?} is neither a file nor a directory")]
    NoSuchPath(String),
    #[error("{0:?} is not a directory")]
    NotADirectory(String),
    #[error("no kustomization.yaml, kustomization.yml or Kustomization in this directory")]
    NoKustomization,
    #[error("more than one kustomization file in this directory: {0}")]
    ManyKustomizations(String),
    #[error("{file:?} is outside of {root:?}; --load-restrictor LoadRestrictionsNone lifts this")]
    OutsideRoot { file: PathBuf, root: PathBuf },
    #[error("{0:?} contains a directory that is being built already: a cycle")]
    Cycle(PathBuf),
    #[error("bases nest deeper than {0} levels")]
    TooDeep(usize),
    #[error("unknown field {field:?} in {inside}{}", suggest(.suggestion))]
    UnknownField { field: String, inside: &'static str, suggestion: Option<&'static str> },
    #[error("{field} must be {expected}, not {found}")]
    WrongType { field: String, expected: &'static str, found: &'static str },
    #[error("{field}: {reason}")]
    Invalid { field: String, reason: String },
    #[error("{0}")]
    Type(#[from] TypeError),
    #[error("{0}")]
    BadObject(String),
    #[error("{0} is there already")]
    Duplicate(String),
    #[error("{0}")]
    NoMatch(String),
    #[error("{0}")]
    Ambiguous(String),
    #[error("{0}")]
    Conflict(String),
    #[error("can't apply the patch: {0}")]
    Patch(String),
    #[error("{0}")]
    Field(String),
    #[error("{what} is not built here; {instead}")]
    Unsupported { what: String, instead: &'static str },
    #[error("{0}")]
    Tool(String),
}

fn suggest(suggestion: &Option<&'static str>) -> String {
    suggestion.map(|name| format!("; did you mean {name:?}?")).unwrap_or_default()
}

impl Error {
    pub fn new(kind: ErrorKind) -> Self {
        Self { kind, place: None, while_doing: Vec::new() }
    }

    /// Says where, unless something closer to the cause has said it.
    pub fn at(mut self, file: &Path, mark: Mark) -> Self {
        let place = || Place { file: file.to_owned(), line: mark.line, column: mark.column };
        self.place.get_or_insert_with(place);
        self
    }

    /// Says in which file, unless something closer to the cause has said it.
    pub fn in_file(self, file: &Path) -> Self {
        self.at(file, Mark::default())
    }

    /// Says what was being done.
    pub fn doing(mut self, what: impl Into<String>) -> Self {
        self.while_doing.push(what.into());
        self
    }

    /// A YAML error in a file.
    pub fn yaml(error: &YamlError, file: &Path) -> Self {
        Self::new(ErrorKind::Yaml(error.message.clone())).at(file, error.at)
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self::new(kind)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}", self.kind)?;
        for what in &self.while_doing {
            write!(f, "\n  while {what}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            ErrorKind::Read(error) => Some(error),
            _ => None,
        }
    }
}

/// Shorthand for the errors that carry one sentence.
macro_rules! fail {
    ($kind:ident, $($message:tt)*) => {
        $crate::error::Error::new($crate::error::ErrorKind::$kind(format!($($message)*)))
    };
}
pub(crate) use fail;
