//! kustomize's own field configuration, written down by what it says rather than line by line.
//!
//! Most of it is the same field in every kind that has a pod template, so the kinds are listed once per group.

use super::{Config, FieldSpec, NameReference};
use crate::id::Gvk;

/// A kind and where its pod spec is.
type Pod = (&'static str, &'static str);

const POD: Pod = ("Pod", "spec");
const POD_TEMPLATE: Pod = ("PodTemplate", "template/spec");
const DEPLOYMENT: Pod = ("Deployment", "spec/template/spec");
const REPLICA_SET: Pod = ("ReplicaSet", "spec/template/spec");
const REPLICATION_CONTROLLER: Pod = ("ReplicationController", "spec/template/spec");
const DAEMON_SET: Pod = ("DaemonSet", "spec/template/spec");
const STATEFUL_SET: Pod = ("StatefulSet", "spec/template/spec");
const JOB: Pod = ("Job", "spec/template/spec");
const CRON_JOB: Pod = ("CronJob", "spec/jobTemplate/spec/template/spec");

/// Kinds whose references to ConfigMaps and Secrets are followed.
const CONTENT_USERS: &[Pod] =
    &[POD, POD_TEMPLATE, DEPLOYMENT, REPLICA_SET, DAEMON_SET, STATEFUL_SET, JOB, CRON_JOB];
/// Kinds whose references to other objects are followed.
const OBJECT_USERS: &[Pod] =
    &[POD, STATEFUL_SET, DEPLOYMENT, REPLICATION_CONTROLLER, CRON_JOB, JOB, DAEMON_SET];
/// Kinds in whose containers variables are replaced.
const VARIABLE_USERS: &[Pod] =
    &[CRON_JOB, DAEMON_SET, DEPLOYMENT, JOB, POD, REPLICA_SET, STATEFUL_SET];

/// Where a pod spec names ConfigMaps.
const CONFIG_MAP_FIELDS: &[&str] = &[
    "volumes/configMap/name",
    "containers/env/valueFrom/configMapKeyRef/name",
    "initContainers/env/valueFrom/configMapKeyRef/name",
    "containers/envFrom/configMapRef/name",
    "initContainers/envFrom/configMapRef/name",
    "volumes/projected/sources/configMap/name",
];
/// Where a pod spec names Secrets.
const SECRET_FIELDS: &[&str] = &[
    "volumes/secret/secretName",
    "containers/env/valueFrom/secretKeyRef/name",
    "initContainers/env/valueFrom/secretKeyRef/name",
    "containers/envFrom/secretRef/name",
    "initContainers/envFrom/secretRef/name",
    "imagePullSecrets/name",
    "volumes/projected/sources/secret/name",
];
/// Where a pod spec holds variables.
const VARIABLE_FIELDS: &[&str] = &[
    "containers/args",
    "containers/command",
    "containers/env/value",
    "containers/volumeMounts/mountPath",
    "initContainers/args",
    "initContainers/command",
    "initContainers/env/value",
    "initContainers/volumeMounts/mountPath",
];
/// Where a pod template holds label selectors about other pods.
const AFFINITY_FIELDS: &[&str] = &[
    "affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
    "affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
    "affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels",
    "affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels",
    "topologySpreadConstraints/labelSelector/matchLabels",
];

const RBAC: &str = "rbac.authorization.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";

pub fn config() -> Config {
    Config {
        name_prefix: vec![anywhere("metadata/name", false)],
        name_suffix: vec![anywhere("metadata/name", false)],
        namespace: namespace(),
        common_labels: common_labels(),
        labels: Vec::new(),
        template_labels: metadata_labels(),
        volume_claim_template_labels: vec![volume_claim_labels()],
        common_annotations: common_annotations(),
        name_references: name_references(),
        variable_references: variable_references(),
        images: images(),
        replicas: ["Deployment", "ReplicationController", "ReplicaSet", "StatefulSet"]
            .map(|kind| spec(("", "", kind), "spec/replicas", true))
            .to_vec(),
    }
}

/// A field of one kind; group and version may be left empty.
fn spec(
    (group, version, kind): (&str, &str, &str),
    path: impl Into<String>,
    create: bool,
) -> FieldSpec {
    let gvk = Gvk { group: group.into(), version: version.into(), kind: kind.into() };
    FieldSpec::new(gvk, path, create)
}

fn of_kind(kind: &str, path: impl Into<String>) -> FieldSpec {
    spec(("", "", kind), path, false)
}

fn anywhere(path: &str, create: bool) -> FieldSpec {
    FieldSpec::new(Gvk::default(), path, create)
}

fn in_pods(pods: &[Pod], fields: &[&str]) -> Vec<FieldSpec> {
    let each = |pod: &Pod| {
        fields.iter().map(|field| of_kind(pod.0, format!("{}/{field}", pod.1))).collect::<Vec<_>>()
    };
    pods.iter().flat_map(each).collect()
}

fn namespace() -> Vec<FieldSpec> {
    vec![
        spec(("", "", "Namespace"), "metadata/name", true),
        spec(("apiregistration.k8s.io", "", "APIService"), "spec/service/namespace", true),
        spec(
            ("apiextensions.k8s.io", "", "CustomResourceDefinition"),
            "spec/conversion/webhook/clientConfig/service/namespace",
            false,
        ),
    ]
}

fn common_labels() -> Vec<FieldSpec> {
    let mut specs = vec![
        spec(("", "v1", "Service"), "spec/selector", true),
        spec(("", "", "ReplicationController"), "spec/selector", true),
        spec(("", "", "Deployment"), "spec/selector/matchLabels", true),
        spec(("", "", "ReplicaSet"), "spec/selector/matchLabels", true),
        spec(("", "", "DaemonSet"), "spec/selector/matchLabels", true),
        spec(("apps", "", "StatefulSet"), "spec/selector/matchLabels", true),
        spec(("batch", "", "Job"), "spec/selector/matchLabels", false),
        spec(("batch", "", "CronJob"), "spec/jobTemplate/spec/selector/matchLabels", false),
        spec(("policy", "", "PodDisruptionBudget"), "spec/selector/matchLabels", false),
    ];
    for kind in ["Deployment", "StatefulSet"] {
        let fields = AFFINITY_FIELDS.iter();
        specs.extend(
            fields.map(|field| {
                spec(("apps", "", kind), format!("spec/template/spec/{field}"), false)
            }),
        );
    }
    for field in ["podSelector", "ingress/from/podSelector", "egress/to/podSelector"] {
        let network_policy = ("networking.k8s.io", "", "NetworkPolicy");
        specs.push(spec(network_policy, format!("spec/{field}/matchLabels"), false));
    }
    specs.extend(metadata_labels());
    specs.push(volume_claim_labels());
    specs
}

fn metadata_labels() -> Vec<FieldSpec> {
    let mut specs = in_metadata("labels");
    specs.push(spec(("apps", "", "StatefulSet"), "spec/template/metadata/labels", true));
    specs
}

fn common_annotations() -> Vec<FieldSpec> {
    let mut specs = in_metadata("annotations");
    specs.push(spec(("", "", "StatefulSet"), "spec/template/metadata/annotations", true));
    specs
}

/// Labels or annotations of objects and of their templates, but for stateful sets.
fn in_metadata(field: &str) -> Vec<FieldSpec> {
    let template = format!("spec/template/metadata/{field}");
    vec![
        anywhere(&format!("metadata/{field}"), true),
        spec(("", "v1", "ReplicationController"), &template, true),
        spec(("", "", "Deployment"), &template, true),
        spec(("", "", "ReplicaSet"), &template, true),
        spec(("", "", "DaemonSet"), &template, true),
        spec(("batch", "", "Job"), &template, true),
        spec(("batch", "", "CronJob"), format!("spec/jobTemplate/metadata/{field}"), true),
        spec(
            ("batch", "", "CronJob"),
            format!("spec/jobTemplate/spec/template/metadata/{field}"),
            true,
        ),
    ]
}

fn volume_claim_labels() -> FieldSpec {
    spec(("apps", "", "StatefulSet"), "spec/volumeClaimTemplates[]/metadata/labels", true)
}

fn images() -> Vec<FieldSpec> {
    let mut paths = Vec::new();
    for pod in ["spec", "spec/template/spec"] {
        for field in ["containers[]/image", "initContainers[]/image", "volumes[]/image/reference"] {
            paths.push(format!("{pod}/{field}"));
        }
    }
    paths.push("spec/jobTemplate/spec/template/spec/volumes[]/image/reference".to_owned());
    paths.iter().map(|path| anywhere(path, true)).collect()
}

fn variable_references() -> Vec<FieldSpec> {
    let mut specs = in_pods(VARIABLE_USERS, VARIABLE_FIELDS);
    for (kind, path) in [
        ("CronJob", "spec/jobTemplate/spec/template/volumes/nfs/server"),
        ("DaemonSet", "spec/template/spec/volumes/nfs/server"),
        ("Deployment", "spec/template/spec/volumes/nfs/server"),
        ("Deployment", "spec/template/metadata/annotations"),
        ("Ingress", "spec/rules/host"),
        ("Ingress", "spec/tls/hosts"),
        ("Ingress", "spec/tls/secretName"),
        ("Job", "spec/template/spec/volumes/nfs/server"),
        ("Pod", "spec/volumes/nfs/server"),
        ("ReplicaSet", "spec/template/spec/volumes/nfs/server"),
        ("Service", "spec/ports/port"),
        ("Service", "spec/ports/targetPort"),
        ("StatefulSet", "spec/volumeClaimTemplates/spec/nfs/server"),
        ("PersistentVolume", "spec/nfs/server"),
        ("", "metadata/labels"),
        ("", "metadata/annotations"),
    ] {
        specs.push(of_kind(kind, path));
    }
    specs
}

fn name_references() -> Vec<NameReference> {
    let target = |group: &str, version: &str, kind: &str, referrers: Vec<FieldSpec>| {
        let target = Gvk { group: group.into(), version: version.into(), kind: kind.into() };
        NameReference { target, referrers }
    };
    let scaled = || vec![of_kind("HorizontalPodAutoscaler", "spec/scaleTargetRef/name")];
    vec![
        target("", "", "Deployment", scaled()),
        target("", "", "ReplicationController", scaled()),
        target("", "", "ReplicaSet", scaled()),
        target("", "", "StatefulSet", scaled()),
        target("", "v1", "ConfigMap", config_map_references()),
        target("", "v1", "Secret", secret_references()),
        target("", "v1", "Service", service_references()),
        target(RBAC, "", "Role", vec![spec((RBAC, "", "RoleBinding"), "roleRef/name", false)]),
        target(
            RBAC,
            "",
            "ClusterRole",
            ["RoleBinding", "ClusterRoleBinding"]
                .map(|kind| spec((RBAC, "", kind), "roleRef/name", false))
                .to_vec(),
        ),
        target("", "v1", "ServiceAccount", service_account_references()),
        target(
            "",
            "v1",
            "PersistentVolumeClaim",
            in_pods(OBJECT_USERS, &["volumes/persistentVolumeClaim/claimName"]),
        ),
        target(
            "",
            "v1",
            "PersistentVolume",
            vec![
                of_kind("PersistentVolumeClaim", "spec/volumeName"),
                of_kind("ClusterRole", "rules/resourceNames"),
            ],
        ),
        target(
            "storage.k8s.io",
            "v1",
            "StorageClass",
            vec![
                of_kind("PersistentVolume", "spec/storageClassName"),
                of_kind("PersistentVolumeClaim", "spec/storageClassName"),
                of_kind("StatefulSet", "spec/volumeClaimTemplates/spec/storageClassName"),
            ],
        ),
        target(
            "scheduling.k8s.io",
            "v1",
            "PriorityClass",
            in_pods(OBJECT_USERS, &["priorityClassName"]),
        ),
        // The group is kustomize's own, slash and all: it never matches, and the output must be the same.
        target(
            "networking.k8s.io/v1",
            "v1",
            "IngressClass",
            vec![of_kind("Ingress", "spec/ingressClassName")],
        ),
        target(
            ADMISSION,
            "",
            "ValidatingAdmissionPolicy",
            vec![spec(
                (ADMISSION, "", "ValidatingAdmissionPolicyBinding"),
                "spec/policyName",
                false,
            )],
        ),
    ]
}

fn config_map_references() -> Vec<FieldSpec> {
    let mut specs = in_pods(CONTENT_USERS, CONFIG_MAP_FIELDS);
    only_core_pods(&mut specs);
    specs.extend([
        of_kind("Node", "spec/configSource/configMap"),
        of_kind("Role", "rules/resourceNames"),
        of_kind("ClusterRole", "rules/resourceNames"),
        of_kind(
            "Ingress",
            r"metadata/annotations/nginx.ingress.kubernetes.io\/fastcgi-params-configmap",
        ),
    ]);
    specs
}

fn secret_references() -> Vec<FieldSpec> {
    let mut specs = in_pods(CONTENT_USERS, SECRET_FIELDS);
    only_core_pods(&mut specs);
    specs.extend([
        of_kind("Ingress", "spec/tls/secretName"),
        of_kind("Ingress", r"metadata/annotations/ingress.kubernetes.io\/auth-secret"),
        of_kind("Ingress", r"metadata/annotations/nginx.ingress.kubernetes.io\/auth-secret"),
        of_kind("Ingress", r"metadata/annotations/nginx.ingress.kubernetes.io\/auth-tls-secret"),
        of_kind("ServiceAccount", "imagePullSecrets/name"),
        of_kind("StorageClass", "parameters/secretName"),
        of_kind("StorageClass", "parameters/adminSecretName"),
        of_kind("StorageClass", "parameters/userSecretName"),
        of_kind("StorageClass", "parameters/secretRef"),
        of_kind("Role", "rules/resourceNames"),
        of_kind("ClusterRole", "rules/resourceNames"),
        spec(
            ("serving.knative.dev", "v1", "Service"),
            "spec/template/spec/containers/env/valueFrom/secretKeyRef/name",
            false,
        ),
        of_kind("PersistentVolume", "spec/azureFile/secretName"),
    ]);
    specs
}

/// Of pods, only those of `v1` are looked at.
fn only_core_pods(specs: &mut [FieldSpec]) {
    for spec in specs.iter_mut().filter(|spec| spec.gvk.kind == POD.0) {
        spec.gvk.version = "v1".into();
    }
}

fn service_references() -> Vec<FieldSpec> {
    vec![
        spec(("apps", "", "StatefulSet"), "spec/serviceName", false),
        of_kind("Ingress", "spec/rules/http/paths/backend/serviceName"),
        of_kind("Ingress", "spec/backend/serviceName"),
        of_kind("Ingress", "spec/rules/http/paths/backend/service/name"),
        of_kind("Ingress", "spec/defaultBackend/service/name"),
        spec(("apiregistration.k8s.io", "", "APIService"), "spec/service/name", false),
        spec(
            (ADMISSION, "", "ValidatingWebhookConfiguration"),
            "webhooks/clientConfig/service",
            false,
        ),
        spec(
            (ADMISSION, "", "MutatingWebhookConfiguration"),
            "webhooks/clientConfig/service",
            false,
        ),
    ]
}

fn service_account_references() -> Vec<FieldSpec> {
    let mut specs = vec![
        spec((RBAC, "", "RoleBinding"), "subjects", false),
        spec((RBAC, "", "ClusterRoleBinding"), "subjects", false),
    ];
    specs.extend(in_pods(OBJECT_USERS, &["serviceAccountName"]));
    specs
}
