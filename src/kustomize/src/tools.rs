//! The programs a build may ask for; the library itself starts none.

use crate::remote::Repository;
use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};

/// Programs outside of the build. The caller decides whether and how they run.
pub trait Tools: Debug + Send + Sync {
    /// Fetches a Git repository at a reference (empty for the default branch) and says where it lies.
    fn clone_repository(&self, repository: &Repository) -> io::Result<PathBuf>;

    /// Reads a file over HTTP or HTTPS.
    fn download(&self, url: &str) -> io::Result<Vec<u8>>;

    /// Runs a program in a directory, with these variables besides its own, and returns its standard output.
    fn run(
        &self,
        program: &str,
        arguments: &[String],
        environment: &[(String, String)],
        directory: &Path,
    ) -> io::Result<Vec<u8>>;

    /// Makes an empty directory that lasts as long as the build.
    fn scratch_directory(&self) -> io::Result<PathBuf>;

    /// Writes a file into a scratch directory.
    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()>;
}

/// No programs at all.
#[derive(Clone, Copy, Debug)]
pub struct NoTools;

fn none() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "this build may not start other programs")
}

impl Tools for NoTools {
    fn clone_repository(&self, _: &Repository) -> io::Result<PathBuf> {
        Err(none())
    }

    fn download(&self, _: &str) -> io::Result<Vec<u8>> {
        Err(none())
    }

    fn run(&self, _: &str, _: &[String], _: &[(String, String)], _: &Path) -> io::Result<Vec<u8>> {
        Err(none())
    }

    fn scratch_directory(&self) -> io::Result<PathBuf> {
        Err(none())
    }

    fn write(&self, _: &Path, _: &[u8]) -> io::Result<()> {
        Err(none())
    }
}
