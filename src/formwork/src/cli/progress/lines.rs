//! Progress in lines: one when something starts, changes, waits long, ends.

use super::words::{doing, done, part, seconds};
use formwork_engine::{
    Address, Progress,
    apply::{Event, Reporter},
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How often a resource that is waited for says so.
const REMINDER: Duration = Duration::from_secs(10);

/// Prints a line an event, to standard error.
pub(super) struct Lines {
    under_way: Mutex<BTreeMap<Address, UnderWay>>,
    /// What was said last of each part of a change that is followed.
    parts: Mutex<BTreeMap<(Address, String), String>>,
}

struct UnderWay {
    since: Instant,
    reminded: Instant,
}

impl Lines {
    pub(super) fn new() -> Self {
        Self { under_way: Mutex::default(), parts: Mutex::default() }
    }

    fn since(&self, address: Address) -> Duration {
        let under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.get(&address).map_or(Duration::ZERO, |entry| entry.since.elapsed())
    }

    fn start(&self, address: Address) {
        let now = Instant::now();
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.entry(address).or_insert(UnderWay { since: now, reminded: now });
    }

    /// Says how far the parts are, of those that moved.
    fn progress(&self, address: Address, progress: &Progress) {
        if let Some(message) = &progress.message {
            errln!("{address}: {message}");
        }
        let mut said = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        for of in &progress.parts {
            let line = part(of);
            let last = said.entry((address, of.name.clone())).or_default();
            if *last != line {
                errln!("{address}: {line}");
                *last = line;
            }
        }
    }

    /// Whether it is time to say again that it is waited for.
    fn remind(&self, address: Address) -> bool {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = under_way.get_mut(&address) else { return false };
        let due = entry.reminded.elapsed() >= REMINDER;
        if due {
            entry.reminded = Instant::now();
        }
        due
    }
}

impl Reporter for Lines {
    fn report(&self, event: Event) {
        match event {
            Event::Started { address, action } => {
                self.start(address);
                errln!("{address}: {}", doing(action));
            }
            Event::Waiting { address, status } => {
                if self.remind(address) {
                    errln!("{address}: {status} after {}", seconds(self.since(address)));
                }
            }
            Event::Finished { address, action } => {
                errln!("{address}: {} in {}", done(action), seconds(self.since(address)));
            }
            Event::Differs { address, paths } => {
                errln!("{address}: reads back other than asked in {}", paths.join(", "));
            }
            Event::Progress { address, progress } => self.progress(address, &progress),
            Event::Evidence { address, evidence } => {
                errln!("{address}: what was seen\n{evidence}")
            }
            Event::Failed { address, failure } => errln!("{address}: failed: {failure}"),
            Event::Skipped { address } => errln!("{address}: not begun"),
        }
    }
}
