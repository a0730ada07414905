//! Debian packages, installed without starting their services.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use super::{Setup, find_program};
use crate::{command::SetupCommand, progress::Step, setup_error::SetupError};

/// How long apt waits for another apt, in seconds.
const LOCK_TIMEOUT: u32 = 600;
/// Debian's own hook that says whether a package may start its service.
const POLICY: &str = "/usr/sbin/policy-rc.d";
/// The mark by which we know our own hook, should an earlier run have been cut off.
const POLICY_TEXT: &str =
    "#!/bin/sh\n# formwork: services of packages that it installs are not started\nexit 101\n";

/// Installs `packages`; `what` is why they are wanted.
pub(super) fn install(
    setup: &Setup<'_>,
    step: &Arc<Step>,
    part: &str,
    packages: &[&str],
) -> Result<(), SetupError> {
    let list = packages.join(" ");
    let by_hand = |missing: String| SetupError::Missing {
        part: part.to_owned(),
        missing,
        next: format!("install what Debian calls {list} by hand, then try again"),
    };
    if find_program("apt-get").is_none() {
        return Err(by_hand(format!("it needs {list}, and this machine has no apt-get")));
    }
    if !nix::unistd::geteuid().is_root() {
        return Err(by_hand(format!("it needs {list}, and only root may install packages")));
    }
    let _lock = setup.cache.lock("debian", step)?;
    step.note(&format!("installing {list}"));
    let log = setup.cache.log("debian");
    let next = format!("run apt-get install {list} by hand");
    let apt = SetupCommand { part, step, log: &log, next: &next };
    let _policy = ServicePolicy::deny()?;
    // The package lists may be missing or old: only then are they fetched.
    if apt.run_whole(apt_get(&["install", "--yes", "--no-install-recommends"], packages)).is_ok() {
        return Ok(());
    }
    step.note("fetching Debian's package lists");
    apt.run_whole(apt_get(&["update"], &[]))?;
    step.note(&format!("installing {list}"));
    apt.run_whole(apt_get(&["install", "--yes", "--no-install-recommends"], packages))
}

fn apt_get(verb: &[&str], packages: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.args(["-o", &format!("DPkg::Lock::Timeout={LOCK_TIMEOUT}")]);
    command.args(verb).args(packages).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// Keeps packages from starting their services, as long as it lives.
struct ServicePolicy {
    /// Ours to remove; none where the machine has a policy of its own.
    ours: Option<PathBuf>,
}

impl ServicePolicy {
    fn deny() -> Result<Self, SetupError> {
        let path = Path::new(POLICY);
        match fs::read_to_string(path) {
            Ok(text) if text != POLICY_TEXT => return Ok(Self { ours: None }),
            _ => {}
        }
        fs::write(path, POLICY_TEXT).map_err(SetupError::io("write", path))?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))
            .map_err(SetupError::io("make executable", path))?;
        Ok(Self { ours: Some(path.to_owned()) })
    }
}

impl Drop for ServicePolicy {
    fn drop(&mut self) {
        if let Some(path) = &self.ours {
            // Left behind, it is recognised and removed by the next installation.
            let _ = fs::remove_file(path);
        }
    }
}
