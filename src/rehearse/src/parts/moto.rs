//! moto: another emulator of the AWS APIs, which state in S3 is tested on beside ministack.

use std::path::PathBuf;

use super::{
    Setup,
    python::{Environment, python_of},
};
use crate::setup_error::SetupError;

const ENVIRONMENT: Environment =
    Environment { name: "moto", requirements: include_str!("../../tools/python/moto.txt") };

/// The emulator, made available. No local cloud starts it; tests do, by `python -m moto.server`.
#[derive(Clone, Debug)]
pub struct Moto {
    /// The Python of its environment.
    pub python: PathBuf,
}

impl Moto {
    pub(crate) fn ensure(setup: &Setup<'_>) -> Result<Self, SetupError> {
        let step = setup.step("moto");
        let folder = ENVIRONMENT.ensure(setup, &step)?;
        step.done();
        Ok(Self { python: python_of(&folder) })
    }
}
