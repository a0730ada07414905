//! State and journals in a local folder, `FOLDER/STACK/{state,journal,lock}`.
//!
//! Each serial is a file of its own, made only if it isn't there yet (a hard link), and durable before
//! it shows. So a writer that lost a race fails, and never overwrites.

use super::{Entry, State, StateError};
use crate::address::is_name;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write as _},
    path::{Path, PathBuf},
};

/// Versions of the state that are kept.
pub const KEPT_VERSIONS: usize = 20;

/// A folder that holds the state and journals of stacks.
#[derive(Clone, Debug)]
pub struct LocalStore {
    folder: PathBuf,
}

/// Holds a stack for one writer, until dropped; the operating system lets go of it with the process.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// The number in a file's name, `00000012.json`.
fn number(path: &Path) -> Option<u64> {
    (path.extension()? == "json").then_some(())?;
    path.file_stem()?.to_str()?.parse().ok()
}

impl LocalStore {
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn stack(&self, stack: &str) -> PathBuf {
        self.folder.join(stack)
    }

    fn versions(&self, stack: &str) -> Result<Vec<(u64, PathBuf)>, StateError> {
        numbered(&self.stack(stack).join("state"))
    }

    /// The newest state of a stack, `None` where it was never applied.
    pub fn read(&self, stack: &str) -> Result<Option<State>, StateError> {
        let versions = self.versions(stack)?;
        let Some((serial, path)) = versions.last() else { return Ok(None) };
        let previous = versions.iter().rev().nth(1).map(|(_, path)| path.clone());
        let damaged = |why: String| StateError::Damaged { path: path.clone(), why, previous };
        let bytes = fs::read(path).map_err(io_error(path, "can't read the state"))?;
        let format = serde_json::from_slice::<serde_json::Value>(&bytes)
            .map_err(|error| damaged_json(&error))
            .and_then(|json| {
                let format = json.get("format").and_then(serde_json::Value::as_u64);
                format.ok_or_else(|| "it has no `format`".to_owned())
            });
        match format {
            Err(why) => return Err(damaged(why)),
            Ok(format) if format != u64::from(super::STATE_FORMAT) => {
                let found = u32::try_from(format).unwrap_or(u32::MAX);
                return Err(StateError::Format { path: path.clone(), found });
            }
            Ok(_) => {}
        }
        let state: State = match serde_json::from_slice(&bytes) {
            Ok(state) => state,
            Err(error) => return Err(damaged(damaged_json(&error))),
        };
        if state.serial != *serial || state.stack != stack {
            let why = format!("it says stack `{}`, serial {}", state.stack, state.serial);
            return Err(damaged(why));
        }
        Ok(Some(state))
    }

    /// Writes the state under its serial, which must be new.
    pub fn write(&self, state: &State) -> Result<(), StateError> {
        let folder = self.stack(&state.stack).join("state");
        let path = folder.join(format!("{:08}.json", state.serial));
        let newer = self.versions(&state.stack)?.last().is_some_and(|(n, _)| *n >= state.serial);
        let conflict = || StateError::Conflict { stack: state.stack.clone(), serial: state.serial };
        if newer {
            return Err(conflict());
        }
        let json = to_json(&path, state)?;
        publish(&folder, &path, &json, "can't write the state").map_err(|error| match error {
            StateError::Io { error, .. } if error.kind() == ErrorKind::AlreadyExists => conflict(),
            other => other,
        })?;
        let versions = self.versions(&state.stack)?;
        for (_, old) in versions.iter().rev().skip(KEPT_VERSIONS) {
            // An old version that can't be removed now goes with a later write.
            let _ = fs::remove_file(old);
        }
        Ok(())
    }

    /// Forgets a stack that has nothing left: its versions, journals and folder.
    pub fn remove(&self, stack: &str) -> Result<(), StateError> {
        let path = self.stack(stack);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(io_error(&path, "can't remove the stack's folder")(error))
            }
            _ => Ok(()),
        }
    }

    /// The stacks that have a state.
    pub fn stacks(&self) -> Result<Vec<String>, StateError> {
        let mut stacks = vec![];
        for path in list(&self.folder)? {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if is_name(name) && !self.versions(name)?.is_empty() {
                stacks.push(name.to_owned());
            }
        }
        stacks.sort();
        Ok(stacks)
    }

    /// Takes the stack for one writer, or says that another has it.
    pub fn lock(&self, stack: &str) -> Result<Lock, StateError> {
        let folder = self.stack(stack);
        fs::create_dir_all(&folder).map_err(io_error(&folder, "can't make the folder"))?;
        let path = folder.join("lock");
        let open = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = open.map_err(io_error(&path, "can't open the lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(fs::TryLockError::WouldBlock) => {
                Err(StateError::Locked { stack: stack.to_owned(), path })
            }
            Err(fs::TryLockError::Error(error)) => Err(io_error(&path, "can't lock")(error)),
        }
    }

    pub(super) fn write_segment(
        &self,
        stack: &str,
        run: &str,
        segment: u64,
        entries: &[&Entry],
    ) -> Result<(), StateError> {
        let folder = self.stack(stack).join("journal").join(run);
        let path = folder.join(format!("{segment:08}.json"));
        publish(&folder, &path, &to_json(&path, &entries)?, "can't write the journal")
    }

    /// The journals of runs that weren't cleared, oldest first.
    pub fn journals(&self, stack: &str) -> Result<Vec<(String, Vec<Entry>)>, StateError> {
        let mut runs = vec![];
        let mut folders = list(&self.stack(stack).join("journal"))?;
        // Runs are named by UUIDs of version 7, which sort by time.
        folders.sort();
        for folder in folders {
            let Some(run) = folder.file_name().and_then(|name| name.to_str()) else { continue };
            let mut entries = vec![];
            for (_, path) in numbered(&folder)? {
                let bytes = fs::read(&path).map_err(io_error(&path, "can't read the journal"))?;
                let segment: Vec<Entry> = serde_json::from_slice(&bytes).map_err(|error| {
                    let why = format!("this journal segment: {}", damaged_json(&error));
                    StateError::Damaged { path: path.clone(), why, previous: None }
                })?;
                entries.extend(segment);
            }
            runs.push((run.to_owned(), entries));
        }
        Ok(runs)
    }

    /// Removes the journal of a run that the state now holds.
    pub fn clear_journal(&self, stack: &str, run: &str) -> Result<(), StateError> {
        let folder = self.stack(stack).join("journal").join(run);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(io_error(&folder, "can't clear the journal")(error))
            }
            _ => Ok(()),
        }
    }
}

fn damaged_json(error: &serde_json::Error) -> String {
    format!("line {}, column {}: {error}", error.line(), error.column())
}

fn io_error(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> StateError {
    let path = path.to_owned();
    move |error| StateError::Io { path, doing, error }
}

fn to_json(path: &Path, value: &impl serde::Serialize) -> Result<Vec<u8>, StateError> {
    serde_json::to_vec_pretty(value)
        .map_err(|error| io_error(path, "can't write as JSON")(error.into()))
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, StateError> {
    let doing = "can't list the folder";
    match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(vec![]),
        Err(error) => Err(io_error(folder, doing)(error)),
        Ok(entries) => {
            entries.map(|entry| entry.map(|e| e.path()).map_err(io_error(folder, doing))).collect()
        }
    }
}

fn numbered(folder: &Path) -> Result<Vec<(u64, PathBuf)>, StateError> {
    let mut found: Vec<(u64, PathBuf)> = list(folder)?
        .into_iter()
        .filter_map(|path| number(&path).map(|number| (number, path)))
        .collect();
    found.sort();
    Ok(found)
}

/// Makes a whole, durable file appear under a name that is free; fails where it is taken.
fn publish(
    folder: &Path,
    path: &Path,
    bytes: &[u8],
    doing: &'static str,
) -> Result<(), StateError> {
    let write = || -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let temporary = folder.join(format!(".{}.tmp", uuid::Uuid::now_v7()));
        let mut file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
        let linked = file
            .write_all(bytes)
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::hard_link(&temporary, path));
        fs::remove_file(&temporary)?;
        linked?;
        File::open(folder)?.sync_all()
    };
    write().map_err(io_error(path, doing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_is_written_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::new(dir.path());
        assert!(store.read("s").unwrap().is_none());
        let mut state = State::empty("s");
        state.serial = 1;
        store.write(&state).unwrap();
        assert!(matches!(store.write(&state), Err(StateError::Conflict { serial: 1, .. })));
        state.serial = 2;
        store.write(&state).unwrap();
        assert_eq!(store.read("s").unwrap().unwrap(), state);
        assert_eq!(store.stacks().unwrap(), ["s"]);
    }

    #[test]
    fn only_the_last_versions_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::new(dir.path());
        let mut state = State::empty("s");
        for serial in 1..=(KEPT_VERSIONS as u64 + 5) {
            state.serial = serial;
            store.write(&state).unwrap();
        }
        let versions = store.versions("s").unwrap();
        assert_eq!(versions.len(), KEPT_VERSIONS);
        assert_eq!(versions[0].0, 6);
    }

    #[test]
    fn a_damaged_state_names_its_file_and_the_version_before() {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::new(dir.path());
        let mut state = State::empty("s");
        for serial in 1..=2 {
            state.serial = serial;
            store.write(&state).unwrap();
        }
        let path = dir.path().join("s/state/00000002.json");
        for damage in ["", "{\"format\": 1,", "[]", "{\"format\": 1}"] {
            fs::write(&path, damage).unwrap();
            let error = store.read("s").unwrap_err();
            assert!(error.to_string().contains("00000002.json"), "{error}");
            assert!(error.hint().unwrap().contains("00000001.json"));
            assert_eq!(fs::read_to_string(&path).unwrap(), damage, "left as it was");
        }
        fs::write(&path, "{\"format\": 99}").unwrap();
        assert!(matches!(store.read("s"), Err(StateError::Format { found: 99, .. })));
    }

    #[test]
    fn one_writer_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::new(dir.path());
        let lock = store.lock("s").unwrap();
        assert!(matches!(store.lock("s"), Err(StateError::Locked { .. })));
        drop(lock);
        store.lock("s").unwrap();
    }
}
