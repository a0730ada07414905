//! cargo-deny: checks licences and sources of dependencies; a part of the tests, not of the cloud.

use std::path::PathBuf;

use super::{Setup, python::Environment};
use crate::setup_error::SetupError;

const ENVIRONMENT: Environment = Environment {
    name: "cargo-deny",
    requirements: include_str!("../../tools/python/cargo_deny.txt"),
};

/// cargo-deny, made available.
#[derive(Clone, Debug)]
pub struct CargoDeny {
    pub program: PathBuf,
}

impl CargoDeny {
    pub(crate) fn ensure(setup: &Setup<'_>) -> Result<Self, SetupError> {
        let step = setup.step("cargo-deny");
        // No script of Python's: the program itself, which may be moved.
        let program = ENVIRONMENT.ensure(setup, &step)?.join("bin/cargo-deny");
        step.done();
        Ok(Self { program })
    }
}
