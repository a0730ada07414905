//! Which fields of which kinds the transformers know: kustomize's defaults, and what `configurations` and `crds` add.

mod crds;
mod defaults;
mod read;
mod spec;

pub use crds::from_crds;
pub use read::{field_specs, read_config};
pub use spec::{Create, FieldSpec, apply, apply_to_any, split_path};

use crate::error::{Result, fail};
use crate::id::Gvk;
use std::cmp::Ordering;
use std::sync::{Arc, OnceLock};

/// The fields that each transformer looks at.
#[derive(Clone, Debug, Default)]
pub struct Config {
    pub name_prefix: Vec<FieldSpec>,
    pub name_suffix: Vec<FieldSpec>,
    pub namespace: Vec<FieldSpec>,
    pub common_labels: Vec<FieldSpec>,
    pub labels: Vec<FieldSpec>,
    pub template_labels: Vec<FieldSpec>,
    pub volume_claim_template_labels: Vec<FieldSpec>,
    pub common_annotations: Vec<FieldSpec>,
    pub name_references: Vec<NameReference>,
    pub variable_references: Vec<FieldSpec>,
    pub images: Vec<FieldSpec>,
    pub replicas: Vec<FieldSpec>,
}

/// The fields that hold names of objects of one kind.
#[derive(Clone, Debug)]
pub struct NameReference {
    pub target: Gvk,
    pub referrers: Vec<FieldSpec>,
}

impl Config {
    /// kustomize's defaults, made once.
    pub fn builtin() -> Arc<Self> {
        static BUILTIN: OnceLock<Arc<Config>> = OnceLock::new();
        Arc::clone(BUILTIN.get_or_init(|| {
            let mut config = defaults::config();
            config.sort();
            Arc::new(config)
        }))
    }

    /// Both configurations together.
    ///
    /// What every build starts with is recognised by its address, so that a tree of many bases doesn't merge the
    /// defaults with themselves again and again.
    pub fn merge(this: &Arc<Self>, other: &Arc<Self>) -> Result<Arc<Self>> {
        let builtin = Self::builtin();
        if Arc::ptr_eq(this, other) || Arc::ptr_eq(other, &builtin) && this.contains_builtin() {
            return Ok(Arc::clone(this));
        }
        if Arc::ptr_eq(this, &builtin) && other.contains_builtin() {
            return Ok(Arc::clone(other));
        }
        let mut merged = (**this).clone();
        merge_specs(&mut merged.name_prefix, &other.name_prefix)?;
        merge_specs(&mut merged.name_suffix, &other.name_suffix)?;
        merge_specs(&mut merged.namespace, &other.namespace)?;
        merge_specs(&mut merged.common_labels, &other.common_labels)?;
        merge_specs(&mut merged.labels, &other.labels)?;
        merge_specs(&mut merged.template_labels, &other.template_labels)?;
        merge_specs(&mut merged.volume_claim_template_labels, &other.volume_claim_template_labels)?;
        merge_specs(&mut merged.common_annotations, &other.common_annotations)?;
        merge_specs(&mut merged.variable_references, &other.variable_references)?;
        merge_specs(&mut merged.images, &other.images)?;
        merge_specs(&mut merged.replicas, &other.replicas)?;
        for reference in &other.name_references {
            merged.add_reference(reference)?;
        }
        merged.sort();
        Ok(Arc::new(merged))
    }

    /// Nothing but merging ever makes a configuration larger, so size tells whether the defaults are in it.
    fn contains_builtin(&self) -> bool {
        self.name_references.len() >= Self::builtin().name_references.len()
    }

    pub fn add_reference(&mut self, reference: &NameReference) -> Result<()> {
        match self.name_references.iter_mut().find(|known| known.target == reference.target) {
            Some(known) => merge_specs(&mut known.referrers, &reference.referrers),
            None => {
                self.name_references.push(reference.clone());
                Ok(())
            }
        }
    }

    fn sort(&mut self) {
        for specs in [
            &mut self.name_prefix,
            &mut self.name_suffix,
            &mut self.namespace,
            &mut self.common_labels,
            &mut self.labels,
            &mut self.template_labels,
            &mut self.volume_claim_template_labels,
            &mut self.common_annotations,
            &mut self.variable_references,
            &mut self.images,
            &mut self.replicas,
        ] {
            specs.sort_by(|a, b| compare_kinds(&a.gvk, &b.gvk));
        }
        self.name_references.sort_by(|a, b| compare_kinds(&a.target, &b.target));
    }
}

/// Adds fields that aren't covered yet; the same field with and without `create` is a contradiction.
pub fn merge_specs(specs: &mut Vec<FieldSpec>, more: &[FieldSpec]) -> Result<()> {
    for spec in more {
        merge_spec(specs, spec)?;
    }
    Ok(())
}

pub fn merge_spec(specs: &mut Vec<FieldSpec>, spec: &FieldSpec) -> Result<()> {
    match specs.iter().find(|known| known.path == spec.path && spec.gvk.selects_gvk(&known.gvk)) {
        Some(known) if known.create != spec.create => {
            Err(fail!(Conflict, "field {} is configured both with create and without", spec.path))
        }
        Some(_) => Ok(()),
        None => {
            specs.push(spec.clone());
            Ok(())
        }
    }
}

/// The order of configurations: by the place of the kind in the legacy order, then by text.
fn compare_kinds(a: &Gvk, b: &Gvk) -> Ordering {
    let rank = |gvk: &Gvk| crate::order::legacy_rank(&gvk.kind);
    let text = |gvk: &Gvk| {
        let part = |text: &str, none: &str| {
            if text.is_empty() { none.to_owned() } else { text.to_owned() }
        };
        format!("{}_{}_{}", part(&gvk.group, "~G"), part(&gvk.version, "~V"), part(&gvk.kind, "~K"))
    };
    rank(a).cmp(&rank(b)).then_with(|| text(a).cmp(&text(b)))
}
