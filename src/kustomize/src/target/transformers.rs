//! The transformers of one kustomization, in kustomize's order.

use super::{Accumulator, Target, plugin_origin};
use crate::config::{Config, FieldSpec, merge_spec, merge_specs};
use crate::decode::Text;
use crate::error::{ErrorKind, Result, fail};
use crate::kustomization::Label;
use crate::origin::Origin;
use crate::resources::Resources;
use crate::transform::namespace::{Namespace, Subjects};
use crate::transform::prefix::End;
use crate::transform::{images, metadata, patches, plugin, prefix, replicas};
use crate::warning::WarningKind;

impl Target<'_> {
    pub(super) fn run_transformers(&mut self, acc: &mut Accumulator) -> Result<()> {
        let config = acc.config();
        let resources = &mut acc.resources;
        self.apply_builtin(resources, &config).map_err(|error| error.in_file(&self.file))?;
        for plugin in self.plugins(&self.kustomization.transformers)? {
            plugin::transform(&self.loader, &plugin, resources)
                .map_err(|error| error.in_file(&self.file))?;
            note(resources, plugin_origin(&plugin));
        }
        Ok(())
    }

    /// The transformers that a kustomization's own fields stand for, in kustomize's order.
    fn apply_builtin(&self, resources: &mut Resources, config: &Config) -> Result<()> {
        let this = &self.kustomization;
        let done =
            |resources: &mut Resources, kind: &str| note(resources, self.builtin_origin(kind));
        if !this.patches_strategic_merge.is_empty() {
            patches::apply_strategic_list(
                &self.loader,
                &self.file,
                &this.patches_strategic_merge,
                &Text::default(),
                resources,
            )?;
            done(resources, "PatchStrategicMergeTransformer");
        }
        for entry in &this.patches {
            patches::apply_entry(&self.loader, &self.file, entry, resources)?;
            done(resources, "PatchTransformer");
        }
        if !this.namespace.is_empty() {
            let (namespace, specs) = (&this.namespace, &config.namespace);
            Namespace { namespace, specs, unset_only: false, subjects: Subjects::Default }
                .set(resources)?;
            done(resources, "NamespaceTransformer");
        }
        if !this.name_prefix.is_empty() {
            prefix::add(resources, End::Prefix, &this.name_prefix, &config.name_prefix)?;
            done(resources, "PrefixTransformer");
        }
        if !this.name_suffix.is_empty() {
            prefix::add(resources, End::Suffix, &this.name_suffix, &config.name_suffix)?;
            done(resources, "SuffixTransformer");
        }
        for label in &this.labels {
            metadata::set(resources, &label.pairs, &label_fields(label, config)?)?;
            done(resources, "LabelTransformer");
        }
        if !this.labels.is_empty() || !this.common_labels.is_empty() {
            metadata::set(resources, &this.common_labels, &config.common_labels)?;
            done(resources, "LabelTransformer");
        }
        if !this.common_annotations.is_empty() {
            metadata::set(resources, &this.common_annotations, &config.common_annotations)?;
            done(resources, "AnnotationsTransformer");
        }
        for entry in &this.patches_json6902 {
            patches::apply_json_entry(&self.loader, &self.file, entry, resources)?;
            done(resources, "PatchJson6902Transformer");
        }
        for replica in &this.replicas {
            let changed = replicas::set(resources, replica, &config.replicas)
                .map_err(|error| error.at(&self.file, replica.at))?;
            if !changed {
                let (name, count) = (replica.name.clone(), replica.count);
                let kind = WarningKind::ReplicasChangeNothing { name, count };
                self.loader.context.warn(kind, &self.file, replica.at);
            }
            done(resources, "ReplicaCountTransformer");
        }
        let effects = images::set(resources, &this.images, &config.images)?;
        for (at, (image, effect)) in this.images.iter().zip(effects).enumerate() {
            let name = image.name.clone();
            let warning = match effect {
                images::Effect::Changed => None,
                images::Effect::Same => Some(WarningKind::ImageChangesNothing(name)),
                images::Effect::None => {
                    let near = images::near(resources, &name, &this.images[at + 1..]);
                    Some(WarningKind::ImageMatchesNothing { name, near })
                }
            };
            if let Some(kind) = warning {
                self.loader.context.warn(kind, &self.file, image.at);
            }
            done(resources, "ImageTagTransformer");
        }
        if !this.replacements.is_empty() {
            plugin::apply_replacements(&self.loader, &self.file, &this.replacements, resources)?;
            done(resources, "ReplacementTransformer");
        }
        Ok(())
    }

    /// Validators are transformers that must not change anything.
    pub(super) fn run_validators(&self, acc: &mut Accumulator) -> Result<()> {
        for plugin in self.plugins(&self.kustomization.validators)? {
            let print = |resources: &Resources| {
                crate::yaml::to_yaml(resources.iter().map(|resource| &resource.node))
            };
            let before = print(&acc.resources).map_err(ErrorKind::from)?;
            plugin::transform(&self.loader, &plugin, &mut acc.resources)
                .map_err(|error| error.in_file(&self.file))?;
            if print(&acc.resources).map_err(ErrorKind::from)? != before {
                let message = format!("the validator {:?} changes objects", plugin.name());
                return Err(fail!(Conflict, "{message}")
                    .at_object(&plugin)
                    .in_file(&self.file)
                    .with_help("list it under `transformers` if it is meant to change them"));
            }
        }
        Ok(())
    }
}

/// After each transformer: its mark on every object, and an end to what it has deleted.
fn note(resources: &mut Resources, origin: Option<Origin>) {
    if let Some(origin) = origin {
        for resource in resources.contents_mut() {
            match &resource.origin {
                None => resource.origin = Some(Box::new(origin.clone())),
                Some(_) => resource.transformations.push(origin.clone()),
            }
        }
    }
    resources.drop_gone();
}

/// The fields that an entry of `labels` goes into.
fn label_fields(label: &Label, config: &Config) -> Result<Vec<FieldSpec>> {
    let mut specs = label.fields.clone();
    merge_specs(&mut specs, &config.labels)?;
    if label.include_selectors {
        merge_specs(&mut specs, &config.common_labels)?;
        return Ok(specs);
    }
    if label.include_templates {
        merge_specs(&mut specs, &config.template_labels)?;
    }
    if label.include_volume_claim_templates {
        merge_specs(&mut specs, &config.volume_claim_template_labels)?;
    }
    merge_spec(&mut specs, &FieldSpec::new(Default::default(), "metadata/labels", true))?;
    Ok(specs)
}
