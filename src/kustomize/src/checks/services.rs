//! The way in: routes to Services, Services to pods.

use super::view::{Cluster, Container, at, integer, items, namespace_of, text};
use super::{error, warning};
use crate::built::Object;
use crate::finding::{Finding, Rule};
use crate::suggest::nearest;
use crate::yaml::Node;

pub const SELECTS_NOTHING: Rule = warning(
    "FWK121",
    "Service selects nothing",
    "A Service without pods answers nothing, and nothing says so.",
    "Give it the labels of the pods that it is for; a label that was added with `includeSelectors` in only one of two \
     bases is a usual cause.",
);
pub const NO_SUCH_PORT: Rule = error(
    "FWK122",
    "named target port that no container has",
    "A Service finds a named port in the containers' `ports`; without it, it has no endpoints.",
    "Name the container's port so, or write its number.",
);
pub const UNDECLARED_PORT: Rule = warning(
    "FWK123",
    "target port that no container declares",
    "The containers declare other ports than the one that the Service sends requests to: probably one is wrong.",
    "Correct `targetPort`, or declare the port in the container.",
);
pub const NO_BACKEND: Rule = warning(
    "FWK124",
    "route to a Service that isn't built",
    "A route to a Service that isn't there answers with 503.",
    "Build the Service in the same overlay and namespace, or say in the reason for ignoring this where it comes from.",
);
pub const NO_BACKEND_PORT: Rule = error(
    "FWK125",
    "route to a port that the Service doesn't have",
    "A route to a port that the Service doesn't have answers with 503.",
    "Use the number or the name of one of the Service's ports.",
);

pub const RULES: &[&Rule] =
    &[&SELECTS_NOTHING, &NO_SUCH_PORT, &UNDECLARED_PORT, &NO_BACKEND, &NO_BACKEND_PORT];

const ROUTES: &[&str] = &["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"];
/// The name of a port that stands for an action in an annotation of the AWS load balancer controller.
const ACTION: &str = "use-annotation";

pub fn run(cluster: &Cluster<'_>, findings: &mut Vec<Finding>) {
    for object in &cluster.objects {
        match object.kind() {
            "Service" => service(cluster, object, findings),
            "Ingress" => ingress(cluster, object, findings),
            kind if ROUTES.contains(&kind) => route(cluster, object, findings),
            _ => {}
        }
    }
}

fn service(cluster: &Cluster<'_>, service: &Object, findings: &mut Vec<Finding>) {
    let Some(spec) = service.node().get("spec") else { return };
    let Some(selector) = spec.get("selector").filter(|selector| !selector.is_null_or_empty())
    else {
        return;
    };
    let selected = cluster.with_labels(namespace_of(service), selector);
    if selected.is_empty() {
        let message = "no pod of this build has all of these labels";
        findings.push(Finding::new(&SELECTS_NOTHING, service, message).at("spec.selector"));
        return;
    }
    let containers: Vec<Container<'_>> =
        selected.iter().flat_map(|workload| workload.containers()).collect();
    for (position, port) in items(spec.get("ports")).iter().enumerate() {
        let Some(target) = port.get("targetPort").or_else(|| port.get("port")) else { continue };
        if containers.iter().any(|container| container.has_port(target)) {
            continue;
        }
        let field = format!("spec.ports[{position}].targetPort");
        let declared =
            || containers.iter().flat_map(|container| items(container.node.get("ports")));
        if integer(target).is_none() {
            let message = format!("no container has a port named {}", target.text());
            let names = declared().map(|port| text(port, "name"));
            let finding = Finding::new(&NO_SUCH_PORT, service, message).at(field);
            findings.push(match nearest(target.text(), names) {
                Some(near) => finding.help(format!("did you mean {near}?")),
                None => finding,
            });
        } else if declared().next().is_some() {
            let known: Vec<&str> = declared().map(|port| text(port, "containerPort")).collect();
            let message =
                format!("no container declares {}, but {}", target.text(), known.join(", "));
            findings.push(Finding::new(&UNDECLARED_PORT, service, message).at(field));
        }
    }
}

fn ingress(cluster: &Cluster<'_>, ingress: &Object, findings: &mut Vec<Finding>) {
    let Some(spec) = ingress.node().get("spec") else { return };
    let mut backends = Vec::new();
    backends.extend(spec.get("defaultBackend").map(|it| (it, "spec.defaultBackend".to_owned())));
    for (rule_at, rule) in items(spec.get("rules")).iter().enumerate() {
        for (path_at, path) in items(at(rule, &["http", "paths"])).iter().enumerate() {
            let field = format!("spec.rules[{rule_at}].http.paths[{path_at}].backend");
            backends.extend(path.get("backend").map(|it| (it, field)));
        }
    }
    for (backend, field) in backends {
        let Some(service) = backend.get("service") else { continue };
        let port = service.get("port");
        let name = port.and_then(|port| port.get("name")).filter(|name| !name.is_null_or_empty());
        if name.is_some_and(|name| name.text() == ACTION) {
            continue;
        }
        let port = name.or_else(|| port.and_then(|port| port.get("number")));
        let target = Target { name: text(service, "name"), namespace: namespace_of(ingress), port };
        backend_of(cluster, ingress, &target, &format!("{field}.service"), findings);
    }
}

fn route(cluster: &Cluster<'_>, route: &Object, findings: &mut Vec<Finding>) {
    for (rule_at, rule) in items(at(route.node(), &["spec", "rules"])).iter().enumerate() {
        for (backend_at, backend) in items(rule.get("backendRefs")).iter().enumerate() {
            if !text(backend, "group").is_empty()
                || !matches!(text(backend, "kind"), "" | "Service")
            {
                continue;
            }
            let namespace = match text(backend, "namespace") {
                "" => namespace_of(route),
                other => other,
            };
            let target =
                Target { name: text(backend, "name"), namespace, port: backend.get("port") };
            let field = format!("spec.rules[{rule_at}].backendRefs[{backend_at}]");
            backend_of(cluster, route, &target, &field, findings);
        }
    }
}

/// Where a route leads.
struct Target<'a> {
    name: &'a str,
    namespace: &'a str,
    port: Option<&'a Node>,
}

fn backend_of(
    cluster: &Cluster<'_>,
    route: &Object,
    target: &Target<'_>,
    field: &str,
    findings: &mut Vec<Finding>,
) {
    let Some(service) = cluster.find("Service", target.namespace, target.name) else {
        let message =
            format!("Service {} isn't built in namespace {}", target.name, target.namespace);
        let finding = Finding::new(&NO_BACKEND, route, message).at(format!("{field}.name"));
        let known =
            cluster.of_kind("Service").filter(|known| namespace_of(known) == target.namespace);
        findings.push(match nearest(target.name, known.map(Object::name)) {
            Some(near) => finding.help(format!("did you mean {near}?")),
            None => finding,
        });
        return;
    };
    let Some(port) = target.port else { return };
    let ports = items(at(service.node(), &["spec", "ports"]));
    let has = |known: &Node| match integer(port) {
        Some(number) => known.get("port").and_then(integer) == Some(number),
        None => text(known, "name") == port.text(),
    };
    if !ports.iter().any(has) {
        let known: Vec<String> = ports
            .iter()
            .map(|port| match (text(port, "port"), text(port, "name")) {
                (number, "") => number.to_owned(),
                (number, name) => format!("{number} ({name})"),
            })
            .collect();
        let message = format!(
            "Service {} has no port {}, but {}",
            target.name,
            port.text(),
            if known.is_empty() { "none".to_owned() } else { known.join(", ") }
        );
        findings.push(Finding::new(&NO_BACKEND_PORT, route, message).at(format!("{field}.port")));
    }
}
