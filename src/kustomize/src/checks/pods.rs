//! What is in a pod: probes, requests, images.

use super::view::{Cluster, Container, Workload, at, items, namespace_of, text};
use super::{error, warning};
use crate::finding::{Finding, Rule};
use crate::yaml::Node;
use std::collections::HashSet;

pub const NO_READINESS: Rule = warning(
    "FWK111",
    "no readiness probe behind a Service",
    "Without one a pod gets requests as soon as its process is up, and a rollout goes on although the new version \
     answers nothing.",
    "Add a `readinessProbe` to the container that serves the Service's port.",
);
pub const NO_REQUESTS: Rule = warning(
    "FWK112",
    "no resource requests",
    "The scheduler takes such a container for one that needs nothing: nodes fill up, and it is the first to be evicted. \
     Autoscaling by utilisation doesn't work either.",
    "Set `resources.requests.cpu` and `.memory`, for each container or for the pod.",
);
pub const MUTABLE_IMAGE: Rule = warning(
    "FWK113",
    "image tag that moves",
    "What runs depends on when a node pulled the image: replicas differ, and a rollback brings the same image back.",
    "Name a version or, better, a digest; `images` in the overlay or on the App sets it in one place.",
);
pub const NO_VOLUME: Rule = error(
    "FWK114",
    "mount without a volume",
    "The API server refuses a container that mounts a volume which its pod doesn't have.",
    "Add the volume to `volumes`, or correct the name.",
);
pub const SELECTOR: Rule = error(
    "FWK115",
    "selector doesn't take its own pods",
    "The API server refuses a workload whose selector doesn't match the labels of its template.",
    "Give the template the labels that the selector names; `labels` with `includeSelectors` sets both.",
);

pub const RULES: &[&Rule] = &[&NO_READINESS, &NO_REQUESTS, &MUTABLE_IMAGE, &NO_VOLUME, &SELECTOR];

/// Tags that by custom are moved to each new build.
const MOVING: &[&str] = &[
    "latest", "main", "master", "trunk", "head", "edge", "nightly", "stable", "dev", "develop",
    "canary", "snapshot",
];

pub fn run(cluster: &Cluster<'_>, findings: &mut Vec<Finding>) {
    readiness(cluster, findings);
    let limited: HashSet<&str> = cluster.of_kind("LimitRange").map(namespace_of).collect();
    for workload in &cluster.workloads {
        if !limited.contains(workload.namespace) {
            requests(workload, findings);
        }
        images(workload, findings);
        mounts(workload, findings);
        selector(workload, findings);
    }
}

/// Of a pod behind a Service, the container that serves the Service's port must say when it is ready.
fn readiness(cluster: &Cluster<'_>, findings: &mut Vec<Finding>) {
    let mut seen = HashSet::new();
    for service in cluster.of_kind("Service") {
        let Some(selector) = at(service.node(), &["spec", "selector"]) else { continue };
        let ports = items(at(service.node(), &["spec", "ports"]));
        for workload in cluster.with_labels(namespace_of(service), selector) {
            if !matches!(workload.object.kind(), "Deployment" | "StatefulSet") {
                continue;
            }
            for container in serving(workload, ports) {
                if container.node.get("readinessProbe").is_none_or(Node::is_null_or_empty)
                    && seen.insert(std::ptr::from_ref(container.node))
                {
                    let message = format!(
                        "container {} has no readinessProbe and serves Service {}",
                        container.name(),
                        service.name()
                    );
                    findings.push(
                        Finding::new(&NO_READINESS, workload.object, message).at(container.path),
                    );
                }
            }
        }
    }
}

/// The containers that declare one of the ports; where none does, the only one.
fn serving<'a>(workload: &Workload<'a>, ports: &[Node]) -> Vec<Container<'a>> {
    let target = |port: &Node| port.get("targetPort").or_else(|| port.get("port")).cloned();
    let targets: Vec<Node> = ports.iter().filter_map(target).collect();
    let serves = |container: &Container<'_>| targets.iter().any(|port| container.has_port(port));
    let found: Vec<_> = workload.containers().filter(serves).collect();
    if !found.is_empty() {
        return found;
    }
    let all: Vec<_> = workload.containers().collect();
    if all.len() == 1 { all } else { Vec::new() }
}

fn requests(workload: &Workload<'_>, findings: &mut Vec<Finding>) {
    // A limit counts as a request, and requests of the pod are for all of its containers.
    let asks = |node: &Node, what: &str| {
        ["requests", "limits"].iter().any(|part| at(node, &["resources", part, what]).is_some())
    };
    for container in workload.containers() {
        let missing: Vec<&str> = ["cpu", "memory"]
            .into_iter()
            .filter(|what| !asks(container.node, what) && !asks(workload.pod, what))
            .collect();
        if !missing.is_empty() {
            let message =
                format!("container {} requests no {}", container.name(), missing.join(" and no "));
            let finding = Finding::new(&NO_REQUESTS, workload.object, message);
            findings.push(finding.at(format!("{}.resources", container.path)));
        }
    }
}

fn images(workload: &Workload<'_>, findings: &mut Vec<Finding>) {
    for container in workload.all_containers() {
        let image = text(container.node, "image");
        if image.is_empty() || image.contains('@') {
            continue;
        }
        // A colon before the last slash belongs to the registry's port.
        let message = match image.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
            None => format!("{image} has no tag, so it is `latest`"),
            Some((_, tag)) if MOVING.contains(&tag.to_lowercase().as_str()) => {
                format!("the tag of {image} is moved to other builds")
            }
            Some(_) => continue,
        };
        let finding = Finding::new(&MUTABLE_IMAGE, workload.object, message);
        findings.push(finding.at(format!("{}.image", container.path)));
    }
}

fn mounts(workload: &Workload<'_>, findings: &mut Vec<Finding>) {
    let volumes = items(workload.pod.get("volumes")).iter().map(|volume| text(volume, "name"));
    let claims = items(at(workload.object.node(), &["spec", "volumeClaimTemplates"]));
    let claims = claims.iter().filter_map(|claim| at(claim, &["metadata", "name"])).map(Node::text);
    let volumes: HashSet<&str> = volumes.chain(claims).collect();
    for container in workload.all_containers() {
        for (position, mount) in items(container.node.get("volumeMounts")).iter().enumerate() {
            let name = text(mount, "name");
            if !name.is_empty() && !volumes.contains(name) {
                let message = format!("the pod has no volume {name}");
                let finding = Finding::new(&NO_VOLUME, workload.object, message);
                findings.push(finding.at(format!("{}.volumeMounts[{position}]", container.path)));
            }
        }
    }
}

fn selector(workload: &Workload<'_>, findings: &mut Vec<Finding>) {
    let object = workload.object;
    let own = matches!(object.kind(), "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet");
    let selector = at(object.node(), &["spec", "selector"]).filter(|_| own);
    if let Some(selector) = selector
        && !workload.is_selected(selector)
    {
        let message = "it doesn't match the labels of the template";
        findings.push(Finding::new(&SELECTOR, object, message).at("spec.selector"));
    }
}
