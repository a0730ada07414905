//! Taking an App away, all of it.

use super::{
    super::{
        immutable,
        marks::{self, Gvk},
        observe::{self, Live, core, is_going},
        order,
    },
    defined,
};
use crate::{
    api::{Served, name, side_by_side, text, title},
    cluster::Connection,
    release,
};
use formwork_engine::{Failure, Owner, Subject};
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// Deletes everything that is the App's, the namespace last; busy until all of it is gone.
pub async fn delete(cluster: &Connection, subject: &Subject) -> Result<(), Failure> {
    let (owner, namespace) = (&subject.owner, observe::namespace(subject)?);
    let mut kinds: BTreeSet<Gvk> = observe::wanted(&subject.inputs).values().map(Gvk::of).collect();
    kinds.insert(Gvk::namespace());
    let live = observe::live(cluster, owner, namespace, &kinds).await?;
    let busy = |what: String| Failure::busy(format!("{what} on the way out"));
    if live.namespace.as_ref().is_some_and(|namespace| !is_going(namespace)) {
        refuse_other_apps(cluster, owner, namespace).await?;
    }

    refuse_objects_of_others(cluster, owner, namespace, &live).await?;

    for step in (0..order::ALL).rev() {
        let of_step = live.objects.iter().filter(|(_, object)| {
            order::step(text(object, &["kind"])) == step && !is_going(object)
        });
        let deletions = of_step.map(|(kind, object)| cluster.delete(kind, namespace, object));
        side_by_side(deletions.collect()).await?;
    }
    if !live.objects.is_empty() {
        let left = observe::live(cluster, owner, namespace, &kinds).await?.objects;
        if let Some((_, first)) = left.first() {
            return Err(busy(match left.len() {
                1 => format!("{} is", title(first)),
                count => format!("{} and {} more are", title(first), count - 1),
            }));
        }
    }
    match (&live.namespace, &live.record) {
        (Some(object), _) => {
            let kind = core(cluster, &Gvk::namespace()).await?;
            if !is_going(object) {
                cluster.delete(&kind, "", object).await?;
            }
            match cluster.metadata(&kind, "", namespace).await? {
                Some(_) => Err(busy(format!("namespace {namespace} is"))),
                None => Ok(()),
            }
        }
        (None, Some(record)) => {
            release::forget(cluster, subject).await?;
            let kind: Served = core(cluster, &Gvk::config_map()).await?;
            cluster.delete(&kind, namespace, record).await.map(drop)
        }
        (None, None) => Ok(()),
    }
}

/// A definition isn't deleted over the head of objects of its kind that aren't the App's: they would go with it.
async fn refuse_objects_of_others(
    cluster: &Connection,
    owner: &Owner,
    namespace: &str,
    live: &Live,
) -> Result<(), Failure> {
    let goes = |object: &Json| {
        let here = text(object, &["metadata", "namespace"]) == namespace;
        marks::is_ours(object, owner) || here && live.namespace.is_some()
    };
    let definitions = live.objects.iter().map(|(_, object)| object);
    for definition in definitions.filter(|o| immutable::is_definition(o) && !is_going(o)) {
        let Some((api_version, kind)) = defined(definition).pop() else { continue };
        let Some(served) = cluster.served(&api_version, &kind).await? else { continue };
        // Without a namespace in its path, the list is of all of them.
        let everywhere = Served { namespaced: false, ..served };
        let all = cluster.list_metadata(&everywhere, "", "").await?;
        let others: Vec<String> = all.iter().filter(|object| !goes(object)).map(placed).collect();
        if let Some((first, rest)) = others.split_first() {
            let more = match rest.len() {
                0 => String::new(),
                count => format!(" and {count} more"),
            };
            return Err(Failure::invalid(format!(
                "{} would take {kind} {first}{more} with it, which {} not this App's",
                title(definition),
                if rest.is_empty() { "is" } else { "are" },
            ))
            .hint(format!(
                "delete them first, or let the definition stay: kubectl label crd {} {}-",
                name(definition),
                marks::LINEAGE
            )));
        }
    }
    Ok(())
}

/// An object's name, with its namespace where it has one.
fn placed(object: &Json) -> String {
    match text(object, &["metadata", "namespace"]) {
        "" => name(object).to_owned(),
        namespace => format!("{namespace}/{}", name(object)),
    }
}

/// A namespace isn't deleted over the head of another App in it.
async fn refuse_other_apps(
    cluster: &Connection,
    owner: &Owner,
    namespace: &str,
) -> Result<(), Failure> {
    let config_maps = core(cluster, &Gvk::config_map()).await?;
    let records = cluster.list_metadata(&config_maps, namespace, marks::LINEAGE).await?;
    match records.iter().find(|record| !marks::is_ours(record, owner)) {
        None => Ok(()),
        Some(other) => {
            let label = |key| text(other, &["metadata", "labels", key]);
            Err(Failure::busy(format!(
                "namespace {namespace} still holds `{}/{}`",
                label(marks::STACK),
                label(marks::NODE)
            ))
            .hint("destroy that one first"))
        }
    }
}
