//! Replica counts.

use crate::config::{Create, FieldSpec, apply};
use crate::error::{Result, fail};
use crate::kustomization::Replica;
use crate::resources::Resources;
use crate::suggest::{listed, nearest};
use crate::yaml::{Node, Tag};

/// Sets the replica count of the objects of that name; says whether that changed anything.
///
/// A name that nothing has is an error.
pub fn set(resources: &mut Resources, replica: &Replica, specs: &[FieldSpec]) -> Result<bool> {
    let count = replica.count.to_string();
    let mut changed = false;
    let mut change = |node: &mut Node| -> Result<()> {
        let shape = node.shape();
        let Some(scalar) = node.as_scalar_mut() else {
            return Err(fail!(Field, "a replica count is a number, not a {shape}"));
        };
        changed |= scalar.text != count;
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
        return Ok(changed);
    }
    let kinds: Vec<&str> = specs.iter().map(|spec| spec.gvk.kind.as_str()).collect();
    let error = fail!(NoMatch, "no {} is called {:?}", kinds.join(", "), replica.name);
    let scaled = resources
        .iter()
        .filter(|resource| kinds.contains(&resource.kind()))
        .map(|resource| resource.original_name());
    let scaled: Vec<&str> = scaled.collect();
    let help = match nearest(&replica.name, scaled.iter().copied()) {
        Some(near) => Some(format!("did you mean {near:?}?")),
        None => listed(scaled).map(|listed| format!("there are: {listed}")),
    };
    Err(error.maybe_help(help))
}
