//! Why the local cloud did not come up.

use std::{io, path::Path, path::PathBuf, time::Duration};

use thiserror::Error;

use crate::setup_error::SetupError;

/// Why the local cloud did not come up: what failed, where its log is, what to do next.
#[derive(Debug, Error)]
pub enum StartError {
    /// A part could not be made available.
    #[error(transparent)]
    Setup(#[from] SetupError),

    /// The file system said no.
    #[error("could not {what} {}: {source}", path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error },

    /// The scratch folder can't be used.
    #[error("the scratch folder {} can't be used: {why}; {next}", path.display())]
    Scratch { path: PathBuf, why: String, next: String },

    /// A process could not be started.
    #[error("{part}: could not start {program}: {source}")]
    Spawn { part: String, program: String, source: io::Error },

    /// A process ended before it was ready.
    #[error("{part} ended with {status} before it was ready\nlog: {}\n{tail}", log.display())]
    Ended { part: String, status: String, log: PathBuf, tail: String },

    /// A process did not become ready in time.
    #[error("{part} was not ready after {} s: {last}\nlog: {}\n{tail}", limit.as_secs(), log.display())]
    NotReady { part: String, limit: Duration, last: String, log: PathBuf, tail: String },

    /// A helper program said no.
    #[error("{part}: {command} ended with {status}\n{output}")]
    Helper { part: String, command: String, status: String, output: String },

    /// No port was free.
    #[error(
        "no free port on 127.0.0.1 among {tried} tried, from {first} to {last}; see what listens there (ss -ltn)"
    )]
    NoPort { tried: u32, first: u16, last: u16 },

    /// A certificate could not be made.
    #[error("could not make a certificate for {name}: {source}")]
    Certificate { name: String, source: rcgen::Error },

    /// The options contradict themselves.
    #[error("{0}")]
    Options(String),

    /// The thread that holds the processes is gone.
    #[error("{part}: the thread that starts processes has ended; start a new local cloud")]
    KeeperGone { part: String },
}

impl StartError {
    /// Names what was being done, and to which path, when the file system said no.
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }

    /// True when a process ended because another one has its port.
    pub(crate) fn port_in_use(&self) -> bool {
        let Self::Ended { tail, .. } = self else { return false };
        let tail = tail.to_lowercase();
        ["address already in use", "address in use", "bind: address"]
            .iter()
            .any(|words| tail.contains(words))
    }
}
