//! What a part needs to start: the processes it joins, and its place in the scratch folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use nix::sys::signal::Signal;

use crate::{
    command::shown,
    process::{Processes, Program, Running, Turn},
    start_error::StartError,
};

/// How long a part may take to become ready. Generous: tests may share two cores with a compiler.
pub(crate) const READY_LIMIT: Duration = Duration::from_secs(120);
/// How long one question to a part that isn't ready yet may take.
const QUESTION_LIMIT: Duration = Duration::from_secs(5);

/// Where a part starts.
pub(crate) struct Launch<'a> {
    pub processes: &'a Processes,
    /// The folder of the site, or of the whole cloud for what both sites share.
    pub folder: PathBuf,
    /// The site; none for what both share.
    pub site: Option<&'a str>,
}

impl Launch<'_> {
    /// The name of a part in this place: `production/etcd`.
    pub fn name(&self, part: &str) -> String {
        self.site.map_or_else(|| part.to_owned(), |site| format!("{site}/{part}"))
    }

    /// A folder of the part's own.
    pub fn folder(&self, part: &str) -> Result<PathBuf, StartError> {
        let folder = self.folder.join(part);
        fs::create_dir_all(&folder).map_err(StartError::io("make the folder", &folder))?;
        Ok(folder)
    }

    /// Starts a part that ends on SIGTERM, as our own user.
    pub fn start(
        &self,
        part: &str,
        turn: Turn,
        command: Command,
    ) -> Result<Arc<Running>, StartError> {
        let name = self.name(part);
        self.processes.start(Program { name, command, stop: Signal::SIGTERM, turn, user: None })
    }

    /// Runs a helper to its end and gives its output.
    pub fn run(&self, part: &str, command: &mut Command) -> Result<String, StartError> {
        run(&self.name(part), command)
    }
}

/// Runs a helper to its end and gives its standard output.
pub(crate) fn run(part: &str, command: &mut Command) -> Result<String, StartError> {
    let output = command.output().map_err(|source| StartError::Spawn {
        part: part.to_owned(),
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(StartError::Helper {
        part: part.to_owned(),
        command: shown(command),
        status: output.status.to_string(),
        output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

/// Asks a plain HTTP address; content when it answers 200.
pub(crate) fn answers(url: &str) -> Result<(), String> {
    let agent =
        ureq::Agent::config_builder().timeout_global(Some(QUESTION_LIMIT)).proxy(None).build();
    match ureq::Agent::new_with_config(agent).get(url).call() {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{url}: {error}")),
    }
}

/// Runs a helper that says by its exit code whether something is ready.
pub(crate) fn says_yes(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{}: {error}", shown(command)))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

/// An argument `--flag=path`.
pub(crate) fn flag(name: &str, path: &Path) -> std::ffi::OsString {
    let mut text = std::ffi::OsString::from(format!("--{name}="));
    text.push(path);
    text
}
