//! kwok: plays the nodes and their kubelets, without containers.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::json;

use super::{Kubernetes, Setup, golang::Module};
use crate::{
    launch::{Launch, READY_LIMIT, flag, says_yes},
    pki::Pki,
    ports::on_free_ports,
    process::Turn,
    setup_error::SetupError,
    start_error::StartError,
};

const MODULE: Module = Module {
    name: "kwok",
    describe: "building kwok (two minutes on two cores, once)",
    go_mod: include_str!("../../tools/kwok/go.mod"),
    go_sum: include_str!("../../tools/kwok/go.sum"),
    programs: &[("sigs.k8s.io/kwok/cmd/kwok", "kwok")],
    link: "",
};

/// The stages of the module that make nodes and Pods ready at once, and keep nodes alive.
const STAGES: [&str; 5] = [
    "node/fast/node-initialize.yaml",
    "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "pod/fast/pod-ready.yaml",
    "pod/fast/pod-complete.yaml",
    "pod/fast/pod-delete.yaml",
];
/// The file that they are gathered in.
const STAGES_FILE: &str = "stages.yaml";
/// How long a node's lease is good for.
const LEASE_SECONDS: &str = "--node-lease-duration-seconds=40";

/// kwok, made available.
#[derive(Clone, Debug)]
pub struct Kwok {
    pub program: PathBuf,
    /// The stages of every cloud.
    pub stages: PathBuf,
}

/// How a control plane's nodes should be.
pub(crate) struct Nodes<'a> {
    pub count: u16,
    pub region: &'a str,
    /// More stages: files of `Stage` documents, for crash loops and slow starts.
    pub stages: &'a [PathBuf],
}

impl Kwok {
    pub(crate) fn ensure(setup: &Setup<'_>) -> Result<Self, SetupError> {
        let step = setup.step("kwok");
        let folder = MODULE.ensure_with(setup, &step, |source, folder| {
            let stages = source.of_module("sigs.k8s.io/kwok")?.join("kustomize/stage");
            let mut all = String::new();
            for stage in STAGES {
                let path = stages.join(stage);
                let text = fs::read_to_string(&path).map_err(SetupError::io("read", &path))?;
                all.push_str("---\n");
                all.push_str(&text);
            }
            let path = folder.join(STAGES_FILE);
            fs::write(&path, all).map_err(SetupError::io("write", &path))
        })?;
        step.done();
        Ok(Self { program: folder.join("kwok"), stages: folder.join(STAGES_FILE) })
    }

    /// Starts kwok, makes the nodes and waits until all are ready.
    pub(crate) fn start(
        &self,
        launch: &Launch<'_>,
        pki: &Pki,
        kubernetes: &Kubernetes,
        admin: &Path,
        nodes: &Nodes<'_>,
    ) -> Result<(), StartError> {
        let folder = launch.folder("kwok")?;
        let running = on_free_ports(|[port]| {
            let mut command = Command::new(&self.program);
            command.arg(flag("kubeconfig", admin)).arg(flag("config", &self.stages));
            command.args(nodes.stages.iter().map(|stage| flag("config", stage)));
            command.args(["--manage-all-nodes=true", LEASE_SECONDS, "--node-ip=127.0.0.1"]);
            command.args([
                &format!("--node-port={port}"),
                &format!("--server-address=127.0.0.1:{port}"),
            ]);
            command.arg(flag("tls-cert-file", &pki.server.certificate));
            command.arg(flag("tls-private-key-file", &pki.server.key));
            command.current_dir(&folder);
            let running = launch.start("kwok", Turn::Controllers, command)?;
            running.ready(READY_LIMIT, || {
                std::net::TcpStream::connect(("127.0.0.1", port))
                    .map(drop)
                    .map_err(|e| e.to_string())
            })?;
            Ok(running)
        })?;
        let file = folder.join("nodes.json");
        fs::write(&file, manifest(nodes).to_string()).map_err(StartError::io("write", &file))?;
        let mut create = kubernetes.kubectl(admin);
        create.args(["create", "--filename"]).arg(&file).stdin(Stdio::null());
        launch.run("kwok", &mut create)?;
        running.ready(READY_LIMIT, || {
            let ready = r#"{range .items[*]}{.status.conditions[?(@.type=="Ready")].status} {end}"#;
            let question = ["get", "nodes", "--output", &format!("jsonpath={ready}")];
            let answer = says_yes(kubernetes.kubectl(admin).args(question))?;
            let count = answer.split_whitespace().filter(|status| *status == "True").count();
            if count == usize::from(nodes.count) {
                return Ok(());
            }
            Err(format!("{count} of {} nodes are ready", nodes.count))
        })
    }
}

/// The nodes, spread over three zones.
fn manifest(nodes: &Nodes<'_>) -> serde_json::Value {
    let items: Vec<_> = (0..nodes.count)
        .map(|number| {
            let zone = format!("{}{}", nodes.region, ["a", "b", "c"][usize::from(number % 3)]);
            let name = format!("node-{}", number + 1);
            json!({
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {
                    "name": name,
                    "labels": {
                        "kubernetes.io/arch": "amd64",
                        "kubernetes.io/hostname": name,
                        "kubernetes.io/os": "linux",
                        "topology.kubernetes.io/region": nodes.region,
                        "topology.kubernetes.io/zone": zone,
                    },
                },
            })
        })
        .collect();
    json!({"apiVersion": "v1", "kind": "List", "items": items})
}
