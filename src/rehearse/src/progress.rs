//! Progress of the set-up: spinners on a terminal, plain lines in a log.

use std::{
    io::{IsTerminal, Write as _, stderr},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::log;

/// How often a log reader sees that a long step is alive.
const HEARTBEAT: Duration = Duration::from_secs(20);
/// How often a spinner turns.
const TICK: Duration = Duration::from_millis(120);
/// The longest piece of a tool's own output that is shown.
const SHOWN: usize = 90;

/// Where progress is shown.
#[derive(Clone, Debug)]
pub struct Progress {
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Silent,
    Lines,
    Spinners(MultiProgress),
}

impl Progress {
    /// Spinners where standard error is a terminal, else lines.
    pub fn on_stderr() -> Self {
        let kind =
            if stderr().is_terminal() { Kind::Spinners(MultiProgress::new()) } else { Kind::Lines };
        Self { kind }
    }

    /// Lines, as in a log.
    pub fn lines() -> Self {
        Self { kind: Kind::Lines }
    }

    /// Shows nothing.
    pub fn silent() -> Self {
        Self { kind: Kind::Silent }
    }

    /// A step that hasn't anything to show yet: the first note makes it visible.
    pub fn step(&self, name: &str) -> Step {
        Step { name: name.to_owned(), kind: self.kind.clone(), shown: Mutex::new(None) }
    }
}

/// Says a line; that nobody reads it any more stops nothing.
fn say(line: &str) {
    let _ = writeln!(stderr(), "{line}");
}

/// One thing being made available; silent until it turns out that there is something to do.
#[derive(Debug)]
pub struct Step {
    name: String,
    kind: Kind,
    shown: Mutex<Option<Shown>>,
}

#[derive(Debug)]
struct Shown {
    since: Instant,
    bar: Option<ProgressBar>,
}

impl Step {
    /// Says what happens now.
    pub(crate) fn note(&self, message: &str) {
        let Ok(mut shown) = self.shown.lock() else { return };
        let shown = shown.get_or_insert_with(|| Shown { since: Instant::now(), bar: self.bar() });
        match (&self.kind, &shown.bar) {
            (Kind::Silent, _) => {}
            (_, Some(bar)) => bar.set_message(message.to_owned()),
            (_, None) => say(&format!("setup: {}: {message}", self.name)),
        }
    }

    /// Shows the end of `log` from time to time, until the answer is dropped.
    pub(crate) fn follow(self: &Arc<Self>, log: &Path) -> Following {
        let interval = match self.kind {
            Kind::Silent => return Following { stop: None, thread: None },
            Kind::Lines => HEARTBEAT,
            Kind::Spinners(_) => Duration::from_secs(1),
        };
        let (stop, stopped) = channel::<()>();
        let (step, path): (_, PathBuf) = (Arc::clone(self), log.to_owned());
        let thread = thread::spawn(move || {
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                let last: String = log::last_line(&path).chars().take(SHOWN).collect();
                step.note(&format!("{} s, at {last}", step.elapsed().as_secs()));
            }
        });
        Following { stop: Some(stop), thread: Some(thread) }
    }

    /// How long the step has been shown.
    fn elapsed(&self) -> Duration {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.as_ref().map(|shown| shown.since.elapsed()).unwrap_or_default()
    }

    /// Says that it is there now; says nothing if nothing had to be done.
    pub(crate) fn done(&self) {
        let Ok(mut shown) = self.shown.lock() else { return };
        let Some(Shown { since, bar }) = shown.take() else { return };
        let line =
            format!("setup: {}: ready after {:.1} s", self.name, since.elapsed().as_secs_f32());
        match (&self.kind, bar) {
            (Kind::Silent, _) => {}
            (_, Some(bar)) => {
                bar.suspend(|| say(&line));
                bar.finish_and_clear();
            }
            (_, None) => say(&line),
        }
    }

    fn bar(&self) -> Option<ProgressBar> {
        let Kind::Spinners(all) = &self.kind else { return None };
        let bar = all.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}: {wide_msg}") {
            bar.set_style(style);
        }
        bar.set_prefix(self.name.clone());
        bar.enable_steady_tick(TICK);
        Some(bar)
    }
}

/// Ends following a log when it is dropped.
#[derive(Debug)]
pub(crate) struct Following {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Following {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // The thread ends when the channel does; that it panicked changes nothing here.
            let _ = thread.join();
        }
    }
}
