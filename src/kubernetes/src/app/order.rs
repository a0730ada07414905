//! The order in which objects are applied; deletion goes the other way.

/// Kinds that others need to be there first, in steps; those of one step are applied side by side.
const STEPS: &[&[&str]] = &[
    &["Namespace"],
    &["CustomResourceDefinition"],
    &[
        "ClusterRole",
        "ClusterRoleBinding",
        "IngressClass",
        "LimitRange",
        "NetworkPolicy",
        "PriorityClass",
        "ResourceQuota",
        "Role",
        "RoleBinding",
        "ServiceAccount",
        "StorageClass",
    ],
    &["ConfigMap", "PersistentVolume", "PersistentVolumeClaim", "Secret"],
    &["PodDisruptionBudget", "Service"],
];

/// Kinds that send requests to the others, after them.
const LAST: &[&str] = &[
    "APIService",
    "HTTPRoute",
    "HorizontalPodAutoscaler",
    "Ingress",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// Kinds that hold pods back, or say how many there are: what they do to the next release ends with them.
const CONSTRAINTS: &[&str] = &[
    "HorizontalPodAutoscaler",
    "LimitRange",
    "MutatingWebhookConfiguration",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "ResourceQuota",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
];

/// The step of namespaces.
pub const NAMESPACES: usize = 0;
/// The step of custom resource definitions: what they define exists only after it.
pub const DEFINITIONS: usize = 1;
/// The step of what configures pods: all before it, and it too, is there for a migration.
pub const CONFIGURATION: usize = 3;
/// The number of steps.
pub const ALL: usize = STEPS.len() + 2;

/// The step of a kind; workloads and custom resources come after all that they need.
pub fn step(kind: &str) -> usize {
    if LAST.contains(&kind) {
        return STEPS.len() + 1;
    }
    STEPS.iter().position(|step| step.contains(&kind)).unwrap_or(STEPS.len())
}

/// Whether an object of a kind is in the way of what comes after it. Anything else may be what a running pod, or
/// whoever calls it, still needs.
pub fn constrains(kind: &str) -> bool {
    CONSTRAINTS.contains(&kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_comes_first() {
        let order = [
            "Namespace",
            "CustomResourceDefinition",
            "ServiceAccount",
            "Secret",
            "Service",
            "Deployment",
            "Ingress",
        ];
        assert!(order.map(step).is_sorted_by(|a, b| a < b));
        assert_eq!(step("Certificate"), step("StatefulSet"));
        assert!(order.iter().all(|kind| step(kind) < ALL));
        assert_eq!(step("CustomResourceDefinition"), DEFINITIONS);
        assert_eq!(step("Namespace"), NAMESPACES);
        assert_eq!(step("Secret"), CONFIGURATION);
        assert!(step("Service") > CONFIGURATION, "traffic would be moved before a migration");
    }
}
