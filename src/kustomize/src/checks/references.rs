//! What pods refer to by name: ConfigMaps, Secrets, ServiceAccounts, claims.

use super::view::{
    Cluster, Workload, at, is_true, items, made_elsewhere, namespace_of, pairs, text,
};
use super::warning;
use crate::built::Object;
use crate::finding::{Finding, Rule};
use crate::suggest::nearest;
use crate::yaml::Node;
use std::collections::HashSet;

pub const NO_CONFIG_MAP: Rule = warning(
    "FWK131",
    "ConfigMap that isn't built",
    "A pod whose ConfigMap isn't there doesn't start, and a rollout hangs until its deadline.",
    "Generate it in the overlay, correct the name, or mark the reference `optional`; say in the reason for ignoring \
     this what else makes it.",
);
pub const NO_SECRET: Rule = warning(
    "FWK132",
    "Secret that isn't built",
    "A pod whose Secret isn't there doesn't start, and a rollout hangs until its deadline.",
    "Generate it, have an ExternalSecret, SealedSecret or Certificate make it, correct the name, or mark the reference \
     `optional`; say in the reason for ignoring this what else makes it.",
);
pub const NO_KEY: Rule = warning(
    "FWK133",
    "key that a ConfigMap or Secret doesn't have",
    "A container that takes a variable from a key which isn't there doesn't start.",
    "Add the key to the generator, or correct its name.",
);
pub const NO_SERVICE_ACCOUNT: Rule = warning(
    "FWK134",
    "ServiceAccount that isn't built",
    "No pod is created while its ServiceAccount isn't there.",
    "Build it in the same namespace; say in the reason for ignoring this what else makes it.",
);
pub const NO_CLAIM: Rule = warning(
    "FWK135",
    "PersistentVolumeClaim that isn't built",
    "A pod whose claim isn't there stays pending.",
    "Build it in the same namespace; say in the reason for ignoring this what else makes it.",
);

pub const RULES: &[&Rule] = &[&NO_CONFIG_MAP, &NO_SECRET, &NO_KEY, &NO_SERVICE_ACCOUNT, &NO_CLAIM];

/// What every namespace has (<https://kubernetes.io/docs/concepts/security/service-accounts/>).
const ALWAYS_THERE: &[(&str, &str)] =
    &[("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")];
/// Annotations that have cert-manager make the Secret of an Ingress.
const CERTIFICATE_ISSUERS: &[&str] = &["cert-manager.io/issuer", "cert-manager.io/cluster-issuer"];

pub fn run(cluster: &Cluster<'_>, findings: &mut Vec<Finding>) {
    let made = made_elsewhere(cluster);
    let mut check = Check { cluster, made, findings };
    for workload in &cluster.workloads {
        let mut references = Vec::new();
        of_pod(workload, &mut references);
        check.references(workload.object, references);
    }
    for object in &cluster.objects {
        let mut references = Vec::new();
        match object.kind() {
            "Ingress" => of_ingress(object, &mut references),
            "ServiceAccount" => of_service_account(object, &mut references),
            _ => continue,
        }
        check.references(object, references);
    }
}

/// One mention of an object by name.
struct Reference<'a> {
    rule: &'static Rule,
    kind: &'static str,
    name: &'a str,
    /// The key in its data that is used.
    key: Option<&'a str>,
    field: String,
}

struct Check<'c, 'a> {
    cluster: &'c Cluster<'a>,
    made: HashSet<(&'static str, &'a str, &'a str)>,
    findings: &'c mut Vec<Finding>,
}

impl Check<'_, '_> {
    /// Says each missing thing once for an object, where it is first mentioned.
    fn references(&mut self, object: &Object, references: Vec<Reference<'_>>) {
        let namespace = namespace_of(object);
        let mut said = HashSet::new();
        for Reference { rule, kind, name, key, field } in references {
            if name.is_empty()
                || ALWAYS_THERE.contains(&(kind, name))
                || self.made.contains(&(kind, namespace, name))
            {
                continue;
            }
            let Some(found) = self.cluster.find(kind, namespace, name) else {
                if said.insert((kind, name, None)) {
                    let message = format!("{kind} {name} isn't built in namespace {namespace}");
                    let finding = Finding::new(rule, object, message).at(field);
                    let known = self.cluster.objects.iter().filter(|known| known.kind() == kind);
                    self.findings.push(match nearest(name, known.map(|known| known.name())) {
                        Some(near) => finding.help(format!("did you mean {near}?")),
                        None => finding,
                    });
                }
                continue;
            };
            let Some(key) = key else { continue };
            if !has_key(found, key) && said.insert((kind, name, Some(key))) {
                let message = format!("{kind} {name} has no key {key}");
                let finding = Finding::new(&NO_KEY, object, message).at(field);
                self.findings.push(match nearest(key, keys(found)) {
                    Some(near) => finding.help(format!("did you mean {near}?")),
                    None => finding,
                });
            }
        }
    }
}

fn keys(object: &Object) -> impl Iterator<Item = &str> {
    let parts = ["data", "binaryData", "stringData"].into_iter();
    parts.flat_map(|part| pairs(object.node().get(part)).map(|(key, _)| key))
}

fn has_key(object: &Object, key: &str) -> bool {
    keys(object).any(|known| known == key)
}

/// A reference by `field`, unless it is optional.
fn reference<'a>(
    rule: &'static Rule,
    kind: &'static str,
    node: Option<&'a Node>,
    name: &str,
    field: impl FnOnce() -> String,
) -> Option<Reference<'a>> {
    let node = node.filter(|node| !is_true(node.get("optional")))?;
    let key = node.get("key").map(Node::text);
    Some(Reference { rule, kind, name: text(node, name), key, field: field() })
}

fn of_pod<'a>(workload: &Workload<'a>, found: &mut Vec<Reference<'a>>) {
    let path = &workload.path;
    for container in workload.all_containers() {
        let path = &container.path;
        for (position, variable) in items(container.node.get("env")).iter().enumerate() {
            let Some(from) = variable.get("valueFrom") else { continue };
            let field = |part: &str| format!("{path}.env[{position}].valueFrom.{part}");
            let config = from.get("configMapKeyRef");
            found.extend(reference(&NO_CONFIG_MAP, "ConfigMap", config, "name", || {
                field("configMapKeyRef")
            }));
            let secret = from.get("secretKeyRef");
            found.extend(reference(&NO_SECRET, "Secret", secret, "name", || field("secretKeyRef")));
        }
        for (position, source) in items(container.node.get("envFrom")).iter().enumerate() {
            let field = |part: &str| format!("{path}.envFrom[{position}].{part}");
            let config = source.get("configMapRef");
            found.extend(reference(&NO_CONFIG_MAP, "ConfigMap", config, "name", || {
                field("configMapRef")
            }));
            let secret = source.get("secretRef");
            found.extend(reference(&NO_SECRET, "Secret", secret, "name", || field("secretRef")));
        }
    }
    for (position, volume) in items(workload.pod.get("volumes")).iter().enumerate() {
        let path = format!("{path}.volumes[{position}]");
        volume_source(volume, "secretName", &path, found);
        let claim = volume.get("persistentVolumeClaim");
        let field = || format!("{path}.persistentVolumeClaim");
        found.extend(reference(&NO_CLAIM, "PersistentVolumeClaim", claim, "claimName", field));
        for (position, source) in items(at(volume, &["projected", "sources"])).iter().enumerate() {
            volume_source(source, "name", &format!("{path}.projected.sources[{position}]"), found);
        }
    }
    pull_secrets(workload.pod, path, found);
    let account = Some(workload.pod);
    let field = || format!("{path}.serviceAccountName");
    found.extend(reference(
        &NO_SERVICE_ACCOUNT,
        "ServiceAccount",
        account,
        "serviceAccountName",
        field,
    ));
}

/// A volume's ConfigMap or Secret, with the keys of its `items`.
fn volume_source<'a>(source: &'a Node, secret: &str, path: &str, found: &mut Vec<Reference<'a>>) {
    for (rule, kind, part, name) in [
        (&NO_CONFIG_MAP, "ConfigMap", "configMap", "name"),
        (&NO_SECRET, "Secret", "secret", secret),
    ] {
        let Some(node) = source.get(part) else { continue };
        let Some(whole) = reference(rule, kind, Some(node), name, || format!("{path}.{part}"))
        else {
            continue;
        };
        let name = whole.name;
        found.push(Reference { key: None, ..whole });
        for (position, item) in items(node.get("items")).iter().enumerate() {
            let (key, field) =
                (Some(text(item, "key")), format!("{path}.{part}.items[{position}]"));
            found.push(Reference { rule, kind, name, key, field });
        }
    }
}

fn pull_secrets<'a>(node: &'a Node, path: &str, found: &mut Vec<Reference<'a>>) {
    for (position, secret) in items(node.get("imagePullSecrets")).iter().enumerate() {
        let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
        let field = || format!("{prefix}imagePullSecrets[{position}]");
        found.extend(reference(&NO_SECRET, "Secret", Some(secret), "name", field));
    }
}

fn of_service_account<'a>(account: &'a Object, found: &mut Vec<Reference<'a>>) {
    pull_secrets(account.node(), "", found);
}

fn of_ingress<'a>(ingress: &'a Object, found: &mut Vec<Reference<'a>>) {
    let annotations = at(ingress.node(), &["metadata", "annotations"]);
    if pairs(annotations).any(|(name, _)| CERTIFICATE_ISSUERS.contains(&name)) {
        return;
    }
    for (position, tls) in items(at(ingress.node(), &["spec", "tls"])).iter().enumerate() {
        let field = || format!("spec.tls[{position}].secretName");
        found.extend(reference(&NO_SECRET, "Secret", Some(tls), "secretName", field));
    }
}
