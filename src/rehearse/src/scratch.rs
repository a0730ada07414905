//! The scratch folder: everything that a local cloud writes, and the lock of the one that uses it.

use std::{
    fs::{self, File, TryLockError},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::start_error::StartError;

/// The file that says whose folder it is, and that the running cloud has locked.
const OURS: &str = ".formwork-local-cloud";
/// Everyone may pass through: PostgreSQL's user has to.
const PASSABLE: u32 = 0o711;

/// A scratch folder in use.
#[derive(Debug)]
pub(crate) struct Scratch {
    pub path: PathBuf,
    /// Released when the cloud ends.
    _lock: File,
}

impl Scratch {
    /// Takes a folder that is new, empty, or left over from a local cloud that has ended.
    pub fn take(path: &Path) -> Result<Self, StartError> {
        fs::create_dir_all(path).map_err(StartError::io("make the scratch folder", path))?;
        let path = path.canonicalize().map_err(StartError::io("find", path))?;
        let unusable = |why: &str, next: &str| StartError::Scratch {
            path: path.clone(),
            why: why.to_owned(),
            next: next.to_owned(),
        };
        let mark = path.join(OURS);
        let entries = fs::read_dir(&path).map_err(StartError::io("list", &path))?;
        if !mark.exists() && entries.count() > 0 {
            return Err(unusable(
                "it holds files that aren't a local cloud's",
                "choose a folder that is new or empty",
            ));
        }
        let lock = File::create(&mark).map_err(StartError::io("make", &mark))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(unusable(
                    "another local cloud is running in it",
                    "stop that one or choose another folder",
                ));
            }
            Err(TryLockError::Error(source)) => return Err(StartError::io("lock", &mark)(source)),
        }
        clear(&path)?;
        for folder in ["logs", "sites", "home"] {
            let folder = path.join(folder);
            fs::create_dir_all(&folder).map_err(StartError::io("make the folder", &folder))?;
        }
        passable(&path)?;
        Ok(Self { path, _lock: lock })
    }
}

/// Removes what an earlier cloud left.
fn clear(path: &Path) -> Result<(), StartError> {
    for entry in fs::read_dir(path).map_err(StartError::io("list", path))? {
        let entry = entry.map_err(StartError::io("list", path))?;
        let old = entry.path();
        if entry.file_name() == OURS {
            continue;
        }
        let removed = if old.is_dir() { fs::remove_dir_all(&old) } else { fs::remove_file(&old) };
        removed.map_err(StartError::io("remove", &old))?;
    }
    Ok(())
}

/// Lets PostgreSQL's user through, where we are root and the server is not.
fn passable(path: &Path) -> Result<(), StartError> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(PASSABLE))
        .map_err(StartError::io("set the permissions of", path))?;
    for folder in path.ancestors().skip(1) {
        let mode =
            folder.metadata().map_err(StartError::io("look at", folder))?.permissions().mode();
        if mode & 0o001 == 0 {
            return Err(StartError::Scratch {
                path: path.to_owned(),
                why: format!("PostgreSQL's user can't pass through {}", folder.display()),
                next: format!(
                    "choose a folder elsewhere, say in {}",
                    std::env::temp_dir().display()
                ),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_somebody_elses_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("letter"), "dear").unwrap();
        let error = Scratch::take(folder.path()).unwrap_err().to_string();
        assert!(error.contains("aren't a local cloud's"), "{error}");
        assert!(folder.path().join("letter").exists());
    }

    #[test]
    fn a_folder_in_use_is_refused_and_one_left_over_is_cleared() {
        let folder = tempfile::tempdir().unwrap();
        let first = Scratch::take(folder.path()).unwrap();
        fs::write(first.path.join("logs/old.log"), "old").unwrap();
        let error = Scratch::take(folder.path()).unwrap_err().to_string();
        assert!(error.contains("another local cloud"), "{error}");
        assert!(folder.path().join("logs/old.log").exists());
        drop(first);
        let second = Scratch::take(folder.path()).unwrap();
        assert!(!second.path.join("logs/old.log").exists());
    }
}
