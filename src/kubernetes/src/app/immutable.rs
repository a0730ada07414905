//! Fields that can't be changed once an object exists: such an object is deleted and made again.

use super::marks::{self, Gvk};
use crate::api::{at, name, text};
use kube::{api::PropagationPolicy, core::Status};
use serde_json::Value as Json;

/// What becomes of an object's dependents when it makes way for its next self.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependents {
    /// They go with it.
    Go,
    /// They stay, and the next one adopts them: a StatefulSet's pods run on, its claims are kept.
    Stay,
}

/// One kind's fields that are fixed at creation.
struct Fixed {
    group: &'static str,
    kind: &'static str,
    fields: &'static [&'static [&'static str]],
}

const fn fixed(
    group: &'static str,
    kind: &'static str,
    fields: &'static [&'static [&'static str]],
) -> Fixed {
    Fixed { group, kind, fields }
}

/// A Service's address; `None` is the text that says that it has none.
const CLUSTER_IP: &[&str] = &["spec", "clusterIP"];

/// The kinds that people have in overlays; any other's are found out by the server's answer.
///
/// From the API reference (<https://kubernetes.io/docs/reference/kubernetes-api/>) and the validation of updates
/// in Kubernetes 1.36. A definition of custom resources isn't here: all of them would go with it.
const FIXED: &[Fixed] = &[
    fixed("apps", "Deployment", &[&["spec", "selector"]]),
    fixed("apps", "ReplicaSet", &[&["spec", "selector"]]),
    fixed("apps", "DaemonSet", &[&["spec", "selector"]]),
    fixed(
        "apps",
        "StatefulSet",
        &[
            &["spec", "selector"],
            &["spec", "serviceName"],
            &["spec", "podManagementPolicy"],
            &["spec", "volumeClaimTemplates"],
        ],
    ),
    fixed(
        "batch",
        "Job",
        &[
            &["spec", "selector"],
            &["spec", "template"],
            &["spec", "completions"],
            &["spec", "completionMode"],
            &["spec", "podFailurePolicy"],
            &["spec", "successPolicy"],
            &["spec", "backoffLimitPerIndex"],
            &["spec", "managedBy"],
        ],
    ),
    fixed("", "Service", &[CLUSTER_IP, &["spec", "clusterIPs"]]),
    fixed("", "Secret", &[&["type"]]),
    fixed("rbac.authorization.k8s.io", "RoleBinding", &[&["roleRef"]]),
    fixed("rbac.authorization.k8s.io", "ClusterRoleBinding", &[&["roleRef"]]),
    fixed(
        "storage.k8s.io",
        "StorageClass",
        &[&["provisioner"], &["parameters"], &["reclaimPolicy"], &["volumeBindingMode"]],
    ),
    fixed("networking.k8s.io", "IngressClass", &[&["spec", "controller"]]),
    fixed("scheduling.k8s.io", "PriorityClass", &[&["value"], &["preemptionPolicy"]]),
    fixed("node.k8s.io", "RuntimeClass", &[&["handler"]]),
    fixed(
        "",
        "PersistentVolumeClaim",
        &[
            &["spec", "accessModes"],
            &["spec", "dataSource"],
            &["spec", "dataSourceRef"],
            &["spec", "selector"],
            &["spec", "storageClassName"],
            &["spec", "volumeMode"],
            &["spec", "volumeName"],
        ],
    ),
    fixed("", "PersistentVolume", &[&["spec", "csi"], &["spec", "volumeMode"]]),
];

/// What a ConfigMap or a Secret that says `immutable: true` can't change.
const WHEN_IMMUTABLE: &[&[&str]] = &[&["data"], &["binaryData"], &["immutable"]];

/// Whether an object may be deleted where it isn't wanted any more: one that takes data with it, only with consent.
pub fn may_go(object: &Json, deletes_volumes: bool) -> bool {
    let consent = is_volume(object) && deletes_volumes || marks::may_delete(object);
    consent || !is_volume(object) && !is_definition(object)
}

/// Whether an object defines a kind: all objects of it are gone with it, whosever they are.
pub fn is_definition(object: &Json) -> bool {
    let gvk = Gvk::of(object);
    (gvk.group(), gvk.kind.as_str()) == ("apiextensions.k8s.io", "CustomResourceDefinition")
}

/// Whether an object holds data that is gone with it.
pub fn is_volume(object: &Json) -> bool {
    let gvk = Gvk::of(object);
    gvk.group().is_empty()
        && matches!(gvk.kind.as_str(), "PersistentVolumeClaim" | "PersistentVolume")
}

/// The fixed fields in which a wanted object differs from what is there of it, `spec.selector`.
///
/// `there` is what is ours of the live object, as it is compared with the wanted one.
pub fn differences(wanted: &Json, there: &Json) -> Vec<String> {
    if name(wanted) != name(there) {
        // Another generation of it: nothing has to make way.
        return vec![];
    }
    let gvk = Gvk::of(wanted);
    let entry = FIXED.iter().find(|entry| (entry.group, entry.kind) == (gvk.group(), &gvk.kind));
    let mut fields: Vec<&[&str]> = entry.map(|entry| entry.fields.to_vec()).unwrap_or_default();
    let holds_data = matches!(gvk.kind.as_str(), "ConfigMap" | "Secret");
    if holds_data && gvk.group().is_empty() && there.get("immutable") == Some(&Json::Bool(true)) {
        fields.extend(WHEN_IMMUTABLE);
    }
    fields.retain(|field| {
        let (wanted, there) = (at(wanted, field), at(there, field));
        // What isn't wanted has a default, or is the server's to choose; but a Service without an address never
        // gets one.
        let headless = *field == CLUSTER_IP && there == Some(&Json::from("None"));
        let removed = (holds_data || headless) && wanted.is_none() && there.is_some();
        removed || wanted.is_some() && wanted != there
    });
    fields.into_iter().map(|field| field.join(".")).collect()
}

/// What becomes of the dependents of an object that is made again for these fields.
pub fn dependents(object: &Json, fields: &[String]) -> Dependents {
    // With another selector they would belong to nobody.
    let adopted = !fields.iter().any(|field| field == "spec.selector");
    match text(object, &["kind"]) {
        "StatefulSet" if adopted => Dependents::Stay,
        _ => Dependents::Go,
    }
}

impl From<Dependents> for PropagationPolicy {
    fn from(dependents: Dependents) -> Self {
        match dependents {
            Dependents::Go => PropagationPolicy::Background,
            Dependents::Stay => PropagationPolicy::Orphan,
        }
    }
}

/// What servers say of a field that is fixed, in lower case; custom resources have words of their own.
const WORDS: &[&str] = &[
    "immutable",
    "may not be changed",
    "may not change once set",
    "cannot change roleref",
    "for fields other than",
    "updates to parameters are forbidden",
    "updates to provisioner are forbidden",
    "updates to reclaimpolicy are forbidden",
    "field cannot be changed",
    "may not be updated",
];

/// Whether the server refused a change for the field that it is of.
pub fn is_refusal(status: &Status) -> bool {
    let message = status.message.to_lowercase();
    status.code == 422 && WORDS.iter().any(|words| message.contains(words))
}

/// What a person does about it.
pub fn next_step(object: &Json, namespace: &str) -> String {
    let gvk = Gvk::of(object);
    let kind = match gvk.group() {
        "" => gvk.kind.to_lowercase(),
        group => format!("{}.{group}", gvk.kind.to_lowercase()),
    };
    format!(
        "it can't be changed in place: give it another name, or make it again: kubectl delete {kind} {} -n \
         {namespace}, then apply",
        name(object)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(api: &str, kind: &str, wanted: Json, there: Json, expected: &[&str]) {
        let object = |mut part: Json| {
            part["apiVersion"] = api.into();
            part["kind"] = kind.into();
            part
        };
        assert_eq!(differences(&object(wanted), &object(there)), expected, "{kind}");
    }

    #[test]
    fn only_what_is_fixed_makes_an_object_again() {
        let spec = |field: &str, value: Json| json!({"spec": {field: value}});
        check(
            "apps/v1",
            "Deployment",
            spec("selector", json!({"matchLabels": {"a": "2"}})),
            spec("selector", json!({"matchLabels": {"a": "1"}})),
            &["spec.selector"],
        );
        check("apps/v1", "Deployment", spec("replicas", json!(2)), spec("replicas", json!(1)), &[]);
        // A CRD of the same name in another group has rules of its own.
        check(
            "example.com/v1",
            "Deployment",
            spec("selector", json!(1)),
            spec("selector", json!(2)),
            &[],
        );
        check(
            "apps/v1",
            "StatefulSet",
            spec("volumeClaimTemplates", json!([1])),
            spec("volumeClaimTemplates", json!([2])),
            &["spec.volumeClaimTemplates"],
        );
        check(
            "v1",
            "Service",
            spec("clusterIP", json!("None")),
            json!({"spec": {}}),
            &["spec.clusterIP"],
        );
        check(
            "v1",
            "Service",
            json!({"spec": {}}),
            spec("clusterIP", json!("None")),
            &["spec.clusterIP"],
        );
        // Left to the server.
        check("v1", "Service", json!({"spec": {}}), spec("clusterIP", json!("10.0.0.1")), &[]);
        check(
            "batch/v1",
            "Job",
            spec("template", json!(1)),
            spec("template", json!(2)),
            &["spec.template"],
        );
        check("batch/v1", "Job", spec("parallelism", json!(1)), spec("parallelism", json!(2)), &[]);
        check(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            json!({"roleRef": {"name": "a"}}),
            json!({"roleRef": {"name": "b"}}),
            &["roleRef"],
        );
        check(
            "storage.k8s.io/v1",
            "StorageClass",
            json!({"parameters": {"type": "gp3"}}),
            json!({"parameters": {"type": "gp2"}}),
            &["parameters"],
        );
    }

    #[test]
    fn data_is_fixed_where_the_object_says_so() {
        let data =
            |value: &str, immutable: bool| json!({"data": {"a": value}, "immutable": immutable});
        check("v1", "ConfigMap", data("2", true), data("1", true), &["data"]);
        check("v1", "ConfigMap", data("2", false), data("1", false), &[]);
        check("v1", "ConfigMap", data("1", false), data("1", true), &["immutable"]);
        check("v1", "ConfigMap", json!({"data": {"a": "1"}}), data("1", true), &["immutable"]);
        check("v1", "Secret", json!({"type": "a"}), json!({"type": "b"}), &["type"]);
        // A generated one has another name for other content.
        let named = |name: &str| json!({"metadata": {"name": name}, "data": {"a": name}, "immutable": true});
        check("v1", "ConfigMap", named("a-2222222222"), named("a-4444444444"), &[]);
    }

    #[test]
    fn pods_stay_where_the_next_self_would_adopt_them() {
        let check = |kind: &str, field: &str, expected: Dependents| {
            assert_eq!(dependents(&json!({ "kind": kind }), &[field.to_owned()]), expected);
        };
        check("StatefulSet", "spec.volumeClaimTemplates", Dependents::Stay);
        check("StatefulSet", "spec.selector", Dependents::Go);
        check("Deployment", "spec.selector", Dependents::Go);
        check("Job", "spec.template", Dependents::Go);
    }

    #[test]
    fn the_servers_refusals_are_known_by_their_words() {
        let check = |code: u16, message: &str, expected: bool| {
            let status = Status { code, message: message.into(), ..Status::default() };
            assert_eq!(is_refusal(&status), expected, "{message}");
        };
        check(422, "spec.selector: Invalid value: …: field is immutable", true);
        check(
            422,
            "spec: Forbidden: updates to statefulset spec for fields other than 'replicas' …",
            true,
        );
        check(422, "roleRef: Invalid value: …: cannot change roleRef", true);
        check(422, "spec.ports[0].port: Invalid value: 99999: must be between 1 and 65535", false);
        check(409, "the object is immutable", false);
    }
}
