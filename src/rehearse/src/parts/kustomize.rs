//! kustomize: what our own build is compared with; a part of the tests and benchmarks, not of the cloud.

use std::path::PathBuf;

use super::{Setup, golang::Module};
use crate::setup_error::SetupError;

const MODULE: Module = Module {
    name: "kustomize",
    describe: "building kustomize 5.8.2 (a minute, once)",
    go_mod: include_str!("../../tools/kustomize/go.mod"),
    go_sum: include_str!("../../tools/kustomize/go.sum"),
    programs: &[("sigs.k8s.io/kustomize/kustomize/v5", "kustomize")],
    link: "",
};

/// kustomize, made available.
#[derive(Clone, Debug)]
pub struct Kustomize {
    pub program: PathBuf,
}

impl Kustomize {
    pub(crate) fn ensure(setup: &Setup<'_>) -> Result<Self, SetupError> {
        let step = setup.step("kustomize");
        let program = MODULE.ensure(setup, &step)?.join("kustomize");
        step.done();
        Ok(Self { program })
    }
}
