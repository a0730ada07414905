//! Rollouts and disruptions against the number of replicas that the overlays arrive at.

use super::view::{Amount, Cluster, Workload, at, namespace_of, text};
use super::{error, warning};
use crate::finding::{Finding, Rule};

pub const NO_PROGRESS: Rule = error(
    "FWK101",
    "rollout can't begin",
    "With maxSurge 0 and maxUnavailable 0 no pod may be added and none taken away; the API server refuses that.",
    "Let maxSurge be at least 1 where there is room for one more pod, or maxUnavailable where one may be missing.",
);
pub const ROUNDS_TO_ZERO: Rule = warning(
    "FWK102",
    "rollout strategy rounds to nothing",
    "A percentage of maxUnavailable is rounded down: of few replicas it is none. With maxSurge 0 Kubernetes then takes \
     one pod away all the same, which is more than was allowed.",
    "Write maxUnavailable as a number, or allow maxSurge 1; patch it where the replica count is patched.",
);
pub const ALL_DOWN: Rule = warning(
    "FWK103",
    "rollout takes every replica down",
    "maxUnavailable is as large as the number of replicas, so a rollout stops all old pods before a new one is ready.",
    "Lower maxUnavailable (0 with maxSurge 1 is always safe), or raise the replicas.",
);
pub const RECREATE: Rule = warning(
    "FWK104",
    "Recreate with several replicas",
    "The strategy Recreate stops all replicas before it starts the first new one.",
    "Use RollingUpdate; where two versions must not run side by side, say so in the reason for ignoring this.",
);
pub const BLOCKED: Rule = warning(
    "FWK105",
    "disruption budget blocks every eviction",
    "No pod may ever be evicted, so a node can't be drained: upgrades of the cluster wait until somebody steps in.",
    "Leave one disruption: maxUnavailable 1, or minAvailable below the number of replicas.",
);

pub const RULES: &[&Rule] = &[&NO_PROGRESS, &ROUNDS_TO_ZERO, &ALL_DOWN, &RECREATE, &BLOCKED];

/// What Deployments do where they aren't told
/// (<https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-update-deployment>).
const DEFAULT: Amount = Amount::Percent(25);
const ONE: Amount = Amount::Count(1);
const NONE: Amount = Amount::Count(0);

pub fn run(cluster: &Cluster<'_>, findings: &mut Vec<Finding>) {
    for workload in &cluster.workloads {
        match workload.object.kind() {
            "Deployment" => deployment(cluster, workload, findings),
            "StatefulSet" => {
                let (unavailable, _) = amounts(workload, "updateStrategy", ONE, NONE);
                let replicas = cluster.replicas(workload);
                // One of one is what every StatefulSet of one pod does.
                let chosen = replicas > 1 && unavailable.rounded_down(replicas) >= replicas;
                all_down(workload, "updateStrategy", chosen, unavailable, replicas, findings);
            }
            "DaemonSet" => {
                let (unavailable, surge) = amounts(workload, "updateStrategy", ONE, NONE);
                let both = unavailable.is_zero() && surge.is_zero();
                no_progress(workload, "updateStrategy", both, findings);
            }
            _ => {}
        }
    }
    cluster
        .of_kind("PodDisruptionBudget")
        .for_each(|budget| disruptions(cluster, budget, findings));
}

/// `maxUnavailable` and `maxSurge`.
fn amounts(
    workload: &Workload<'_>,
    strategy: &str,
    unavailable: Amount,
    surge: Amount,
) -> (Amount, Amount) {
    let read = |field: &str, default: Amount| {
        let node = at(workload.object.node(), &["spec", strategy, "rollingUpdate", field]);
        node.and_then(Amount::read).unwrap_or(default)
    };
    (read("maxUnavailable", unavailable), read("maxSurge", surge))
}

fn deployment(cluster: &Cluster<'_>, workload: &Workload<'_>, findings: &mut Vec<Finding>) {
    let object = workload.object;
    let replicas = cluster.replicas(workload);
    if replicas < 1 {
        return;
    }
    if at(object.node(), &["spec", "strategy"]).is_some_and(|it| text(it, "type") == "Recreate") {
        if replicas > 1 {
            let message = format!("all {replicas} replicas are stopped before a new one starts");
            findings.push(Finding::new(&RECREATE, object, message).at("spec.strategy.type"));
        }
        return;
    }
    let (unavailable, surge) = amounts(workload, "strategy", DEFAULT, DEFAULT);
    if unavailable.is_zero() && surge.is_zero() {
        return no_progress(workload, "strategy", true, findings);
    }
    let missing = unavailable.rounded_down(replicas);
    if missing == 0 && surge.rounded_up(replicas) == 0 {
        let message = format!(
            "of {replicas} replicas, maxUnavailable {unavailable} is none, and maxSurge is 0: Kubernetes takes one away \
             anyway{}",
            if replicas == 1 { ", which is all there are" } else { "" }
        );
        let finding = Finding::new(&ROUNDS_TO_ZERO, object, message);
        findings.push(finding.at("spec.strategy.rollingUpdate.maxUnavailable"));
        return;
    }
    all_down(workload, "strategy", missing >= replicas, unavailable, replicas, findings);
}

fn no_progress(workload: &Workload<'_>, strategy: &str, both: bool, findings: &mut Vec<Finding>) {
    if both {
        let message = "maxUnavailable and maxSurge are both 0: no pod can be replaced";
        let finding = Finding::new(&NO_PROGRESS, workload.object, message);
        findings.push(finding.at(format!("spec.{strategy}.rollingUpdate")));
    }
}

fn all_down(
    workload: &Workload<'_>,
    strategy: &str,
    all: bool,
    unavailable: Amount,
    replicas: i64,
    findings: &mut Vec<Finding>,
) {
    if all {
        let message = format!(
            "maxUnavailable {unavailable} lets all of {replicas} go before a new one is ready"
        );
        let finding = Finding::new(&ALL_DOWN, workload.object, message);
        findings.push(finding.at(format!("spec.{strategy}.rollingUpdate.maxUnavailable")));
    }
}

/// Percentages of budgets are rounded up
/// (<https://kubernetes.io/docs/tasks/run-application/configure-pdb/#rounding-logic-when-specifying-percentages>).
fn disruptions(cluster: &Cluster<'_>, budget: &crate::built::Object, findings: &mut Vec<Finding>) {
    let Some(spec) = budget.node().get("spec") else { return };
    let Some(selector) = spec.get("selector") else { return };
    let selected = cluster.selected(namespace_of(budget), selector);
    // Only of what has a number of replicas can it be said how many are left.
    let counted = |workload: &&Workload<'_>| {
        matches!(workload.object.kind(), "Deployment" | "StatefulSet" | "ReplicaSet")
    };
    let replicas: i64 =
        selected.iter().copied().filter(counted).map(|workload| cluster.replicas(workload)).sum();
    if replicas < 1 || !selected.iter().all(counted) {
        return;
    }
    let blocked = |field: &str, blocks: fn(i64, i64) -> bool| {
        let amount = Amount::read(spec.get(field)?)?;
        let message =
            format!("{field} {amount} of {replicas} replicas leaves none that may be evicted");
        let is = blocks(amount.rounded_up(replicas), replicas);
        is.then(|| Finding::new(&BLOCKED, budget, message).at(format!("spec.{field}")))
    };
    findings.extend(blocked("minAvailable", |least, replicas| least >= replicas));
    findings.extend(blocked("maxUnavailable", |most, _| most < 1));
}
