//! Keys of objects in an App: `Deployment/shop-pr1/shop-pr1-server`.

use super::marks::Gvk;
use crate::api::{name, text};
use serde_json::Value as Json;

/// Length of the hash that kustomize ends a generated name with.
const HASH: usize = 10;
/// Its letters: hexadecimal digits without those that spell words (kustomize `hasher.go`, `encode`).
const HASH_LETTERS: &str = "2456789bcdfghkmt";

/// The key of an object: kind, namespace where it has one, and name.
///
/// A kind of a group that isn't Kubernetes' own is written with its group, `Certificate.cert-manager.io`.
/// A generated ConfigMap or Secret has the key of its name without the hash, so that new content is a
/// change of it and not another object.
pub fn of(object: &Json) -> String {
    place(object, stem(object))
}

/// The key of an object by its whole name, for generations that are no longer the wanted one.
pub fn full(object: &Json) -> String {
    place(object, name(object))
}

/// The key of an object that has no namespace of its own, as if it were in this one.
pub fn of_in(object: &Json, namespace: &str) -> String {
    match text(object, &["metadata", "namespace"]) {
        "" => placed(object, namespace, stem(object)),
        _ => of(object),
    }
}

fn place(object: &Json, name: &str) -> String {
    placed(object, text(object, &["metadata", "namespace"]), name)
}

fn placed(object: &Json, namespace: &str, name: &str) -> String {
    let gvk = Gvk::of(object);
    let group = match gvk.group() {
        group if is_builtin(group) => String::new(),
        group => format!(".{group}"),
    };
    match namespace {
        "" => format!("{}{group}/{name}", gvk.kind),
        namespace => format!("{}{group}/{namespace}/{name}", gvk.kind),
    }
}

fn is_builtin(group: &str) -> bool {
    !group.contains('.') || group.ends_with(".k8s.io")
}

/// The name, without the hash where it was generated.
pub fn stem(object: &Json) -> &str {
    let name = name(object);
    if !matches!(text(object, &["kind"]), "ConfigMap" | "Secret") {
        return name;
    }
    match name.rsplit_once('-') {
        Some((stem, hash))
            if hash.len() == HASH && hash.chars().all(|c| HASH_LETTERS.contains(c)) =>
        {
            stem
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_name_kind_place_and_stem() {
        let check = |api: &str, kind: &str, namespace: Option<&str>, name: &str, expected: &str| {
            let mut object = json!({"apiVersion": api, "kind": kind, "metadata": {"name": name}});
            if let Some(namespace) = namespace {
                object["metadata"]["namespace"] = namespace.into();
            }
            assert_eq!(of(&object), expected);
        };
        check("apps/v1", "Deployment", Some("ns"), "server", "Deployment/ns/server");
        check("v1", "ConfigMap", Some("ns"), "config-c5ththm4t2", "ConfigMap/ns/config");
        check("v1", "ConfigMap", Some("ns"), "config-production", "ConfigMap/ns/config-production");
        check("v1", "Service", Some("ns"), "config-c5ththm4t2", "Service/ns/config-c5ththm4t2");
        check("networking.k8s.io/v1", "IngressClass", None, "alb", "IngressClass/alb");
        check("cert-manager.io/v1", "Issuer", Some("n"), "x", "Issuer.cert-manager.io/n/x");
    }
}
