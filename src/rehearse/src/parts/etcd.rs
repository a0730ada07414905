//! etcd: the store of a control plane.

use std::{path::PathBuf, process::Command};

use super::{Setup, golang::Module, kubebuilder_asset};
use crate::{
    launch::{Launch, READY_LIMIT, answers, flag},
    ports::on_free_ports,
    process::Turn,
    setup_error::SetupError,
    start_error::StartError,
};

const MODULE: Module = Module {
    name: "etcd",
    describe: "building etcd (a minute on two cores, once)",
    go_mod: include_str!("../../tools/etcd/go.mod"),
    go_sum: include_str!("../../tools/etcd/go.sum"),
    programs: &[("go.etcd.io/etcd/server/v3", "etcd")],
    link: "",
};

/// etcd, made available.
#[derive(Clone, Debug)]
pub struct Etcd {
    pub program: PathBuf,
}

impl Etcd {
    pub(crate) fn ensure(setup: &Setup<'_>) -> Result<Self, SetupError> {
        if let Some(program) = kubebuilder_asset("etcd") {
            return Ok(Self { program });
        }
        let step = setup.step("etcd");
        let program = MODULE.ensure(setup, &step)?.join("etcd");
        step.done();
        Ok(Self { program })
    }

    /// Starts it, without flushing to disk, and gives its address.
    pub(crate) fn start(&self, launch: &Launch<'_>) -> Result<String, StartError> {
        on_free_ports(|[port, peer]| {
            let folder = launch.folder("etcd")?;
            let (url, peer) =
                (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{peer}"));
            let mut command = Command::new(&self.program);
            command.arg(flag("data-dir", &folder.join("data"))).current_dir(&folder);
            command.args(["--listen-client-urls", &url, "--advertise-client-urls", &url]);
            command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
            command.args(["--initial-cluster", &format!("default={peer}")]);
            command.args(["--unsafe-no-fsync", "--log-level", "warn"]);
            let running = launch.start("etcd", Turn::Stores, command)?;
            let health = format!("{url}/health");
            running.ready(READY_LIMIT, || answers(&health))?;
            Ok(url)
        })
    }
}
