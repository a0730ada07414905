//! Helm: what a deploy is compared with; a part of one benchmark, and installed only for that.

use std::path::PathBuf;

use super::{Setup, golang::Module};
use crate::{cache::Cache, progress::Progress, setup_error::SetupError};

const MODULE: Module = Module {
    name: "helm",
    describe: "building Helm 4.3.1 (three minutes, once)",
    go_mod: include_str!("../../tools/helm/go.mod"),
    go_sum: include_str!("../../tools/helm/go.sum"),
    programs: &[("helm.sh/helm/v4/cmd/helm", "helm")],
    link: "",
};

/// Helm, made available.
#[derive(Clone, Debug)]
pub struct Helm {
    pub program: PathBuf,
}

impl Helm {
    /// Makes it available; no other part is.
    pub fn ensure(progress: &Progress) -> Result<Self, SetupError> {
        let setup = &Setup { cache: &Cache::of_user()?, progress };
        let step = setup.step("helm");
        let program = MODULE.ensure(setup, &step)?.join("helm");
        step.done();
        Ok(Self { program })
    }
}
