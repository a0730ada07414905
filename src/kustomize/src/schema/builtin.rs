//! The merge keys and scopes of Kubernetes' own kinds, as its OpenAPI document of v1.21 has them.
//!
//! Only what a merge asks for is here: fields that hold, at whatever depth, a list that merges by key. Kinds of later
//! versions are taken for custom ones, whose lists are replaced, because kustomize does so.

/// The version whose schema kustomize carries.
pub const BUILTIN_VERSION: &str = "v1.21.2";

/// The part of a schema that matters to a merge.
#[derive(Debug)]
pub enum Shape {
    Map(&'static [(&'static str, Shape)]),
    /// A list that merges by these keys.
    List(&'static [&'static str], &'static Shape),
}

use Shape::{List, Map};

impl Shape {
    pub fn field(&'static self, name: &str) -> Option<&'static Shape> {
        match self {
            Map(fields) => fields.iter().find(|(field, _)| *field == name).map(|(_, shape)| shape),
            List(..) => None,
        }
    }

    pub fn items(&self) -> Option<&'static Shape> {
        match self {
            Map(_) => None,
            List(_, items) => Some(items),
        }
    }

    pub fn merge_keys(&self) -> Option<&'static [&'static str]> {
        match self {
            Map(_) => None,
            List(keys, _) => Some(keys),
        }
    }
}

const PLAIN: Shape = Map(&[]);
const CONDITIONS: (&str, Shape) = ("conditions", List(&["type"], &PLAIN));
const STATUS: (&str, Shape) = ("status", Map(&[CONDITIONS]));
const METADATA: (&str, Shape) = (
    "metadata",
    Map(&[("finalizers", List(&[], &PLAIN)), ("ownerReferences", List(&["uid"], &PLAIN))]),
);

const ENV: (&str, Shape) = ("env", List(&["name"], &PLAIN));
const VOLUME_DEVICES: (&str, Shape) = ("volumeDevices", List(&["devicePath"], &PLAIN));
const VOLUME_MOUNTS: (&str, Shape) = ("volumeMounts", List(&["mountPath"], &PLAIN));
const CONTAINER: Shape = Map(&[
    ENV,
    ("ports", List(&["containerPort", "protocol"], &PLAIN)),
    VOLUME_DEVICES,
    VOLUME_MOUNTS,
]);
const EPHEMERAL_CONTAINER: Shape = Map(&[ENV, VOLUME_DEVICES, VOLUME_MOUNTS]);
const VOLUME: Shape = Map(&[("ephemeral", Map(&[("volumeClaimTemplate", Map(&[METADATA]))]))]);
const POD_SPEC: Shape = Map(&[
    ("containers", List(&["name"], &CONTAINER)),
    ("initContainers", List(&["name"], &CONTAINER)),
    ("ephemeralContainers", List(&["name"], &EPHEMERAL_CONTAINER)),
    ("volumes", List(&["name"], &VOLUME)),
    ("imagePullSecrets", List(&["name"], &PLAIN)),
    ("hostAliases", List(&["ip"], &PLAIN)),
    ("topologySpreadConstraints", List(&["topologyKey", "whenUnsatisfiable"], &PLAIN)),
]);
const POD_TEMPLATE: (&str, Shape) = ("template", Map(&[METADATA, ("spec", POD_SPEC)]));

static OBJECT: Shape = Map(&[METADATA]);
static OBJECT_WITH_STATUS: Shape = Map(&[METADATA, STATUS]);
static COMPONENT_STATUS: Shape = Map(&[METADATA, CONDITIONS]);
static WORKLOAD: Shape = Map(&[METADATA, ("spec", Map(&[POD_TEMPLATE])), STATUS]);
static CRON_JOB: Shape = Map(&[
    METADATA,
    ("spec", Map(&[("jobTemplate", Map(&[METADATA, ("spec", Map(&[POD_TEMPLATE]))]))])),
]);
static POD: Shape = Map(&[
    METADATA,
    ("spec", POD_SPEC),
    ("status", Map(&[CONDITIONS, ("podIPs", List(&["ip"], &PLAIN))])),
]);
static POD_TEMPLATE_OBJECT: Shape = Map(&[METADATA, POD_TEMPLATE]);
static SERVICE: Shape =
    Map(&[METADATA, ("spec", Map(&[("ports", List(&["port", "protocol"], &PLAIN))])), STATUS]);
static SERVICE_ACCOUNT: Shape = Map(&[METADATA, ("secrets", List(&["name"], &PLAIN))]);
static NODE: Shape = Map(&[
    METADATA,
    ("spec", Map(&[("podCIDRs", List(&[], &PLAIN))])),
    ("status", Map(&[("addresses", List(&["type"], &PLAIN)), CONDITIONS])),
]);
static WEBHOOKS: Shape = Map(&[METADATA, ("webhooks", List(&["name"], &PLAIN))]);
static CSI_NODE: Shape = Map(&[METADATA, ("spec", Map(&[("drivers", List(&["name"], &PLAIN))]))]);
static KUSTOMIZATION: Shape = Map(&[
    ("configMapGenerator", List(&["name"], &PLAIN)),
    ("secretGenerator", List(&["name"], &PLAIN)),
]);

/// The shape of a kind that Kubernetes v1.21 has.
pub fn shape_of(api_version: &str, kind: &str) -> Option<&'static Shape> {
    let shape = match (api_version, kind) {
        ("apps/v1", "DaemonSet" | "Deployment" | "ReplicaSet" | "StatefulSet")
        | ("batch/v1", "Job")
        | ("v1", "ReplicationController") => &WORKLOAD,
        ("batch/v1" | "batch/v1beta1", "CronJob") => &CRON_JOB,
        ("v1", "Pod") => &POD,
        ("v1", "PodTemplate") => &POD_TEMPLATE_OBJECT,
        ("v1", "Service") => &SERVICE,
        ("v1", "ServiceAccount") => &SERVICE_ACCOUNT,
        ("v1", "Node") => &NODE,
        ("v1", "ComponentStatus") => &COMPONENT_STATUS,
        ("v1", "Namespace" | "PersistentVolumeClaim")
        | ("policy/v1" | "policy/v1beta1", "PodDisruptionBudget")
        | ("apiregistration.k8s.io/v1" | "apiregistration.k8s.io/v1beta1", "APIService") => {
            &OBJECT_WITH_STATUS
        }
        (
            "admissionregistration.k8s.io/v1" | "admissionregistration.k8s.io/v1beta1",
            "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration",
        ) => &WEBHOOKS,
        ("storage.k8s.io/v1" | "storage.k8s.io/v1beta1", "CSINode") => &CSI_NODE,
        ("kustomize.config.k8s.io/v1beta1", "Kustomization") => &KUSTOMIZATION,
        (
            "v1",
            "Binding" | "ConfigMap" | "Endpoints" | "Event" | "LimitRange" | "PersistentVolume"
            | "ResourceQuota" | "Secret",
        )
        | ("apps/v1", "ControllerRevision")
        | ("autoscaling/v1", "HorizontalPodAutoscaler" | "Scale")
        | ("autoscaling/v2beta1" | "autoscaling/v2beta2", "HorizontalPodAutoscaler")
        | ("certificates.k8s.io/v1" | "certificates.k8s.io/v1beta1", "CertificateSigningRequest")
        | ("coordination.k8s.io/v1" | "coordination.k8s.io/v1beta1", "Lease")
        | ("discovery.k8s.io/v1" | "discovery.k8s.io/v1beta1", "EndpointSlice")
        | ("events.k8s.io/v1" | "events.k8s.io/v1beta1", "Event")
        | ("extensions/v1beta1", "Ingress")
        | ("flowcontrol.apiserver.k8s.io/v1beta1", "FlowSchema" | "PriorityLevelConfiguration")
        | ("networking.k8s.io/v1", "Ingress" | "IngressClass" | "NetworkPolicy")
        | ("networking.k8s.io/v1beta1", "Ingress" | "IngressClass")
        | ("node.k8s.io/v1" | "node.k8s.io/v1beta1", "RuntimeClass")
        | ("policy/v1beta1", "Eviction" | "PodSecurityPolicy")
        | (
            "rbac.authorization.k8s.io/v1" | "rbac.authorization.k8s.io/v1beta1",
            "ClusterRole" | "ClusterRoleBinding" | "Role" | "RoleBinding",
        )
        | ("scheduling.k8s.io/v1" | "scheduling.k8s.io/v1beta1", "PriorityClass")
        | (
            "storage.k8s.io/v1" | "storage.k8s.io/v1beta1",
            "CSIDriver" | "StorageClass" | "VolumeAttachment",
        )
        | ("storage.k8s.io/v1beta1", "CSIStorageCapacity")
        | (
            "apiextensions.k8s.io/v1" | "apiextensions.k8s.io/v1beta1",
            "CustomResourceDefinition",
        ) => &OBJECT,
        _ => return None,
    };
    Some(shape)
}

static CONTAINER_DEFINITION: Shape = CONTAINER;
static POD_SPEC_DEFINITION: Shape = POD_SPEC;
static POD_TEMPLATE_DEFINITION: Shape = POD_TEMPLATE.1;
static PLAIN_DEFINITION: Shape = PLAIN;

/// The shape that a reference into Kubernetes' OpenAPI document leads to.
pub fn definition(reference: &str) -> Option<&'static Shape> {
    match reference.strip_prefix("#/definitions/io.k8s.api.")? {
        "core.v1.Container" => Some(&CONTAINER_DEFINITION),
        "core.v1.PodSpec" => Some(&POD_SPEC_DEFINITION),
        "core.v1.PodTemplateSpec" => Some(&POD_TEMPLATE_DEFINITION),
        name => {
            // Definitions of objects are called after group, version and kind.
            let (group_version, kind) = name.rsplit_once('.')?;
            let (group, version) = group_version.rsplit_once('.')?;
            let api_version =
                if group == "core" { version.to_owned() } else { format!("{group}/{version}") };
            shape_of(&api_version, kind).or(Some(&PLAIN_DEFINITION))
        }
    }
}

/// Whether objects of this kind certainly have no namespace; kinds that aren't known are taken to have one.
pub fn is_cluster_scoped(api_version: &str, kind: &str) -> bool {
    matches!(
        (api_version, kind),
        ("v1", "ComponentStatus" | "Namespace" | "Node" | "NodeProxyOptions" | "PersistentVolume")
            | (
                "admissionregistration.k8s.io/v1",
                "MutatingWebhookConfiguration"
                    | "ValidatingWebhookConfiguration"
                    | "ValidatingAdmissionPolicy"
                    | "ValidatingAdmissionPolicyBinding"
            )
            | (
                "admissionregistration.k8s.io/v1beta1",
                "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration"
            )
            | (
                "apiextensions.k8s.io/v1" | "apiextensions.k8s.io/v1beta1",
                "CustomResourceDefinition"
            )
            | ("apiregistration.k8s.io/v1" | "apiregistration.k8s.io/v1beta1", "APIService")
            | (
                "certificates.k8s.io/v1" | "certificates.k8s.io/v1beta1",
                "CertificateSigningRequest"
            )
            | ("flowcontrol.apiserver.k8s.io/v1beta1", "FlowSchema" | "PriorityLevelConfiguration")
            | ("networking.k8s.io/v1" | "networking.k8s.io/v1beta1", "IngressClass")
            | ("node.k8s.io/v1" | "node.k8s.io/v1beta1", "RuntimeClass")
            | ("policy/v1beta1", "PodSecurityPolicy")
            | (
                "rbac.authorization.k8s.io/v1" | "rbac.authorization.k8s.io/v1beta1",
                "ClusterRole" | "ClusterRoleBinding"
            )
            | ("scheduling.k8s.io/v1" | "scheduling.k8s.io/v1beta1", "PriorityClass")
            | (
                "storage.k8s.io/v1" | "storage.k8s.io/v1beta1",
                "CSIDriver" | "CSINode" | "StorageClass" | "VolumeAttachment"
            )
    )
}
