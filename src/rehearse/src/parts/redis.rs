//! Redis: stands for ElastiCache.

use std::{path::PathBuf, process::Command};

use super::{Setup, debian, find_program};
use crate::{
    launch::{Launch, READY_LIMIT},
    ports::on_free_ports,
    process::Turn,
    setup_error::SetupError,
    start_error::StartError,
};

/// Redis or Valkey, made available.
#[derive(Clone, Debug)]
pub struct Redis {
    pub program: PathBuf,
}

impl Redis {
    pub(crate) fn ensure(setup: &Setup<'_>) -> Result<Self, SetupError> {
        let find = || find_program("redis-server").or_else(|| find_program("valkey-server"));
        if let Some(program) = find() {
            return Ok(Self { program });
        }
        let step = setup.step("redis");
        debian::install(setup, &step, "redis", &["redis-server"])?;
        let program = find().ok_or_else(|| SetupError::Missing {
            part: "redis".to_owned(),
            missing: "the package redis-server brought no redis-server".to_owned(),
            next: "install Redis or Valkey by hand".to_owned(),
        })?;
        step.done();
        Ok(Self { program })
    }

    /// Starts it, without persistence, and gives its port.
    pub(crate) fn start(&self, launch: &Launch<'_>) -> Result<u16, StartError> {
        on_free_ports(|[port]| {
            let folder = launch.folder("redis")?;
            let mut command = Command::new(&self.program);
            command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--daemonize", "no"]);
            command.args(["--save", "", "--appendonly", "no"]).arg("--dir").arg(&folder);
            command.current_dir(&folder);
            let running = launch.start("redis", Turn::Stores, command)?;
            running.ready(READY_LIMIT, || pings(port))?;
            Ok(port)
        })
    }
}

/// Content when Redis answers PING with PONG.
fn pings(port: u16) -> Result<(), String> {
    use std::io::{Read, Write};
    let ask = || -> std::io::Result<[u8; 5]> {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(std::time::Duration::from_secs(1)))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    };
    match ask() {
        Ok(answer) if &answer == b"+PONG" => Ok(()),
        Ok(answer) => Err(format!("PING was answered with {:?}", String::from_utf8_lossy(&answer))),
        Err(error) => Err(format!("PING: {error}")),
    }
}
