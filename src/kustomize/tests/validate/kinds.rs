//! API versions and kinds: unknown, deprecated, removed, custom.

use super::check;

fn object(api_version: &str, kind: &str) -> String {
    format!("apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: a}}\n")
}

#[test]
fn unknown_kinds() {
    for (api_version, kind, expected) in [
        (
            "apps/v1",
            "Deploymnet",
            "kind: Kubernetes 1.36 has no Deploymnet in apps/v1 | did you mean Deployment?",
        ),
        (
            "v1",
            "Deployment",
            "apiVersion: Kubernetes 1.36 has no Deployment in v1 | Deployment is in apps/v1",
        ),
        (
            "apps/v2",
            "Deployment",
            "apiVersion: Kubernetes 1.36 has no Deployment in apps/v2 | Deployment is in apps/v1",
        ),
        ("v1", "Whatever", "kind: Kubernetes 1.36 has no Whatever in v1"),
    ] {
        check(&object(api_version, kind), &[&format!("FWK006 {kind} a: {expected}")]);
    }
    check(
        "kind: Deployment\nmetadata: {name: a}\n",
        &["FWK003 Deployment a: apiVersion: this field is required"],
    );
}

#[test]
fn removed_and_deprecated() {
    for (api_version, kind, expected) in [
        (
            "extensions/v1beta1",
            "Ingress",
            "is gone since Kubernetes v1.22 | use networking.k8s.io/v1",
        ),
        ("extensions/v1beta1", "Deployment", "is gone since Kubernetes v1.16 | use apps/v1"),
        ("policy/v1beta1", "PodDisruptionBudget", "is gone since Kubernetes v1.25 | use policy/v1"),
        ("batch/v1beta1", "CronJob", "is gone since Kubernetes v1.25 | use batch/v1"),
        (
            "autoscaling/v2beta2",
            "HorizontalPodAutoscaler",
            "is gone since Kubernetes v1.26 | use autoscaling/v2",
        ),
    ] {
        let expected = format!("FWK007 {kind} a: apiVersion: {api_version} {kind} {expected}");
        check(&object(api_version, kind), &[&expected]);
    }
    check(
        &object("v1", "Endpoints"),
        &[
            "FWK008 Endpoints a: apiVersion: v1 Endpoints is deprecated since Kubernetes v1.33 | use EndpointSlice of discovery.k8s.io/v1",
        ],
    );
}

#[test]
fn custom_kinds_without_their_definition() {
    check(
        &object("gateway.networking.k8s.io/v1", "Gateway"),
        &[
            "FWK009 Gateway a: : not validated: the definition of gateway.networking.k8s.io/v1 Gateway isn't in this build",
        ],
    );
}
