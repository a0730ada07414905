use super::{deployment, said, workload};

const CODES: &[&str] = &["FWK101", "FWK102", "FWK103", "FWK104", "FWK105"];

fn rolling(replicas: &str, unavailable: &str, surge: &str) -> String {
    let spec = format!(
        "  replicas: {replicas}\n  strategy: {{rollingUpdate: {{maxUnavailable: {unavailable}, maxSurge: {surge}}}}}\n"
    );
    deployment(&spec, "")
}

#[test]
fn deployments() {
    let at = "spec.strategy.rollingUpdate";
    for (replicas, unavailable, surge, expected) in [
        ("3", "1", "0", None),
        ("3", "0", "1", None),
        ("1", "25%", "25%", None),
        ("1", "0", "25%", None),
        ("4", "25%", "0", None),
        ("0", "1", "0", None),
        (
            "3",
            "0",
            "0",
            Some(format!(
                "FWK101 Deployment web: {at}: maxUnavailable and maxSurge are both 0: no pod can be replaced"
            )),
        ),
        (
            "3",
            "0%",
            "0%",
            Some(format!(
                "FWK101 Deployment web: {at}: maxUnavailable and maxSurge are both 0: no pod can be replaced"
            )),
        ),
        (
            "3",
            "25%",
            "0",
            Some(format!(
                "FWK102 Deployment web: {at}.maxUnavailable: of 3 replicas, maxUnavailable 25% is none, and maxSurge is 0: Kubernetes takes one away anyway"
            )),
        ),
        (
            "1",
            "50%",
            "0",
            Some(format!(
                "FWK102 Deployment web: {at}.maxUnavailable: of 1 replicas, maxUnavailable 50% is none, and maxSurge is 0: Kubernetes takes one away anyway, which is all there are"
            )),
        ),
        (
            "1",
            "1",
            "1",
            Some(format!(
                "FWK103 Deployment web: {at}.maxUnavailable: maxUnavailable 1 lets all of 1 go before a new one is ready"
            )),
        ),
        (
            "2",
            "100%",
            "0",
            Some(format!(
                "FWK103 Deployment web: {at}.maxUnavailable: maxUnavailable 100% lets all of 2 go before a new one is ready"
            )),
        ),
    ] {
        let expected: Vec<String> = expected.into_iter().collect();
        assert_eq!(
            said(CODES, &rolling(replicas, unavailable, surge)),
            expected,
            "{replicas} {unavailable} {surge}"
        );
    }
    assert!(said(CODES, &deployment("", "")).is_empty(), "the defaults are fine");
}

#[test]
fn recreate() {
    let recreate = |replicas: u8| {
        deployment(&format!("  replicas: {replicas}\n  strategy: {{type: Recreate}}\n"), "")
    };
    assert!(said(CODES, &recreate(1)).is_empty());
    assert_eq!(
        said(CODES, &recreate(2)),
        [
            "FWK104 Deployment web: spec.strategy.type: all 2 replicas are stopped before a new one starts"
        ]
    );
}

#[test]
fn the_autoscaler_decides_how_many_there_are() {
    let scaled = |least: u8| {
        rolling("9", "2", "0")
            + &format!(
                "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{name: web}}\nspec: {{scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: web}}, minReplicas: {least}, maxReplicas: 9}}\n"
            )
    };
    assert!(said(CODES, &scaled(3)).is_empty());
    assert_eq!(said(CODES, &scaled(2)).len(), 1);
}

#[test]
fn other_workloads() {
    let of = |kind: &str, lines: &str| said(CODES, &workload("apps/v1", kind, lines, ""));
    assert!(of("StatefulSet", "").is_empty());
    assert!(
        of(
            "StatefulSet",
            "  replicas: 3\n  updateStrategy: {rollingUpdate: {maxUnavailable: 2}}\n"
        )
        .is_empty()
    );
    assert_eq!(
        of(
            "StatefulSet",
            "  replicas: 2\n  updateStrategy: {rollingUpdate: {maxUnavailable: 2}}\n"
        ),
        [
            "FWK103 StatefulSet web: spec.updateStrategy.rollingUpdate.maxUnavailable: maxUnavailable 2 lets all of 2 go before a new one is ready"
        ]
    );
    assert!(of("DaemonSet", "").is_empty());
    assert_eq!(
        of("DaemonSet", "  updateStrategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 0}}\n"),
        [
            "FWK101 DaemonSet web: spec.updateStrategy.rollingUpdate: maxUnavailable and maxSurge are both 0: no pod can be replaced"
        ]
    );
}

#[test]
fn disruption_budgets() {
    for (replicas, budget, blocked) in [
        (3, "minAvailable: 2", None),
        (3, "maxUnavailable: 1", None),
        (3, "maxUnavailable: 1%", None),
        (0, "minAvailable: 1", None),
        (3, "minAvailable: 3", Some("minAvailable: minAvailable 3 of 3")),
        (1, "minAvailable: 1", Some("minAvailable: minAvailable 1 of 1")),
        (2, "minAvailable: 51%", Some("minAvailable: minAvailable 51% of 2")),
        (3, "maxUnavailable: 0", Some("maxUnavailable: maxUnavailable 0 of 3")),
        (3, "maxUnavailable: 0%", Some("maxUnavailable: maxUnavailable 0% of 3")),
    ] {
        let objects = deployment(&format!("  replicas: {replicas}\n"), "")
            + &format!(
                "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {{name: web}}\nspec: {{selector: {{matchLabels: {{app: web}}}}, {budget}}}\n"
            );
        let expected: Vec<String> = blocked
            .map(|what| format!("FWK105 PodDisruptionBudget web: spec.{what} replicas leaves none that may be evicted"))
            .into_iter()
            .collect();
        assert_eq!(said(CODES, &objects), expected, "{replicas} {budget}");
    }
}

#[test]
fn a_budget_of_no_workload_says_nothing() {
    let objects = deployment("", "")
        + "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: x}\nspec: {selector: {matchLabels: {app: x}}, minAvailable: 1}\n";
    assert!(said(CODES, &objects).is_empty());
}
