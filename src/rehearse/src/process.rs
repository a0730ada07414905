//! The processes of the cloud: started on one thread, watched, stopped in order, reaped.

use std::{
    fs::File,
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use crate::{command::dying_with_us, log, start_error::StartError};

/// The variable that marks every process of a local cloud with its scratch folder.
pub const MARKER: &str = "FORMWORK_LOCAL_CLOUD";
/// How often a process that is to be ready, or to end, is looked at.
const POLL: Duration = Duration::from_millis(40);
/// How long a process may take to end when it is asked to, before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(8);

/// When a process is stopped: the first of these first, so that nothing loses what it still talks to.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Turn {
    Controllers,
    Api,
    Stores,
}

/// What to start.
pub(crate) struct Program {
    /// The part, with its site where it belongs to one: `production/etcd`.
    pub name: String,
    pub command: Command,
    /// What asks it to end.
    pub stop: Signal,
    pub turn: Turn,
    /// The user it runs as, where that isn't ours.
    pub user: Option<String>,
}

/// All processes of one cloud.
#[derive(Debug)]
pub(crate) struct Processes {
    keeper: Keeper,
    scratch: PathBuf,
    running: Mutex<Vec<Arc<Running>>>,
}

impl Processes {
    pub fn new(scratch: &Path) -> Self {
        Self { keeper: Keeper::new(), scratch: scratch.to_owned(), running: Mutex::default() }
    }

    /// Starts a program, its output kept in `logs/NAME.log` of the scratch folder.
    ///
    /// Its environment is empty but for the marker, a PATH, a HOME of its own and what the command sets. It belongs to a
    /// process group of its own, so that a Ctrl-C at the terminal reaches us alone, and it is killed when we end.
    pub fn start(&self, program: Program) -> Result<Arc<Running>, StartError> {
        let Program { name, command, stop, turn, user } = program;
        let file_name = name.replace('/', "-");
        let log = self.scratch.join("logs").join(format!("{file_name}.log"));
        let open = || File::options().create(true).append(true).open(&log);
        let stdout = open().map_err(StartError::io("open the log", &log))?;
        let stderr = open().map_err(StartError::io("open the log", &log))?;
        let mut wrapped = dying_with_us("KILL", user.as_deref(), &command);
        wrapped.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
        wrapped.env("HOME", self.scratch.join("home")).env(MARKER, &self.scratch);
        // Go programs collect garbage less often: memory for a quicker start.
        wrapped.env("GOGC", "300");
        wrapped.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
        wrapped.current_dir(command.get_current_dir().unwrap_or(&self.scratch));
        wrapped.stdin(Stdio::null()).stdout(stdout).stderr(stderr).process_group(0);
        let child = self.keeper.spawn(wrapped).map_err(|failure| match failure {
            Some(source) => StartError::Spawn {
                part: name.clone(),
                program: command.get_program().to_string_lossy().into_owned(),
                source,
            },
            None => StartError::KeeperGone { part: name.clone() },
        })?;
        let running = Arc::new(Running { name, log, stop, turn, child: Mutex::new(child) });
        self.running.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&running));
        Ok(running)
    }

    /// The names of the processes that have ended, with how they ended.
    pub fn ended(&self) -> Vec<(String, ExitStatus)> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running
            .iter()
            .filter_map(|process| Some((process.name.clone(), process.ended()?)))
            .collect()
    }

    /// Stops all, turn by turn, and reaps them; none is left when this returns.
    pub fn stop(&self) {
        let mut all =
            std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        all.sort_by_key(|process| process.turn);
        for turn in all.chunk_by(|a, b| a.turn == b.turn) {
            for process in turn {
                process.signal(process.stop);
            }
            let asked = Instant::now();
            for process in turn {
                process.end(STOP_LIMIT.saturating_sub(asked.elapsed()));
            }
        }
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A process of the cloud.
#[derive(Debug)]
pub(crate) struct Running {
    pub name: String,
    pub log: PathBuf,
    stop: Signal,
    turn: Turn,
    child: Mutex<Child>,
}

impl Running {
    /// Waits until `check` is content; its error says what is missing.
    pub fn ready(
        &self,
        limit: Duration,
        mut check: impl FnMut() -> Result<(), String>,
    ) -> Result<(), StartError> {
        let started = Instant::now();
        loop {
            let last = match check() {
                Ok(()) => return Ok(()),
                Err(last) => last,
            };
            if let Some(status) = self.ended() {
                return Err(StartError::Ended {
                    part: self.name.clone(),
                    status: status.to_string(),
                    log: self.log.clone(),
                    tail: log::tail(&self.log),
                });
            }
            if started.elapsed() > limit {
                return Err(StartError::NotReady {
                    part: self.name.clone(),
                    limit,
                    last,
                    log: self.log.clone(),
                    tail: log::tail(&self.log),
                });
            }
            thread::sleep(POLL);
        }
    }

    fn ended(&self) -> Option<ExitStatus> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner).try_wait().ok().flatten()
    }

    /// Signals the whole process group, unless it was reaped: its number might be another's by then.
    fn signal(&self, signal: Signal) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Ok(None), Ok(id)) = (child.try_wait(), i32::try_from(child.id())) {
            // It may end between the two calls; it isn't reaped before, so the number is still its own.
            let _ = killpg(Pid::from_raw(id), signal);
        }
    }

    /// Waits until it has ended, kills it after `limit`, and reaps it.
    fn end(&self, limit: Duration) {
        let started = Instant::now();
        while self.ended().is_none() && started.elapsed() < limit {
            thread::sleep(POLL);
        }
        self.signal(Signal::SIGKILL);
        // Killed or ended: this only reaps.
        let _ = self.child.lock().unwrap_or_else(PoisonError::into_inner).wait();
    }
}

/// A thread that starts processes.
///
/// Linux kills a child "when its parent dies" when the *thread* that started it ends. So every process is started on
/// this one, which lives as long as the cloud.
#[derive(Debug)]
struct Keeper {
    requests: Option<Sender<(Command, Sender<io::Result<Child>>)>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    fn new() -> Self {
        let (requests, received) = channel::<(Command, Sender<io::Result<Child>>)>();
        let thread = thread::spawn(move || {
            for (mut command, answer) in received {
                if let Err(unread) = answer.send(command.spawn()) {
                    // Nobody waits for it any more.
                    if let Ok(mut child) = unread.0 {
                        let _ = child.kill();
                        let _ = child.wait();
                    }
                }
            }
        });
        Self { requests: Some(requests), thread: Some(thread) }
    }

    /// The child, or why it could not be started; no reason when the thread is gone.
    fn spawn(&self, command: Command) -> Result<Child, Option<io::Error>> {
        let (answer, received) = channel();
        let requests = self.requests.as_ref().ok_or(None)?;
        requests.send((command, answer)).map_err(|_| None)?;
        received.recv().map_err(|_| None)?.map_err(Some)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.requests.take();
        if let Some(thread) = self.thread.take() {
            // The thread holds nothing that its panic could damage.
            let _ = thread.join();
        }
    }
}
