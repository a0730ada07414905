//! The store of states and journals: a folder, or a bucket of S3 or what is like it.
//!
//! Layout, below the folder or prefix:
//!
//! - `STACK/state/00000012.json`: the state of serial 12. Each is created once, and only if it isn't there,
//!   so a writer that lost a race fails and overwrites nothing.
//! - `STACK/journal/RUN/00000003.json`: a segment of a run's journal.
//! - `STACK/lease`, or `STACK/lock` in a folder: who changes the stack right now.
//! - `keys/KEYRING`: the key that the rest is sealed with, locked.

use super::{
    Entry, EnvelopeError, Header, Hold, Keyring, Previous, STATE_FORMAT, Seal, SealError, State,
    StateError, Terms, envelope, lease,
};
use crate::{address::is_name, provider::causes};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::{
    Error, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload,
    local::LocalFileSystem, path::Path,
};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// Versions of the state that are kept.
pub const KEPT_VERSIONS: usize = 20;
/// Requests to the store under way at the same time.
const PARALLEL: usize = 16;
/// The largest state or journal segment that is read.
const LARGEST: u64 = 256 * 1024 * 1024;
/// How often an object is created again where racing writers all were refused.
const CREATE_TRIES: u32 = 6;
/// The first pause between those; each next one is longer by as much.
const CREATE_PAUSE: Duration = Duration::from_millis(50);
/// What is said where the key can't be read.
const KEY: &str = "can't read the key";
/// The folder of keys; no stack's name, since it has no state in it.
const KEYS: &str = "keys";

/// Where states and journals of stacks are kept. Clones are the same store.
#[derive(Clone)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    prefix: Path,
    /// How places in it are written for people.
    place: String,
    /// The folder, where it is one: locked by the operating system.
    folder: Option<PathBuf>,
    seal: Option<Seal>,
    by: String,
    terms: Terms,
}

/// One version of a stack's state.
#[derive(Clone, Debug)]
pub struct Version {
    pub serial: u64,
    /// Who wrote it and when; absent in versions of the first format.
    pub header: Option<Header>,
    /// The state, where it could be read.
    pub state: Result<State, String>,
}

impl Store {
    /// A folder. It is made with the first write.
    pub fn folder(folder: impl Into<PathBuf>) -> Result<Self, StateError> {
        let folder: PathBuf = folder.into();
        let place = folder.display().to_string();
        let failed = |why: String| StateError::Store {
            place: place.clone(),
            doing: "this can't be a state's folder",
            why,
        };
        let absolute = std::path::absolute(&folder).map_err(|error| failed(error.to_string()))?;
        let prefix = Path::from_absolute_path(&absolute).map_err(|e| failed(e.to_string()))?;
        let objects = Arc::new(LocalFileSystem::new().with_fsync(true));
        let folder = Some(absolute);
        Ok(Self {
            objects,
            prefix,
            place,
            folder,
            seal: None,
            by: "somebody".into(),
            terms: Terms::default(),
        })
    }

    /// A bucket, or anything else that has conditional writes; `place` is how people know it.
    pub fn objects(objects: Arc<dyn ObjectStore>, prefix: &str, place: impl Into<String>) -> Self {
        let (prefix, place) = (Path::from(prefix), place.into());
        Self {
            objects,
            prefix,
            place,
            folder: None,
            seal: None,
            by: "somebody".into(),
            terms: Terms::default(),
        }
    }

    /// Says who writes, for histories and leases.
    pub fn by(self, who: impl Into<String>) -> Self {
        Self { by: who.into(), ..self }
    }

    /// Other terms for leases, the same for all runs.
    pub fn terms(self, terms: Terms) -> Self {
        Self { terms, ..self }
    }

    /// How long a run waits at most for a dead one's lease; `None` where none is left behind.
    pub fn longest_wait(&self) -> Option<Duration> {
        self.folder.is_none().then_some(self.terms.lasts)
    }

    /// Seals what is written from now on, by the store's key; makes that key where there is none.
    pub async fn sealed_by(self, keyring: &dyn Keyring) -> Result<Self, StateError> {
        let key = self.key(&[KEYS, &keyring.name()]);
        let sealed = |error| StateError::Sealed { place: self.place_of(&key), error };
        if self.get(&key, KEY).await?.is_none() {
            self.only_sealed_by(&[&keyring.name()]).await?;
            let locked = Seal::generate(keyring).lock(keyring).await.map_err(sealed)?;
            match self.create(&key, locked, "can't write the key").await {
                // Somebody else made it first; theirs it is.
                Ok(()) | Err(StateError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let (_, locked) = self.get(&key, KEY).await?.ok_or_else(|| StateError::Store {
            place: self.place_of(&key),
            doing: KEY,
            why: "it is gone again".into(),
        })?;
        let seal = Seal::unlock(&locked, keyring).await.map_err(sealed)?;
        Ok(Self { seal: Some(seal), ..self })
    }

    /// Refuses where the store is sealed: what is written in the clear there would be a mistake.
    pub async fn unsealed(self) -> Result<Self, StateError> {
        self.only_sealed_by(&[]).await.map(|()| self)
    }

    async fn only_sealed_by(&self, known: &[&str]) -> Result<(), StateError> {
        let others: Vec<String> =
            self.keyrings().await?.into_iter().filter(|n| !known.contains(&&**n)).collect();
        if others.is_empty() {
            return Ok(());
        }
        let place = self.place_of(&self.key(&[KEYS]));
        Err(StateError::Sealed { place, error: SealError::Other(others.join(", ")) })
    }

    /// What the store's key is locked by; none where it isn't sealed.
    pub async fn keyrings(&self) -> Result<Vec<String>, StateError> {
        let keys = self.key(&[KEYS]);
        let listed = self.objects.list_with_delimiter(Some(&keys)).await;
        let listed = listed.map_err(|error| self.failed(&keys, KEY, &error))?;
        Ok(listed.objects.iter().filter_map(|m| Some(m.location.filename()?.to_owned())).collect())
    }

    /// Locks the store's key by another keyring; the ones before don't unlock it any more.
    ///
    /// What was sealed stays as it is. Whoever kept the key itself still has it.
    pub async fn relock(&self, keyring: &dyn Keyring) -> Result<(), StateError> {
        let key = self.key(&[KEYS, &keyring.name()]);
        let sealed = |error| StateError::Sealed { place: self.place_of(&key), error };
        let none = || sealed(SealError::NoKey("not at all".into()));
        let locked = self.seal.as_ref().ok_or_else(none)?.lock(keyring).await.map_err(sealed)?;
        let put = self.objects.put(&key, PutPayload::from(locked)).await;
        put.map_err(|error| self.failed(&key, "can't write the key", &error))?;
        for name in self.keyrings().await?.iter().filter(|name| **name != keyring.name()) {
            self.delete(&self.key(&[KEYS, name])).await?;
        }
        Ok(())
    }

    /// What is written is sealed with this.
    pub fn seal(&self) -> Option<&Seal> {
        self.seal.as_ref()
    }

    /// Who writes.
    pub fn writer(&self) -> &str {
        &self.by
    }

    pub fn place(&self) -> &str {
        &self.place
    }

    /// Takes the stack for one writer, or says who has it.
    pub async fn hold(&self, stack: &str) -> Result<Hold, StateError> {
        match &self.folder {
            Some(folder) => lease::lock_folder(&folder.join(stack), stack, &self.by),
            None => {
                let key = self.key(&[stack, "lease"]);
                lease::take(self.objects.clone(), key, stack, &self.by, self.terms).await
            }
        }
    }

    /// Who holds a stack, where somebody does.
    pub async fn holder(&self, stack: &str) -> Result<Option<String>, StateError> {
        match &self.folder {
            Some(folder) => Ok(lease::folder_holder(&folder.join(stack))),
            None => lease::holder(self.objects.as_ref(), &self.key(&[stack, "lease"])).await,
        }
    }

    /// Takes a stack away from whoever holds it. Only where a person knows that the holder is dead.
    pub async fn break_hold(&self, stack: &str) -> Result<(), StateError> {
        match &self.folder {
            // The operating system lets go of a dead process's lock by itself.
            Some(_) => Ok(()),
            None => lease::release(self.objects.as_ref(), &self.key(&[stack, "lease"]), None).await,
        }
    }

    /// The newest state of a stack, `None` where it was never applied.
    pub async fn read(&self, stack: &str) -> Result<Option<State>, StateError> {
        let serials = self.serials(stack).await?;
        let Some(serial) = serials.last() else { return Ok(None) };
        let previous = serials.iter().rev().nth(1).copied();
        self.read_serial(stack, *serial, previous).await.map(|(state, _)| Some(state))
    }

    /// One version of a stack's state. A damaged one names the version before.
    pub async fn read_serial(
        &self,
        stack: &str,
        serial: u64,
        previous: Option<u64>,
    ) -> Result<(State, Option<Header>), StateError> {
        let key = self.version_key(stack, serial);
        let missing = || StateError::Store {
            place: self.place_of(&key),
            doing: "can't read the state",
            why: format!("there is no serial {serial}"),
        };
        let (_, bytes) = self.get(&key, "can't read the state").await?.ok_or_else(missing)?;
        self.parse_state(stack, serial, &key, &bytes).map_err(|error| match error {
            StateError::Damaged { place, what, why, .. } => {
                let previous = previous.map(|serial| Previous { stack: stack.to_owned(), serial });
                StateError::Damaged { place, what, why, previous }
            }
            other => other,
        })
    }

    fn parse_state(
        &self,
        stack: &str,
        serial: u64,
        key: &Path,
        bytes: &[u8],
    ) -> Result<(State, Option<Header>), StateError> {
        let place = || self.place_of(key);
        let damaged = |why: String| StateError::Damaged {
            place: place(),
            what: "state",
            why,
            previous: None,
        };
        let (header, json) = self.content(super::STATE, key, bytes)?;
        let format = match &header {
            Some(header) => header.format,
            None => format_of_json(&json).map_err(damaged)?,
        };
        if format > STATE_FORMAT {
            return Err(StateError::Format { place: place(), what: "state", found: format });
        }
        let state: State =
            serde_json::from_slice(&json).map_err(|error| damaged(damaged_json(&error)))?;
        if state.serial != serial || state.stack != stack {
            let why = format!("it says stack `{}`, serial {}", state.stack, state.serial);
            return Err(damaged(why));
        }
        Ok((State { format: STATE_FORMAT, ..state }, header))
    }

    /// The content of an envelope in the clear; what has none is of the first format, and plain JSON.
    fn content(
        &self,
        what: &'static str,
        key: &Path,
        bytes: &[u8],
    ) -> Result<(Option<Header>, Vec<u8>), StateError> {
        let failed = |error: EnvelopeError| StateError::damaged(self.place_of(key), what, error);
        if is_first_format(bytes) {
            return Ok((None, bytes.to_vec()));
        }
        let (header, content) = envelope::open(what, STATE_FORMAT, bytes).map_err(failed)?;
        let plain = envelope::unseal(&header, content, self.seal.as_ref()).map_err(failed)?;
        Ok((Some(header), plain))
    }

    /// Writes the state under its serial, which must be new.
    pub async fn write(&self, state: &State) -> Result<(), StateError> {
        let key = self.version_key(&state.stack, state.serial);
        let conflict = || StateError::Conflict { stack: state.stack.clone(), serial: state.serial };
        let serials = self.serials(&state.stack).await?;
        if serials.last().is_some_and(|newest| *newest >= state.serial) {
            return Err(conflict());
        }
        let json =
            serde_json::to_vec_pretty(state).map_err(|error| self.unwritable(&key, &error))?;
        let bytes = self.wrap(super::STATE, &key, json)?;
        match self.create(&key, bytes, "can't write the state").await {
            Err(StateError::Conflict { .. }) => return Err(conflict()),
            result => result?,
        }
        for old in serials.iter().rev().skip(KEPT_VERSIONS - 1) {
            // An old version that can't be removed now goes with a later write.
            let _ = self.objects.delete(&self.version_key(&state.stack, *old)).await;
        }
        Ok(())
    }

    /// The kept versions of a stack's state, oldest first.
    pub async fn history(&self, stack: &str) -> Result<Vec<Version>, StateError> {
        let serials = self.serials(stack).await?;
        let reads = serials.into_iter().map(|serial| async move {
            match self.read_serial(stack, serial, None).await {
                Ok((state, header)) => Version { serial, header, state: Ok(state) },
                Err(error) => Version { serial, header: None, state: Err(error.to_string()) },
            }
        });
        Ok(stream::iter(reads).buffered(PARALLEL).collect().await)
    }

    /// Forgets a stack that has nothing left: its versions and journals.
    pub async fn remove(&self, stack: &str) -> Result<(), StateError> {
        let prefix = self.key(&[stack]);
        let mut keys = self.list(&prefix).await?;
        keys.retain(|meta| meta.location.filename() != Some(lease::LOCK));
        // Journals come before states, and old states before new ones: what a cut leaves is the newest, never
        // a state of long ago.
        keys.sort_by(|a, b| a.location.cmp(&b.location));
        for meta in keys {
            self.delete(&meta.location).await?;
        }
        Ok(())
    }

    /// The stacks that have a state.
    pub async fn stacks(&self) -> Result<Vec<String>, StateError> {
        let doing = "can't list the stacks";
        let listed = self.objects.list_with_delimiter(Some(&self.prefix)).await;
        let listed = listed.map_err(|error| self.failed(&self.prefix, doing, &error))?;
        let names = listed.common_prefixes.iter().filter_map(|path| path.filename());
        let names: Vec<String> = names.filter(|name| is_name(name)).map(str::to_owned).collect();
        let states = names.into_iter().map(|name| async move {
            let serials = self.serials(&name).await?;
            Ok::<_, StateError>((!serials.is_empty()).then_some(name))
        });
        let found: Vec<Option<String>> =
            stream::iter(states).buffered(PARALLEL).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The serials of a stack's states, in order.
    pub async fn serials(&self, stack: &str) -> Result<Vec<u64>, StateError> {
        let metas = self.list(&self.key(&[stack, "state"])).await?;
        let mut serials: Vec<u64> = metas.iter().filter_map(|m| number(&m.location)).collect();
        serials.sort_unstable();
        Ok(serials)
    }

    pub(super) async fn write_segment(
        &self,
        stack: &str,
        run: &str,
        segment: u64,
        entries: &[&Entry],
    ) -> Result<(), StateError> {
        let key = self.key(&[stack, "journal", run, &format!("{segment:08}.json")]);
        let json = serde_json::to_vec(&entries).map_err(|error| self.unwritable(&key, &error))?;
        let bytes = self.wrap(super::JOURNAL, &key, json)?;
        self.create(&key, bytes, "can't write the journal").await
    }

    /// The journals of runs that weren't cleared, oldest first.
    pub async fn journals(&self, stack: &str) -> Result<Vec<(String, Vec<Entry>)>, StateError> {
        let mut metas = self.list(&self.key(&[stack, "journal"])).await?;
        // Runs are named by UUIDs of version 7, which sort by time.
        metas.sort_by(|a, b| a.location.cmp(&b.location));
        let keys = metas.into_iter().map(|meta| meta.location);
        let keys = keys.filter(|key| number(key).is_some());
        let segments = keys.map(|key| async move {
            let run = key.parts().rev().nth(1).map(|part| part.as_ref().to_owned());
            let entries = self.segment(&key).await?;
            Ok::<_, StateError>((run.unwrap_or_default(), entries))
        });
        let segments: Vec<(String, Vec<Entry>)> =
            stream::iter(segments).buffered(PARALLEL).try_collect().await?;
        let mut runs: Vec<(String, Vec<Entry>)> = vec![];
        for (run, entries) in segments {
            match runs.last_mut() {
                Some((last, all)) if *last == run => all.extend(entries),
                _ => runs.push((run, entries)),
            }
        }
        Ok(runs)
    }

    async fn segment(&self, key: &Path) -> Result<Vec<Entry>, StateError> {
        let place = || self.place_of(key);
        let read = self.get(key, "can't read the journal").await?;
        let Some((_, bytes)) = read else { return Ok(vec![]) };
        let (_, json) = self.content(super::JOURNAL, key, &bytes)?;
        serde_json::from_slice(&json).map_err(|error| StateError::Damaged {
            place: place(),
            what: "journal",
            why: damaged_json(&error),
            previous: None,
        })
    }

    /// Removes the journal of a run that the state now holds; its beginning last, by which a half-cleared
    /// one is known.
    pub async fn clear_journal(&self, stack: &str, run: &str) -> Result<(), StateError> {
        let mut metas = self.list(&self.key(&[stack, "journal", run])).await?;
        metas.sort_by(|a, b| b.location.cmp(&a.location));
        for meta in metas {
            self.delete(&meta.location).await?;
        }
        Ok(())
    }

    fn key(&self, parts: &[&str]) -> Path {
        parts.iter().fold(self.prefix.clone(), |path, part| path.join(*part))
    }

    fn version_key(&self, stack: &str, serial: u64) -> Path {
        self.key(&[stack, "state", &format!("{serial:08}.json")])
    }

    /// How people find an object.
    fn place_of(&self, key: &Path) -> String {
        let below = key.prefix_match(&self.prefix);
        let parts: Vec<String> = below
            .map(|parts| parts.map(|part| part.as_ref().to_owned()).collect())
            .unwrap_or_default();
        [std::slice::from_ref(&self.place), &parts].concat().join("/")
    }

    fn wrap(
        &self,
        what: &'static str,
        key: &Path,
        content: Vec<u8>,
    ) -> Result<Vec<u8>, StateError> {
        let wrapped = envelope::wrap(what, STATE_FORMAT, &self.by, content, self.seal.as_ref());
        wrapped
            .map(|(_, bytes)| bytes)
            .map_err(|error| StateError::damaged(self.place_of(key), what, error))
    }

    fn unwritable(&self, key: &Path, error: &serde_json::Error) -> StateError {
        let doing = "can't write as JSON";
        StateError::Store { place: self.place_of(key), doing, why: error.to_string() }
    }

    async fn get(
        &self,
        key: &Path,
        doing: &'static str,
    ) -> Result<Option<(ObjectMeta, Vec<u8>)>, StateError> {
        let failed = |error: Error| self.failed(key, doing, &error);
        let result = match self.objects.get(key).await {
            Err(Error::NotFound { .. }) => return Ok(None),
            result => result.map_err(failed)?,
        };
        let meta = result.meta.clone();
        if meta.size > LARGEST {
            return Err(StateError::Store {
                place: self.place_of(key),
                doing,
                why: format!("it has {} bytes, more than {LARGEST}", meta.size),
            });
        }
        Ok(Some((meta, result.bytes().await.map_err(failed)?.to_vec())))
    }

    /// Writes an object that isn't there yet; a conflict where another is.
    ///
    /// Whatever goes wrong, what is there is read back: a write may have had its effect though its answer
    /// was lost. And S3 tells writers that race "conflict" (409) when none of them has won, as
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html> says: then again.
    async fn create(
        &self,
        key: &Path,
        bytes: Vec<u8>,
        doing: &'static str,
    ) -> Result<(), StateError> {
        let payload = PutPayload::from(bytes.clone());
        let mut tries = 1;
        loop {
            let options = PutOptions::from(PutMode::Create);
            let put = self.objects.put_opts(key, payload.clone(), options).await;
            let Err(error) = put else { return Ok(()) };
            let refused = matches!(error, Error::AlreadyExists { .. } | Error::Precondition { .. });
            match self.get(key, doing).await {
                // No two writes are alike: each has an identifier, a nonce or a key of its own.
                Ok(Some((_, there))) if there == bytes => return Ok(()),
                Ok(Some(_)) => {
                    return Err(StateError::Conflict { stack: String::new(), serial: 0 });
                }
                Ok(None) if refused && tries < CREATE_TRIES => {
                    tries += 1;
                    tokio::time::sleep(CREATE_PAUSE * tries).await;
                }
                _ => return Err(self.failed(key, doing, &error)),
            }
        }
    }

    async fn list(&self, prefix: &Path) -> Result<Vec<ObjectMeta>, StateError> {
        let listed: Result<Vec<ObjectMeta>, Error> =
            self.objects.list(Some(prefix)).try_collect().await;
        listed.map_err(|error| self.failed(prefix, "can't list what is there", &error))
    }

    async fn delete(&self, key: &Path) -> Result<(), StateError> {
        match self.objects.delete(key).await {
            Err(Error::NotFound { .. }) => Ok(()),
            result => result.map_err(|error| self.failed(key, "can't delete it", &error)),
        }
    }

    fn failed(&self, key: &Path, doing: &'static str, error: &Error) -> StateError {
        StateError::Store { place: self.place_of(key), doing, why: plainly(causes(error)) }
    }
}

/// What S3 says, without what is around it.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
fn plainly(text: String) -> String {
    let field = |open: &str, close: &str| Some(text.split_once(open)?.1.split_once(close)?.0);
    match (field("<Code>", "</Code>"), field("<Message>", "</Message>")) {
        (Some(code), Some(message)) => format!("{message} ({code})"),
        _ => text,
    }
}

/// The number in an object's name, `00000012.json`.
fn number(key: &Path) -> Option<u64> {
    key.filename()?.strip_suffix(".json")?.parse().ok()
}

/// The first format was plain, indented JSON: it begins with a bare brace or bracket on a line.
fn is_first_format(bytes: &[u8]) -> bool {
    matches!(bytes, [b'{' | b'[', b'\n', ..])
}

fn format_of_json(json: &[u8]) -> Result<u32, String> {
    let json: serde_json::Value =
        serde_json::from_slice(json).map_err(|error| damaged_json(&error))?;
    let format = json.get("format").and_then(serde_json::Value::as_u64);
    let format = format.ok_or_else(|| "it has no `format`".to_owned())?;
    Ok(u32::try_from(format).unwrap_or(u32::MAX))
}

fn damaged_json(error: &serde_json::Error) -> String {
    format!("line {}, column {}: {error}", error.line(), error.column())
}

#[cfg(test)]
mod tests {
    use super::plainly;

    #[test]
    fn an_error_of_s3_is_said_in_its_own_words() {
        let answer = "Generic S3 error: GET http://x: 404: <?xml?>\n<Error><Code>NoSuchBucket</Code>\
                      <Message>The specified bucket does not exist</Message></Error>";
        assert_eq!(plainly(answer.into()), "The specified bucket does not exist (NoSuchBucket)");
        assert_eq!(plainly("connection refused".into()), "connection refused");
    }
}
