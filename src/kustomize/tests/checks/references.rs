use super::{deployment, said, workload};

const CODES: &[&str] = &["FWK131", "FWK132", "FWK133", "FWK134", "FWK135"];
const BUILT: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: config}
data: {PORT: '80'}
---
apiVersion: v1
kind: Secret
metadata: {name: secrets}
stringData: {PASSWORD: x}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: runner}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: disk}
---
";

fn of(container: &str) -> Vec<String> {
    said(CODES, &(deployment("", container) + BUILT))
}

#[test]
fn good_ones() {
    for lines in [
        "        envFrom: [{configMapRef: {name: config}}, {secretRef: {name: secrets}}]\n",
        "        env: [{name: A, valueFrom: {configMapKeyRef: {name: config, key: PORT}}}]\n",
        "        env: [{name: A, valueFrom: {secretKeyRef: {name: secrets, key: PASSWORD}}}]\n",
        "        envFrom: [{configMapRef: {name: other, optional: true}}]\n",
        "        env: [{name: A, valueFrom: {secretKeyRef: {name: secrets, key: MORE, optional: true}}}]\n",
        "        env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]\n",
        "      volumes: [{name: a, configMap: {name: config, items: [{key: PORT, path: p}]}}]\n",
        "      volumes: [{name: a, secret: {secretName: other, optional: true}}]\n",
        "      volumes: [{name: a, configMap: {name: kube-root-ca.crt}}]\n",
        "      volumes: [{name: a, projected: {sources: [{secret: {name: secrets}}, {configMap: {name: config}}, {serviceAccountToken: {path: t}}]}}]\n",
        "      volumes: [{name: a, persistentVolumeClaim: {claimName: disk}}]\n",
        "      serviceAccountName: runner\n      imagePullSecrets: [{name: secrets}]\n",
        "      serviceAccountName: default\n",
    ] {
        assert!(of(lines).is_empty(), "{lines}");
    }
}

#[test]
fn bad_ones() {
    let container = "spec.template.spec.containers[0]";
    let pod = "spec.template.spec";
    for (lines, expected) in [
        (
            "        envFrom: [{configMapRef: {name: confg}}]\n",
            format!(
                "FWK131 Deployment web: {container}.envFrom[0].configMapRef: ConfigMap confg isn't built in namespace default | did you mean config?"
            ),
        ),
        (
            "        envFrom: [{secretRef: {name: other}}]\n",
            format!(
                "FWK132 Deployment web: {container}.envFrom[0].secretRef: Secret other isn't built in namespace default"
            ),
        ),
        (
            "        env: [{name: A, valueFrom: {configMapKeyRef: {name: config, key: PROT}}}]\n",
            format!(
                "FWK133 Deployment web: {container}.env[0].valueFrom.configMapKeyRef: ConfigMap config has no key PROT | did you mean PORT?"
            ),
        ),
        (
            "        env: [{name: A, valueFrom: {secretKeyRef: {name: other, key: X}}}]\n",
            format!(
                "FWK132 Deployment web: {container}.env[0].valueFrom.secretKeyRef: Secret other isn't built in namespace default"
            ),
        ),
        (
            "      volumes: [{name: a, configMap: {name: other}}]\n",
            format!(
                "FWK131 Deployment web: {pod}.volumes[0].configMap: ConfigMap other isn't built in namespace default"
            ),
        ),
        (
            "      volumes: [{name: a, secret: {secretName: secrets, items: [{key: FILE, path: p}]}}]\n",
            format!(
                "FWK133 Deployment web: {pod}.volumes[0].secret.items[0]: Secret secrets has no key FILE"
            ),
        ),
        (
            "      volumes: [{name: a, projected: {sources: [{secret: {name: other}}]}}]\n",
            format!(
                "FWK132 Deployment web: {pod}.volumes[0].projected.sources[0].secret: Secret other isn't built in namespace default"
            ),
        ),
        (
            "      volumes: [{name: a, persistentVolumeClaim: {claimName: disc}}]\n",
            format!(
                "FWK135 Deployment web: {pod}.volumes[0].persistentVolumeClaim: PersistentVolumeClaim disc isn't built in namespace default | did you mean disk?"
            ),
        ),
        (
            "      serviceAccountName: walker\n",
            format!(
                "FWK134 Deployment web: {pod}.serviceAccountName: ServiceAccount walker isn't built in namespace default"
            ),
        ),
        (
            "      imagePullSecrets: [{name: other}]\n",
            format!(
                "FWK132 Deployment web: {pod}.imagePullSecrets[0]: Secret other isn't built in namespace default"
            ),
        ),
        (
            "      initContainers: [{name: i, image: 'i:1', envFrom: [{secretRef: {name: other}}]}]\n",
            format!(
                "FWK132 Deployment web: {pod}.initContainers[0].envFrom[0].secretRef: Secret other isn't built in namespace default"
            ),
        ),
    ] {
        assert_eq!(of(lines), [expected], "{lines}");
    }
}

#[test]
fn each_is_said_once_for_an_object() {
    let twice = "        envFrom: [{secretRef: {name: other}}, {secretRef: {name: other}}]\n";
    assert_eq!(of(twice).len(), 1);
}

#[test]
fn another_namespace_is_another_place() {
    let moved = BUILT.replace("name: secrets}", "name: secrets, namespace: other}");
    let lines = "        envFrom: [{secretRef: {name: secrets}}]\n";
    assert_eq!(said(CODES, &(deployment("", lines) + &moved)).len(), 1);
}

#[test]
fn what_other_objects_make_is_there() {
    let lines = "        envFrom: [{secretRef: {name: made}}]\n";
    for maker in [
        "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: made}\nspec: {}\n",
        "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: x}\nspec: {target: {name: made}}\n",
        "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: made}\nspec: {}\n",
        "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: x}\nspec: {secretName: made}\n",
    ] {
        assert!(said(CODES, &(deployment("", lines) + maker)).is_empty(), "{maker}");
    }
}

#[test]
fn other_kinds_refer_too() {
    let ingress = |annotations: &str| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: in, annotations: {annotations}}}\nspec: {{tls: [{{secretName: cert}}]}}\n"
        )
    };
    assert_eq!(
        said(CODES, &ingress("{}")),
        ["FWK132 Ingress in: spec.tls[0].secretName: Secret cert isn't built in namespace default"]
    );
    assert!(said(CODES, &ingress("{cert-manager.io/cluster-issuer: x}")).is_empty());
    assert_eq!(
        said(
            CODES,
            "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\nimagePullSecrets: [{name: pull}]\n"
        ),
        [
            "FWK132 ServiceAccount a: imagePullSecrets[0]: Secret pull isn't built in namespace default"
        ]
    );
    let job = workload("batch/v1", "Job", "", "        envFrom: [{secretRef: {name: other}}]\n");
    assert_eq!(said(CODES, &job).len(), 1);
}
