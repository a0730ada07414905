//! The external parts of the local cloud: each makes itself available, then starts.
//!
//! One file is one part. What several of them share (Debian packages, Python environments, Go modules) has a file too.

mod actionlint;
mod cargo_deny;
mod debian;
mod etcd;
mod golang;
mod helm;
mod kube_apiserver;
mod kube_controller_manager;
mod kube_scheduler;
mod kubernetes;
mod kustomize;
mod kwok;
mod ministack;
mod moto;
mod opentofu;
mod postgres;
mod python;
mod redis;

use std::{
    env,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

pub use self::{
    actionlint::Actionlint,
    cargo_deny::CargoDeny,
    etcd::Etcd,
    helm::Helm,
    kubernetes::Kubernetes,
    kustomize::Kustomize,
    kwok::Kwok,
    ministack::Ministack,
    moto::Moto,
    opentofu::OpenTofu,
    postgres::{MASTER, Postgres},
    redis::Redis,
};
pub(crate) use self::{
    kubernetes::kubectl,
    kwok::Nodes,
    postgres::{Server as PostgresServer, psql},
};
use crate::{
    cache::Cache,
    progress::{Progress, Step},
    setup_error::SetupError,
};

/// Every part, made available.
#[derive(Clone, Debug)]
pub struct Parts {
    pub ministack: Ministack,
    pub moto: Moto,
    pub postgres: Postgres,
    pub redis: Redis,
    pub etcd: Etcd,
    pub kubernetes: Kubernetes,
    pub kwok: Kwok,
    pub actionlint: Actionlint,
    pub cargo_deny: CargoDeny,
    pub kustomize: Kustomize,
}

impl Parts {
    /// Makes every part available; installs what is missing, which takes about ten minutes on two cores the first time.
    pub fn ensure(progress: &Progress) -> Result<Self, SetupError> {
        Self::ensure_in(&Cache::of_user()?, progress)
    }

    /// Makes every part available, installed in `cache`.
    pub fn ensure_in(cache: &Cache, progress: &Progress) -> Result<Self, SetupError> {
        let setup = &Setup { cache, progress };
        setup.require("setpriv", "it is part of util-linux")?;
        thread::scope(|scope| {
            // Packages and Python first: they are quick, and say early what is wrong.
            let debian = scope.spawn(|| Ok((Redis::ensure(setup)?, Postgres::ensure(setup)?)));
            let python = scope.spawn(|| {
                let emulators = (Ministack::ensure(setup)?, Moto::ensure(setup)?);
                Ok((emulators, CargoDeny::ensure(setup)?))
            });
            // One after the other: each Go build takes all cores. The longest comes last.
            let go = scope.spawn(|| {
                let tools = (Actionlint::ensure(setup)?, Kustomize::ensure(setup)?);
                Ok((tools, Etcd::ensure(setup)?, Kwok::ensure(setup)?, Kubernetes::ensure(setup)?))
            });
            let (redis, postgres) = joined(debian)?;
            let ((ministack, moto), cargo_deny) = joined(python)?;
            let ((actionlint, kustomize), etcd, kwok, kubernetes) = joined(go)?;
            Ok(Self {
                ministack,
                moto,
                postgres,
                redis,
                etcd,
                kubernetes,
                kwok,
                actionlint,
                cargo_deny,
                kustomize,
            })
        })
    }
}

/// What a part needs to make itself available.
pub(crate) struct Setup<'a> {
    cache: &'a Cache,
    progress: &'a Progress,
}

impl Setup<'_> {
    fn step(&self, name: &str) -> Arc<Step> {
        Arc::new(self.progress.step(name))
    }

    fn require(&self, program: &str, hint: &str) -> Result<PathBuf, SetupError> {
        find_program(program).ok_or_else(|| SetupError::Missing {
            part: "this machine".to_owned(),
            missing: format!("the program {program} is not in PATH"),
            next: hint.to_owned(),
        })
    }
}

/// The result of a thread, its panic passed on.
pub(crate) fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Where `program` is, by PATH and the folders that Debian keeps out of a user's PATH.
fn find_program(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|file| is_program(file))
}

/// A program of `KUBEBUILDER_ASSETS`, the folder of Kubernetes' own test binaries.
fn kubebuilder_asset(program: &str) -> Option<PathBuf> {
    let file = PathBuf::from(env::var_os("KUBEBUILDER_ASSETS")?).join(program);
    is_program(&file).then_some(file)
}

/// True for a file that somebody may execute.
fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}
