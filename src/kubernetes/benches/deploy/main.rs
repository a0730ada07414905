//! Deploys beside `helm upgrade --wait` and `kubectl rollout status`, on the control plane of the local cloud, in one run.
//!
//! `./dev bench deploy` builds and runs it. Of each figure that somebody may want to hold us to there is a line
//! `seconds NAME: X` or `ratio NAME: X`. Pods behave as kwok's Stages say.

#![allow(clippy::unwrap_used, reason = "a benchmark that can't go on says so by panicking")]

mod ours;
mod scene;
mod verdicts;

use formwork_engine::apply::Quiet;
use formwork_measure::{self as measure, Cost, median};
use ours::End;
use scene::{Scene, Shop};
use std::path::Path;

/// Deployments that are deployed at once.
const MANY: usize = 300;
/// Runs of which the median counts; helm's takes minutes, and is one.
const SOME: usize = 3;
/// How long helm and kubectl wait: longer than a server may take to start. Without it, helm waits for five
/// minutes, and kubectl for the ten of the progress deadline.
const TIMEOUT: &str = "--timeout=60s";
/// How long helm may take for many.
const LONG: &str = "--timeout=30m";

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        [measure::WORD, ref command @ ..] => measure::child(command),
        ["--helm", helm] => compare(helm),
        // The program that this one measures, as itself.
        [end, kubeconfig, project, namespace] => {
            deploy(End::of(end), Path::new(kubeconfig), Path::new(project), namespace);
        }
        _ => eprintln!("usage: deploy --helm FILE (./dev bench deploy)"),
    }
}

#[tokio::main]
async fn deploy(end: End, kubeconfig: &Path, project: &Path, namespace: &str) {
    ours::deploy(end, kubeconfig, project, namespace, &Quiet).await;
}

fn compare(helm: &str) {
    println!("{}, load {}", measure::machine(), measure::load());
    let scene = Scene::start(helm);
    verdicts::measure(&scene);
    hopeless(&scene);
    many(&scene);
    scene.stop();
}

/// A server's command and setting become bad: until that is known, and until the set before is back and up.
fn hopeless(scene: &Scene) {
    let (good, bad) = (Shop::server("start"), Shop::server("foo"));
    let ours = |namespace: &str, end: &str| {
        let project = good.written_in(scene.folder(namespace));
        scene.ours("up", &project, namespace);
        bad.written_in(project.clone());
        scene.ours(end, &project, namespace)
    };
    let verdict = ours("verdict-ours", "hopeless");
    println!("ours, until the verdict: {verdict}");
    let restored = ours("restored-ours", "restored");
    is_restored(scene, "restored-ours");
    println!("ours, until the set before is back: {restored}");

    let chart = good.written_in(scene.folder("restored-helm"));
    let upgrade = ["upgrade", "--install", "shop", chart.to_str().unwrap(), "--create-namespace"];
    let upgrade = [&upgrade[..], &["--wait", "--rollback-on-failure", TIMEOUT]].concat();
    let upgrade = scene.helm("restored-helm", &upgrade);
    upgrade.cost();
    bad.written_in(chart);
    let helm = upgrade.cost_of_failing("has been rolled back");
    is_restored(scene, "restored-helm");
    println!("helm --rollback-on-failure {TIMEOUT}, until the set before is back: {helm}");

    let folder = good.written_in(scene.folder("verdict-kubectl"));
    scene.ask(&["create", "namespace", "verdict-kubectl"]);
    let apply = scene.kubectl("verdict-kubectl", &apply(&manifests(&folder)));
    let status = ["rollout", "status", "deployment/server", TIMEOUT];
    let status = scene.kubectl("verdict-kubectl", &status);
    apply.cost();
    status.cost();
    bad.written_in(folder);
    let kubectl = both(apply.cost(), status.cost_of_failing("timed out"));
    println!("kubectl rollout status {TIMEOUT}, until it gives up: {kubectl}");

    println!("seconds deploy-verdict: {:.2}", verdict.time);
    println!("seconds deploy-restored: {:.2}", restored.time);
    println!("ratio deploy-restored-helm: {:.1}", helm.time / restored.time);
    println!("ratio deploy-verdict-kubectl: {:.1}", kubectl.time / verdict.time);
    for namespace in ["verdict-ours", "restored-ours", "restored-helm", "verdict-kubectl"] {
        scene.delete(namespace);
    }
}

fn manifests(folder: &Path) -> String {
    folder.join("templates/objects.yaml").display().to_string()
}

fn apply(manifests: &str) -> [&str; 4] {
    ["apply", "--server-side", "--filename", manifests]
}

/// The server is up with its command and its setting of before.
fn is_restored(scene: &Scene, namespace: &str) {
    let ask = |words: &[&str]| scene.ask(&[&["--namespace", namespace], words].concat());
    ask(&["rollout", "status", "deployment/server", TIMEOUT]);
    let container = "{.spec.template.spec.containers[0]";
    let path =
        format!("jsonpath={container}.command[1]}} {container}.envFrom[0].configMapRef.name}}");
    let server = ask(&["get", "deployment", "server", "--output", &path]);
    let (script, config) = server.split_once(' ').unwrap();
    let setting = ask(&["get", "configmap", config, "--output=jsonpath={.data.SCRIPT}"]);
    assert_eq!((script, setting.as_str()), ("start", "start"), "{namespace}");
}

/// Many Deployments from nothing to up: time, memory, and requests as the API server counts them.
fn many(scene: &Scene) {
    let shop = Shop::servers(MANY);
    let ours = rounds(scene, "ours", SOME, |namespace| {
        let project = shop.written_in(scene.folder(namespace));
        scene.ours("up", &project, namespace)
    });
    let kubectl = rounds(scene, "kubectl", SOME, |namespace| {
        let manifests = manifests(&shop.written_in(scene.folder(namespace)));
        scene.ask(&["create", "namespace", namespace]);
        // One process, which looks at one after the other.
        let status = ["rollout", "status", "--filename", &manifests];
        let applied = scene.kubectl(namespace, &apply(&manifests)).cost();
        both(applied, scene.kubectl(namespace, &status).cost())
    });
    let helm = |limits: &[&str]| {
        println!("helm with {limits:?}:");
        rounds(scene, "helm", 1, |namespace| {
            let chart = shop.written_in(scene.folder(namespace));
            let chart = chart.to_str().unwrap();
            let install = ["install", "shop", chart, "--create-namespace", "--wait", LONG];
            scene.helm(namespace, &[&install, limits].concat()).cost()
        })
    };
    let (free, helm) = (helm(&["--qps=1000", "--burst-limit=1000"]), helm(&[]));

    println!("seconds deploy-300: {:.2}", ours.cost.time);
    for (name, theirs) in [("kubectl", kubectl), ("helm-without-limits", free), ("helm", helm)] {
        println!("ratio deploy-300-time-{name}: {:.1}", theirs.cost.time / ours.cost.time);
        println!("ratio deploy-300-memory-{name}: {:.1}", theirs.cost.memory / ours.cost.memory);
        println!("ratio deploy-300-requests-{name}: {:.1}", theirs.requests / ours.requests);
    }
}

struct Measured {
    cost: Cost,
    requests: f64,
}

/// A user's deploy, each time into a new namespace.
fn rounds(scene: &Scene, user: &str, runs: usize, deploy: impl Fn(&str) -> Cost) -> Measured {
    let before = scene.requests(user);
    let run = |run| {
        let namespace = format!("many-{user}-{run}");
        let cost = deploy(&namespace);
        scene.delete(&namespace);
        cost
    };
    let cost = median((0..runs).map(run).collect());
    let requests = (scene.requests(user) - before) / runs as f64;
    println!("{user}, {MANY} Deployments, median of {runs}: {cost}, {requests:.0} requests");
    Measured { cost, requests }
}

/// One command after the other.
fn both(first: Cost, second: Cost) -> Cost {
    Cost {
        time: first.time + second.time,
        cpu: first.cpu + second.cpu,
        memory: first.memory.max(second.memory),
    }
}
