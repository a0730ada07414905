//! Saved plans as files.

use super::CliError;
use formwork_engine::{
    Registry,
    plan::{Plan, SavedError, SavedPlan},
    state::Store,
};
use std::{fs, io::Write as _, path::Path};

/// Writes a plan where only its owner can read it.
pub(crate) fn write(
    path: &Path,
    saved: &SavedPlan,
    registry: &Registry,
    store: &Store,
) -> Result<(), CliError> {
    let bytes = saved.to_bytes(&registry.digest(), store.writer(), store.seal())?;
    let failed = |error: std::io::Error| {
        CliError::new(format!("can't write the plan {}: {error}", path.display()))
    };
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(failed)
}

/// Reads a plan back.
pub(crate) fn read(path: &Path, registry: &Registry, store: &Store) -> Result<SavedPlan, CliError> {
    let bytes = fs::read(path).map_err(|error| {
        CliError::new(format!("can't read the plan {}: {error}", path.display()))
    })?;
    SavedPlan::from_bytes(&bytes, &registry.digest(), store.seal())
        .map_err(|error| CliError::from(error).context(path.display()))
}

/// How a stale plan differs from what would be planned now, a line for each resource.
pub(crate) fn difference(saved: &Plan, now: &Plan) -> Vec<String> {
    let all: std::collections::BTreeSet<_> = saved.steps.keys().chain(now.steps.keys()).collect();
    let word = |plan: &Plan, address| match plan.steps.get(address) {
        None => "nothing".to_owned(),
        Some(step) => {
            let mut paths: Vec<&str> = step.changes.iter().map(|c| c.path.as_str()).collect();
            paths.dedup();
            let verb = crate::render::verb(step.action);
            match paths.is_empty() || !step.action.is_change() {
                true => verb.to_owned(),
                false => format!("{verb} ({})", paths.join(", ")),
            }
        }
    };
    let lines = all.into_iter().filter_map(|address| {
        let (before, after) = (word(saved, address), word(now, address));
        (before != after).then(|| format!("{address}: planned: {before}; now: {after}"))
    });
    lines.collect()
}

impl From<SavedError> for CliError {
    fn from(error: SavedError) -> Self {
        Self::maybe_help(error.to_string(), error.hint())
    }
}

/// Refuses a plan whose state has moved on, with what would be planned now.
pub(crate) fn stale(saved: &Plan, now: &Plan, serial: u64) -> CliError {
    let lines = difference(saved, now);
    let mut message = format!(
        "the plan is stale: it starts from serial {} of the state, which is at {serial}; nothing was changed",
        saved.serial
    );
    if lines.is_empty() {
        message.push_str("\nplanning now gives the same changes");
    }
    for line in lines {
        message.push('\n');
        message.push_str(&line);
    }
    CliError::with_help(message, "plan again, and look at what differs")
}
