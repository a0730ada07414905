//! Commands of the set-up: their output goes to a log, their failure shows its end.

use std::{
    fs::File,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use crate::{log, progress::Step, setup_error::SetupError};

/// A command of the set-up of one part.
pub(crate) struct SetupCommand<'a> {
    pub part: &'a str,
    pub step: &'a Arc<Step>,
    pub log: &'a Path,
    /// What a person can do when it fails.
    pub next: &'a str,
}

impl SetupCommand<'_> {
    /// Runs `command` to its end, its output appended to the log.
    pub fn run(&self, command: &mut Command) -> Result<(), SetupError> {
        let open = || File::options().create(true).append(true).open(self.log);
        let stdout = open().map_err(SetupError::io("open the log", self.log))?;
        let stderr = open().map_err(SetupError::io("open the log", self.log))?;
        let shown = shown(command);
        let _following = self.step.follow(self.log);
        let status = command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).status().map_err(
            |source| SetupError::NotRun {
                part: self.part.to_owned(),
                command: shown.clone(),
                source,
                next: self.next.to_owned(),
            },
        )?;
        if status.success() {
            return Ok(());
        }
        Err(SetupError::Failed {
            part: self.part.to_owned(),
            command: shown,
            status: status.to_string(),
            log: self.log.to_owned(),
            tail: log::tail(self.log),
            next: self.next.to_owned(),
        })
    }
}

/// The command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
