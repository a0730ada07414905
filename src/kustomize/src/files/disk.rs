//! The disk of this machine.

use super::Files;
use std::io;
use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes: Kubernetes takes objects of about a megabyte.
const MAX_FILE: u64 = 64 << 20;

/// How many names of a directory are listed.
const MAX_NAMES: usize = 10_000;

/// The disk of this machine; relative paths count from the working directory.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let metadata = std::fs::metadata(path)?;
        if metadata.len() > MAX_FILE {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("it is larger than {} MiB", MAX_FILE >> 20),
            ));
        }
        // A pipe or a device has no end to wait for.
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        std::fs::read(path)
    }

    fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        path.canonicalize()
    }

    fn names(&self, directory: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(directory).into_iter().flatten().take(MAX_NAMES);
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }
}
