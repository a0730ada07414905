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
    /// Runs `command`, its output appended to the log; it ends when we end.
    pub fn run(&self, command: &Command) -> Result<(), SetupError> {
        self.run_as(shown(command), dying_with_us("TERM", None, command))
    }

    /// Like [`Self::run`], for what must not be cut off: it goes on when we end.
    pub fn run_whole(&self, command: Command) -> Result<(), SetupError> {
        self.run_as(shown(&command), command)
    }

    fn run_as(&self, shown: String, mut command: Command) -> Result<(), SetupError> {
        let open = || File::options().create(true).append(true).open(self.log);
        let stdout = open().map_err(SetupError::io("open the log", self.log))?;
        let stderr = open().map_err(SetupError::io("open the log", self.log))?;
        let _following = self.step.follow(self.log);
        command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
        let status = command.status().map_err(|source| SetupError::NotRun {
            part: self.part.to_owned(),
            command: shown.clone(),
            source,
            next: self.next.to_owned(),
        })?;
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

/// Where the parent died before `setpriv` had asked for the signal, it never comes: then there is nothing to run.
const UNLESS_ORPHANED: &str = r#"[ "$PPID" = "$0" ] && exec "$@""#;

/// The command, run by `setpriv` so that it gets `signal` when the thread that starts it ends, and as `user`.
pub(crate) fn dying_with_us(signal: &str, user: Option<&str>, command: &Command) -> Command {
    let mut wrapped = Command::new("setpriv");
    wrapped.args(["--pdeathsig", signal]);
    if let Some(user) = user {
        wrapped.args(["--reuid", user, "--regid", user, "--clear-groups"]);
    }
    wrapped.args(["--", "sh", "-c", UNLESS_ORPHANED, &std::process::id().to_string()]);
    wrapped.arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(key, value),
            None => wrapped.env_remove(key),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        wrapped.current_dir(folder);
    }
    wrapped
}

/// The command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
