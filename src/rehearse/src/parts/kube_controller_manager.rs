//! kube-controller-manager: makes Deployments into Pods, and namespaces go away.

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
    /// Starts the controllers; they are ready when they have given the first namespace its service account.
    pub(crate) fn start_controller_manager(
        &self,
        launch: &Launch<'_>,
        pki: &Pki,
        api: &str,
        admin: &Path,
    ) -> Result<(), StartError> {
        let folder = launch.folder("kube-controller-manager")?;
        let kubeconfig = folder.join("kubeconfig");
        kubeconfig::write(&kubeconfig, "controllers", api, pki, &pki.controller_manager)?;
        on_free_ports(|[port]| {
            let mut command = Command::new(&self.controller_manager);
            for name in ["kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"] {
                command.arg(flag(name, &kubeconfig));
            }
            command.args(["--bind-address=127.0.0.1", &format!("--secure-port={port}")]);
            command.arg(flag("cert-dir", &folder)).arg("--leader-elect=false");
            command.arg(flag("service-account-private-key-file", &pki.token_key));
            command.arg(flag("root-ca-file", &pki.authority.certificate));
            command.arg(flag("cluster-signing-cert-file", &pki.authority.certificate));
            command.arg(flag("cluster-signing-key-file", &pki.authority.key));
            command.args(["--use-service-account-credentials=true", "--profiling=false"]);
            command.args(["--kube-api-qps=200", "--kube-api-burst=400"]);
            let running = launch.start("kube-controller-manager", Turn::Controllers, command)?;
            running.ready(READY_LIMIT, || {
                let question =
                    ["get", "serviceaccount", "default", "--namespace=default", "--output=name"];
                says_yes(self.kubectl(admin).args(question)).map(drop)
            })
        })
    }
}
