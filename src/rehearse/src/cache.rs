//! The user's cache folder: whole installations only, one installer at a time.

use std::{
    env, fs,
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::{progress::Step, setup_error::SetupError};

/// How many hex digits of the digest name an installation.
const KEY_DIGITS: usize = 12;

/// Where installations live: `$XDG_CACHE_HOME/formwork/parts`, else `~/.cache/formwork/parts`.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// The cache of the user who runs this.
    pub fn of_user() -> Result<Self, SetupError> {
        let absolute =
            |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let base = absolute("XDG_CACHE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
            .ok_or(SetupError::NoCacheFolder)?;
        Self::at(base.join("formwork").join("parts"))
    }

    /// A cache in `root`, which is made if it doesn't exist.
    pub fn at(root: PathBuf) -> Result<Self, SetupError> {
        fs::create_dir_all(&root).map_err(SetupError::io("make the cache folder", &root))?;
        Ok(Self { root })
    }

    /// Where the log of `name`'s installation is kept.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.root.join(format!("{name}.log"))
    }

    /// Gives the folder of `name` as `recipe` describes it, installing it where it isn't there or `usable` says no.
    ///
    /// The installer fills a folder of another name, which is renamed when it is whole: an installation that was cut off
    /// is never taken for one.
    pub(crate) fn install(
        &self,
        name: &str,
        recipe: &[&str],
        step: &Step,
        usable: impl Fn(&Path) -> bool,
        installer: impl FnOnce(&Path) -> Result<(), SetupError>,
    ) -> Result<PathBuf, SetupError> {
        let whole = self.root.join(format!("{name}-{}", key(recipe)));
        if usable(&whole) {
            return Ok(whole);
        }
        let _lock = self.lock(name, step)?;
        if usable(&whole) {
            return Ok(whole);
        }
        // We hold the lock: what is left under these names was cut off, or is broken.
        let partial = self.root.join(format!("{name}.partial"));
        for leftover in [&partial, &whole] {
            remove(leftover).map_err(SetupError::io("remove a broken installation", leftover))?;
        }
        fs::create_dir_all(&partial).map_err(SetupError::io("make the folder", &partial))?;
        installer(&partial)?;
        fs::rename(&partial, &whole).map_err(SetupError::io("publish the installation", &whole))?;
        if usable(&whole) {
            Ok(whole)
        } else {
            Err(SetupError::Unusable { name: name.to_owned(), folder: whole })
        }
    }

    /// Holds the lock of `name` until the answer is dropped, waiting for another process that holds it.
    pub(crate) fn lock(&self, name: &str, step: &Step) -> Result<File, SetupError> {
        let path = self.root.join(format!("{name}.lock"));
        let file = File::create(&path).map_err(SetupError::io("make the lock", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                step.note("waiting for another formwork that installs it");
                file.lock().map_err(SetupError::io("take the lock", &path))?;
            }
            Err(TryLockError::Error(source)) => {
                return Err(SetupError::io("take the lock", &path)(source));
            }
        }
        Ok(file)
    }
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn key(recipe: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in recipe {
        digest.update(part.len().to_le_bytes());
        digest.update(part.as_bytes());
    }
    let mut text = hex::encode(digest.finalize());
    text.truncate(KEY_DIGITS);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Progress;

    fn cache() -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().join("parts")).unwrap();
        (folder, cache)
    }

    fn has_file(folder: &Path) -> bool {
        folder.join("file").exists()
    }

    fn write_file(folder: &Path) -> Result<(), SetupError> {
        fs::write(folder.join("file"), "x").map_err(SetupError::io("write", folder))
    }

    #[test]
    fn the_second_time_finds_the_first() {
        let (_folder, cache) = cache();
        let step = Progress::silent().step("part");
        let first = cache.install("part", &["1"], &step, has_file, write_file).unwrap();
        let second =
            cache.install("part", &["1"], &step, has_file, |_| panic!("installed twice")).unwrap();
        assert_eq!(first, second);
    }

    #[test]
    fn another_recipe_is_another_installation() {
        let (_folder, cache) = cache();
        let step = Progress::silent().step("part");
        let first = cache.install("part", &["1"], &step, has_file, write_file).unwrap();
        let second = cache.install("part", &["2"], &step, has_file, write_file).unwrap();
        assert_ne!(first, second);
    }

    #[test]
    fn what_was_cut_off_is_done_again() {
        let (_folder, cache) = cache();
        let step = Progress::silent().step("part");
        let failed = cache.install("part", &["1"], &step, has_file, |folder| {
            write_file(folder)?;
            Err(SetupError::NoCacheFolder)
        });
        assert!(failed.is_err());
        let installed = cache.install("part", &["1"], &step, has_file, |folder| {
            assert!(!has_file(folder), "starts from an empty folder");
            write_file(folder)
        });
        assert!(has_file(&installed.unwrap()));
    }

    #[test]
    fn of_many_at_once_one_installs_and_the_others_wait() {
        let (_folder, cache) = cache();
        let installations = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let step = Progress::silent().step("part");
                    let install = |folder: &Path| {
                        installations.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        write_file(folder)
                    };
                    assert!(has_file(
                        &cache.install("part", &["1"], &step, has_file, install).unwrap()
                    ));
                });
            }
        });
        assert_eq!(installations.into_inner(), 1);
    }

    #[test]
    fn a_useless_result_is_an_error_that_names_the_folder() {
        let (_folder, cache) = cache();
        let step = Progress::silent().step("part");
        let error = cache.install("part", &["1"], &step, has_file, |_| Ok(())).unwrap_err();
        assert!(matches!(error, SetupError::Unusable { .. }), "{error}");
    }
}
