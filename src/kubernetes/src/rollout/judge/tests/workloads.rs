//! Workloads by their own status.

use super::*;

fn complete() -> Json {
    json!({"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2})
}

fn set(scene: &mut Scene, pointer: &str, value: Json) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    scene.workload.pointer_mut(parent).unwrap()[key] = value;
}

#[test]
fn a_deployment_is_up_when_only_new_pods_are_available() {
    let check = |status: Json, expected: &str| {
        let scene = Scene::deployment(status).with_sets();
        let targets = [scene.target()];
        let mut judge = Judge::new(&targets, &scene.tolerance);
        let ruling = judge.look(&scene.world(), Duration::ZERO, "now");
        assert_eq!((words(&ruling).as_str(), reason(&ruling).as_str()), ("-", expected));
        assert!(judge.look(&scene.world(), Duration::ZERO, "now").progress.is_empty());
    };
    check(json!({"updatedReplicas": 1, "replicas": 2}), "1 of 2 updated");
    check(json!({"updatedReplicas": 2, "replicas": 3}), "1 old ones still run");
    check(json!({"updatedReplicas": 2, "replicas": 2, "availableReplicas": 1}), "1 of 2 available");
    Scene::deployment(complete()).with_sets().says("healthy");
}

#[test]
fn what_no_probe_proves_has_to_stay_up() {
    let mut scene = Scene::deployment(complete()).with_sets();
    set(&mut scene, "/spec/template/spec/containers", json!([{"name": "main"}]));
    set(&mut scene, "/metadata/annotations", json!({"deployment.kubernetes.io/revision": "2"}));
    let revision = json!({"deployment.kubernetes.io/revision": "2"});
    scene.others[1].1["metadata"]["annotations"] = revision;
    let steady = scene.tolerance.steady.as_secs();
    scene.says_after(steady, "healthy");
}

#[test]
fn a_release_is_baked_for_as_long_as_its_team_says() {
    let baked = |tolerance: &mut Tolerance| tolerance.bake = Duration::from_secs(50);
    Scene::deployment(complete()).with_sets().tolerating(baked).says_after(50, "healthy");
}

#[test]
fn no_replicas_are_soon_up() {
    let mut scene = Scene::deployment(json!({})).with_sets();
    set(&mut scene, "/spec/replicas", json!(0));
    scene.says("healthy");
    set(&mut scene, "/status/replicas", json!(1));
    scene.waits();
}

#[test]
fn a_paused_deployment_is_left_alone() {
    let mut scene = Scene::deployment(json!({"observedGeneration": 1}));
    set(&mut scene, "/spec/paused", json!(true));
    scene.says(
        "healthy: Deployment/server: it is paused: its pods aren't replaced until somebody resumes it",
    );
    set(&mut scene, "/metadata/generation", json!(3));
    scene.says("superseded: somebody paused it");
}

#[test]
fn silent_controllers_have_patience() {
    let unseen = Scene::deployment(json!({"observedGeneration": 1}));
    unseen.says_after(PATIENCE, "Controller");
    // Seen, but there is no ReplicaSet.
    Scene::deployment(json!({})).says_after(PATIENCE, "Controller");
    // Of the old one only.
    let mut old = Scene::deployment(json!({})).with_sets();
    old.others.truncate(1);
    old.says_after(PATIENCE, "Controller");
}

#[test]
fn a_progress_deadline_is_the_workloads_own() {
    let status = |since: &str| {
        json!({
            "replicas": 3, "updatedReplicas": 1,
            "conditions": [{
                "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
                "lastTransitionTime": since,
            }],
        })
    };
    let scene = |since: &str| Scene::deployment(status(since)).with_sets();
    let rolling = Scene::deployment(json!({"replicas": 3, "updatedReplicas": 1})).with_sets();
    let said = |scenes: &[&Scene]| {
        let (targets, tolerance) = ([scenes[0].target()], &scenes[0].tolerance);
        let mut judge = Judge::new(&targets, tolerance);
        let look = |(second, scene): (u64, &&Scene)| {
            words(&judge.look(&scene.world(), Duration::from_secs(second), "now"))
        };
        (0..).zip(scenes).map(look).collect::<Vec<_>>()
    };
    assert_eq!(said(&[&rolling, &scene("a")]), ["-", "Deadline"]);
    // The rollout before took too long; the controller says so until this one moves.
    assert_eq!(said(&[&scene("a"), &scene("a"), &scene("b")]), ["-", "-", "Deadline"]);
    // What stood in the way is said first.
    let unready =
        json!({"restartCount": 0, "ready": false, "started": true, "state": {"running": {}}});
    let slow = scene("a").with_main("p", unready);
    assert_eq!(said(&[&rolling, &slow]), ["-", "Probe p, Deadline"]);
    // Where the controller is silent about its own deadline.
    let mut scene = Scene::deployment(json!({"replicas": 3, "updatedReplicas": 1})).with_sets();
    set(&mut scene, "/spec/progressDeadlineSeconds", json!(100));
    scene.says_after(130, "Deadline");
    set(&mut scene, "/spec/progressDeadlineSeconds", json!(i32::MAX));
    assert_eq!(scene.said(&[0, 50_000]), ["-", "-"]);
}

#[test]
fn progress_starts_the_deadline_anew() {
    let scene = |updated: i64| {
        Scene::of(
            WorkloadKind::StatefulSet,
            json!({"replicas": 9, "template": template()}),
            json!({"updatedReplicas": updated}),
        )
    };
    let (targets, tolerance) = ([scene(0).target()], scene(0).tolerance);
    let mut judge = Judge::new(&targets, &tolerance);
    let mut look = |second, updated| {
        words(&judge.look(&scene(updated).world(), Duration::from_secs(second), "now"))
    };
    assert_eq!(look(0, 1), "-");
    assert_eq!(look(DEADLINE - 1, 2), "-");
    assert_eq!(look(2 * DEADLINE - 2, 2), "-");
    assert_eq!(look(2 * DEADLINE - 1, 2), "Deadline");
}

#[test]
fn an_autoscaler_scales_and_somebody_else_supersedes() {
    let scene = Scene::deployment(complete()).with_sets();
    let targets = [Target::of(&{
        let mut applied = scene.workload.clone();
        applied["apiVersion"] = json!("apps/v1");
        applied["kind"] = json!("Deployment");
        applied
    })
    .unwrap()];
    let look = |world: &World| {
        let mut judge = Judge::new(&targets, &scene.tolerance);
        words(&judge.look(world, Duration::ZERO, "now"))
    };
    let mut scaled = Scene::deployment(complete()).with_sets();
    set(&mut scaled, "/metadata/generation", json!(3));
    set(&mut scaled, "/status/observedGeneration", json!(3));
    set(&mut scaled, "/spec/replicas", json!(3));
    // The controller has yet to see it.
    set(&mut scaled, "/status/observedGeneration", json!(2));
    for count in ["replicas", "updatedReplicas", "availableReplicas"] {
        set(&mut scaled, &format!("/status/{count}"), json!(3));
    }
    assert_eq!(look(&scaled.world()), "-");
    set(&mut scaled, "/status/observedGeneration", json!(3));
    set(&mut scaled, "/status/availableReplicas", json!(2));
    assert_eq!(look(&scaled.world()), "-");
    for count in ["replicas", "updatedReplicas", "availableReplicas"] {
        set(&mut scaled, &format!("/status/{count}"), json!(3));
    }
    assert_eq!(look(&scaled.world()), "healthy");

    set(&mut scaled, "/spec/template/spec/containers", json!([{"name": "theirs"}]));
    let theirs = "superseded: its pod template was changed by somebody else (generation 3, this deploy's was 2)";
    assert_eq!(look(&scaled.world()), theirs);
    assert_eq!(look(&World::default()), "superseded: it was deleted");
    set(&mut scaled, "/metadata/deletionTimestamp", json!("now"));
    assert_eq!(look(&scaled.world()), "superseded: it is being deleted");
}

#[test]
fn an_older_list_is_not_judged() {
    let mut scene = Scene::deployment(complete()).with_sets();
    set(&mut scene, "/metadata/generation", json!(1));
    scene.waits();
}

#[test]
fn refused_pods_are_told_by_the_new_replica_set() {
    let refused = |message: &str, set: usize| {
        let mut scene = Scene::deployment(json!({"replicas": 0})).with_sets();
        scene.others[set].1["status"]["conditions"] = json!([
            {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message},
        ]);
        scene
    };
    refused("denied by policy", 1).says("Refused");
    refused("denied by policy", 0).waits();
    let quota = "exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0";
    refused(quota, 1).says("Refused");
    let mut rolls = refused(quota, 1);
    set(&mut rolls, "/status/replicas", json!(2));
    rolls.says_after(PATIENCE, "Refused");
    let failure = json!([{
        "type": "Progressing", "status": "False", "reason": "ReplicaSetCreateError", "message": "denied",
    }]);
    Scene::deployment(json!({"conditions": failure.clone()})).says("Refused");
    // Of an earlier change, maybe.
    let unseen = json!({"observedGeneration": 1, "conditions": failure});
    Scene::deployment(unseen).says_after(SETTLING, "Refused");
}

#[test]
fn a_stateful_set_rolls_by_revision() {
    let scene = |spec: Json, status: Json| {
        let mut spec = spec;
        spec["replicas"] = json!(3);
        spec["template"] = template();
        let mut status = status;
        status["updateRevision"] = json!("b");
        Scene::of(WorkloadKind::StatefulSet, spec, status)
    };
    let up = json!({"updatedReplicas": 3, "availableReplicas": 3});
    scene(json!({}), up).says("healthy");
    let part = json!({"updatedReplicas": 1, "availableReplicas": 3});
    scene(json!({}), part.clone()).waits();
    let partition = json!({"updateStrategy": {"rollingUpdate": {"partition": 2}}});
    scene(partition, part)
        .says("healthy: StatefulSet/server: 2 of its pods stay as they are (partition 2)");
    scene(json!({"updateStrategy": {"type": "OnDelete"}}), json!({})).says(
        "healthy: StatefulSet/server: its pods are replaced when somebody deletes them (OnDelete)",
    );
    let broken = json!({
        "phase": "Pending",
        "containerStatuses": [{"name": "main", "state": {"waiting": {"reason": "ImagePullBackOff"}}}],
    });
    let labels = |hash: &str| json!({"controller-revision-hash": hash});
    let rolling = || scene(json!({}), json!({}));
    rolling().with_pod("u", "old", labels("a"), json!({}), broken.clone()).waits();
    rolling().with_pod("u", "new", labels("b"), json!({}), broken).says("ImagePull new");
    rolling().with_event("u", "FailedCreate", "denied").says("Refused");
}

/// kubernetes/kubernetes#67250
#[test]
fn a_broken_pod_that_a_stateful_set_waits_for_is_made_anew() {
    let state = |reason: &str| {
        let waiting = json!({"name": "main", "state": {"waiting": {"reason": reason}}});
        json!({"phase": "Pending", "containerStatuses": [waiting]})
    };
    let check = |spec: Json, hash: &str, reason: &str, times: &[u64], expected: &[usize]| {
        let mut spec = spec;
        spec["template"] = template();
        let status = json!({"updateRevision": "b"});
        let labels = json!({"controller-revision-hash": hash});
        let scene = Scene::of(WorkloadKind::StatefulSet, spec.clone(), status);
        let scene = scene.with_pod("u", "server-1", labels, json!({}), state(reason));
        let targets = [scene.target()];
        let (mut judge, world) = (Judge::new(&targets, &scene.tolerance), scene.world());
        let anew = times.iter().map(|time| {
            let ruling = judge.look(&world, Duration::from_secs(*time), "now");
            assert!(hash == "b" || ruling.verdict.is_none(), "{ruling:?}");
            ruling.recreate.len()
        });
        assert_eq!(anew.collect::<Vec<_>>(), expected, "{spec} {hash} {reason}");
    };
    let two = || json!({"replicas": 2});
    check(two(), "a", "CrashLoopBackOff", &[0, 2, 3, 4, 60], &[0, 0, 1, 0, 0]);
    check(two(), "a", "ContainerCreating", &[0, 3, 60], &[0, 0, 0]);
    // Of the new revision, it is what is judged.
    check(two(), "b", "CrashLoopBackOff", &[0, 3], &[0, 0]);
    let parallel = json!({"replicas": 2, "podManagementPolicy": "Parallel"});
    check(parallel, "a", "CrashLoopBackOff", &[0, 3], &[0, 0]);
    let kept = json!({"replicas": 2, "updateStrategy": {"rollingUpdate": {"partition": 2}}});
    check(kept, "a", "CrashLoopBackOff", &[0, 3], &[0, 0]);
}

#[test]
fn a_daemon_set_rolls_by_its_newest_revision() {
    let revision = |number: i64, hash: &str| {
        let labels = json!({"controller-revision-hash": hash});
        json!({"metadata": owned_by("u", hash, labels), "revision": number})
    };
    let scene = |status: Json| {
        let mut scene = Scene::of(WorkloadKind::DaemonSet, json!({"template": template()}), status);
        // The older one was rolled back to once: its number says nothing of its age.
        scene.others.push((Sort::ControllerRevision, revision(3, "b")));
        scene.others.push((Sort::ControllerRevision, revision(2, "c")));
        scene
    };
    scene(json!({})).says("healthy: DaemonSet/server: no node is to run it");
    let up =
        json!({"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2});
    scene(up).says("healthy");
    let rolling = || scene(json!({"desiredNumberScheduled": 2, "updatedNumberScheduled": 1}));
    rolling().waits();
    let crash = json!({
        "phase": "Running",
        "containerStatuses": [{"name": "main", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}],
    });
    let labels = |hash: &str| json!({"controller-revision-hash": hash});
    rolling().with_pod("u", "old", labels("c"), json!({}), crash.clone()).waits();
    rolling().with_pod("u", "new", labels("b"), json!({}), crash).says("CrashLoop new");
    Scene::of(WorkloadKind::DaemonSet, json!({"template": template()}), json!({}))
        .says_after(PATIENCE, "Controller");
}

#[test]
fn a_job_counts_its_failures_itself() {
    let scene = |spec: Json, status: Json| Scene::of(WorkloadKind::Job, spec, status);
    let ended = |kind: &str| json!({"conditions": [{"type": kind, "status": "True"}]});
    scene(json!({}), ended("Complete")).says("healthy");
    scene(json!({}), ended("Failed")).says("JobFailed");
    scene(json!({}), ended("FailureTarget")).says("JobFailed");
    scene(json!({"suspend": true}), json!({}))
        .says("healthy: Job/server: it is suspended: it starts when somebody resumes it");
    scene(json!({}), json!({})).says_after(PATIENCE, "Controller");
    let never = json!({"restartPolicy": "Never"});
    let pod = |status: Json| {
        scene(json!({"backoffLimit": 3}), json!({"failed": 2})).with_pod(
            "u",
            "p",
            json!({}),
            never.clone(),
            status,
        )
    };
    let state = |state: Json| json!({"phase": "Running", "containerStatuses": [{"name": "main", "restartCount": 2, "state": state}]});
    pod(json!({"phase": "Failed"})).waits();
    pod(state(json!({"waiting": {"reason": "CrashLoopBackOff"}}))).waits();
    pod(state(json!({"waiting": {"reason": "ImagePullBackOff"}}))).says("ImagePull p");
    // It works; it takes as long as it takes.
    assert_eq!(pod(state(json!({"running": {}}))).said(&[0, 50_000]), ["-", "-"]);
    let day = MAX_FOLLOWED.as_secs();
    assert!(pod(state(json!({"running": {}}))).said(&[0, day])[1].ends_with("Deadline"));

    let failed = scene(json!({}), ended("Failed")).with_pod(
        "u",
        "p",
        json!({}),
        never,
        json!({"phase": "Failed"}),
    );
    failed.says("JobFailed p");
}

#[test]
fn a_job_that_cleans_up_after_itself_has_succeeded() {
    let ended = json!({"conditions": [{"type": "Complete", "status": "True"}]});
    let job = Scene::of(WorkloadKind::Job, json!({}), ended);
    let other = Target::new(WorkloadKind::Deployment, "other", "o", 1);
    let (targets, mut world) = ([job.target(), other], job.world());
    let waiting =
        json!({"metadata": {"uid": "o", "generation": 1}, "spec": {"template": template()}});
    world.put(Sort::Workload(WorkloadKind::Deployment), waiting.clone());
    let mut judge = Judge::new(&targets, &job.tolerance);
    assert_eq!(words(&judge.look(&world, Duration::ZERO, "now")), "-");
    world.remove(Sort::Workload(WorkloadKind::Job), &job.workload);
    let up = json!({
        "metadata": {"uid": "o", "generation": 1},
        "spec": {"template": template(), "paused": true},
    });
    world.put(Sort::Workload(WorkloadKind::Deployment), up);
    assert!(words(&judge.look(&world, Duration::ZERO, "now")).starts_with("healthy"));
}

#[test]
fn a_pod_of_nobody_is_its_own_rollout() {
    let scene = |status: Json| {
        let spec = template()["spec"].clone();
        let mut scene = Scene::of(WorkloadKind::Pod, spec, status);
        scene.workload["metadata"]["generation"] = json!(2);
        scene
    };
    let ready = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
    scene(ready).says("healthy");
    scene(json!({"phase": "Succeeded"})).says("healthy");
    scene(json!({"phase": "Failed"})).says("PodFailed server");
    scene(json!({"phase": "Pending"})).waits();
}

#[test]
fn one_that_is_bad_is_enough() {
    let bad = Scene::of(
        WorkloadKind::Job,
        json!({}),
        json!({"conditions": [{"type": "Failed", "status": "True"}]}),
    );
    let targets = [Target::new(WorkloadKind::Deployment, "gone", "g", 1), bad.target()];
    let mut judge = Judge::new(&targets, &bad.tolerance);
    assert_eq!(words(&judge.look(&bad.world(), Duration::ZERO, "now")), "JobFailed");
}

#[test]
fn what_turns_out_bad_together_is_told_together() {
    let failed = json!({"conditions": [{"type": "Failed", "status": "True"}]});
    let job = |name: &str, status: &Json| {
        let mut job = Scene::of(WorkloadKind::Job, json!({}), status.clone()).workload;
        job["metadata"]["uid"] = json!(name);
        job
    };
    let targets = ["a", "b", "c"].map(|uid| Target::new(WorkloadKind::Job, uid, uid, 2));
    let tolerance = Tolerance::default();
    let mut judge = Judge::new(&targets, &tolerance);
    let mut look = |millis, bad: &[&str]| {
        let mut world = World::default();
        for uid in ["a", "b", "c"] {
            let status = if bad.contains(&uid) { failed.clone() } else { json!({}) };
            world.put(Sort::Workload(WorkloadKind::Job), job(uid, &status));
        }
        words(&judge.look(&world, Duration::from_millis(millis), "now"))
    };
    assert_eq!(look(0, &[]), "-");
    assert_eq!(look(1000, &["a"]), "-");
    assert_eq!(look(1400, &["b"]), "-");
    assert_eq!(look(1500, &["b"]), "JobFailed, JobFailed");
    // When nobody is left there is nothing to wait for.
    let mut judge = Judge::new(&targets[..2], &tolerance);
    let mut world = World::default();
    for uid in ["a", "b"] {
        world.put(Sort::Workload(WorkloadKind::Job), job(uid, &failed));
    }
    assert_eq!(words(&judge.look(&world, Duration::ZERO, "now")), "JobFailed, JobFailed");
}
