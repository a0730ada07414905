use super::{deployment, said};

const CODES: &[&str] = &["FWK141", "FWK142", "FWK143"];

fn scaler(name: &str, bounds: &str) -> String {
    format!(
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{name: auto}}\nspec: {{scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, name: {name}}}, {bounds}}}\n"
    )
}

#[test]
fn targets() {
    assert!(said(CODES, &(deployment("", "") + &scaler("web", "maxReplicas: 3"))).is_empty());
    assert_eq!(
        said(CODES, &(deployment("", "") + &scaler("wed", "maxReplicas: 3"))),
        [
            "FWK141 HorizontalPodAutoscaler auto: spec.scaleTargetRef: Deployment wed isn't built in namespace default"
        ]
    );
}

#[test]
fn fixed_replicas() {
    assert!(said(CODES, &deployment("  replicas: 2\n", "")).is_empty());
    assert_eq!(
        said(CODES, &(deployment("  replicas: 2\n", "") + &scaler("web", "maxReplicas: 3"))),
        [
            "FWK142 Deployment web: spec.replicas: 2 here, and HorizontalPodAutoscaler auto decides too"
        ]
    );
    let keda = "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: auto}\nspec: {scaleTargetRef: {name: web}}\n";
    assert_eq!(
        said(CODES, &(deployment("  replicas: 2\n", "") + keda)),
        ["FWK142 Deployment web: spec.replicas: 2 here, and ScaledObject auto decides too"]
    );
}

#[test]
fn bounds() {
    assert!(
        said(CODES, &(deployment("", "") + &scaler("web", "minReplicas: 3, maxReplicas: 3")))
            .is_empty()
    );
    assert_eq!(
        said(CODES, &(deployment("", "") + &scaler("web", "minReplicas: 4, maxReplicas: 3"))),
        [
            "FWK143 HorizontalPodAutoscaler auto: spec.minReplicas: minReplicas 4 is larger than maxReplicas 3"
        ]
    );
}
