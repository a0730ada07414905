//! Entries of `replacements`.

use super::read::DEFAULT_FIELD_PATH;
use super::transformers::read_selector;
use crate::decode::{Reading, Text};
use crate::error::Result;
use crate::id::Gvk;
use crate::selector::Selector;
use crate::yaml::{Mark, Node};

/// An entry of `replacements`: written out, or in a file.
#[derive(Clone, Debug)]
pub struct ReplacementField {
    pub path: Text,
    pub replacement: Replacement,
}

/// One value copied to many places.
#[derive(Clone, Debug, Default)]
pub struct Replacement {
    pub source: Option<Source>,
    pub source_value: Option<Text>,
    pub targets: Option<Vec<Target>>,
    pub at: Mark,
}

/// The object and field that the value comes from.
#[derive(Clone, Debug, Default)]
pub struct Source {
    pub gvk: Gvk,
    pub name: String,
    pub namespace: String,
    pub field_path: String,
    pub options: Option<FieldOptions>,
    pub at: Mark,
}

/// The objects and fields that the value goes to.
#[derive(Clone, Debug, Default)]
pub struct Target {
    pub select: Option<Selector>,
    pub reject: Vec<Selector>,
    pub field_paths: Vec<String>,
    pub options: Option<FieldOptions>,
    pub at: Mark,
}

/// Which part of a field is meant, and whether to make a missing one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldOptions {
    pub delimiter: String,
    pub index: i64,
    pub create: bool,
}

pub fn read_replacement_field(reading: Reading<'_>, node: &Node) -> Result<ReplacementField> {
    let fields = reading.fields("an entry of replacements", node)?;
    let path = fields.text("path")?;
    let replacement = read_body(&fields)?;
    fields.finish()?;
    Ok(ReplacementField { path, replacement })
}

/// Reads the replacements of a file: one, or a list.
pub fn read_replacements(reading: Reading<'_>, node: &Node) -> Result<Vec<Replacement>> {
    let one = |node| {
        let fields = reading.fields("a replacement", node)?;
        let replacement = read_body(&fields)?;
        fields.finish()?;
        Ok(replacement)
    };
    match node.as_sequence() {
        Some(sequence) => sequence.items.iter().map(one).collect(),
        None => Ok(vec![one(node)?]),
    }
}

fn read_body(fields: &crate::decode::Fields<'_>) -> Result<Replacement> {
    Ok(Replacement {
        source: fields.optional("source", read_source)?,
        source_value: fields
            .optional("sourceValue", |reading, node| reading.text("sourceValue", node))?,
        targets: match fields.get("targets") {
            Some(_) => Some(fields.each("targets", read_target)?),
            None => None,
        },
        at: fields.at(),
    })
}

fn read_source(reading: Reading<'_>, node: &Node) -> Result<Source> {
    let fields = reading.fields("source", node)?;
    let path = fields.string("fieldPath")?;
    let source = Source {
        gvk: fields.gvk()?,
        name: fields.string("name")?,
        namespace: fields.string("namespace")?,
        field_path: if path.is_empty() { DEFAULT_FIELD_PATH.to_owned() } else { path },
        options: fields.optional("options", read_field_options)?,
        at: node.at,
    };
    fields.finish()?;
    Ok(source)
}

fn read_target(reading: Reading<'_>, node: &Node) -> Result<Target> {
    let fields = reading.fields("an entry of targets", node)?;
    let mut field_paths = fields.strings("fieldPaths")?;
    if field_paths.is_empty() {
        field_paths.push(DEFAULT_FIELD_PATH.to_owned());
    }
    let target = Target {
        select: fields.optional("select", read_selector)?,
        reject: fields.each("reject", read_selector)?,
        field_paths,
        options: fields.optional("options", read_field_options)?,
        at: node.at,
    };
    fields.finish()?;
    Ok(target)
}

fn read_field_options(reading: Reading<'_>, node: &Node) -> Result<FieldOptions> {
    let fields = reading.fields("options of a field", node)?;
    let options = FieldOptions {
        delimiter: fields.string("delimiter")?,
        index: fields.integer("index")?,
        create: fields.bool("create")?,
    };
    // kustomize reads the encoding and does nothing with it.
    fields.string("encoding")?;
    fields.finish()?;
    Ok(options)
}
