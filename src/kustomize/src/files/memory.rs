//! Files in memory.

use super::{Files, clean};
use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};

/// Files by absolute path; a directory is there when a file is below it.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Memory {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces a file; relative paths count from `/`.
    pub fn insert(&mut self, path: impl AsRef<Path>, content: impl Into<Vec<u8>>) {
        self.files.insert(absolute(path.as_ref()), content.into());
    }

    pub fn with(mut self, path: impl AsRef<Path>, content: impl Into<Vec<u8>>) -> Self {
        self.insert(path, content);
        self
    }
}

impl From<BTreeMap<PathBuf, Vec<u8>>> for Memory {
    fn from(files: BTreeMap<PathBuf, Vec<u8>>) -> Self {
        Self {
            files: files.into_iter().map(|(path, content)| (absolute(&path), content)).collect(),
        }
    }
}

fn absolute(path: &Path) -> PathBuf {
    clean(&Path::new("/").join(path))
}

fn missing(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{} is not there", path.display()))
}

impl Files for Memory {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.get(&absolute(path)).cloned().ok_or_else(|| missing(path))
    }

    fn is_dir(&self, path: &Path) -> bool {
        let path = absolute(path);
        let after =
            self.files.range::<Path, _>((Bound::Excluded(path.as_path()), Bound::Unbounded)).next();
        after.is_some_and(|(file, _)| file.starts_with(&path))
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        let clean = absolute(path);
        if self.files.contains_key(&clean) || self.is_dir(&clean) {
            Ok(clean)
        } else {
            Err(missing(path))
        }
    }

    fn names(&self, directory: &Path) -> Vec<String> {
        let directory = absolute(directory);
        let below =
            self.files.range::<Path, _>((Bound::Excluded(directory.as_path()), Bound::Unbounded));
        let paths = below.map_while(|(path, _)| path.strip_prefix(&directory).ok());
        let mut names: Vec<String> = paths
            .filter_map(|path| path.components().next())
            .map(|name| name.as_os_str().to_string_lossy().into_owned())
            .collect();
        names.dedup();
        names
    }
}
