//! OpenTofu: what the engine is compared with; a part of one benchmark, and installed only for that.

use std::path::PathBuf;

use super::{Setup, golang::Module};
use crate::{cache::Cache, progress::Progress, setup_error::SetupError};

/// Like OpenTofu's own go.mod, it takes the project's fork of `hashicorp/hcl/v2`: the original lacks what it calls.
const MODULE: Module = Module {
    name: "opentofu",
    describe: "building OpenTofu 1.12.6 (six minutes, once)",
    go_mod: include_str!("../../tools/opentofu/go.mod"),
    go_sum: include_str!("../../tools/opentofu/go.sum"),
    programs: &[("github.com/opentofu/opentofu/cmd/tofu", "tofu")],
    link: "",
};

/// OpenTofu, made available.
#[derive(Clone, Debug)]
pub struct OpenTofu {
    pub program: PathBuf,
}

impl OpenTofu {
    /// Makes it available; no other part is.
    pub fn ensure(progress: &Progress) -> Result<Self, SetupError> {
        let setup = &Setup { cache: &Cache::of_user()?, progress };
        let step = setup.step("opentofu");
        let program = MODULE.ensure(setup, &step)?.join("tofu");
        step.done();
        Ok(Self { program })
    }
}
