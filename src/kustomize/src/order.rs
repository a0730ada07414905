//! The order of the output.

use crate::error::{Result, fail};
use crate::id::Gvk;
use crate::kustomization::{Order, SortOptions};
use crate::resources::Resources;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::rc::Rc;

/// Kinds that come first in the legacy order: what others depend on.
pub const FIRST: &[&str] = &[
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];
/// Kinds that come last in the legacy order.
pub const LAST: &[&str] = &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// The place of a kind in the legacy order: negative first, positive last, 0 for all others.
pub fn legacy_rank(kind: &str) -> isize {
    let first = FIRST.iter().position(|first| *first == kind);
    let last = || LAST.iter().position(|last| *last == kind);
    match first {
        Some(at) => at as isize - FIRST.len() as isize,
        None => last().map_or(0, |at| at as isize + 1),
    }
}

/// Puts objects in the order that the kustomization asks for.
pub fn sort(resources: &mut Resources, options: &SortOptions) -> Result<()> {
    let (first, last): (Vec<&str>, Vec<&str>) = match (&options.order, &options.legacy) {
        (Order::Fifo, None) => return Ok(()),
        (Order::Fifo, Some(_)) => {
            return Err(fail!(
                Conflict,
                "sortOptions.legacySortOptions is set but sortOptions.order is not 'legacy'"
            ));
        }
        (Order::Legacy, None) => (FIRST.to_vec(), LAST.to_vec()),
        (Order::Legacy, Some(legacy)) => (
            legacy.first.iter().map(String::as_str).collect(),
            legacy.last.iter().map(String::as_str).collect(),
        ),
    };
    let mut ranks: HashMap<&str, isize> = HashMap::new();
    for (at, kind) in first.iter().enumerate() {
        ranks.insert(kind, at as isize - first.len() as isize);
    }
    for (at, kind) in last.iter().enumerate() {
        ranks.insert(kind, at as isize + 1);
    }
    resources.check_unique()?;
    let mut kinds: HashMap<Gvk, Rc<Kind>> = HashMap::new();
    resources.all_mut().sort_by_cached_key(|resource| {
        let gvk = resource.gvk();
        let rank = ranks.get(gvk.kind.as_str()).copied().unwrap_or(0);
        let kind = kinds.entry(gvk).or_insert_with_key(|gvk| Rc::new(Kind::new(rank, gvk)));
        let namespace = or(resource.namespace(), "~X");
        (Rc::clone(kind), format!("{namespace}|{}", or(resource.name(), "~N")))
    });
    Ok(())
}

fn or<'a>(text: &'a str, none: &'a str) -> &'a str {
    if text.is_empty() { none } else { text }
}

/// What a kind has to do with the order: its rank, then group, version and kind. The same for all of its objects, so that it
/// is made once.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    rank: isize,
    key: KindKey,
    gvk: String,
}

impl Kind {
    fn new(rank: isize, gvk: &Gvk) -> Self {
        let (group, version, kind) =
            (or(&gvk.group, "~G"), or(&gvk.version, "~V"), or(&gvk.kind, "~K"));
        let is_namespace = gvk.kind == "Namespace";
        let key = KindKey {
            core: is_namespace && gvk.group.is_empty(),
            is_namespace,
            text: format!("{group}_{version}_{kind}"),
        };
        Self { rank, key, gvk: gvk.to_string() }
    }
}

#[derive(PartialEq, Eq)]
struct KindKey {
    is_namespace: bool,
    /// Kubernetes' own Namespace.
    core: bool,
    text: String,
}

impl Ord for KindKey {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = self.text.cmp(&other.text);
        // Among kinds called Namespace, Kubernetes' own comes before those of other groups.
        let reversed = self.is_namespace && other.is_namespace && (self.core || other.core);
        if reversed { order.reverse() } else { order }
    }
}

impl PartialOrd for KindKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
