//! Holding a stack for one writer: a lock of the operating system in a folder, a lease elsewhere.
//!
//! A lease is an object that its holder writes again and again, each time only over what it wrote
//! before (If-Match). Whoever finds one that isn't written any more for as long as it lasts takes it
//! over. No clock of another machine is trusted: a waiting run measures by its own.
//!
//! That fences the state, not the cloud. So a holder begins a changing call only while its lease lasts
//! longer than the call can take, retries included ([`Hold::allows`]), and goes on with one of many
//! requests no longer ([`Hold::during`]): when somebody else takes over, no
//! call of the old holder is under way any more.

use super::StateError;
use nix::time::{ClockId, clock_gettime};
use object_store::{
    Error, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, UpdateVersion,
    path::Path,
};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    future::poll_fn,
    io::{Read as _, Seek as _, Write as _},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};
use tokio::task::JoinHandle;

/// The name of a folder's lock file.
pub const LOCK: &str = "lock";

/// How long leases last, and how often they are looked at. All runs of a store go by the same.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How long a lease lasts after it was written: longer than a call with all of its retries.
    pub lasts: Duration,
    /// How often its holder writes it.
    pub heartbeat: Duration,
    /// How often one that waits for a dead holder looks, and a holder at what is left of its own.
    pub look: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            lasts: Duration::from_secs(180),
            heartbeat: Duration::from_secs(20),
            look: Duration::from_secs(1),
        }
    }
}

/// How often letting go is tried against heartbeats that were under way; what is left of it then ends.
const RELEASE_TRIES: usize = 3;
/// Characters of a holder's name that are read from a lock file.
const LONGEST_HOLDER: u64 = 512;

/// Holds a stack for one writer, until it is let go or dropped.
pub struct Hold(Kind);

enum Kind {
    Alone,
    /// The operating system lets go of it with the process.
    Folder(#[expect(dead_code, reason = "held, not read")] File),
    Lease(Lease),
}

struct Lease {
    stack: String,
    run: String,
    terms: Terms,
    shared: Arc<Shared>,
    heart: JoinHandle<()>,
    objects: Arc<dyn ObjectStore>,
    key: Path,
}

/// What the heartbeat tells.
#[derive(Default)]
struct Shared {
    /// Milliseconds since boot until which the lease lasts.
    until: AtomicU64,
    lost: AtomicBool,
    /// Why it was lost, or why it can't be written.
    why: std::sync::Mutex<String>,
}

impl Shared {
    fn say(&self, why: String) {
        *self.why.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = why;
    }

    fn why(&self) -> String {
        self.why.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

/// The object that a lease is.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Note {
    /// Who holds it, for people.
    holder: String,
    /// Which run, for programs.
    run: String,
    /// Counts the times that it was written, so that no two are equal.
    beat: u64,
    released: bool,
}

impl Hold {
    /// A hold where nobody else can write, such as a test's.
    pub const fn alone() -> Self {
        Self(Kind::Alone)
    }

    /// Refuses where a call that can take this long might outlive the hold.
    pub fn allows(&self, longest: Duration) -> Result<(), StateError> {
        let Kind::Lease(Lease { stack, shared, .. }) = &self.0 else { return Ok(()) };
        let lost = |why: String| Err(StateError::Lost { stack: stack.clone(), why });
        if shared.lost.load(Ordering::SeqCst) {
            return lost(shared.why());
        }
        let ends = Duration::from_millis(shared.until.load(Ordering::SeqCst));
        match since_boot().saturating_add(longest) < ends {
            true => Ok(()),
            false => lost(format!(
                "its lease couldn't be written for too long to begin another call; {}",
                shared.why()
            )),
        }
    }

    /// Makes what may be many requests, and stops in between once another could outlive the hold.
    ///
    /// `longest` is what one of them can take: those that were sent by then end while the hold still lasts.
    pub async fn during<T>(
        &self,
        longest: Duration,
        call: impl Future<Output = T>,
    ) -> Result<T, StateError> {
        let Kind::Lease(Lease { terms, .. }) = &self.0 else { return Ok(call.await) };
        let mut call = pin!(call);
        let mut looks = tokio::time::interval(terms.look);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        poll_fn(|context| {
            // Wakes up by itself, whatever the call waits for.
            while looks.poll_tick(context).is_ready() {}
            match self.allows(longest) {
                Ok(()) => call.as_mut().poll(context).map(Ok),
                Err(lost) => Poll::Ready(Err(lost)),
            }
        })
        .await
    }

    /// Lets go, so that the next run needn't wait until a lease ends.
    pub async fn release(self) -> Result<(), StateError> {
        match self.0 {
            Kind::Alone | Kind::Folder(_) => Ok(()),
            Kind::Lease(lease) => {
                lease.heart.abort();
                if lease.shared.lost.load(Ordering::SeqCst) {
                    return Ok(());
                }
                release(lease.objects.as_ref(), &lease.key, Some(&lease.run)).await
            }
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.heart.abort();
    }
}

/// Time since the machine was started, suspensions included: a machine that slept holds no lease.
fn since_boot() -> Duration {
    // The kernel has this clock since 2.6.39, and reading it doesn't fail.
    clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or(Duration::MAX)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn failed(key: &Path, doing: &'static str) -> impl Fn(Error) -> StateError {
    let place = key.to_string();
    move |error| StateError::Store { place: place.clone(), doing, why: error.to_string() }
}

type Seen = Option<(Note, UpdateVersion)>;

async fn read(objects: &dyn ObjectStore, key: &Path) -> Result<Seen, StateError> {
    let result = match objects.get(key).await {
        Err(Error::NotFound { .. }) => return Ok(None),
        result => result.map_err(failed(key, "can't read the lease"))?,
    };
    let version =
        UpdateVersion { e_tag: result.meta.e_tag.clone(), version: result.meta.version.clone() };
    let bytes = result.bytes().await.map_err(failed(key, "can't read the lease"))?;
    // One that can't be read is as good as one that nobody writes any more.
    let unreadable = || Note {
        holder: "an unreadable lease".into(),
        run: String::new(),
        beat: 0,
        released: false,
    };
    Ok(Some((serde_json::from_slice(&bytes).unwrap_or_else(|_| unreadable()), version)))
}

/// Writes a note over what was seen; `None` where somebody was faster.
async fn write(
    objects: &dyn ObjectStore,
    key: &Path,
    note: &Note,
    over: Option<UpdateVersion>,
) -> Result<Option<UpdateVersion>, Error> {
    let json = serde_json::to_vec(note)
        .map_err(|error| Error::Generic { store: "lease", source: error.into() })?;
    let mode = over.map_or(PutMode::Create, PutMode::Update);
    match objects.put_opts(key, PutPayload::from(json), PutOptions::from(mode)).await {
        Ok(put) => Ok(Some(UpdateVersion { e_tag: put.e_tag, version: put.version })),
        Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(None),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Takes a lease: at once where it is free, after it ended where its holder is dead. A holder that
/// shows a sign of life has it.
pub async fn take(
    objects: Arc<dyn ObjectStore>,
    key: Path,
    stack: &str,
    by: &str,
    terms: Terms,
) -> Result<Hold, StateError> {
    let run = uuid::Uuid::now_v7().to_string();
    let mut note = Note { holder: by.to_owned(), run: run.clone(), beat: 0, released: false };
    let mut seen = read(objects.as_ref(), &key).await?;
    let mut unchanged_since = since_boot();
    loop {
        let free = match &seen {
            None => true,
            Some((note, _)) => {
                note.released || since_boot().saturating_sub(unchanged_since) > terms.lasts
            }
        };
        if free {
            let over = seen.clone().map(|(_, version)| version);
            let begun = since_boot();
            let written = write(objects.as_ref(), &key, &note, over).await;
            let written = written.map_err(failed(&key, "can't write the lease"))?;
            let version = match written {
                Some(version) => Some(version),
                // A lost answer to a write of ours looks like somebody who was faster.
                None => match read(objects.as_ref(), &key).await? {
                    Some((there, version)) if there.run == run => Some(version),
                    _ => None,
                },
            };
            if let Some(version) = version {
                note.beat += 1;
                return Ok(beat(objects, key, stack, (note, version), terms, begun));
            }
        } else {
            tokio::time::sleep(terms.look).await;
        }
        let now = read(objects.as_ref(), &key).await?;
        let version = |seen: &Seen| seen.as_ref().map(|(_, version)| version.e_tag.clone());
        if version(&now) != version(&seen) {
            if let Some((note, _)) = now.as_ref().filter(|(note, _)| !note.released) {
                let (stack, holder) = (stack.to_owned(), note.holder.clone());
                return Err(StateError::Locked { stack, holder });
            }
            unchanged_since = since_boot();
        }
        seen = now;
    }
}

/// Keeps a lease alive.
fn beat(
    objects: Arc<dyn ObjectStore>,
    key: Path,
    stack: &str,
    (mut note, mut version): (Note, UpdateVersion),
    terms: Terms,
    begun: Duration,
) -> Hold {
    let (run, shared) = (note.run.clone(), Arc::new(Shared::default()));
    shared.until.store(millis(begun + terms.lasts), Ordering::SeqCst);
    let (told, store, at) = (shared.clone(), objects.clone(), key.clone());
    let heart = tokio::spawn(async move {
        loop {
            tokio::time::sleep(terms.heartbeat).await;
            let begun = since_boot();
            match write(store.as_ref(), &at, &note, Some(version.clone())).await {
                Ok(Some(next)) => {
                    version = next;
                    note.beat += 1;
                    told.until.store(millis(begun + terms.lasts), Ordering::SeqCst);
                }
                Ok(None) => match read(store.as_ref(), &at).await {
                    // Ours after all, and its answer was lost.
                    Ok(Some((there, seen))) if there.run == note.run && !there.released => {
                        version = seen;
                        note.beat = there.beat + 1;
                    }
                    Ok(there) => {
                        told.say(match there {
                            Some((there, _)) if !there.released => {
                                format!("{} has it now", there.holder)
                            }
                            _ => "it was taken away".into(),
                        });
                        told.lost.store(true, Ordering::SeqCst);
                        return;
                    }
                    Err(error) => told.say(error.to_string()),
                },
                Err(error) => told.say(error.to_string()),
            }
        }
    });
    let stack = stack.to_owned();
    Hold(Kind::Lease(Lease { stack, run, terms, shared, heart, objects, key }))
}

/// Who holds a lease.
pub async fn holder(objects: &dyn ObjectStore, key: &Path) -> Result<Option<String>, StateError> {
    let seen = read(objects, key).await?;
    Ok(seen.filter(|(note, _)| !note.released).map(|(note, _)| note.holder))
}

/// Marks a lease as free: that of a run, or of whoever has it. Another's stays.
pub async fn release(
    objects: &dyn ObjectStore,
    key: &Path,
    run: Option<&str>,
) -> Result<(), StateError> {
    for _ in 0..RELEASE_TRIES {
        let Some((note, version)) = read(objects, key).await? else { return Ok(()) };
        if note.released || run.is_some_and(|run| note.run != run) {
            return Ok(());
        }
        let note = Note { released: true, beat: note.beat + 1, ..note };
        let written = write(objects, key, &note, Some(version)).await;
        if written.map_err(failed(key, "can't release the lease"))?.is_some() {
            return Ok(());
        }
        // A last heartbeat came between.
    }
    Ok(())
}

/// Locks a stack's folder.
pub fn lock_folder(folder: &std::path::Path, stack: &str, by: &str) -> Result<Hold, StateError> {
    let path = folder.join(LOCK);
    let failed = |error: std::io::Error| StateError::Store {
        place: path.display().to_string(),
        doing: "can't lock the stack",
        why: error.to_string(),
    };
    fs::create_dir_all(folder).map_err(failed)?;
    let open = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
    let mut file = open.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {
            // For people; who holds it is up to the operating system.
            let noted = file.set_len(0).and_then(|()| file.rewind());
            let _ = noted.and_then(|()| file.write_all(by.as_bytes()));
            Ok(Hold(Kind::Folder(file)))
        }
        Err(fs::TryLockError::WouldBlock) => {
            let holder = folder_holder(folder).unwrap_or_else(|| path.display().to_string());
            Err(StateError::Locked { stack: stack.to_owned(), holder })
        }
        Err(fs::TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Who wrote a folder's lock file last, where it is locked.
pub fn folder_holder(folder: &std::path::Path) -> Option<String> {
    let file = File::open(folder.join(LOCK)).ok()?;
    if file.try_lock_shared().is_ok() {
        return None;
    }
    let mut text = String::new();
    file.take(LONGEST_HOLDER).read_to_string(&mut text).ok()?;
    (!text.is_empty()).then_some(text)
}
