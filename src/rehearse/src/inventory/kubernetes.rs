//! What the Kubernetes API holds, asked with kubectl: every kind that can be listed, custom ones too.

use serde_json::Value;

use super::{InventoryError, ask, unreadable};
use crate::{Site, parts::kubectl};

/// Kinds that the control plane writes by itself all the time, or that only say what others are.
const DERIVED: [&str; 12] = [
    "apiservices.apiregistration.k8s.io",
    "componentstatuses",
    "csinodes.storage.k8s.io",
    "endpoints",
    "endpointslices.discovery.k8s.io",
    "events",
    "events.events.k8s.io",
    "flowschemas.flowcontrol.apiserver.k8s.io",
    "ipaddresses.networking.k8s.io",
    "leases.coordination.k8s.io",
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
    "servicecidrs.networking.k8s.io",
];

/// Those who write for the control plane.
const CONTROL_PLANE: [&str; 4] =
    ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"];

pub(super) fn list(site: &Site) -> Result<Vec<String>, InventoryError> {
    let kubectl = || kubectl(&site.tools.kubectl, &site.kubeconfig);
    let kinds = ask(site, kubectl().args(["api-resources", "--verbs=list", "--output=name"]))?;
    let kinds: Vec<&str> = kinds.lines().filter(|kind| !DERIVED.contains(kind)).collect();
    let get = ["--all-namespaces", "--output=json", "--show-managed-fields"];
    let answer = ask(site, kubectl().arg("get").arg(kinds.join(",")).args(get))?;
    let answer: Value =
        serde_json::from_str(&answer).map_err(|error| unreadable(site, "kubectl get", error))?;
    let items = answer["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(items.iter().filter(|item| !belongs_to_control_plane(item)).map(line).collect())
}

fn line(item: &Value) -> String {
    let group = text(&item["apiVersion"]).rsplit_once('/').map_or("core", |(group, _)| group);
    let (kind, name) = (text(&item["kind"]), text(&item["metadata"]["name"]));
    match text(&item["metadata"]["namespace"]) {
        "" => format!("kubernetes/{group}/{kind} {name}"),
        namespace => format!("kubernetes/{group}/{kind} {namespace}/{name}"),
    }
}

/// True for what is there in an empty cluster, and in an empty namespace.
fn belongs_to_control_plane(item: &Value) -> bool {
    let metadata = &item["metadata"];
    let (kind, name) = (text(&item["kind"]), text(&metadata["name"]));
    let namespace = text(&metadata["namespace"]);
    let bootstrapped = metadata["labels"]["kubernetes.io/bootstrapping"] == "rbac-defaults";
    let in_every_namespace =
        matches!((kind, name), ("ServiceAccount", "default") | ("ConfigMap", "kube-root-ca.crt"));
    let system = namespace.starts_with("kube-") || namespace.is_empty() || namespace == "default";
    let workload = matches!(kind, "Pod" | "ReplicaSet" | "Job");
    bootstrapped
        || in_every_namespace
        || accounts_of_controllers(kind, metadata)
        || (system && !workload && written_by_control_plane(metadata))
}

/// True for the accounts that controllers make for themselves, bare, some time after they have started.
///
/// Nothing is written in them, so nobody is named as their writer; what formwork applies is labelled, and so has one.
fn accounts_of_controllers(kind: &str, metadata: &Value) -> bool {
    kind == "ServiceAccount"
        && metadata["namespace"] == "kube-system"
        && writers(metadata).is_empty()
}

/// True when nobody but the control plane has written the object.
fn written_by_control_plane(metadata: &Value) -> bool {
    let writers = writers(metadata);
    let ours = |writer: &Value| CONTROL_PLANE.contains(&text(&writer["manager"]));
    !writers.is_empty() && writers.iter().all(ours)
}

/// Who has written which fields of an object.
fn writers(metadata: &Value) -> &[Value] {
    metadata["managedFields"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(kind: &str, namespace: &str, name: &str, writer: &str) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": kind,
            "metadata": {"namespace": namespace, "name": name, "managedFields": [{"manager": writer}]},
        })
    }

    #[test]
    fn what_people_write_counts_wherever_it_is() {
        for namespace in ["kube-system", "default", "app"] {
            assert!(!belongs_to_control_plane(&object("ConfigMap", namespace, "c", "formwork")));
        }
        assert!(!belongs_to_control_plane(&object("Pod", "app", "p", "kube-controller-manager")));
    }

    #[test]
    fn what_an_empty_cluster_has_does_not_count() {
        let controllers = "kube-controller-manager";
        assert!(belongs_to_control_plane(&object("ServiceAccount", "app", "default", controllers)));
        assert!(belongs_to_control_plane(&object(
            "ServiceAccount",
            "kube-system",
            "x",
            controllers
        )));
        assert!(belongs_to_control_plane(&object(
            "Service",
            "default",
            "kubernetes",
            "kube-apiserver"
        )));
    }

    #[test]
    fn bare_accounts_count_in_an_application_only() {
        let bare = |namespace: &str| {
            let mut account = object("ServiceAccount", namespace, "a", "x");
            account["metadata"]["managedFields"] = json!(null);
            account
        };
        assert!(belongs_to_control_plane(&bare("kube-system")));
        assert!(!belongs_to_control_plane(&bare("app")));
    }

    #[test]
    fn lines_name_group_kind_and_place() {
        assert_eq!(line(&object("Secret", "app", "s", "x")), "kubernetes/core/Secret app/s");
        let mut role = object("ClusterRole", "", "r", "x");
        role["apiVersion"] = json!("rbac.authorization.k8s.io/v1");
        assert_eq!(line(&role), "kubernetes/rbac.authorization.k8s.io/ClusterRole r");
    }
}
