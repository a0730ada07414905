//! kube-scheduler: gives Pods their nodes.

use std::{path::Path, process::Command};

use super::Kubernetes;
use crate::{
    kubeconfig,
    launch::{Launch, READY_LIMIT, flag, says_yes},
    pki::Pki,
    ports::on_free_ports,
    process::Turn,
    start_error::StartError,
};

impl Kubernetes {
    /// Starts the scheduler and waits until it says that it is ready.
    pub(crate) fn start_scheduler(
        &self,
        launch: &Launch<'_>,
        pki: &Pki,
        api: &str,
        admin: &Path,
    ) -> Result<(), StartError> {
        let folder = launch.folder("kube-scheduler")?;
        let kubeconfig = folder.join("kubeconfig");
        kubeconfig::write(&kubeconfig, "scheduler", api, pki, &pki.scheduler)?;
        on_free_ports(|[port]| {
            let mut command = Command::new(&self.scheduler);
            for name in ["kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"] {
                command.arg(flag(name, &kubeconfig));
            }
            command.args(["--bind-address=127.0.0.1", &format!("--secure-port={port}")]);
            command.arg(flag("cert-dir", &folder));
            command.args(["--leader-elect=false", "--profiling=false"]);
            let running = launch.start("kube-scheduler", Turn::Controllers, command)?;
            running.ready(READY_LIMIT, || {
                std::net::TcpStream::connect(("127.0.0.1", port)).map_err(|e| e.to_string())?;
                // Its certificate is its own; the question carries nothing secret.
                let server = format!("--server=https://127.0.0.1:{port}");
                let question = ["--insecure-skip-tls-verify", "get", "--raw", "/readyz"];
                says_yes(self.kubectl(admin).arg(server).args(question)).map(drop)
            })
        })
    }
}
