//! Prefixes and suffixes of names.

use crate::config::{Create, FieldSpec, apply};
use crate::error::{Result, fail};
use crate::resources::Resources;
use crate::yaml::{Node, Tag};

/// Which end of a name is added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Prefix,
    Suffix,
}

/// Adds a prefix or a suffix to the names of all objects but those whose names are not free.
pub fn add(resources: &mut Resources, end: End, text: &str, specs: &[FieldSpec]) -> Result<()> {
    let mut change = |node: &mut Node| -> Result<()> {
        let shape = node.shape();
        let Some(scalar) = node.as_scalar_mut() else {
            return Err(fail!(Field, "a name is a string, not a {shape}"));
        };
        let name = match end {
            End::Prefix => format!("{text}{}", scalar.text),
            End::Suffix => format!("{}{text}", scalar.text),
        };
        if scalar.tag != Tag::Null {
            scalar.replace(name, Tag::Unset);
        }
        Ok(())
    };
    for resource in resources.all_mut() {
        let original = resource.original_id();
        if has_fixed_name(&original.gvk.group, &original.gvk.kind) {
            continue;
        }
        for spec in specs.iter().filter(|spec| spec.gvk.selects_gvk(&original.gvk)) {
            if spec.path == "metadata/name" && !text.is_empty() {
                match end {
                    End::Prefix => resource.prefixes.push(text.into()),
                    End::Suffix => resource.suffixes.push(text.into()),
                }
                resource.store_previous();
            }
            apply(resource, spec, Create::Scalar(Tag::Str), &mut change)?;
        }
    }
    Ok(())
}

/// Kinds whose names say what they are about.
fn has_fixed_name(group: &str, kind: &str) -> bool {
    matches!(kind, "CustomResourceDefinition" | "Namespace")
        || (group == "apiregistration.k8s.io" && kind == "APIService")
}
