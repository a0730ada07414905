//! Python environments with pinned packages.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use super::{Setup, debian, find_program, is_program};
use crate::{command::SetupCommand, progress::Step, setup_error::SetupError};

/// An environment: its name, and its packages with their hashes, in the form of a requirements file.
pub(super) struct Environment {
    pub name: &'static str,
    pub requirements: &'static str,
}

impl Environment {
    /// Gives the environment's folder; its Python is [`python_of`] it.
    ///
    /// A finished environment is moved to its place, so nothing may run the scripts in its `bin`, which name the folder
    /// that they were made in: `python -m` works.
    pub fn ensure(&self, setup: &Setup<'_>, step: &Arc<Step>) -> Result<PathBuf, SetupError> {
        let usable =
            |folder: &Path| is_program(&python_of(folder)) && folder.join("complete").exists();
        setup.cache.install(self.name, &[self.requirements], step, usable, |folder| {
            step.note("making a Python environment");
            let log = setup.cache.log(self.name);
            let next = "see the log; the package index must be reachable, once";
            let command = SetupCommand { part: self.name, step, log: &log, next };
            let python = system_python(setup, step, self.name)?;
            command.run(Command::new(python).args(["-m", "venv"]).arg(folder))?;
            let list = folder.join("requirements.txt");
            fs::write(&list, self.requirements).map_err(SetupError::io("write", &list))?;
            step.note("installing Python packages");
            let mut pip = Command::new(python_of(folder));
            pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input"]);
            pip.args(["--no-deps", "--require-hashes", "-r"]).arg(&list);
            command.run(&pip)?;
            let complete = folder.join("complete");
            fs::write(&complete, "").map_err(SetupError::io("write", &complete))
        })
    }
}

/// The Python of an environment.
pub(super) fn python_of(folder: &Path) -> PathBuf {
    folder.join("bin").join("python")
}

/// A Python 3 that can make environments.
fn system_python(setup: &Setup<'_>, step: &Arc<Step>, part: &str) -> Result<PathBuf, SetupError> {
    let candidates = || {
        let debian = Path::new("/usr/bin/python3");
        find_program("python3").into_iter().chain(is_program(debian).then(|| debian.to_owned()))
    };
    if let Some(python) = candidates().find(|python| makes_environments(python)) {
        return Ok(python);
    }
    debian::install(setup, step, part, &["python3", "python3-venv"])?;
    candidates().find(|python| makes_environments(python)).ok_or_else(|| SetupError::Missing {
        part: part.to_owned(),
        missing: "no Python 3 on this machine has the modules venv and ensurepip".to_owned(),
        next: "install Python 3.11 or newer with venv".to_owned(),
    })
}

fn makes_environments(python: &Path) -> bool {
    let test = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))";
    Command::new(python).args(["-c", test]).output().is_ok_and(|output| output.status.success())
}
