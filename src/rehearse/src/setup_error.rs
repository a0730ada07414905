//! Why a part could not be made available.

use std::{io, path::Path, path::PathBuf};

use thiserror::Error;

/// Why a part could not be made available: what failed, where its log is, what to do next.
#[derive(Debug, Error)]
pub enum SetupError {
    /// Neither XDG_CACHE_HOME nor HOME says where the cache is.
    #[error(
        "no cache folder: neither XDG_CACHE_HOME nor HOME holds an absolute path; set one of them"
    )]
    NoCacheFolder,

    /// The file system said no.
    #[error("could not {what} {}: {source}", path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error },

    /// A command of the set-up could not be started.
    #[error("{part}: could not run {command}: {source}; {next}")]
    NotRun { part: String, command: String, source: io::Error, next: String },

    /// A command of the set-up failed.
    #[error("{part}: {command} ended with {status}; {next}\nlog: {}\n{tail}", log.display())]
    Failed {
        part: String,
        command: String,
        status: String,
        log: PathBuf,
        tail: String,
        next: String,
    },

    /// The installation ended well but lacks what it should hold.
    #[error("{name}: the installation in {} lacks what it should hold; remove the folder and try again", folder.display())]
    Unusable { name: String, folder: PathBuf },

    /// Something that only a person can add is missing.
    #[error("{part}: {missing}; {next}")]
    Missing { part: String, missing: String, next: String },
}

impl SetupError {
    /// Names what was being done, and to which path, when the file system said no.
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }
}
