//! The live view: what is under way, in place, with the time it has taken; what ended goes above it.

use super::words::{doing, done, part, seconds};
use formwork_engine::{
    Address, Progress,
    apply::{Event, Reporter},
};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How often the view moves although nothing happened.
const TICK: Duration = Duration::from_millis(120);

pub(super) struct Live {
    view: MultiProgress,
    under_way: Mutex<BTreeMap<Address, Entry>>,
}

/// What is shown of one resource.
struct Entry {
    line: ProgressBar,
    parts: BTreeMap<String, ProgressBar>,
}

impl Entry {
    fn clear(self) -> Duration {
        self.parts.into_values().for_each(|line| line.finish_and_clear());
        self.line.finish_and_clear();
        self.line.elapsed()
    }
}

impl Live {
    pub(super) fn new() -> Self {
        Self { view: MultiProgress::new(), under_way: Mutex::default() }
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<Address, Entry>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, line: &str) {
        // A terminal that is gone has nobody to tell.
        let _ = self.view.println(line);
    }

    fn start(&self, address: Address, message: String) {
        let line = self.view.add(spinner("{spinner} {msg} {elapsed}"));
        line.set_message(message);
        self.entries().insert(address, Entry { line, parts: BTreeMap::new() });
    }

    fn progress(&self, address: Address, progress: &Progress) {
        let mut entries = self.entries();
        let Some(Entry { line, parts }) = entries.get_mut(&address) else { return };
        for of in &progress.parts {
            let shown = parts
                .entry(of.name.clone())
                .or_insert_with(|| self.view.insert_after(line, spinner("    {msg}")));
            shown.set_message(part(of));
        }
    }

    fn end(&self, address: Address, what: impl FnOnce(Duration) -> String) {
        let entry = self.entries().remove(&address);
        let took = entry.map_or(Duration::ZERO, Entry::clear);
        self.say(&what(took));
    }
}

fn spinner(template: &str) -> ProgressBar {
    let line = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template(template) {
        line.set_style(style);
    }
    line.enable_steady_tick(TICK);
    line
}

impl Reporter for Live {
    fn report(&self, event: Event) {
        match event {
            Event::Started { address, action } => {
                self.start(address, format!("{address}: {}", doing(action)));
            }
            Event::Waiting { address, status } => {
                if let Some(entry) = self.entries().get(&address) {
                    entry.line.set_message(format!("{address}: {status}"));
                }
            }
            Event::Progress { address, progress } => self.progress(address, &progress),
            Event::Evidence { address, evidence } => {
                self.say(&format!("{address}: what was seen\n{evidence}"));
            }
            Event::Finished { address, action } => {
                self.end(address, |took| {
                    format!("{address}: {} in {}", done(action), seconds(took))
                });
            }
            Event::Differs { address, paths } => {
                self.say(&format!(
                    "{address}: reads back other than asked in {}",
                    paths.join(", ")
                ));
            }
            Event::Failed { address, failure } => {
                self.end(address, |_| format!("{address}: failed: {failure}"));
            }
            Event::Skipped { address } => self.say(&format!("{address}: not begun")),
        }
    }
}
