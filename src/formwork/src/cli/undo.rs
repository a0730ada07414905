//! What is done after a change that is hopeless: the evidence is kept, and what was good last is brought back.

use super::{CliError, Ended, deploy};
use crate::render;
use clap::{Arg, ArgAction, ArgMatches, value_parser};
use formwork_engine::{
    Address, FailureKind, Registry,
    apply::{self, Event, Options, Outcome, Reporter},
    plan::Plan,
    rollback,
    state::Store,
};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};
use time::{OffsetDateTime, macros::format_description};

/// What may be said about it.
pub(crate) fn arguments() -> [Arg; 3] {
    [
        Arg::new("no-rollback")
            .long("no-rollback")
            .help("Leave a change that is hopeless as it is, instead of bringing back what was good last")
            .action(ArgAction::SetTrue),
        Arg::new("take-down")
            .long("take-down")
            .help("Delete a first release that is hopeless, which has nothing to go back to")
            .action(ArgAction::SetTrue),
        evidence(),
    ]
}

/// Where evidence is kept.
pub(crate) fn evidence() -> Arg {
    Arg::new("evidence")
        .long("evidence")
        .value_name("FOLDER")
        .help("Where logs, events and conditions of a hopeless change are kept")
        .default_value("formwork-evidence")
        .value_parser(value_parser!(PathBuf))
}

/// Passes events on, and keeps evidence as files before anything is undone.
pub(crate) struct Keeping<'a> {
    inner: &'a dyn Reporter,
    folder: PathBuf,
    kept: Mutex<Vec<PathBuf>>,
}

impl<'a> Keeping<'a> {
    pub(crate) fn new(inner: &'a dyn Reporter, matches: &ArgMatches) -> Self {
        let folder = matches.try_get_one::<PathBuf>("evidence").ok().flatten().cloned();
        Self { inner, folder: folder.unwrap_or_default(), kept: Mutex::default() }
    }

    /// The files that evidence was kept in.
    pub(crate) fn kept(&self) -> Vec<PathBuf> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, address: Address, evidence: &str) {
        match write(&self.folder, address, evidence) {
            Ok(file) => self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(file),
            // It was shown already; the change is undone all the same.
            Err(error) => errln!(
                "the evidence can't be kept in {}: {error}; it stands above",
                self.folder.display()
            ),
        }
    }
}

impl Reporter for Keeping<'_> {
    fn report(&self, event: Event) {
        let evidence = match &event {
            Event::Evidence { address, evidence } => Some((*address, evidence.clone())),
            _ => None,
        };
        self.inner.report(event);
        if let Some((address, evidence)) = evidence {
            self.keep(address, &evidence);
        }
    }
}

/// Writes evidence into a new file, named by the address and the time.
fn write(folder: &Path, address: Address, evidence: &str) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let format =
        format_description!("[year][month][day]T[hour][minute][second][subsecond digits:3]Z");
    let time = OffsetDateTime::now_utc().format(&format).map_err(io::Error::other)?;
    let file = folder.join(format!("{}-{}-{time}.txt", address.stack(), address.name()));
    fs::write(&file, evidence)?;
    Ok(file)
}

/// Brings back what was good before the changes of an apply that turned out hopeless, and takes its canaries away.
///
/// `None` where there was no such change, or it is to be left as it is.
pub(crate) async fn undo(
    registry: &Registry,
    store: &Store,
    plan: &Plan,
    outcome: Outcome,
    options: &Options<'_>,
    matches: &ArgMatches,
) -> Result<Option<Ended>, CliError> {
    let flag = |name: &str| matches.try_get_one::<bool>(name).ok().flatten() == Some(&true);
    let hopeless: Vec<Address> = outcome
        .failed
        .iter()
        .filter(|failed| failed.failure.kind == FailureKind::Hopeless)
        .map(|failed| failed.address)
        .collect();
    if !hopeless.is_empty() && flag("no-rollback") {
        return Ok(None);
    }
    let mut ended = match (hopeless.is_empty(), outcome.failed.len() > hopeless.len()) {
        (true, _) => None,
        // What failed beside it isn't undone, and isn't hidden.
        (false, true) => Some(Ended::Failed),
        (false, false) => Some(Ended::RolledBack),
    };
    let mut state = outcome.state;
    let hopeless = hopeless.into_iter().filter(|address| !deploy::is_canary(plan, *address));
    for address in hopeless {
        let inputs = rollback::last_good(registry, &state, address).await?;
        let way = match inputs {
            Some(inputs) => {
                errln!("{address}: going back to what was good last");
                rollback::plan(registry, store, &state, address, inputs).await?
            }
            None if flag("take-down") => {
                errln!("{address}: taking the first release down");
                rollback::removal(registry, store, &state, address).await?
            }
            None => {
                errln!(
                    "{address}: a first release has nothing to go back to, and is left as it is (--take-down deletes it)"
                );
                ended = Some(Ended::Failed);
                continue;
            }
        };
        let remarks = way.changes().flat_map(|step| &step.remarks);
        remarks.for_each(|remark| errln!("{address}: {remark}"));
        let back = apply::apply(&way, state, registry, store, options).await?;
        outln!("{}", render::outcome(&way, &back));
        if !back.succeeded() {
            ended = Some(Ended::Failed);
        }
        state = back.state;
    }
    match deploy::take_away(registry, store, plan, state, options).await? {
        Ended::Fine => Ok(ended),
        failed => Ok(Some(failed)),
    }
}
