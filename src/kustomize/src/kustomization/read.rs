//! The fields of a Kustomization and a Component.

use super::generators::{GeneratorArgs, GeneratorOptions, read_generator, read_options};
use super::helm::{HelmChart, HelmGlobals, read_chart, read_globals, read_inline_chart};
use super::replacements::{ReplacementField, read_replacement_field};
use super::transformers::{
    Image, Label, PatchEntry, Replica, read_image, read_label, read_patch, read_replica,
};
use crate::decode::{Reading, Text};
use crate::error::{ErrorKind, Result};
use crate::id::Gvk;
use crate::suggest::nearest;
use crate::yaml::{Mark, Node};
use std::path::Path;
use std::sync::Arc;

/// The names a kustomization file may have, in the order they are tried.
const NAMES: &[&str] = &["kustomization.yaml", "kustomization.yml", "Kustomization"];

const KUSTOMIZATION: (&str, &str) = ("kustomize.config.k8s.io/v1beta1", "Kustomization");
const COMPONENT: (&str, &str) = ("kustomize.config.k8s.io/v1alpha1", "Component");

/// The names a kustomization file may have.
pub fn file_names() -> &'static [&'static str] {
    NAMES
}

/// A kustomization file.
#[derive(Clone, Debug, Default)]
pub struct Kustomization {
    pub is_component: bool,
    pub openapi: Vec<(String, String)>,
    pub openapi_at: Mark,
    pub name_prefix: String,
    pub name_suffix: String,
    pub namespace: String,
    pub common_labels: Vec<(String, String)>,
    pub labels: Vec<Label>,
    pub common_annotations: Vec<(String, String)>,
    pub patches_strategic_merge: Vec<Text>,
    pub patches_json6902: Vec<PatchEntry>,
    pub patches: Vec<PatchEntry>,
    pub images: Vec<Image>,
    pub replacements: Vec<ReplacementField>,
    pub replicas: Vec<Replica>,
    pub variables: Vec<Variable>,
    pub sort_options: Option<SortOptions>,
    pub resources: Vec<Text>,
    pub components: Vec<Text>,
    pub crds: Vec<Text>,
    pub config_maps: Vec<GeneratorArgs>,
    pub secrets: Vec<GeneratorArgs>,
    pub helm_globals: Option<HelmGlobals>,
    pub helm_charts: Vec<HelmChart>,
    pub generator_options: Option<GeneratorOptions>,
    pub configurations: Vec<Text>,
    pub generators: Vec<Text>,
    pub transformers: Vec<Text>,
    pub validators: Vec<Text>,
    pub build_metadata: Vec<String>,
    /// Deprecated fields that are in use, what to use instead, and where they stand.
    pub deprecated: Vec<(&'static str, &'static str, Mark)>,
}

/// A variable: a name for a field of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    pub target: Gvk,
    pub target_name: String,
    pub target_namespace: String,
    pub field_path: String,
    pub file: Arc<Path>,
    pub at: Mark,
}

/// How the output is ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortOptions {
    pub order: Order,
    pub legacy: Option<LegacyOrder>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Fifo,
    Legacy,
}

/// Kinds that come first and last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LegacyOrder {
    pub first: Vec<String>,
    pub last: Vec<String>,
}

/// The field of a variable or a replacement where none is given.
pub const DEFAULT_FIELD_PATH: &str = "metadata.name";

/// Reads a kustomization file.
pub fn read_kustomization(reading: Reading<'_>, node: &Node) -> Result<Kustomization> {
    let fields = reading.fields("a kustomization", node)?;
    let kind = fields.string("kind")?;
    let api_version = fields.string("apiVersion")?;
    fields.optional("metadata", read_metadata)?;
    let mut this = Kustomization {
        is_component: kind == COMPONENT.1,
        openapi: fields.string_map("openapi")?,
        openapi_at: fields.place("openapi"),
        name_prefix: fields.string("namePrefix")?,
        name_suffix: fields.string("nameSuffix")?,
        namespace: fields.string("namespace")?,
        common_labels: fields.string_map("commonLabels")?,
        labels: fields.each("labels", read_label)?,
        common_annotations: fields.string_map("commonAnnotations")?,
        patches_strategic_merge: fields.texts("patchesStrategicMerge")?,
        patches_json6902: fields.each("patchesJson6902", read_patch)?,
        patches: fields.each("patches", read_patch)?,
        images: fields.each("images", read_image)?,
        replacements: fields.each("replacements", read_replacement_field)?,
        replicas: fields.each("replicas", read_replica)?,
        variables: fields.each("vars", read_variable)?,
        sort_options: fields.optional("sortOptions", read_sort_options)?,
        resources: fields.texts("resources")?,
        components: fields.texts("components")?,
        crds: fields.texts("crds")?,
        config_maps: fields
            .each("configMapGenerator", |reading, node| read_generator(reading, node, false))?,
        secrets: fields
            .each("secretGenerator", |reading, node| read_generator(reading, node, true))?,
        helm_globals: fields.optional("helmGlobals", read_globals)?,
        helm_charts: fields.each("helmCharts", read_chart)?,
        generator_options: fields.optional("generatorOptions", read_options)?,
        configurations: fields.texts("configurations")?,
        generators: fields.texts("generators")?,
        transformers: fields.texts("transformers")?,
        validators: fields.texts("validators")?,
        build_metadata: fields.strings("buildMetadata")?,
        deprecated: Vec::new(),
    };
    this.resources.extend(fields.texts("bases")?);
    this.images.extend(fields.each("imageTags", read_image)?);
    for (chart, globals) in fields.each("helmChartInflationGenerator", read_inline_chart)? {
        this.helm_charts.push(chart);
        this.helm_globals.get_or_insert(globals);
    }
    for (field, instead) in [
        ("bases", "resources"),
        ("commonLabels", "labels"),
        ("imageTags", "images"),
        ("patchesJson6902", "patches"),
        ("patchesStrategicMerge", "patches"),
        ("vars", "replacements"),
    ] {
        if fields.get(field).is_some() {
            this.deprecated.push((field, instead, fields.place_of_key(field)));
        }
    }
    let is_empty = node.as_mapping().is_none_or(|mapping| {
        // An empty list or map still says something to kustomize, unless it is merged into another field.
        let merged = |key: &str| {
            let fields = ["bases", "imageTags", "helmChartInflationGenerator"];
            fields.iter().any(|field| field.eq_ignore_ascii_case(key))
        };
        let empty = |key: &str, node: &Node| match node.as_scalar() {
            Some(scalar) => node.is_null() || scalar.text.is_empty(),
            None => merged(key) && node.is_null_or_empty(),
        };
        mapping.iter().all(|(key, node)| {
            key.text.eq_ignore_ascii_case("kind")
                || key.text.eq_ignore_ascii_case("apiVersion")
                || empty(&key.text, node)
        })
    });
    fields.finish()?;
    check_kind(reading, node, &kind, &api_version)?;
    if is_empty {
        let nothing = "this kustomization says nothing: no resources, no generators, no changes";
        let kind = ErrorKind::BadObject(nothing.to_owned());
        return Err(reading
            .fail(kind, node.at)
            .with_help("list the files of your objects under `resources`"));
    }
    Ok(this)
}

fn check_kind(reading: Reading<'_>, node: &Node, kind: &str, api_version: &str) -> Result<()> {
    let invalid = |field: &str, reason: String| {
        let at = node.get(field).map_or(node.at, |node| node.at);
        reading.fail(ErrorKind::Invalid { field: field.to_owned(), reason }, at)
    };
    let expected = match kind {
        "" => KUSTOMIZATION,
        kind if kind == KUSTOMIZATION.1 => KUSTOMIZATION,
        kind if kind == COMPONENT.1 => COMPONENT,
        _ => {
            let error =
                invalid("kind", format!("must be Kustomization or Component, not {kind:?}"));
            let near = nearest(kind, [KUSTOMIZATION.1, COMPONENT.1]);
            return Err(error.maybe_help(near.map(|name| format!("did you mean {name:?}?"))));
        }
    };
    if !api_version.is_empty() && api_version != expected.0 {
        return Err(invalid("apiVersion", format!("must be {} for a {}", expected.0, expected.1)));
    }
    Ok(())
}

fn read_metadata(reading: Reading<'_>, node: &Node) -> Result<()> {
    let fields = reading.fields("metadata", node)?;
    fields.string("name")?;
    fields.string("namespace")?;
    fields.string_map("labels")?;
    fields.string_map("annotations")?;
    fields.finish()
}

fn read_variable(reading: Reading<'_>, node: &Node) -> Result<Variable> {
    let fields = reading.fields("an entry of vars", node)?;
    let name = fields.string("name")?;
    let field_path = fields.optional("fieldref", |reading, node| {
        let fields = reading.fields("fieldref", node)?;
        let path = fields.string("fieldPath")?;
        fields.finish()?;
        Ok(path)
    })?;
    let target = fields.optional("objref", |reading, node| {
        let fields = reading.fields("objref", node)?;
        let api_version = fields.string("apiVersion")?;
        let mut gvk = fields.gvk()?;
        if !api_version.is_empty() {
            match *api_version.split('/').collect::<Vec<_>>() {
                [version] => gvk.version = version.into(),
                [group, version] => {
                    gvk.group = group.into();
                    gvk.version = version.into();
                }
                _ => {}
            }
        }
        let target = (gvk, fields.string("name")?, fields.string("namespace")?);
        fields.finish()?;
        Ok(target)
    })?;
    fields.finish()?;
    let (target, target_name, target_namespace) = target.unwrap_or_default();
    let field_path =
        field_path.filter(|path| !path.is_empty()).unwrap_or_else(|| DEFAULT_FIELD_PATH.to_owned());
    let file = Arc::from(reading.file);
    Ok(Variable { name, target, target_name, target_namespace, field_path, file, at: node.at })
}

fn read_sort_options(reading: Reading<'_>, node: &Node) -> Result<SortOptions> {
    let fields = reading.fields("sortOptions", node)?;
    let order = match fields.string("order")?.as_str() {
        "legacy" => Order::Legacy,
        "fifo" => Order::Fifo,
        other => {
            let reason = format!("must be legacy or fifo, not {other:?}");
            let kind = ErrorKind::Invalid { field: "sortOptions.order".to_owned(), reason };
            return Err(reading.fail(kind, fields.place("order")));
        }
    };
    let legacy = fields.optional("legacySortOptions", |reading, node| {
        let fields = reading.fields("legacySortOptions", node)?;
        let legacy = LegacyOrder {
            first: fields.strings("orderFirst")?,
            last: fields.strings("orderLast")?,
        };
        fields.finish()?;
        Ok(legacy)
    })?;
    fields.finish()?;
    Ok(SortOptions { order, legacy })
}
