//! actionlint: checks workflow files; a part of the tests, not of the cloud.

use std::path::PathBuf;

use super::{Setup, golang::Module};
use crate::setup_error::SetupError;

const MODULE: Module = Module {
    name: "actionlint",
    describe: "building actionlint (half a minute, once)",
    go_mod: include_str!("../../tools/actionlint/go.mod"),
    go_sum: include_str!("../../tools/actionlint/go.sum"),
    programs: &[("github.com/rhysd/actionlint/cmd/actionlint", "actionlint")],
    link: "",
};

/// actionlint, made available.
#[derive(Clone, Debug)]
pub struct Actionlint {
    pub program: PathBuf,
}

impl Actionlint {
    pub(crate) fn ensure(setup: &Setup<'_>) -> Result<Self, SetupError> {
        let step = setup.step("actionlint");
        let program = MODULE.ensure(setup, &step)?.join("actionlint");
        step.done();
        Ok(Self { program })
    }
}
