//! kube-apiserver: stands for the API of an EKS cluster.

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

/// The addresses of services. Nothing routes them: kwok runs no containers.
const SERVICE_ADDRESSES: &str = "10.100.0.0/16";

impl Kubernetes {
    /// Starts the API, writes the administrator's kubeconfig and gives the API's address.
    pub(crate) fn start_apiserver(
        &self,
        launch: &Launch<'_>,
        pki: &Pki,
        etcd: &str,
        kubeconfig: &Path,
    ) -> Result<String, StartError> {
        on_free_ports(|[port]| {
            let mut command = Command::new(&self.apiserver);
            command.args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1"]);
            // The address of the API on loopback is no valid endpoint of the service `kubernetes`.
            command.args([&format!("--secure-port={port}"), "--endpoint-reconciler-type=none"]);
            command.args([&format!("--etcd-servers={etcd}"), "--authorization-mode=Node,RBAC"]);
            command.arg(format!("--service-cluster-ip-range={SERVICE_ADDRESSES}"));
            command.arg("--service-account-issuer=https://kubernetes.default.svc");
            command.arg(flag("service-account-key-file", &pki.token_public_key));
            command.arg(flag("service-account-signing-key-file", &pki.token_key));
            command.arg(flag("client-ca-file", &pki.authority.certificate));
            command.arg(flag("tls-cert-file", &pki.server.certificate));
            command.arg(flag("tls-private-key-file", &pki.server.key));
            command.arg(flag("kubelet-client-certificate", &pki.admin.certificate));
            command.arg(flag("kubelet-client-key", &pki.admin.key));
            command.arg("--kubelet-preferred-address-types=InternalIP");
            command.args(["--profiling=false", "--allow-privileged=true"]);
            let running = launch.start("kube-apiserver", Turn::Api, command)?;
            let url = format!("https://127.0.0.1:{port}");
            let name = launch.site.unwrap_or("local");
            kubeconfig::write(kubeconfig, name, &url, pki, &pki.admin)?;
            running.ready(READY_LIMIT, || {
                // A connection costs nothing; kubectl is asked only once there is one.
                std::net::TcpStream::connect(("127.0.0.1", port)).map_err(|e| e.to_string())?;
                says_yes(self.kubectl(kubeconfig).args(["get", "--raw", "/readyz"])).map(drop)
            })?;
            Ok(url)
        })
    }
}
