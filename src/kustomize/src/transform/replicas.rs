//! Replica counts.

use crate::config::{Create, FieldSpec, apply};
use crate::error::{Result, fail};
use crate::kustomization::Replica;
use crate::resources::Resources;
use crate::yaml::{Node, Tag};

/// Sets the replica count of the objects of that name; a name that nothing has is an error.
pub fn set(resources: &mut Resources, replica: &Replica, specs: &[FieldSpec]) -> Result<()> {
    let count = replica.count.to_string();
    let mut change = |node: &mut Node| -> Result<()> {
        let shape = node.shape();
        let Some(scalar) = node.as_scalar_mut() else {
            return Err(fail!(Field, "a replica count is a number, not a {shape}"));
        };
        scalar.replace(count.as_str(), Tag::Int);
        Ok(())
    };
    let named = resources.find_name(&replica.name);
    let mut found = false;
    for spec in specs {
        for position in &named {
            let resource = &mut resources.contents_mut()[*position];
            let ids = resource.all_ids();
            if ids.iter().any(|id| id.name == replica.name && spec.gvk.selects_gvk(&id.gvk)) {
                found = true;
                apply(resource, spec, Create::Scalar(Tag::Int), &mut change)?;
            }
        }
    }
    if found {
        return Ok(());
    }
    let kinds: Vec<&str> = specs.iter().map(|spec| spec.gvk.kind.as_str()).collect();
    Err(fail!(
        NoMatch,
        "replicas: nothing of the kinds {} is called {:?}",
        kinds.join(", "),
        replica.name
    ))
}
