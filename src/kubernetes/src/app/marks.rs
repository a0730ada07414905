//! The marks on objects: whose they are, and what an App keeps in its record in the cluster.

use crate::{
    api::{at, text},
    release::Generation,
};
use formwork_engine::{Address, Failure, Owner};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

/// The lineage of the state that an object belongs to.
pub const LINEAGE: &str = "formwork/lineage";
/// The stack and the node that an object belongs to: an address, whose `/` no label value may hold.
pub const STACK: &str = "formwork/stack";
pub const NODE: &str = "formwork/node";
/// On the record: the intent that made it.
const INTENT: &str = "formwork/intent";
/// On the record: the kinds that objects of the App may have, `apps/v1 Deployment`.
const KINDS: &str = "formwork/kinds";
/// On the record: the digest of what was applied last, all of it.
const RELEASE: &str = "formwork/release";
/// On the record: the generations of ConfigMaps and Secrets that were applied last, `ConfigMap config-7hk9b2m4ct`.
const CURRENT: &str = "formwork/generations";
/// On the record: those that earlier revisions need.
const KEPT: &str = "formwork/kept";
/// On a Secret: for each key, the digest of the reference (never of the text) that it was filled from.
pub const SECRETS: &str = "formwork/secrets";

/// What an App keeps in the cluster beside its objects: a revision, or its lease.
const ROLE: &str = "formwork/role";
pub const REVISION: &str = "revision";
pub const LEASE: &str = "lease";
/// On a volume's object that left the overlay: it stays until somebody deletes it.
pub const LEFT: &str = "formwork/left";
/// On a volume's object, by its author: `true` lets it be deleted when it leaves the overlay.
const DELETE: &str = "formwork/delete";

/// The label selector of the objects of one App, without what it keeps beside them.
pub fn selector(owner: &Owner) -> String {
    format!("{},!{ROLE}", everything(owner))
}

/// The label selector of what one App keeps in a role.
pub fn selector_of(owner: &Owner, role: &str) -> String {
    format!("{},{ROLE}={role}", everything(owner))
}

fn everything(owner: &Owner) -> String {
    let (stack, node) = (owner.address.stack(), owner.address.name());
    format!("{LINEAGE}={},{STACK}={stack},{NODE}={node}", owner.lineage)
}

/// Puts the owner's labels and the role on what an App keeps beside its objects.
pub fn mark_kept(object: &mut Json, owner: &Owner, role: &str) {
    mark(object, owner);
    object["metadata"]["labels"][ROLE] = json!(role);
}

/// Whether an object's author lets it be deleted with its data.
pub fn may_delete(object: &Json) -> bool {
    text(object, &["metadata", "annotations", DELETE]) == "true"
}

/// The record's name, which is also the App's key in its namespace.
pub fn record_name(address: Address) -> String {
    format!("formwork.{}.{}", address.stack(), address.name())
}

/// Whether an object is this App's.
pub fn is_ours(object: &Json, owner: &Owner) -> bool {
    let label = |key| text(object, &["metadata", "labels", key]);
    label(LINEAGE) == owner.lineage
        && label(STACK) == owner.address.stack()
        && label(NODE) == owner.address.name()
}

/// Puts the owner's labels on an object.
pub fn mark(object: &mut Json, owner: &Owner) {
    // Everything that is applied is a map with metadata: the key of its place was read from there.
    let labels = &mut object["metadata"]["labels"];
    labels[LINEAGE] = json!(owner.lineage);
    labels[STACK] = json!(owner.address.stack());
    labels[NODE] = json!(owner.address.name());
}

/// What an App notes in the cluster, so that its objects are found again without any state.
///
/// A ConfigMap without data: written before the first object and deleted after the last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    pub intent: String,
    pub kinds: BTreeSet<Gvk>,
    /// Empty until everything was applied once.
    pub release: String,
    /// The generations of the last apply that came through.
    pub current: BTreeSet<Generation>,
    /// The generations that a revision needs which is kept.
    pub kept: BTreeSet<Generation>,
}

/// An API version and a kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gvk {
    pub api_version: String,
    pub kind: String,
}

impl Gvk {
    pub fn of(object: &Json) -> Self {
        let part = |key| text(object, &[key]).to_owned();
        Self { api_version: part("apiVersion"), kind: part("kind") }
    }

    pub fn config_map() -> Self {
        Self { api_version: "v1".into(), kind: "ConfigMap".into() }
    }

    pub fn namespace() -> Self {
        Self { api_version: "v1".into(), kind: "Namespace".into() }
    }

    pub fn secret() -> Self {
        Self { api_version: "v1".into(), kind: "Secret".into() }
    }

    pub fn lease() -> Self {
        Self { api_version: "coordination.k8s.io/v1".into(), kind: "Lease".into() }
    }

    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }
}

impl Record {
    pub fn parse(object: &Json) -> Self {
        let annotation = |key| text(object, &["metadata", "annotations", key]);
        let kinds = annotation(KINDS).lines().filter_map(|line| {
            let (api_version, kind) = line.split_once(' ')?;
            Some(Gvk { api_version: api_version.into(), kind: kind.into() })
        });
        Self {
            intent: annotation(INTENT).to_owned(),
            kinds: kinds.collect(),
            release: annotation(RELEASE).to_owned(),
            current: Generation::read(annotation(CURRENT)),
            kept: Generation::read(annotation(KEPT)),
        }
    }

    pub fn object(&self, owner: &Owner, namespace: &str) -> Json {
        let kinds: Vec<String> =
            self.kinds.iter().map(|gvk| format!("{} {}", gvk.api_version, gvk.kind)).collect();
        let mut object = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": record_name(owner.address),
                "namespace": namespace,
                "annotations": {
                    INTENT: self.intent,
                    KINDS: kinds.join("\n"),
                    RELEASE: self.release,
                    CURRENT: Generation::write(&self.current),
                    KEPT: Generation::write(&self.kept),
                },
            },
        });
        mark(&mut object, owner);
        object
    }
}

/// Says that something of this name isn't ours.
pub fn taken(object: &Json) -> Failure {
    let place = match text(object, &["metadata", "namespace"]) {
        "" => String::new(),
        namespace => format!(" in namespace {namespace}"),
    };
    let label = |key| text(object, &["metadata", "labels", key]);
    let whose = match at(object, &["metadata", "labels", LINEAGE]) {
        Some(_) => format!("belongs to `{}/{}` of another state", label(STACK), label(NODE)),
        None => "wasn't made by formwork".to_owned(),
    };
    Failure::taken(format!("{}{place} is there already and {whose}", crate::api::title(object)))
        .hint("choose another `name_prefix` or `namespace`, or delete it: nothing is adopted")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        Owner {
            lineage: "0198".into(),
            address: "preview/shop".parse().unwrap(),
            intent: "i-1".into(),
        }
    }

    #[test]
    fn a_record_is_read_back_as_written() {
        let record = Record {
            intent: "i-1".into(),
            kinds: [
                Gvk { api_version: "apps/v1".into(), kind: "Deployment".into() },
                Gvk { api_version: "v1".into(), kind: "Secret".into() },
            ]
            .into(),
            release: "abc".into(),
            current: Generation::read("ConfigMap config-2222222222"),
            kept: Generation::read("ConfigMap config-2222222222\nSecret s-4444444444"),
        };
        let object = record.object(&owner(), "shop-pr1");
        assert_eq!(Record::parse(&object), record);
        assert_eq!(crate::api::name(&object), "formwork.preview.shop");
        assert!(is_ours(&object, &owner()));
        assert!(!is_ours(&object, &Owner { lineage: "0199".into(), ..owner() }));
    }

    #[test]
    fn an_object_of_another_state_is_told_from_a_stranger() {
        let mut object = json!({"kind": "Service", "metadata": {"name": "a", "namespace": "n"}});
        assert_eq!(
            taken(&object).message,
            "Service a in namespace n is there already and wasn't made by formwork"
        );
        mark(&mut object, &owner());
        assert!(taken(&object).message.contains("belongs to `preview/shop` of another state"));
    }
}
