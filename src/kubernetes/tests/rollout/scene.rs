//! A namespace of its own for each case, what is applied to it, and what was told of it.

use super::relay::Relay;
use formwork_kubernetes::{
    Connection, KubeconfigFile,
    rollout::{
        Evidence, Progress, Reason, Target, Tolerance, Verdict, WorkloadProgress, evidence, follow,
    },
};
use formwork_rehearse::BEHAVIOUR;
use formwork_rehearse::Site;
use serde_json::{Value as Json, json};
use std::{process::Stdio, sync::Mutex, time::Duration};
use tokio::{io::AsyncWriteExt as _, process::Command, sync::Notify};

/// How long something in the cluster may take that a case begins with.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// kubectl processes at the same time; each takes half a core.
const KUBECTLS: usize = 4;

/// A cluster, and how it is reached.
pub struct Cluster {
    pub site: Site,
    connection: Connection,
    kubectls: tokio::sync::Semaphore,
}

impl Cluster {
    pub async fn of(site: &Site) -> Self {
        let path = site.kubeconfig.display().to_string();
        let file = KubeconfigFile { path, context: None };
        let connection = Connection::of_file(file).await.unwrap();
        Self { site: site.clone(), connection, kubectls: tokio::sync::Semaphore::new(KUBECTLS) }
    }

    /// A connection with a bearer token instead of the administrator's certificate.
    pub async fn logged_in_by(&self, token: &str) -> Connection {
        let scene = Scene::there(self, "default");
        let config = scene.kubectl(&["config", "view", "--raw", "-o", "json"]).await;
        let mut config: Json = serde_json::from_str(&config).unwrap();
        config["users"][0]["user"] = json!({"token": token});
        let path = self.site.kubeconfig.with_extension("token");
        std::fs::write(&path, config.to_string()).unwrap();
        let path = path.display().to_string();
        Connection::of_file(KubeconfigFile { path, context: None }).await.unwrap()
    }

    /// The same cluster, reached through a relay.
    pub async fn through(&self, relay: &Relay) -> Self {
        let config = std::fs::read_to_string(&self.site.kubeconfig).unwrap();
        let mut site = self.site.clone();
        site.kubeconfig.set_extension("relayed");
        let there = &self.site.kubernetes_endpoint;
        assert!(config.contains(there));
        std::fs::write(&site.kubeconfig, config.replace(there, &relay.endpoint)).unwrap();
        Self::of(&site).await
    }
}

pub struct Scene<'a> {
    pub cluster: &'a Cluster,
    pub namespace: String,
    /// Told when something is told of a rollout.
    pub seen: Notify,
}

impl<'a> Scene<'a> {
    pub async fn new(cluster: &'a Cluster, namespace: &str) -> Self {
        let scene = Self::there(cluster, namespace);
        scene.kubectl(&["create", "namespace", namespace]).await;
        scene
    }

    /// One whose namespace is there.
    pub fn there(cluster: &'a Cluster, namespace: &str) -> Self {
        Self { cluster, namespace: namespace.to_owned(), seen: Notify::new() }
    }

    /// Applies objects; those that a deploy waits for, as targets.
    pub async fn apply(&self, objects: &[Json]) -> Vec<Target> {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        let apply = ["apply", "--server-side", "--force-conflicts", "-f", "-", "-o", "json"];
        let answer = self.kubectl_with(&apply, &list.to_string()).await;
        let answer: Json = serde_json::from_str(&answer).unwrap();
        let applied = match answer["items"].as_array() {
            Some(items) => items.clone(),
            None => vec![answer],
        };
        applied.iter().filter_map(Target::of).collect()
    }

    pub async fn follow(&self, targets: &[Target], tolerance: &Tolerance) -> Told {
        let told = Mutex::new(vec![]);
        let tell = |progress| {
            told.lock().unwrap().push(progress);
            self.seen.notify_one();
        };
        let connection = &self.cluster.connection;
        let verdict = follow(connection, &self.namespace, targets, tolerance, &tell).await.unwrap();
        let mut all = Told { verdict, workloads: vec![], messages: vec![] };
        for progress in told.into_inner().unwrap() {
            match progress {
                Progress::Workload(workload) => all.workloads.push(workload),
                Progress::Message { text } => all.messages.push(text),
            }
        }
        all
    }

    pub async fn evidence(&self, reasons: &[Reason]) -> Evidence {
        evidence(&self.cluster.connection, &self.namespace, reasons).await
    }

    pub async fn kubectl(&self, arguments: &[&str]) -> String {
        self.kubectl_with(arguments, "").await
    }

    async fn kubectl_with(&self, arguments: &[&str], input: &str) -> String {
        let _turn = self.cluster.kubectls.acquire().await.unwrap();
        let site = &self.cluster.site;
        let mut command = Command::new(&site.tools.kubectl);
        command.arg("--kubeconfig").arg(&site.kubeconfig);
        command.args(["--namespace", &self.namespace]).args(arguments);
        command.env("KUBECACHEDIR", site.kubeconfig.with_extension("cache"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
        let output = child.wait_with_output().await.unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Waits until as many pods are there.
    pub async fn until_pods(&self, count: usize) {
        self.until(async || {
            let pods = self.kubectl(&["get", "pods", "--output=name"]).await;
            pods.lines().count() >= count
        })
        .await;
    }

    /// Waits until the policy that stands for the webhook is in force.
    pub async fn until_credentials_come(&self) {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe"},
            "spec": {"containers": [{"name": "main", "image": "probe:1"}]},
        });
        self.until(async || {
            let dry = ["create", "--dry-run=server", "-f", "-", "-o", "json"];
            self.kubectl_with(&dry, &pod.to_string()).await.contains("AWS_CONTAINER_CREDENTIALS")
        })
        .await;
    }

    async fn until(&self, there: impl AsyncFn() -> bool) {
        let wait = async {
            while !there().await {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap();
    }
}

/// What was told of a rollout.
#[derive(Debug)]
pub struct Told {
    pub verdict: Verdict,
    workloads: Vec<WorkloadProgress>,
    pub messages: Vec<String>,
}

impl Told {
    #[track_caller]
    pub fn reasons(&self) -> Vec<Reason> {
        match &self.verdict {
            Verdict::Bad { reasons } => reasons.clone(),
            _ => panic!("{self:#?}"),
        }
    }

    pub fn last(&self, object: &str) -> &WorkloadProgress {
        self.workloads.iter().rfind(|workload| workload.object == object).unwrap()
    }
}

/// A workload whose pods behave.
pub fn workload(api_version: &str, kind: &str, name: &str, behaviour: &str) -> Json {
    json!({
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name, BEHAVIOUR: behaviour}},
                "spec": {
                    "initContainers": [{"name": "init", "image": "init:1"}],
                    "containers": [{"name": "main", "image": "server:1"}],
                },
            },
        },
    })
}

pub fn deployment(name: &str, behaviour: &str, replicas: u32) -> Json {
    let mut deployment = workload("apps/v1", "Deployment", name, behaviour);
    deployment["spec"]["replicas"] = json!(replicas);
    deployment
}

pub fn job(name: &str, behaviour: &str) -> Json {
    let mut job = workload("batch/v1", "Job", name, behaviour);
    job["spec"].as_object_mut().unwrap().remove("selector");
    job["spec"]["template"]["spec"]["restartPolicy"] = json!("Never");
    job
}

/// What gives each pod of a namespace the variable that the webhook gives.
pub fn webhook(namespace: &str) -> [Json; 2] {
    let name = format!("pod-identity-{namespace}");
    let expression = r#"Object{spec: Object.spec{containers: object.spec.containers.map(c,
        Object.spec.containers{name: c.name, env: [
            Object.spec.containers.env{
                name: "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                value: "http://169.254.170.23/v1/credentials"
            }
        ]}
    )}}"#;
    [
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": {
                "failurePolicy": "Fail",
                "reinvocationPolicy": "Never",
                "matchConstraints": {"resourceRules": [{
                    "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
                    "resources": ["pods"],
                }]},
                "mutations": [{
                    "patchType": "ApplyConfiguration",
                    "applyConfiguration": {"expression": expression},
                }],
            },
        }),
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingAdmissionPolicyBinding",
            "metadata": {"name": name},
            "spec": {
                "policyName": name,
                "matchResources": {"namespaceSelector": {
                    "matchLabels": {"kubernetes.io/metadata.name": namespace},
                }},
            },
        }),
    ]
}
