//! The builtin `IAMPolicyGenerator`: a ServiceAccount bound to one of Google's.

use crate::decode::Reading;
use crate::error::{Result, fail};
use crate::resource::Resource;
use crate::yaml::{Mapping, Node};

/// Reads the generator's settings and makes its ServiceAccount.
pub fn generate_gke(reading: Reading<'_>, node: &Node) -> Result<Vec<Resource>> {
    let fields = reading.fields("an IAMPolicyGenerator", node)?;
    let cloud = fields.string("cloud")?;
    if cloud != "gke" {
        return Err(fail!(Field, "an IAMPolicyGenerator knows the cloud \"gke\", not {cloud:?}"));
    }
    let pair = |field: &'static str, second: &'static str| {
        let pair = fields.optional(field, |reading, node| {
            let fields = reading.fields(field, node)?;
            Ok((fields.string("name")?, fields.string(second)?))
        });
        pair.map(Option::unwrap_or_default)
    };
    let (name, namespace) = pair("kubernetesService", "namespace")?;
    let (account, project) = pair("serviceAccount", "projectId")?;
    let mut annotations = Mapping::default();
    let address = format!("{account}@{project}.iam.gserviceaccount.com");
    annotations.insert("iam.gke.io/gcp-service-account", Node::string(address));
    let mut metadata = Mapping::default();
    metadata.insert("annotations", Node::mapping(annotations));
    metadata.insert("name", Node::string(name));
    if !namespace.is_empty() {
        metadata.insert("namespace", Node::string(namespace));
    }
    let mut root = Mapping::default();
    root.insert("apiVersion", Node::string("v1"));
    root.insert("kind", Node::string("ServiceAccount"));
    root.insert("metadata", Node::mapping(metadata));
    Ok(vec![Resource::new(Node::mapping(root))])
}
