//! Signs in pods.

use super::*;

/// A Deployment on its way: one of two is there.
fn rolling() -> Scene {
    Scene::deployment(json!({"replicas": 3, "updatedReplicas": 1})).with_sets()
}

fn waiting(reason: &str, message: &str) -> Json {
    json!({"restartCount": 0, "state": {"waiting": {"reason": reason, "message": message}}})
}

fn crashed(restarts: i64, reason: &str, code: i64) -> Json {
    json!({
        "restartCount": restarts,
        "state": {"terminated": {"reason": reason, "exitCode": code, "finishedAt": "then"}},
    })
}

fn running(restarts: i64, ready: bool) -> Json {
    json!({
        "restartCount": restarts, "ready": ready, "started": true,
        "state": {"running": {"startedAt": "then"}},
        "lastState": {"terminated": {"reason": "Error", "exitCode": 1}},
    })
}

#[test]
fn what_is_hopeless_is_said_at_once() {
    for (status, expected) in [
        (waiting("CrashLoopBackOff", "back-off 10s"), "CrashLoop p"),
        (waiting("ImagePullBackOff", "not found"), "ImagePull p"),
        (waiting("InvalidImageName", ""), "ImagePull p"),
        (waiting("ErrImageNeverPull", ""), "ImagePull p"),
        (waiting("CreateContainerConfigError", "configmap \"c\" not found"), "Config p"),
        (
            waiting("RunContainerError", "exec: \"foo\": executable file not found in $PATH"),
            "Start p",
        ),
        (crashed(1, "Error", 1), "CrashLoop p"),
        (crashed(1, "Completed", 0), "CrashLoop p"),
        (crashed(1, "OOMKilled", 137), "OutOfMemory p"),
        (running(2, true), "CrashLoop p"),
    ] {
        rolling().with_main("p", status).says(expected);
    }
}

#[test]
fn what_may_heal_is_waited_for() {
    for (status, expected) in [
        (crashed(0, "Error", 1), "CrashLoop p"),
        (crashed(0, "OOMKilled", 137), "OutOfMemory p"),
        (running(1, false), "CrashLoop p"),
        (waiting("ErrImagePull", "timeout"), "ImagePull p"),
        (waiting("RunContainerError", "context deadline exceeded"), "Start p"),
        (
            waiting("CreateContainerConfigError", "failed to sync configmap cache: timed out"),
            "Config p",
        ),
    ] {
        rolling().with_main("p", status).says_after(PATIENCE, expected);
    }
}

#[test]
fn what_is_slow_but_alive_is_no_verdict() {
    rolling().waits();
    rolling().with_main("p", waiting("ContainerCreating", "")).waits();
    rolling().with_main("p", waiting("PodInitializing", "")).waits();
    rolling().with_main("p", running(0, true)).waits();
    // It crashed as often as it may, and is up.
    rolling().with_main("p", running(1, true)).waits();
    // Without a startup probe nobody can tell slow from sick.
    rolling()
        .with_main("p", running(0, false))
        .with_event("p", "Unhealthy", "Readiness probe failed: 503")
        .waits();
    let starting = json!({"restartCount": 0, "started": false, "state": {"running": {}}});
    rolling()
        .with_main("p", starting)
        .with_event("p", "Unhealthy", "Startup probe failed: refused")
        .waits();
}

#[test]
fn a_readiness_probe_after_the_startup_probe_has_patience() {
    let spec = json!({"containers": [{"name": "main", "startupProbe": {}, "readinessProbe": {}}]});
    let mut status = running(0, false);
    status["name"] = json!("main");
    let status = json!({"phase": "Running", "containerStatuses": [status]});
    rolling().with_pod("r2", "p", json!({}), spec, status).says_after(PATIENCE, "Probe p");
}

#[test]
fn a_liveness_probe_that_kills_is_named() {
    let scene = rolling().with_main("p", running(2, false)).with_event(
        "p",
        "Unhealthy",
        "Liveness probe failed: 500",
    );
    scene.says("Probe p");
}

#[test]
fn allowed_failures_are_the_authors() {
    let allowed = |count| move |tolerance: &mut Tolerance| tolerance.allowed_failures = count;
    rolling().tolerating(allowed(0)).with_main("p", crashed(0, "Error", 1)).says("CrashLoop p");
    let mut backing_off = waiting("CrashLoopBackOff", "");
    backing_off["restartCount"] = json!(3);
    let scene = rolling().with_main("p", backing_off);
    scene.says("CrashLoop p");
    scene.tolerating(allowed(5)).says_after(PATIENCE, "CrashLoop p");
}

#[test]
fn restarts_before_the_deploy_are_not_its_own() {
    // The deploy changed the number of replicas: its pods are last month's.
    let mut status = running(7, true);
    status["name"] = json!("main");
    let ready = json!([{"type": "Ready", "status": "True"}]);
    let status = json!({"phase": "Running", "conditions": ready, "containerStatuses": [status]});
    rolling().with_pod("r2", "p", json!({}), json!({}), status).waits();
}

#[test]
fn a_second_failed_pull_is_hopeless() {
    let scene = rolling();
    let targets = [scene.target()];
    let mut judge = Judge::new(&targets, &scene.tolerance);
    let mut look = |second, reason: &str| {
        let world = rolling().with_main("p", waiting(reason, "")).world();
        words(&judge.look(&world, Duration::from_secs(second), "now"))
    };
    assert_eq!(look(0, "ErrImagePull"), "-");
    assert_eq!(look(1, "ErrImagePull"), "-");
    assert_eq!(look(2, "ContainerCreating"), "-");
    assert_eq!(look(3, "ErrImagePull"), "ImagePull p");
}

#[test]
fn patience_begins_anew_when_a_sign_was_over() {
    let scene = rolling();
    let targets = [scene.target()];
    let mut judge = Judge::new(&targets, &scene.tolerance);
    let mut look = |second, status: Json| {
        let world = rolling().with_main("p", status).world();
        words(&judge.look(&world, Duration::from_secs(second), "now"))
    };
    assert_eq!(look(0, waiting("RunContainerError", "")), "-");
    assert_eq!(look(PATIENCE - 1, running(0, true)), "-");
    assert_eq!(look(PATIENCE, waiting("RunContainerError", "")), "-");
    assert_eq!(look(2 * PATIENCE, waiting("RunContainerError", "")), "Start p");
}

#[test]
fn old_pods_and_pods_that_go_count_for_nothing() {
    let broken = json!({
        "phase": "Running",
        "containerStatuses": [{"name": "main", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}],
    });
    rolling().with_pod("r1", "old", json!({}), json!({}), broken.clone()).waits();
    rolling().with_pod("stranger", "other", json!({}), json!({}), broken.clone()).waits();
    let mut scene = rolling().with_pod("r2", "p", json!({}), json!({}), broken);
    scene.says("CrashLoop p");
    let pod = scene.others.last_mut().unwrap();
    pod.1["metadata"]["deletionTimestamp"] = json!("now");
    scene.waits();
    // Evicted, or lost with its node: another one is made.
    let evicted = json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory"});
    rolling().with_pod("r2", "p", json!({}), json!({}), evicted).waits();
    let lost = json!({
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "False", "reason": "NodeNotReady"}],
        "containerStatuses": [{"name": "main", "ready": true, "state": {"running": {}}}],
    });
    rolling().with_pod("r2", "p", json!({}), json!({}), lost).waits();
}

#[test]
fn init_containers_and_sidecars_count() {
    let spec = |policy: Option<&str>| {
        let mut init = json!({"name": "init"});
        if let Some(policy) = policy {
            init["restartPolicy"] = json!(policy);
        }
        json!({"initContainers": [init]})
    };
    let status = |container: Json| {
        let mut container = container;
        container["name"] = json!("init");
        json!({"phase": "Pending", "initContainerStatuses": [container]})
    };
    let check = |policy, container, expected: &str| {
        let scene = rolling().with_pod("r2", "p", json!({}), spec(policy), status(container));
        assert_eq!(scene.said(&[0]), [expected]);
    };
    check(None, waiting("CrashLoopBackOff", ""), "CrashLoop p");
    check(None, waiting("ImagePullBackOff", ""), "ImagePull p");
    check(None, crashed(0, "Completed", 0), "-");
    check(None, crashed(1, "Error", 1), "CrashLoop p");
    check(Some("Always"), crashed(1, "Completed", 0), "CrashLoop p");
    let runs = rolling().with_pod("r2", "p", json!({}), spec(None), status(running(0, false)));
    runs.waits();
}

#[test]
fn a_pod_without_a_place_has_patience() {
    let status = |reason: &str| {
        json!({
            "phase": "Pending",
            "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": reason, "message": "0/3 nodes"},
            ],
        })
    };
    let scene = |reason| rolling().with_pod("r2", "p", json!({}), json!({}), status(reason));
    scene("Unschedulable").says_after(PATIENCE, "Unschedulable p");
    scene("SchedulingGated").waits();
}

#[test]
fn events_say_what_a_status_does_not() {
    let creating = || rolling().with_main("p", waiting("ContainerCreating", ""));
    let pending = |mut scene: Scene| {
        scene.others.iter_mut().filter(|(sort, _)| *sort == Sort::POD).for_each(|(_, pod)| {
            pod["status"]["phase"] = json!("Pending");
        });
        scene
    };
    let missing = "MountVolume.SetUp failed for volume \"v\" : secret \"s\" not found";
    pending(creating().with_event("p", "FailedMount", missing)).says_after(SETTLING, "Mount p");
    let slow = "Unable to attach or mount volumes: timed out waiting for the condition";
    pending(creating().with_event("p", "FailedMount", slow)).says_after(PATIENCE, "Mount p");
    let sandbox = "failed to assign an IP address to container";
    pending(creating().with_event("p", "FailedCreatePodSandBox", sandbox))
        .says_after(PATIENCE, "Node p");
    // What was so at first says nothing once it runs.
    rolling().with_main("p", running(0, true)).with_event("p", "FailedMount", missing).waits();
}

#[test]
fn a_pod_without_credentials_is_made_anew_once() {
    let wants = |tolerance: &mut Tolerance| {
        tolerance.credentials = BTreeSet::from(["reader".to_owned()]);
    };
    let pod = |uid: &str, env: Json| {
        let spec = json!({
            "serviceAccountName": "reader",
            "containers": [{"name": "main", "readinessProbe": {}, "env": env}],
        });
        let mut scene = rolling().with_pod("r2", uid, json!({}), spec, json!({"phase": "Pending"}));
        scene.workload["spec"]["replicas"] = json!(1);
        scene.tolerating(wants)
    };
    let given = json!([{"name": "AWS_CONTAINER_CREDENTIALS_FULL_URI", "value": "http://..."}]);
    let (lacking, given) = (pod("p1", json!([])), pod("p2", given));
    let targets = [lacking.target()];
    let at = Duration::from_secs;

    let mut judge = Judge::new(&targets, &lacking.tolerance);
    // The association may be on its way to the webhook.
    for (second, made_anew) in [(0, 0), (2, 0), (3, 1), (4, 0)] {
        let ruling = judge.look(&lacking.world(), at(second), "now");
        assert_eq!((words(&ruling).as_str(), ruling.recreate.len()), ("-", made_anew), "{second}");
    }
    let healed = judge.look(&given.world(), at(5), "now");
    assert_eq!((words(&healed).as_str(), healed.recreate.len()), ("-", 0));

    let mut judge = Judge::new(&targets, &lacking.tolerance);
    judge.look(&lacking.world(), at(0), "now");
    judge.look(&lacking.world(), at(3), "now");
    let second = judge.look(&pod("p3", json!([])).world(), at(4), "now");
    assert_eq!((words(&second).as_str(), second.recreate.len()), ("Credentials p3", 0));

    // Who isn't asked for credentials needs none.
    pod("p1", json!([])).tolerating(|t| t.credentials.clear()).waits();
}
