//! ministack: an emulator of the AWS APIs, with boto3 beside it for looking into it.

use std::{path::PathBuf, process::Command};

use super::{
    Setup,
    python::{Environment, python_of},
};
use crate::{
    launch::{Launch, READY_LIMIT, answers},
    ports::{free_port, on_free_ports},
    process::Turn,
    setup_error::SetupError,
    start_error::StartError,
};

const ENVIRONMENT: Environment = Environment {
    name: "python",
    requirements: include_str!("../../tools/python/requirements.txt"),
};

/// The emulator, made available.
#[derive(Clone, Debug)]
pub struct Ministack {
    /// The Python of the environment; it has boto3 and PyYAML too.
    pub python: PathBuf,
}

impl Ministack {
    pub(crate) fn ensure(setup: &Setup<'_>) -> Result<Self, SetupError> {
        let step = setup.step("ministack");
        let folder = ENVIRONMENT.ensure(setup, &step)?;
        step.done();
        Ok(Self { python: python_of(&folder) })
    }

    /// Starts it and gives its port; ElastiCache endpoints name the Redis at `redis`.
    ///
    /// `enforce_iam`: created users and assumed roles need a valid signature and a policy that allows the call. An access
    /// key of twelve digits is the root of the account of that number, and is never checked. No container is started:
    /// the package that could do so is not in the environment.
    pub(crate) fn start(
        &self,
        launch: &Launch<'_>,
        region: &str,
        redis: u16,
        enforce_iam: bool,
    ) -> Result<u16, StartError> {
        // Only names the endpoints of EKS clusters; nothing listens there.
        let eks = free_port()?;
        on_free_ports(|[port]| {
            let folder = launch.folder("ministack")?;
            let mut command = Command::new(&self.python);
            command.args(["-m", "ministack"]).current_dir(&folder);
            command.env("HOME", &folder).env("TMPDIR", &folder).env("PYTHONDONTWRITEBYTECODE", "1");
            command.env("GATEWAY_PORT", port.to_string()).env("BIND_HOST", "127.0.0.1");
            command.env("MINISTACK_HOST", "127.0.0.1").env("MINISTACK_REGION", region);
            command.env("REDIS_HOST", "127.0.0.1").env("REDIS_PORT", redis.to_string());
            command.env("EKS_BASE_PORT", eks.to_string());
            command.env("AUTH", enforce_iam.to_string()).env("CLOUDTRAIL_RECORDING", "1");
            command.env("IOT_MTLS_ENABLED", "0").env("SFTP_ENABLED", "0");
            command.env("PERSIST_STATE", "0").env("LOG_LEVEL", "INFO");
            let running = launch.start("ministack", Turn::Stores, command)?;
            let url = format!("http://127.0.0.1:{port}/_ministack/ready");
            running.ready(READY_LIMIT, || answers(&url))?;
            Ok(port)
        })
    }
}
