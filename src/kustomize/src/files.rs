//! The file system as a build sees it: a disk, a map in memory, or one laid over the other.

mod disk;
mod layered;
mod memory;

pub use disk::Disk;
pub use layered::Layered;
pub use memory::Memory;

use std::io;
use std::path::{Component, Path, PathBuf};

/// Where a build reads its files. Nothing else of the outside world reaches it.
pub trait Files {
    /// The content of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    fn is_dir(&self, path: &Path) -> bool;

    /// The absolute path without symbolic links, `.` and `..`; an error where nothing is there.
    fn canonical(&self, path: &Path) -> io::Result<PathBuf>;

    /// The names in a directory, for suggestions; what can't be listed has none.
    fn names(&self, _directory: &Path) -> Vec<String> {
        Vec::new()
    }
}

/// Takes `.` and `..` out of a path by its text alone.
pub fn clean(path: &Path) -> PathBuf {
    let mut parts: Vec<Component<'_>> = Vec::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => match parts.last() {
                Some(Component::Normal(_)) => {
                    parts.pop();
                }
                Some(Component::RootDir) => {}
                _ => parts.push(part),
            },
            part => parts.push(part),
        }
    }
    if parts.is_empty() { PathBuf::from(".") } else { parts.iter().collect() }
}
