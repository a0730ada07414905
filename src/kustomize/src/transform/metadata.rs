//! Labels and annotations.

use crate::config::{Create, FieldSpec, apply};
use crate::error::{Result, fail};
use crate::resource::set_scalar;
use crate::resources::Resources;
use crate::yaml::{Mapping, Node, Tag, Value};

/// Sets labels or annotations in the fields that hold them.
pub fn set(
    resources: &mut Resources,
    entries: &[(String, String)],
    specs: &[FieldSpec],
) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let mut set_all = |node: &mut Node| -> Result<()> {
        if node.is_null() {
            node.value = Value::Mapping(Mapping::default());
        }
        let shape = node.shape();
        let Some(mapping) = node.as_mapping_mut() else {
            return Err(fail!(Field, "labels and annotations go into a map, not into a {shape}"));
        };
        for (key, value) in entries {
            set_scalar(mapping, key, value, Tag::Str);
        }
        Ok(())
    };
    for resource in resources.contents_mut() {
        for spec in specs {
            apply(resource, spec, Create::Map, &mut set_all)?;
        }
    }
    Ok(())
}
