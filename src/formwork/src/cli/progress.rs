//! Progress of an apply: a line when something starts, waits long, ends.

use formwork_engine::{
    Address,
    apply::{Event, Reporter},
    plan::Action,
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How often a resource that is waited for says so.
const REMINDER: Duration = Duration::from_secs(10);

/// Prints a line an event, to standard error.
pub(crate) struct Lines {
    under_way: Mutex<BTreeMap<Address, UnderWay>>,
}

struct UnderWay {
    since: Instant,
    reminded: Instant,
}

impl Lines {
    pub(crate) fn new() -> Self {
        Self { under_way: Mutex::default() }
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
                eprintln!("{address}: {}", doing(action));
            }
            Event::Waiting { address, status } => {
                if self.remind(address) {
                    eprintln!("{address}: {status} after {}", seconds(self.since(address)));
                }
            }
            Event::Finished { address, action } => {
                eprintln!("{address}: {} in {}", done(action), seconds(self.since(address)));
            }
            Event::Differs { address, paths } => {
                eprintln!("{address}: reads back other than asked in {}", paths.join(", "));
            }
            Event::Failed { address, failure } => eprintln!("{address}: failed: {failure}"),
            Event::Skipped { address } => eprintln!("{address}: not begun"),
        }
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

fn doing(action: Action) -> &'static str {
    match action {
        Action::Create => "creating",
        Action::Update => "updating",
        Action::Replace => "replacing",
        Action::Delete => "deleting",
        Action::Forget => "forgetting",
        Action::Keep | Action::Leave => "clearing up behind",
    }
}

fn done(action: Action) -> &'static str {
    match action {
        Action::Create => "created",
        Action::Update => "updated",
        Action::Replace => "one half of its replacement done",
        Action::Delete => "deleted",
        Action::Forget => "forgotten",
        Action::Keep | Action::Leave => "cleared up behind",
    }
}
