//! Images that a run doesn't name: a part that isn't released now keeps the image that it has.

use crate::cli::CliError;
use formwork_engine::{Data, Expr, Graph, Resource as _, State};
use formwork_kubernetes::{App, RELEASED};

/// Puts the recorded image in the place of each that says [`RELEASED`].
///
/// A canary tries out what changes of another app, and so has that one's. The state must be held: another part may
/// have been released a moment ago.
pub(in crate::cli) fn bind(graph: &mut Graph, state: &State) -> Result<(), CliError> {
    for node in graph.nodes.iter_mut().filter(|node| node.kind == App::SCHEMA.kind) {
        let released = node.options.canary_of.unwrap_or(node.address);
        let recorded = state.resources.get(&released);
        let recorded = recorded.and_then(|record| record.inputs.get("images"));
        let Some(images) = node.fields.get_mut("images") else { continue };
        for (name, image) in entries(images) {
            if image.as_str() != Some(RELEASED) {
                continue;
            }
            let of_record = recorded.and_then(|images| images.get(&name)).and_then(Data::as_str);
            let known = of_record.ok_or_else(|| {
                CliError::with_help(
                    format!("`{}` has no image of `{name}` yet", node.address),
                    format!("name the first one: --image {name}=REGISTRY/NAME@DIGEST"),
                )
            })?;
            *image = known.into();
        }
    }
    Ok(())
}

/// The literal entries of a map, by their keys.
fn entries(images: &mut Expr) -> Vec<(String, &mut serde_json::Value)> {
    match images {
        Expr::Literal(serde_json::Value::Object(map)) => {
            map.iter_mut().map(|(name, image)| (name.clone(), image)).collect()
        }
        Expr::Map(entries) => entries
            .iter_mut()
            .filter_map(|(name, image)| match (name, image) {
                (Expr::Literal(name), Expr::Literal(image)) => {
                    Some((name.as_str()?.to_owned(), image))
                }
                _ => None,
            })
            .collect(),
        _ => vec![],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use formwork_engine::{Record, Stack, map};
    use formwork_kubernetes::{Cluster, KubeconfigFile};
    use serde_json::json;

    fn graph() -> Graph {
        let mut s = Stack::new("shop");
        s.add(
            "app",
            App::new()
                .cluster(Cluster::new().kubeconfig(KubeconfigFile::new().path("kubeconfig")))
                .overlay("overlay")
                .namespace("shop")
                .images(map! { "client": RELEASED, "server": "registry/server:2" }),
        );
        s.finish().unwrap()
    }

    #[test]
    fn a_part_that_is_not_named_keeps_its_image() {
        let (mut graph, mut state) = (graph(), State::empty("shop"));
        let refused = bind(&mut graph, &state).unwrap_err();
        assert_eq!(refused.into_report().to_string(), "`shop/app` has no image of `client` yet");

        let images =
            json!({"images": {"client": "registry/client:1", "server": "registry/server:1"}});
        let record = json!({
            "kind": "kube.App", "id": "shop/app", "name": "app", "intent": "i", "binding": null, "inputs": images,
            "outputs": {}, "dependencies": [], "protect": false, "retain": false,
        });
        let record: Record = serde_json::from_value(record).unwrap();
        state.resources.insert(graph.nodes[0].address, record);
        bind(&mut graph, &state).unwrap();
        let bound = json!({"client": "registry/client:1", "server": "registry/server:2"});
        assert_eq!(graph.nodes[0].fields["images"], Expr::Literal(bound));
    }
}
