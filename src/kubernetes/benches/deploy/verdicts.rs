//! How long after the first sign of it each hopeless case has its verdict.

use super::{
    ours::{self, End},
    scene::{Scene, Shop, deployment},
};
use formwork_engine::apply::{Event, Reporter};
use futures::{FutureExt as _, StreamExt as _, future, stream};
use k8s_openapi::api::core::v1::{ContainerStatus, Event as Told, Pod};
use kube::{
    Api, Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
    runtime::{WatchStreamExt as _, watcher},
};
use serde_json::json;
use std::{
    path::Path,
    sync::Mutex,
    time::{Duration, Instant},
};

/// A container's behaviour for each case; one more is a quota.
const CASES: [&str; 8] = [
    "crash-loop",
    "crash-when-up",
    "image-pull",
    "init-crash",
    "missing-config",
    "no-mount",
    "no-program",
    "out-of-memory",
];
/// The longest that a sign may take to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Measures all cases, one after the other.
#[tokio::main]
pub async fn measure(scene: &Scene) {
    let mut worst = Duration::ZERO;
    for case in CASES {
        let shop = Shop::of([deployment("server", case)]);
        worst = worst.max(one(scene, case, &shop).await);
    }
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"},
        "spec": {"hard": {"pods": "0"}},
    });
    let shop = Shop::of([quota, deployment("server", "plain")]);
    worst = worst.max(one(scene, "quota", &shop).await);
    println!("seconds verdict-worst: {:.2}", worst.as_secs_f64());
}

async fn one(scene: &Scene, case: &str, shop: &Shop) -> Duration {
    let namespace = format!("verdict-{case}");
    let (kubeconfig, project) = (&scene.users.ours, shop.written_in(scene.folder(&namespace)));
    let verdict = Verdict::default();
    let deploying = ours::deploy(End::Hopeless, kubeconfig, &project, &namespace, &verdict);
    let signs = tokio::time::timeout(PATIENCE, first_sign(kubeconfig, &namespace));
    let (sign, ()) = future::join(signs, deploying).await;
    let told = verdict.0.into_inner().unwrap().unwrap();
    let took = told.saturating_duration_since(sign.unwrap());
    println!("seconds verdict-{case}: {:.2}", took.as_secs_f64());
    scene.delete(&namespace);
    took
}

/// When the verdict was told, with its evidence.
#[derive(Default)]
struct Verdict(Mutex<Option<Instant>>);

impl Reporter for Verdict {
    fn report(&self, event: Event) {
        if let Event::Evidence { .. } = event {
            self.0.lock().unwrap().get_or_insert_with(Instant::now);
        }
    }
}

/// When a watch of the namespace's pods and warnings tells of something bad.
async fn first_sign(kubeconfig: &Path, namespace: &str) -> Instant {
    let file = Kubeconfig::read_from(kubeconfig).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(file, &options).await.unwrap();
    let client = Client::try_from(config).unwrap();
    let pods = Api::<Pod>::namespaced(client.clone(), namespace);
    let pods = watcher(pods, watcher::Config::default()).applied_objects();
    let bad = pods.filter_map(async |pod| is_bad(&pod.ok()?).then_some(())).boxed();
    let told = Api::<Told>::namespaced(client, namespace);
    let told = watcher(told, watcher::Config::default().fields("type=Warning")).applied_objects();
    let told = told.filter_map(async |event| event.ok().map(drop)).boxed();
    stream::select(bad, told).into_future().map(|_| Instant::now()).await
}

fn is_bad(pod: &Pod) -> bool {
    let status = pod.status.clone().unwrap_or_default();
    let of = |statuses: Option<Vec<ContainerStatus>>| statuses.into_iter().flatten();
    let mut states = of(status.init_container_statuses)
        .chain(of(status.container_statuses))
        .filter_map(|container| container.state);
    states.any(|state| {
        let waits = state.waiting.and_then(|waiting| waiting.reason).unwrap_or_default();
        let ended = state.terminated.is_some_and(|end| end.exit_code != 0);
        ended || !matches!(waits.as_str(), "" | "ContainerCreating" | "PodInitializing")
    })
}
