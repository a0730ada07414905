//! Field configuration from `configurations` files and from the settings of transformers.

use super::{Config, FieldSpec, NameReference};
use crate::decode::{Fields, Reading};
use crate::error::Result;
use crate::yaml::Node;

/// Reads one file of `configurations`.
pub fn read_config(reading: Reading<'_>, node: &Node) -> Result<Config> {
    let fields = reading.fields("a transformer configuration", node)?;
    let config = Config {
        name_prefix: field_specs(&fields, "namePrefix")?,
        name_suffix: field_specs(&fields, "nameSuffix")?,
        namespace: field_specs(&fields, "namespace")?,
        common_labels: field_specs(&fields, "commonLabels")?,
        labels: field_specs(&fields, "labels")?,
        template_labels: field_specs(&fields, "templateLabels")?,
        volume_claim_template_labels: field_specs(&fields, "volumeClaimTemplateLabels")?,
        common_annotations: field_specs(&fields, "commonAnnotations")?,
        name_references: fields.each("nameReference", read_reference)?,
        variable_references: field_specs(&fields, "varReference")?,
        images: field_specs(&fields, "images")?,
        replicas: field_specs(&fields, "replicas")?,
    };
    fields.finish()?;
    Ok(config)
}

/// A list of fields under some name.
pub fn field_specs(fields: &Fields<'_>, name: &'static str) -> Result<Vec<FieldSpec>> {
    fields.each(name, |reading, node| {
        let fields = reading.fields("a field specification", node)?;
        let spec = FieldSpec::new(fields.gvk()?, fields.string("path")?, fields.bool("create")?);
        fields.finish()?;
        Ok(spec)
    })
}

fn read_reference(reading: Reading<'_>, node: &Node) -> Result<NameReference> {
    let fields = reading.fields("an entry of nameReference", node)?;
    let reference =
        NameReference { target: fields.gvk()?, referrers: field_specs(&fields, "fieldSpecs")? };
    fields.finish()?;
    Ok(reference)
}
