//! A thousand healthy rollouts with random delays: none of them is condemned.

use super::*;
use proptest::prelude::*;

/// One pod's way up: how long it stays in each state, in seconds. What may heal by itself heals before
/// patience ends; what is only slow takes its time.
#[derive(Clone, Debug)]
struct Way {
    unscheduled: u64,
    pull_fails: u64,
    creating: u64,
    starting: u64,
    crash: Option<u64>,
    unready: u64,
    /// Somebody deletes it after this long; its successor is up at once.
    deleted: Option<u64>,
}

fn way() -> impl Strategy<Value = Way> {
    let heals = 0..PATIENCE;
    let slow = 0..2000_u64;
    (
        heals.clone(),
        0..2_u64,
        slow.clone(),
        slow.clone(),
        proptest::option::of(heals),
        slow,
        proptest::option::weighted(0.2, 0..3000_u64),
    )
        .prop_map(|(unscheduled, pull_fails, creating, starting, crash, unready, deleted)| {
            Way { unscheduled, pull_fails, creating, starting, crash, unready, deleted }
        })
}

impl Way {
    /// The pod at a time: its status, and whether it is ready.
    fn at(&self, time: u64) -> (Json, bool) {
        if self.deleted.is_some_and(|deleted| time >= deleted) {
            return (running(0, true), true);
        }
        let crash = self.crash.unwrap_or(0);
        let restarts = u64::from(self.crash.is_some());
        let mut left = time;
        let mut during = |length: u64| match left < length {
            true => true,
            false => {
                left -= length;
                false
            }
        };
        if during(self.unscheduled) {
            let place =
                json!([{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]);
            return (json!({"phase": "Pending", "conditions": place}), false);
        }
        if during(self.pull_fails) {
            return (
                container("Pending", 0, json!({"waiting": {"reason": "ErrImagePull"}})),
                false,
            );
        }
        if during(self.creating) {
            return (
                container("Pending", 0, json!({"waiting": {"reason": "ContainerCreating"}})),
                false,
            );
        }
        if during(self.starting) {
            let mut status = container("Running", 0, json!({"running": {}}));
            status["containerStatuses"][0]["started"] = json!(false);
            return (status, false);
        }
        if during(crash) {
            let ended = json!({"terminated": {"reason": "Error", "exitCode": 1}});
            return (container("Running", 0, ended), false);
        }
        // After a crash only patience is left; without one it may be as slow as it is.
        let unready = if restarts > 0 { self.unready.min(PATIENCE - crash) } else { self.unready };
        if during(unready.saturating_sub(1)) {
            return (running(restarts, false), false);
        }
        (running(restarts, true), true)
    }
}

fn container(phase: &str, restarts: u64, state: Json) -> Json {
    let status = json!({"name": "main", "restartCount": restarts, "state": state});
    json!({"phase": phase, "containerStatuses": [status]})
}

fn running(restarts: u64, ready: bool) -> Json {
    let mut status = container("Running", restarts, json!({"running": {}}));
    status["containerStatuses"][0]["started"] = json!(true);
    status["containerStatuses"][0]["ready"] = json!(ready);
    let truth = if ready { "True" } else { "False" };
    status["conditions"] = json!([{"type": "Ready", "status": truth}]);
    status
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_healthy_rollout_is_condemned(
        ways in proptest::collection::vec(way(), 1..4),
        mut looks in proptest::collection::vec(0..9000_u64, 1..60),
    ) {
        looks.sort_unstable();
        looks.push(10_000);
        let target = Target::new(WorkloadKind::Deployment, "server", "u", 2);
        let (targets, tolerance) = ([target], Scene::deployment(json!({})).tolerance);
        let mut judge = Judge::new(&targets, &tolerance);
        for time in looks {
            let pods: Vec<(Json, bool)> = ways.iter().map(|way| way.at(time)).collect();
            let ready = pods.iter().filter(|(_, ready)| *ready).count();
            let mut scene = Scene::deployment(json!({
                "replicas": ways.len(), "updatedReplicas": ways.len(), "availableReplicas": ready,
            }))
            .with_sets();
            scene.workload["spec"]["replicas"] = json!(ways.len());
            scene.workload["spec"]["progressDeadlineSeconds"] = json!(i32::MAX);
            for (number, (status, _)) in pods.into_iter().enumerate() {
                let gone = ways[number].deleted.is_some_and(|deleted| time >= deleted);
                let name = format!("p{number}{}", if gone { "-again" } else { "" });
                scene = scene.with_pod("r2", &name, json!({}), json!({}), status);
            }
            let said = words(&judge.look(&scene.world(), Duration::from_secs(time), "now"));
            let expected = if ready == ways.len() { "healthy" } else { "-" };
            prop_assert_eq!(said, expected, "at {}", time);
        }
    }
}
