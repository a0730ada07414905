//! Entries of `images`, `replicas`, `labels` and `patches`.

use crate::config::{FieldSpec, field_specs};
use crate::decode::{Reading, Text};
use crate::error::Result;
use crate::selector::Selector;
use crate::yaml::{Mark, Node};

/// An entry of `images`.
#[derive(Clone, Debug, Default)]
pub struct Image {
    pub name: String,
    pub new_name: String,
    pub new_tag: String,
    pub tag_suffix: String,
    pub digest: String,
    pub at: Mark,
}

/// An entry of `replicas`.
#[derive(Clone, Debug, Default)]
pub struct Replica {
    pub name: String,
    pub count: i64,
    pub at: Mark,
}

/// An entry of `labels`.
#[derive(Clone, Debug, Default)]
pub struct Label {
    pub pairs: Vec<(String, String)>,
    pub include_selectors: bool,
    pub include_templates: bool,
    pub include_volume_claim_templates: bool,
    pub fields: Vec<FieldSpec>,
}

/// An entry of `patches` or `patchesJson6902`.
#[derive(Clone, Debug, Default)]
pub struct PatchEntry {
    pub path: Text,
    pub patch: Text,
    pub target: Option<Selector>,
    pub options: PatchOptions,
    pub at: Mark,
}

/// What a patch may do besides changing fields.
#[derive(Clone, Copy, Debug, Default)]
pub struct PatchOptions {
    pub allow_name_change: bool,
    pub allow_kind_change: bool,
}

pub fn read_image(reading: Reading<'_>, node: &Node) -> Result<Image> {
    let fields = reading.fields("an entry of images", node)?;
    let image = Image {
        name: fields.string("name")?,
        new_name: fields.string("newName")?,
        new_tag: fields.string("newTag")?,
        tag_suffix: fields.string("tagSuffix")?,
        digest: fields.string("digest")?,
        at: node.at,
    };
    fields.finish()?;
    Ok(image)
}

pub fn read_replica(reading: Reading<'_>, node: &Node) -> Result<Replica> {
    let fields = reading.fields("an entry of replicas", node)?;
    let replica =
        Replica { name: fields.string("name")?, count: fields.integer("count")?, at: node.at };
    fields.finish()?;
    Ok(replica)
}

pub fn read_label(reading: Reading<'_>, node: &Node) -> Result<Label> {
    let fields = reading.fields("an entry of labels", node)?;
    let label = Label {
        pairs: fields.string_map("pairs")?,
        include_selectors: fields.bool("includeSelectors")?,
        include_templates: fields.bool("includeTemplates")?,
        include_volume_claim_templates: fields.bool("includeVolumeClaimTemplates")?,
        fields: field_specs(&fields, "fields")?,
    };
    fields.finish()?;
    Ok(label)
}

pub fn read_patch(reading: Reading<'_>, node: &Node) -> Result<PatchEntry> {
    let fields = reading.fields("an entry of patches", node)?;
    let options = fields.optional("options", |reading, node| {
        let fields = reading.fields("options of a patch", node)?;
        let options = PatchOptions {
            allow_name_change: fields.bool("allowNameChange")?,
            allow_kind_change: fields.bool("allowKindChange")?,
        };
        fields.finish()?;
        Ok(options)
    })?;
    let patch = PatchEntry {
        path: fields.text("path")?,
        patch: fields.text("patch")?,
        target: fields.optional("target", read_selector)?,
        options: options.unwrap_or_default(),
        at: node.at,
    };
    fields.finish()?;
    Ok(patch)
}

pub fn read_selector(reading: Reading<'_>, node: &Node) -> Result<Selector> {
    let fields = reading.fields("a selector", node)?;
    let selector = Selector {
        gvk: fields.gvk()?,
        name: fields.string("name")?,
        namespace: fields.string("namespace")?,
        annotations: fields.string("annotationSelector")?,
        labels: fields.string("labelSelector")?,
        at: node.at,
    };
    fields.finish()?;
    Ok(selector)
}
