//! Autoscalers and what they scale.

use super::view::{Cluster, at, integer, namespace_of, scale_target};
use super::{error, warning};
use crate::finding::{Finding, Rule};

pub const NO_TARGET: Rule = warning(
    "FWK141",
    "autoscaler without its target",
    "An autoscaler whose target isn't there scales nothing.",
    "Correct kind and name of `scaleTargetRef`; name prefixes are added to it only for kinds that kustomize knows.",
);
pub const FIXED_REPLICAS: Rule = warning(
    "FWK142",
    "replicas fixed beside an autoscaler",
    "Each apply sets the number of replicas back to what is written, whatever the autoscaler had made of it: a busy \
     service loses pods at every deployment.",
    "Remove `replicas` from the workload, and its entry under `replicas` in the overlay.",
);
pub const BOUNDS: Rule = error(
    "FWK143",
    "autoscaler with minimum above maximum",
    "The API server refuses an autoscaler whose `minReplicas` is larger than its `maxReplicas`.",
    "Patch both where you patch one.",
);

pub const RULES: &[&Rule] = &[&NO_TARGET, &FIXED_REPLICAS, &BOUNDS];

pub fn run(cluster: &Cluster<'_>, findings: &mut Vec<Finding>) {
    for scaler in &cluster.objects {
        let Some((kind, name)) = scale_target(scaler) else { continue };
        let count = |field: &str| at(scaler.node(), &["spec", field]).and_then(integer);
        if let (Some(least), Some(most)) = (count("minReplicas"), count("maxReplicas"))
            && least > most
        {
            let message = format!("minReplicas {least} is larger than maxReplicas {most}");
            findings.push(Finding::new(&BOUNDS, scaler, message).at("spec.minReplicas"));
        }
        let namespace = namespace_of(scaler);
        let Some(target) = cluster.find(kind, namespace, name) else {
            let message = format!("{kind} {name} isn't built in namespace {namespace}");
            findings.push(Finding::new(&NO_TARGET, scaler, message).at("spec.scaleTargetRef"));
            continue;
        };
        if let Some(replicas) = at(target.node(), &["spec", "replicas"]).and_then(integer) {
            let message =
                format!("{replicas} here, and {} {} decides too", scaler.kind(), scaler.name());
            findings.push(Finding::new(&FIXED_REPLICAS, target, message).at("spec.replicas"));
        }
    }
}
