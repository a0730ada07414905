//! What can go wrong in a build, and where.

use crate::resource::Resource;
use crate::yaml::{Mark, TypeError, YamlError};
use std::fmt;
use std::path::{Path, PathBuf};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A build that failed: what, where in which file, on the way to what, and what to do about it.
#[derive(Debug)]
pub struct Error {
    pub kind: ErrorKind,
    /// The file at fault and the place in it, where that is known.
    pub place: Option<Place>,
    /// What was being done, outermost last.
    pub while_doing: Vec<String>,
    advice: Option<Box<Advice>>,
}

/// What helps to mend an error.
#[derive(Debug, Default)]
struct Advice {
    help: Option<String>,
    /// Other places that have a part in it, and what is there.
    related: Vec<(Place, String)>,
}

/// A place in a file, counted from 1; line 0 stands for the file as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub file: PathBuf,
    pub line: u32,
    pub column: u32,
}

impl Place {
    pub(crate) fn new(file: &Path, at: Mark) -> Self {
        Self { file: file.to_owned(), line: at.line, column: at.column.into() }
    }
}

/// Why a build failed.
#[derive(Debug, thiserror::Error)]
pub enum ErrorKind {
    #[error("not valid YAML: {0}")]
    Yaml(String),
    #[error("this is not UTF-8 text")]
    NotText,
    #[error("can't read the file: {0}")]
    Read(#[source] std::io::Error),
    #[error("there is no file or directory {0:?}")]
    NoSuchPath(String),
    #[error("{0:?} is not a directory")]
    NotADirectory(String),
    #[error("{0:?} is a directory, not a file")]
    NotAFile(String),
    #[error("no kustomization.yaml, kustomization.yml or Kustomization in this directory")]
    NoKustomization,
    #[error("more than one kustomization file in this directory: {0}")]
    ManyKustomizations(String),
    #[error("{} is outside of {}", file.display(), root.display())]
    OutsideRoot { file: PathBuf, root: PathBuf },
    /// The directories that lead back to where they began.
    #[error("a cycle of bases: {}", chain(.0))]
    Cycle(Vec<PathBuf>),
    #[error("bases nest deeper than {0} levels")]
    TooDeep(usize),
    #[error("unknown field {field:?} in {inside}")]
    UnknownField { field: String, inside: &'static str },
    #[error("{field} must be {expected}, not {}{found}", if *found == "null" { "" } else { "a " })]
    WrongType { field: String, expected: &'static str, found: &'static str },
    #[error("{field}: {reason}")]
    Invalid { field: String, reason: String },
    #[error("{0}")]
    Type(#[from] TypeError),
    #[error("{0}")]
    BadObject(String),
    #[error("{0} is there already, and two objects can't be one")]
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
    #[error("{0} is not built here")]
    Unsupported(String),
    #[error("{0}")]
    Tool(String),
}

fn chain(directories: &[PathBuf]) -> String {
    let names: Vec<_> = directories.iter().map(|path| path.display().to_string()).collect();
    names.join(" → ")
}

impl Error {
    pub fn new(kind: ErrorKind) -> Self {
        Self { kind, place: None, while_doing: Vec::new(), advice: None }
    }

    /// Says where, unless something closer to the cause has said it.
    pub fn at(mut self, file: &Path, mark: Mark) -> Self {
        let place = || Place::new(file, mark);
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

    /// Says at which object, unless something closer to the cause has said where.
    pub(crate) fn at_object(self, resource: &Resource) -> Self {
        match &resource.file {
            Some(file) => self.at(file, resource.node.at),
            None => self,
        }
    }

    /// Says what to do about it, unless something closer to the cause has said that.
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.advice.get_or_insert_default().help.get_or_insert_with(|| help.into());
        self
    }

    /// The same where there is something to say.
    pub fn maybe_help(self, help: Option<String>) -> Self {
        match help {
            Some(help) => self.with_help(help),
            None => self,
        }
    }

    /// Names another object that has a part in it.
    pub(crate) fn with_related(mut self, resource: &Resource, what: impl Into<String>) -> Self {
        if let Some(file) = &resource.file {
            let place = Place::new(file, resource.node.at);
            self.advice.get_or_insert_default().related.push((place, what.into()));
        }
        self
    }

    /// What to do about it, in one sentence.
    pub fn help(&self) -> Option<&str> {
        self.advice.as_ref()?.help.as_deref()
    }

    /// Other places that have a part in it, and what is there.
    pub fn related(&self) -> impl Iterator<Item = (&Place, &str)> {
        let related = self.advice.iter().flat_map(|advice| &advice.related);
        related.map(|(place, what)| (place, what.as_str()))
    }

    /// A YAML error in a file.
    pub fn yaml(error: &YamlError, file: &Path) -> Self {
        Self::new(ErrorKind::Yaml(error.message.clone()))
            .at(file, error.at)
            .maybe_help(error.help.clone())
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
        for (place, what) in self.related() {
            write!(f, "\n  {place}: {what}")?;
        }
        for what in &self.while_doing {
            write!(f, "\n  while {what}")?;
        }
        match self.help() {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
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
