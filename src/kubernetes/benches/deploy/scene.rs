//! A cluster, a user of it for each program, and what they deploy.

use formwork_measure::{self as measure, Cost};
use formwork_rehearse::{BEHAVIOUR, LocalCloud, Options};
use serde_json::{Value as Json, json};
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// The API server's count of requests that a schema let through
/// (<https://kubernetes.io/docs/concepts/cluster-administration/flow-control/#metrics>).
const COUNT: &str = "apiserver_flowcontrol_dispatched_requests_total";

pub struct Scene {
    cloud: LocalCloud,
    folder: TempDir,
    helm: String,
    pub users: Users,
}

/// The kubeconfigs of three users, so that the API server counts the requests of each.
pub struct Users {
    pub ours: PathBuf,
    pub helm: PathBuf,
    pub kubectl: PathBuf,
}

impl Scene {
    pub fn start(helm: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options::new(folder.path().join("cloud")).only("staging");
        let cloud = LocalCloud::start_blocking(&options).unwrap();
        let config = fs::read_to_string(&cloud.sites()[0].kubeconfig).unwrap();
        let user = |name: &str| {
            let mut config: Json = serde_json::from_str(&config).unwrap();
            config["users"][0]["user"]["as"] = json!(name);
            let path = folder.path().join(name);
            fs::write(&path, config.to_string()).unwrap();
            path
        };
        let users = Users { ours: user("ours"), helm: user("helm"), kubectl: user("kubectl") };
        let file = folder.path().join("users.yaml");
        fs::write(&file, documents(&["ours", "helm", "kubectl"].map(rights).concat())).unwrap();
        let scene = Self { cloud, folder, helm: helm.to_owned(), users };
        scene.ask(&["apply", "--server-side", "--filename", file.to_str().unwrap()]);
        scene
    }

    pub fn stop(self) {
        self.cloud.stop_blocking();
    }

    pub fn folder(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What kubectl answers the administrator.
    pub fn ask(&self, words: &[&str]) -> String {
        let kubeconfig = &self.cloud.sites()[0].kubeconfig;
        let command = self.command(self.kubectl_program(), kubeconfig, words);
        String::from_utf8(measure::output(&command.words())).unwrap()
    }

    /// What a deploy of ours takes, as a process of its own.
    pub fn ours(&self, end: &str, project: &Path, namespace: &str) -> Cost {
        let (program, kubeconfig) = (measure::program(), self.users.ours.to_str().unwrap());
        measure::run(&[&program, end, kubeconfig, project.to_str().unwrap(), namespace])
    }

    /// A command of helm's.
    pub fn helm(&self, namespace: &str, words: &[&str]) -> Command {
        let words = [&["--namespace", namespace], words].concat();
        self.command(&self.helm, &self.users.helm, &words)
    }

    /// A command of kubectl's, by the user who is measured.
    pub fn kubectl(&self, namespace: &str, words: &[&str]) -> Command {
        let words = [&["--namespace", namespace], words].concat();
        self.command(self.kubectl_program(), &self.users.kubectl, &words)
    }

    /// Requests of a user so far.
    pub fn requests(&self, user: &str) -> f64 {
        let line = format!("{COUNT}{{flow_schema=\"{user}\",");
        let metrics = self.ask(&["get", "--raw", "/metrics"]);
        let counts = metrics.lines().filter(|metric| metric.starts_with(&line));
        counts.map(|metric| metric.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    /// Deletes a namespace, and waits until it is gone.
    pub fn delete(&self, namespace: &str) {
        self.ask(&["delete", "namespace", namespace]);
    }

    fn kubectl_program(&self) -> &str {
        self.cloud.sites()[0].tools.kubectl.to_str().unwrap()
    }

    fn command(&self, program: &str, kubeconfig: &Path, words: &[&str]) -> Command {
        // Nothing of the settings and caches of whoever runs the benchmark.
        let folders = ["KUBECACHEDIR", "HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"];
        let settings = folders.map(|name| format!("{name}={}", self.folder(name).display()));
        let start = [program, "--kubeconfig", kubeconfig.to_str().unwrap()];
        let words = start.iter().chain(words).map(|word| (*word).to_owned());
        Command(std::iter::once("env".to_owned()).chain(settings).chain(words).collect())
    }
}

/// A program of others and its arguments.
pub struct Command(Vec<String>);

impl Command {
    pub fn cost(&self) -> Cost {
        measure::run(&self.words())
    }

    /// What it takes to fail with these words.
    pub fn cost_of_failing(&self, saying: &str) -> Cost {
        let script = r#""$@" 2>&1 | grep --fixed-strings -e "$0""#;
        measure::run(&[&["sh", "-c", script, saying], self.words().as_slice()].concat())
    }

    fn words(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }
}

/// A user who may do everything and whose requests are counted apart. They wait for nobody, as those of
/// administrators.
fn rights(user: &str) -> Vec<Json> {
    let subject = |group: &str| json!({"apiGroup": group, "kind": "User", "name": user});
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": user},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin",
        },
        "subjects": [subject("rbac.authorization.k8s.io")],
    });
    let schema = json!({
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": "FlowSchema",
        "metadata": {"name": user},
        "spec": {
            "matchingPrecedence": 2,
            "priorityLevelConfiguration": {"name": "exempt"},
            "rules": [{
                "subjects": [{"kind": "User", "user": {"name": user}}],
                "resourceRules": [{
                    "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"],
                    "clusterScope": true,
                }],
                "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            }],
        },
    });
    vec![binding, schema]
}

/// A set of objects, as an overlay and as a chart.
pub struct Shop {
    objects: Vec<Json>,
    /// A setting, kept in the ConfigMap `config`.
    value: Option<&'static str>,
}

impl Shop {
    pub fn of(objects: impl IntoIterator<Item = Json>) -> Self {
        Self { objects: objects.into_iter().collect(), value: None }
    }

    /// A server that runs a script of yarn's, with a setting of the same name.
    pub fn server(script: &'static str) -> Self {
        let mut server = proved(deployment("server", "plain"));
        let container = &mut server["spec"]["template"]["spec"]["containers"][0];
        container["command"] = json!(["yarn", script]);
        container["envFrom"] = json!([{"configMapRef": {"name": "config"}}]);
        Self { objects: vec![server], value: Some(script) }
    }

    /// As many servers, which come up.
    pub fn servers(count: usize) -> Self {
        let names = (0..count).map(|number| format!("server-{number}"));
        Self::of(names.map(|name| proved(deployment(&name, "plain"))))
    }

    /// Writes it into a folder: `overlay` is ours, all of it is a chart of helm's.
    pub fn written_in(&self, folder: PathBuf) -> PathBuf {
        for part in ["overlay", "templates"] {
            fs::create_dir_all(folder.join(part)).unwrap();
        }
        let write = |name: &str, text: String| fs::write(folder.join(name), text).unwrap();
        let mut overlay = json!({"resources": ["objects.yaml"]});
        let mut objects = self.objects.clone();
        write("overlay/objects.yaml", documents(&objects));
        if let Some(value) = self.value {
            overlay["configMapGenerator"] =
                json!([{"name": "config", "literals": [format!("SCRIPT={value}")]}]);
            objects.push(json!({
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config"},
                "data": {"SCRIPT": value},
            }));
        }
        write("overlay/kustomization.yaml", overlay.to_string());
        write(
            "Chart.yaml",
            json!({"apiVersion": "v2", "name": "shop", "version": "1.0.0"}).to_string(),
        );
        write("templates/objects.yaml", documents(&objects));
        folder
    }
}

/// A Deployment whose pods behave.
pub fn deployment(name: &str, behaviour: &str) -> Json {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
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

/// With a readiness probe, as servers have: nobody has to see first whether it stays up.
fn proved(mut deployment: Json) -> Json {
    deployment["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] =
        json!({"httpGet": {"path": "/", "port": 80}});
    deployment
}

/// JSON is YAML.
fn documents(objects: &[Json]) -> String {
    objects.iter().map(Json::to_string).collect::<Vec<_>>().join("\n---\n")
}
