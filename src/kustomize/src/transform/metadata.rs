//! Labels and annotations.

use crate::config::{Create, FieldSpec, apply};
use crate::error::{Result, fail};
use crate::resource::set_scalar;
use crate::resources::Resources;
use crate::yaml::{Mapping, Node, Tag, Value};
use std::cell::Cell;

/// Sets labels or annotations in the fields that hold them.
pub fn set(
    resources: &mut Resources,
    entries: &[(String, String)],
    specs: &[FieldSpec],
) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    // The number of the first of the values that this run shares between fields.
    let first = Cell::new(0);
    let made = Cell::new(false);
    let mut set_all = |node: &mut Node| -> Result<()> {
        if node.is_null() {
            node.value = Value::Mapping(Mapping::default());
        }
        let shape = node.shape();
        let Some(mapping) = node.as_mapping_mut() else {
            return Err(fail!(Field, "labels and annotations go into a map, not into a {shape}"));
        };
        mapping.reserve(entries.iter().filter(|(key, _)| !mapping.contains(key)).count());
        for (number, (key, value)) in (first.get()..).zip(entries) {
            let is_new = !mapping.contains(key);
            set_scalar(mapping, key, value, Tag::Str);
            if let (true, Some(scalar)) =
                (is_new, mapping.get_mut(key).and_then(Node::as_scalar_mut))
            {
                scalar.shared = number;
                made.set(true);
            }
        }
        Ok(())
    };
    let count = u32::try_from(entries.len()).unwrap_or(u32::MAX);
    for resource in resources.contents_mut() {
        first.set(resource.shared_values + 1);
        for spec in specs {
            apply(resource, spec, Create::Map, &mut set_all)?;
        }
        resource.settle_shared();
        if made.take() {
            resource.shared_values = resource.shared_values.saturating_add(count);
        }
    }
    Ok(())
}
