//! API versions that Kubernetes has taken away, or is about to.

use std::fmt;

/// A release of Kubernetes by its minor version: 36 is v1.36.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release(pub u32);

/// What becomes of an API version of some kinds.
#[derive(Debug)]
pub struct Retirement {
    api_version: &'static str,
    /// None for all kinds.
    kinds: &'static [&'static str],
    pub deprecated: Release,
    /// The release that doesn't serve it any more, where that is decided.
    pub removed: Option<Release>,
    pub instead: &'static str,
}

const fn gone(
    removed: u32,
    deprecated: u32,
    api_version: &'static str,
    kinds: &'static [&'static str],
    instead: &'static str,
) -> Retirement {
    let (deprecated, removed) = (Release(deprecated), Some(Release(removed)));
    Retirement { api_version, kinds, deprecated, removed, instead }
}

/// From <https://kubernetes.io/docs/reference/using-api/deprecation-guide/>.
const RETIREMENTS: &[Retirement] = &[
    gone(16, 9, "extensions/v1beta1", &["DaemonSet", "Deployment", "ReplicaSet"], "use apps/v1"),
    gone(16, 9, "extensions/v1beta1", &["NetworkPolicy"], "use networking.k8s.io/v1"),
    gone(16, 10, "extensions/v1beta1", &["PodSecurityPolicy"], "use Pod Security Admission"),
    gone(16, 9, "apps/v1beta1", &[], "use apps/v1"),
    gone(16, 9, "apps/v1beta2", &[], "use apps/v1"),
    gone(22, 14, "extensions/v1beta1", &["Ingress"], "use networking.k8s.io/v1"),
    gone(
        22,
        19,
        "networking.k8s.io/v1beta1",
        &["Ingress", "IngressClass"],
        "use networking.k8s.io/v1",
    ),
    gone(
        22,
        16,
        "admissionregistration.k8s.io/v1beta1",
        &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"],
        "use admissionregistration.k8s.io/v1",
    ),
    gone(22, 16, "apiextensions.k8s.io/v1beta1", &[], "use apiextensions.k8s.io/v1"),
    gone(22, 19, "apiregistration.k8s.io/v1beta1", &[], "use apiregistration.k8s.io/v1"),
    gone(22, 19, "authentication.k8s.io/v1beta1", &["TokenReview"], "use authentication.k8s.io/v1"),
    gone(22, 19, "authorization.k8s.io/v1beta1", &[], "use authorization.k8s.io/v1"),
    gone(
        22,
        19,
        "certificates.k8s.io/v1beta1",
        &["CertificateSigningRequest"],
        "use certificates.k8s.io/v1",
    ),
    gone(22, 19, "coordination.k8s.io/v1beta1", &["Lease"], "use coordination.k8s.io/v1"),
    gone(22, 17, "rbac.authorization.k8s.io/v1beta1", &[], "use rbac.authorization.k8s.io/v1"),
    gone(22, 14, "scheduling.k8s.io/v1beta1", &["PriorityClass"], "use scheduling.k8s.io/v1"),
    gone(
        22,
        19,
        "storage.k8s.io/v1beta1",
        &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"],
        "use storage.k8s.io/v1",
    ),
    gone(25, 21, "batch/v1beta1", &["CronJob"], "use batch/v1"),
    gone(25, 21, "discovery.k8s.io/v1beta1", &["EndpointSlice"], "use discovery.k8s.io/v1"),
    gone(25, 19, "events.k8s.io/v1beta1", &["Event"], "use events.k8s.io/v1"),
    gone(25, 22, "autoscaling/v2beta1", &["HorizontalPodAutoscaler"], "use autoscaling/v2"),
    gone(25, 21, "policy/v1beta1", &["PodDisruptionBudget"], "use policy/v1"),
    gone(25, 21, "policy/v1beta1", &["PodSecurityPolicy"], "use Pod Security Admission"),
    gone(25, 22, "node.k8s.io/v1beta1", &["RuntimeClass"], "use node.k8s.io/v1"),
    gone(26, 23, "autoscaling/v2beta2", &["HorizontalPodAutoscaler"], "use autoscaling/v2"),
    gone(
        26,
        23,
        "flowcontrol.apiserver.k8s.io/v1beta1",
        &[],
        "use flowcontrol.apiserver.k8s.io/v1",
    ),
    gone(27, 24, "storage.k8s.io/v1beta1", &["CSIStorageCapacity"], "use storage.k8s.io/v1"),
    gone(
        29,
        26,
        "flowcontrol.apiserver.k8s.io/v1beta2",
        &[],
        "use flowcontrol.apiserver.k8s.io/v1",
    ),
    gone(
        32,
        29,
        "flowcontrol.apiserver.k8s.io/v1beta3",
        &[],
        "use flowcontrol.apiserver.k8s.io/v1",
    ),
    Retirement {
        api_version: "v1",
        kinds: &["Endpoints"],
        deprecated: Release(33),
        removed: None,
        instead: "use EndpointSlice of discovery.k8s.io/v1",
    },
    Retirement {
        api_version: "v1",
        kinds: &["ComponentStatus"],
        deprecated: Release(19),
        removed: None,
        instead: "ask the components' own health endpoints",
    },
];

/// What becomes of a kind's API version, if anything.
pub fn retirement(api_version: &str, kind: &str) -> Option<&'static Retirement> {
    RETIREMENTS.iter().find(|retirement| {
        retirement.api_version == api_version
            && (retirement.kinds.is_empty() || retirement.kinds.contains(&kind))
    })
}

impl Release {
    /// The release of `1.36` or `v1.36.3`.
    pub fn parse(version: &str) -> Option<Self> {
        let mut parts = version.strip_prefix('v').unwrap_or(version).split('.');
        match (parts.next()?, parts.next()?.parse()) {
            ("1", Ok(minor)) => Some(Self(minor)),
            _ => None,
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v1.{}", self.0)
    }
}
