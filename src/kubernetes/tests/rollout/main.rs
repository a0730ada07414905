//! Rollouts in a real control plane; kwok's Stages imitate what goes wrong in containers.
#![allow(clippy::unwrap_used, reason = "a test that can't go on says so by panicking")]

mod expired;
mod relay;
mod scene;

use formwork_engine::FailureKind;
use formwork_kubernetes::rollout::{Evidence, ReasonKind, Tolerance, Verdict, follow};
use formwork_rehearse::{LocalCloud, Options, Progress};
use relay::Relay;
use scene::{Cluster, Scene, deployment, job, workload};
use serde_json::{Value as Json, json};
use std::{collections::BTreeSet, process::Command, time::Duration};

/// Containers here have no readiness probes, and needn't be watched for long.
const STEADY: Duration = Duration::from_secs(1);

/// A local cloud with one cluster, in a folder.
async fn cloud(folder: &tempfile::TempDir) -> LocalCloud {
    let mut options = Options::new(folder.path().join("cloud")).only("staging");
    options.progress = Progress::lines();
    LocalCloud::start(options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn rollouts_are_judged_in_a_real_cluster() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = cloud(&folder).await;
    let cluster = &Cluster::of(cloud.site("staging").unwrap()).await;

    // Side by side: each has its own namespace.
    futures::join!(
        what_comes_up_is_healthy(cluster),
        what_is_hopeless_has_its_reason(cluster),
        what_may_heal_is_waited_for(cluster),
        evidence_is_gathered(cluster),
        a_command_that_is_none_crashes(cluster),
        a_job_ends(cluster),
        other_kinds_roll(cluster),
        a_stateful_set_is_put_back(cluster),
        a_quota_refuses(cluster),
        what_others_do_meanwhile(cluster),
        old_pods_count_for_nothing(cluster),
        credentials_are_seen_to(cluster),
        an_api_server_that_is_away_is_waited_for(cluster),
        who_may_not_look_is_told_so(cluster),
    );
    many_at_once(cluster).await;
    a_controller_that_is_down_is_waited_for(cluster, &folder).await;
    cloud.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: ./dev test --all"]
async fn what_takes_minutes_is_judged_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = cloud(&folder).await;
    let cluster = &Cluster::of(cloud.site("staging").unwrap()).await;
    let late = async {
        let scene = Scene::new(cluster, "late").await;
        let targets = scene.apply(&[deployment("server", "crash-late", 2)]).await;
        let baked = Tolerance { bake: Duration::from_secs(300), ..tolerance() };
        let reasons = scene.follow(&targets, &baked).await.reasons();
        assert_eq!(reasons[0].kind, ReasonKind::CrashLoop, "{reasons:?}");
    };
    let slow = async {
        let scene = Scene::new(cluster, "slow").await;
        let mut server = deployment("server", "very-slow", 2);
        let probe = json!({"httpGet": {"path": "/", "port": 80}});
        server["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] = probe;
        let targets = scene.apply(&[server]).await;
        assert_eq!(scene.follow(&targets, &Tolerance::default()).await.verdict, healthy());
    };
    futures::join!(late, slow);
    cloud.stop().await;
}

fn tolerance() -> Tolerance {
    Tolerance { patience: Duration::from_secs(60), steady: STEADY, ..Tolerance::default() }
}

fn impatient() -> Tolerance {
    Tolerance { patience: Duration::from_secs(10), ..tolerance() }
}

fn healthy() -> Verdict {
    Verdict::Healthy { notes: vec![] }
}

async fn what_comes_up_is_healthy(cluster: &Cluster) {
    let check = async |behaviour: &str| {
        let scene = Scene::new(cluster, &format!("up-{behaviour}")).await;
        let targets = scene.apply(&[deployment("server", behaviour, 2)]).await;
        let told = scene.follow(&targets, &tolerance()).await;
        assert_eq!(told.verdict, healthy(), "{behaviour}");
        let last = told.last("Deployment/server");
        assert_eq!((last.desired, last.updated, last.ready), (2, 2, 2), "{last:?}");
    };
    futures::join!(check("plain"), check("slow"), check("crash-once"));
}

async fn what_is_hopeless_has_its_reason(cluster: &Cluster) {
    let check = async |behaviour: &str, kind: ReasonKind, said: &str| {
        let scene = Scene::new(cluster, &format!("bad-{behaviour}")).await;
        let healthy = deployment("client", "plain", 1);
        let targets = scene.apply(&[healthy, deployment("server", behaviour, 1)]).await;
        let tolerance = Tolerance { steady: Duration::from_secs(30), ..tolerance() };
        let told = scene.follow(&targets, &tolerance).await;
        let reasons = told.reasons();
        assert_eq!(reasons.len(), 1, "{reasons:?}");
        assert_eq!((reasons[0].kind, reasons[0].object.as_str()), (kind, "Deployment/server"));
        assert!(reasons[0].pod.as_ref().unwrap().starts_with("server-"));
        assert!(reasons[0].message.contains(said), "{reasons:?}");
    };
    use ReasonKind::{Config, CrashLoop, ImagePull, Mount, OutOfMemory, Start};
    futures::join!(
        check("crash-loop", CrashLoop, "exit code 127"),
        check("crash-when-up", CrashLoop, "exit code 1"),
        check("init-crash", CrashLoop, "exit code 1"),
        check("out-of-memory", OutOfMemory, "137"),
        check("image-pull", ImagePull, "not found"),
        check("missing-config", Config, "settings"),
        check("no-program", Start, "executable file not found"),
        check("no-mount", Mount, "keys"),
    );
}

async fn what_may_heal_is_waited_for(cluster: &Cluster) {
    let unschedulable = async {
        let scene = Scene::new(cluster, "unschedulable").await;
        let mut server = deployment("server", "plain", 1);
        server["spec"]["template"]["spec"]["nodeSelector"] = json!({"disk": "none"});
        let targets = scene.apply(&[server]).await;
        let reasons = scene.follow(&targets, &impatient()).await.reasons();
        assert_eq!(reasons[0].kind, ReasonKind::Unschedulable);
        assert!(reasons[0].message.contains("0/3 nodes"), "{reasons:?}");
    };
    let unready = async {
        let scene = Scene::new(cluster, "unready").await;
        let mut server = deployment("server", "unready", 1);
        let probe = json!({"httpGet": {"path": "/", "port": 80}});
        server["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] = probe.clone();
        server["spec"]["template"]["spec"]["containers"][0]["startupProbe"] = probe;
        let targets = scene.apply(&[server]).await;
        let reasons = scene.follow(&targets, &impatient()).await.reasons();
        assert_eq!(reasons[0].kind, ReasonKind::Probe);
        assert!(reasons[0].message.contains("statuscode: 503"), "{reasons:?}");
    };
    let deadline = async {
        let scene = Scene::new(cluster, "deadline").await;
        let good = deployment("server", "plain", 1);
        let targets = scene.apply(std::slice::from_ref(&good)).await;
        assert_eq!(scene.follow(&targets, &tolerance()).await.verdict, healthy());
        let mut server = deployment("server", "unready", 1);
        server["spec"]["progressDeadlineSeconds"] = json!(10);
        let targets = scene.apply(&[server]).await;
        let reasons = scene.follow(&targets, &tolerance()).await.reasons();
        // What stood in the way, and that it took too long.
        let kinds: Vec<_> = reasons.iter().map(|reason| reason.kind).collect();
        assert_eq!(kinds, [ReasonKind::Probe, ReasonKind::Deadline]);
        // Put back, its status still says for a moment that it took too long.
        let targets = scene.apply(&[good]).await;
        assert_eq!(scene.follow(&targets, &tolerance()).await.verdict, healthy());
    };
    futures::join!(unschedulable, unready, deadline);
}

async fn evidence_is_gathered(cluster: &Cluster) {
    let scene = Scene::new(cluster, "evidence").await;
    let targets = scene.apply(&[deployment("server", "crash-loop", 1)]).await;
    let reasons = scene.follow(&targets, &tolerance()).await.reasons();
    let evidence: Evidence = scene.evidence(&reasons).await;
    let text = evidence.to_string();
    let exhibit = &evidence.exhibits[0];
    assert_eq!(exhibit.missing, Vec::<String>::new(), "{text}");
    let log = |previous| exhibit.logs.iter().find(|log| log.previous == previous);
    assert!(log(true).unwrap().text.contains("the first try"), "{text}");
    let events = exhibit.events.join("\n");
    assert!(events.contains("Scheduled") && events.contains("ScalingReplicaSet"), "{text}");
    let conditions = exhibit.conditions.join("\n");
    assert!(conditions.contains("Ready is False"), "{text}");
    assert!(conditions.contains("Deployment server: Progressing"), "{text}");
    assert!(text.contains("crash loop: ended with exit code 127"), "{text}");
    let json = serde_json::to_value(&evidence).unwrap();
    assert_eq!(json["exhibits"][0]["reason"]["kind"], "crash_loop");
}

/// The team's own: `yarn start` becomes `yarn foo`.
async fn a_command_that_is_none_crashes(cluster: &Cluster) {
    let scene = Scene::new(cluster, "command").await;
    let server = |script: &str| {
        let mut server = deployment("server", "plain", 2);
        server["spec"]["template"]["spec"]["containers"][0]["command"] = json!(["yarn", script]);
        server
    };
    let targets = scene.apply(&[server("start")]).await;
    assert_eq!(scene.follow(&targets, &tolerance()).await.verdict, healthy());
    let targets = scene.apply(&[server("foo")]).await;
    let reasons = scene.follow(&targets, &tolerance()).await.reasons();
    assert_eq!(reasons[0].kind, ReasonKind::CrashLoop);
    let text = scene.evidence(&reasons).await.to_string();
    assert!(text.contains(r#"error Command "foo" not found."#), "{text}");
}

async fn a_job_ends(cluster: &Cluster) {
    let check =
        async |name: &str, behaviour: &str, spec: Json, expected: Result<&str, ReasonKind>| {
            let scene = Scene::new(cluster, &format!("job-{name}")).await;
            let mut migrate = job("migrate", behaviour);
            migrate["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
            let targets = scene.apply(&[migrate]).await;
            let told = scene.follow(&targets, &tolerance()).await;
            match expected {
                Ok("") => assert_eq!(told.verdict, healthy()),
                Ok(note) => {
                    let Verdict::Healthy { notes } = &told.verdict else { panic!("{told:?}") };
                    assert!(notes[0].contains(note), "{notes:?}");
                }
                Err(kind) => assert_eq!(told.reasons()[0].kind, kind),
            }
        };
    futures::join!(
        check("good", "succeeds", json!({}), Ok("")),
        check("bad", "fails", json!({"backoffLimit": 0}), Err(ReasonKind::JobFailed)),
        check("unpulled", "image-pull", json!({}), Err(ReasonKind::ImagePull)),
        check("suspended", "succeeds", json!({"suspend": true}), Ok("suspended")),
    );
}

async fn other_kinds_roll(cluster: &Cluster) {
    let check = async |kind: &str, behaviour: &str, expected: Option<ReasonKind>| {
        let lower = kind.to_lowercase();
        let scene = Scene::new(cluster, &format!("{lower}-{behaviour}")).await;
        let mut first = workload("apps/v1", kind, "server", "plain");
        if kind == "StatefulSet" {
            first["spec"]["serviceName"] = json!("server");
            first["spec"]["replicas"] = json!(2);
        }
        let targets = scene.apply(&[first.clone()]).await;
        assert_eq!(scene.follow(&targets, &tolerance()).await.verdict, healthy(), "{kind}");
        // And a second revision of it.
        let mut second = first;
        second["spec"]["template"]["metadata"]["labels"][formwork_rehearse::BEHAVIOUR] =
            json!(behaviour);
        let targets = scene.apply(&[second]).await;
        let told = scene.follow(&targets, &tolerance()).await;
        match expected {
            None => assert_eq!(told.verdict, healthy(), "{kind}"),
            Some(reason) => assert_eq!(told.reasons()[0].kind, reason, "{kind}"),
        }
    };
    futures::join!(
        check("StatefulSet", "slow", None),
        check("StatefulSet", "image-pull", Some(ReasonKind::ImagePull)),
        check("DaemonSet", "slow", None),
        check("DaemonSet", "crash-loop", Some(ReasonKind::CrashLoop)),
        async {
            let scene = Scene::new(cluster, "pod").await;
            let pod = json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "once", "labels": {formwork_rehearse::BEHAVIOUR: "fails"}},
                "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "once:1"}]},
            });
            let targets = scene.apply(&[pod]).await;
            let reasons = scene.follow(&targets, &tolerance()).await.reasons();
            assert_eq!(reasons[0].kind, ReasonKind::PodFailed);
        },
    );
}

/// kubernetes/kubernetes#67250: the controller waits for the broken pod, and wouldn't replace it.
async fn a_stateful_set_is_put_back(cluster: &Cluster) {
    let scene = Scene::new(cluster, "put-back").await;
    let set = |behaviour: &str| {
        let mut set = workload("apps/v1", "StatefulSet", "store", behaviour);
        set["spec"]["serviceName"] = json!("store");
        set["spec"]["replicas"] = json!(2);
        set
    };
    let follow = async |behaviour: &str| {
        let targets = scene.apply(&[set(behaviour)]).await;
        scene.follow(&targets, &tolerance()).await
    };
    assert_eq!(follow("healthy").await.verdict, healthy());
    assert_eq!(follow("crash-loop").await.reasons()[0].kind, ReasonKind::CrashLoop);
    let back = follow("healthy").await;
    assert_eq!(back.verdict, healthy());
    let expected = "pod store-1: it is broken, of an earlier revision, and holds the rollout up: it is made anew";
    assert_eq!(back.messages, [expected]);
}

async fn a_quota_refuses(cluster: &Cluster) {
    let scene = Scene::new(cluster, "quota").await;
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"},
        "spec": {"hard": {"pods": "0"}},
    });
    scene.apply(&[quota]).await;
    let mut set = workload("apps/v1", "StatefulSet", "db", "plain");
    set["spec"]["serviceName"] = json!("db");
    for object in [deployment("server", "plain", 1), set, job("migrate", "succeeds")] {
        let targets = scene.apply(&[object]).await;
        let told = scene.follow(&targets, &impatient()).await;
        let reasons = told.reasons();
        assert_eq!(reasons[0].kind, ReasonKind::Refused, "{reasons:?}");
        assert!(reasons[0].message.contains("exceeded quota: none"), "{reasons:?}");
        let text = scene.evidence(&reasons).await.to_string();
        assert!(text.contains("FailedCreate"), "{text}");
    }
}

async fn what_others_do_meanwhile(cluster: &Cluster) {
    // Each does its own once pods of the slow rollout are there.
    let check = async |name: &str, behaviour: &str, arguments: &[&str], expected: &str| {
        let scene = Scene::new(cluster, &format!("meanwhile-{name}")).await;
        let targets = scene.apply(&[deployment("server", behaviour, 2)]).await;
        let tolerance = tolerance();
        let meanwhile = async {
            scene.until_pods(2).await;
            scene.kubectl(arguments).await;
        };
        let (told, ()) = futures::join!(scene.follow(&targets, &tolerance), meanwhile);
        match &told.verdict {
            Verdict::Healthy { .. } => assert_eq!("healthy", expected, "{name}"),
            Verdict::Superseded { by } => assert!(by[0].message.contains(expected), "{by:?}"),
            Verdict::Bad { reasons } => panic!("{name}: {reasons:?}"),
        }
    };
    // Never up by itself: there is time for everything.
    let never = "unready";
    let delete_pods = ["delete", "pods", "--all", "--wait=false"];
    let scale = ["scale", "deploy/server", "--replicas=3"];
    let pause = ["rollout", "pause", "deploy/server"];
    let image = ["set", "image", "deploy/server", "main=theirs:1"];
    let delete = ["delete", "deploy/server", "--wait=false"];
    futures::join!(
        check("deletes-pods", "slow", &delete_pods, "healthy"),
        check("scales", "slow", &scale, "healthy"),
        check("pauses", never, &pause, "paused"),
        check("changes", never, &image, "template was changed"),
        check("deletes", never, &delete, "deleted"),
    );
}

async fn old_pods_count_for_nothing(cluster: &Cluster) {
    let scene = Scene::new(cluster, "old-pods").await;
    let broken = scene.apply(&[deployment("server", "crash-loop", 2)]).await;
    assert_eq!(scene.follow(&broken, &tolerance()).await.reasons()[0].kind, ReasonKind::CrashLoop);
    let mended = scene.apply(&[deployment("server", "slow", 2)]).await;
    assert_eq!(scene.follow(&mended, &tolerance()).await.verdict, healthy());
}

/// A MutatingAdmissionPolicy stands for the webhook of EKS Pod Identity.
async fn credentials_are_seen_to(cluster: &Cluster) {
    let wants = Tolerance { credentials: BTreeSet::from(["reader".to_owned()]), ..tolerance() };
    let server = |account: &str| {
        let mut server = deployment("server", "slow", 1);
        server["spec"]["template"]["spec"]["serviceAccountName"] = json!(account);
        server
    };
    let account =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader"}});

    let never = async {
        let scene = Scene::new(cluster, "credentials-never").await;
        let targets = scene.apply(&[account.clone(), server("reader")]).await;
        let told = scene.follow(&targets, &wants).await;
        assert_eq!(told.reasons()[0].kind, ReasonKind::Credentials);
        assert_eq!(told.messages.len(), 1, "{:?}", told.messages);
    };
    let late = async {
        // A pod is there from before the association.
        let scene = Scene::new(cluster, "credentials-late").await;
        let targets = scene.apply(&[account.clone(), server("reader")]).await;
        scene.until_pods(1).await;
        scene.apply(&scene::webhook(&scene.namespace)).await;
        scene.until_credentials_come().await;
        let told = scene.follow(&targets, &wants).await;
        assert_eq!(told.verdict, healthy());
        assert_eq!(told.messages.len(), 1, "{:?}", told.messages);
    };
    let others = async {
        let scene = Scene::new(cluster, "credentials-others").await;
        let targets = scene.apply(&[server("default")]).await;
        assert_eq!(scene.follow(&targets, &wants).await.verdict, healthy());
    };
    futures::join!(never, late, others);
}

/// Its connections break and new ones are refused, as when it restarts.
async fn an_api_server_that_is_away_is_waited_for(cluster: &Cluster) {
    let scene = Scene::new(cluster, "away").await;
    let relay = Relay::start(&cluster.site.kubernetes_endpoint).await;
    let behind = &cluster.through(&relay).await;
    let watched = Scene::there(behind, &scene.namespace);
    let targets = scene.apply(&[deployment("server", "slow", 2)]).await;
    let (tolerance, meanwhile) = (tolerance(), async {
        watched.seen.notified().await;
        relay.cut();
        // Up while nobody could see it.
        scene.kubectl(&["rollout", "status", "deploy/server"]).await;
        relay.mend();
    });
    let (told, ()) = futures::join!(watched.follow(&targets, &tolerance), meanwhile);
    assert_eq!(told.verdict, healthy());
    assert!(told.messages.iter().any(|text| text.contains("trying again")), "{told:?}");
    assert_eq!(told.messages.last().unwrap(), "the cluster answers again");
}

/// The controller manager stands still: a change isn't seen, and nobody is to blame for a while.
async fn a_controller_that_is_down_is_waited_for(cluster: &Cluster, folder: &tempfile::TempDir) {
    let ours = format!("kube-controller-manager.*{}", folder.path().display());
    let signal = |name: &str| {
        let sent = Command::new("pkill").args([&format!("-{name}"), "-f", &ours]).status().unwrap();
        assert!(sent.success(), "there is no {ours}");
    };
    let scene = Scene::new(cluster, "down").await;
    let follow = async |tolerance: &Tolerance| {
        let targets = scene.apply(&[deployment("server", "plain", 1)]).await;
        scene.follow(&targets, tolerance).await
    };
    signal("STOP");
    let reasons = follow(&impatient()).await.reasons();
    assert_eq!(reasons[0].kind, ReasonKind::Controller, "{reasons:?}");
    let (tolerance, goes_on) = (tolerance(), async {
        scene.seen.notified().await;
        signal("CONT");
    });
    let (told, ()) = futures::join!(follow(&tolerance), goes_on);
    assert_eq!(told.verdict, healthy());
}

async fn who_may_not_look_is_told_so(cluster: &Cluster) {
    let scene = Scene::new(cluster, "denied").await;
    scene.kubectl(&["create", "serviceaccount", "nobody"]).await;
    let token = scene.kubectl(&["create", "token", "nobody"]).await;
    let connection = cluster.logged_in_by(&token).await;
    let targets = scene.apply(&[deployment("server", "plain", 1)]).await;
    let tolerance = tolerance();
    let followed = follow(&connection, &scene.namespace, &targets, &tolerance, &|_| ()).await;
    let failure = followed.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Denied);
    assert!(failure.message.contains("in namespace denied"), "{failure}");
    assert!(failure.hint.unwrap().contains("Role"));
}

async fn many_at_once(cluster: &Cluster) {
    const MANY: usize = 300;
    let scene = Scene::new(cluster, "many").await;
    let all: Vec<Json> =
        (0..MANY).map(|number| deployment(&format!("server-{number}"), "plain", 1)).collect();
    let targets = scene.apply(&all).await;
    assert_eq!(targets.len(), MANY);
    assert_eq!(scene.follow(&targets, &tolerance()).await.verdict, healthy());
    // One of them goes bad.
    let targets = scene.apply(&[deployment("server-150", "image-pull", 1)]).await;
    let reasons = scene.follow(&targets, &tolerance()).await.reasons();
    assert_eq!(
        (reasons[0].object.as_str(), reasons[0].kind),
        ("Deployment/server-150", ReasonKind::ImagePull)
    );
}
