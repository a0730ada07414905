//! Files in memory laid over others.

use super::Files;
use std::io;
use std::path::{Path, PathBuf};

/// One set of files over another: what the upper one has hides what the lower one has at the same path.
///
/// A caller puts a kustomization of its own above an overlay this way: a directory in [`super::Memory`] whose
/// `resources` name the overlay on [`super::Disk`], with the namespace, images and generators that come from outside.
#[derive(Debug)]
pub struct Layered<Upper, Lower> {
    pub upper: Upper,
    pub lower: Lower,
}

impl<Upper: Files, Lower: Files> Layered<Upper, Lower> {
    pub fn new(upper: Upper, lower: Lower) -> Self {
        Self { upper, lower }
    }
}

impl<Upper: Files, Lower: Files> Files for Layered<Upper, Lower> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        match self.upper.read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.lower.read(path),
            read => read,
        }
    }

    fn is_dir(&self, path: &Path) -> bool {
        self.upper.is_dir(path) || self.lower.is_dir(path)
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        // The lower layer knows about symbolic links; the upper one only answers for what it alone has.
        self.lower.canonical(path).or_else(|_| self.upper.canonical(path))
    }

    fn names(&self, directory: &Path) -> Vec<String> {
        let mut names = self.upper.names(directory);
        names.extend(self.lower.names(directory));
        names
    }
}

impl<F: Files + ?Sized> Files for &F {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        (**self).read(path)
    }

    fn is_dir(&self, path: &Path) -> bool {
        (**self).is_dir(path)
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        (**self).canonical(path)
    }

    fn names(&self, directory: &Path) -> Vec<String> {
        (**self).names(directory)
    }
}
