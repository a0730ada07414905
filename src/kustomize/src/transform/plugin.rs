//! Transformers, generators and validators in files of their own: the builtin kinds.

use super::namespace::{Namespace, Subjects, of_metadata};
use super::prefix::{End, add};
use super::{images, metadata, patches, replacements, replicas, value_add};
use crate::config::field_specs;
use crate::decode::{Fields, Reading};
use crate::error::{Error, ErrorKind, Result, fail};
use crate::generate;
use crate::kustomization::{
    GeneratorOptions, HelmGlobals, PatchEntry, ReplacementField, read_chart, read_generator,
    read_image, read_patch, read_replacement_field, read_replacements, read_replica, read_selector,
};
use crate::load::Loader;
use crate::resource::Resource;
use crate::resources::Resources;
use crate::suggest::nearest;
use crate::yaml::{Dialect, Mapping, Node};
use std::path::Path;

/// The apiVersion of builtin kinds.
const BUILTIN: &str = "builtin";
const GENERATORS: &[&str] =
    &["ConfigMapGenerator", "HelmChartInflationGenerator", "IAMPolicyGenerator", "SecretGenerator"];
const TRANSFORMERS: &[&str] = &[
    "AnnotationsTransformer",
    "HashTransformer",
    "ImageTagTransformer",
    "LabelTransformer",
    "NamespaceTransformer",
    "PatchJson6902Transformer",
    "PatchStrategicMergeTransformer",
    "PatchTransformer",
    "PrefixSuffixTransformer",
    "PrefixTransformer",
    "ReplacementTransformer",
    "ReplicaCountTransformer",
    "SuffixTransformer",
    "ValueAddTransformer",
];
/// The annotations that make an object the settings of a function.
const FUNCTION_ANNOTATIONS: &[&str] = &["config.kubernetes.io/function", "config.k8s.io/function"];
/// What these annotations begin with, and what kind of function that is.
const FUNCTIONS: &[(&str, &str)] = &[
    ("container:", "a function in a container"),
    ("exec:", "a function that is a program (exec)"),
    ("starlark:", "a starlark function"),
];

/// Refuses plugins that aren't builtin: programs, containers and scripts.
fn require_builtin(plugin: &Resource) -> Result<()> {
    if plugin.api_version() == BUILTIN {
        return Ok(());
    }
    let (kind, name) = (plugin.kind(), plugin.name());
    let function = FUNCTION_ANNOTATIONS.iter().find_map(|key| plugin.annotation(key));
    let what = match function.and_then(|text| {
        FUNCTIONS.iter().find(|(key, _)| text.lines().any(|line| line.trim().starts_with(key)))
    }) {
        Some((_, what)) => format!("{kind} {name:?}, {what},"),
        None => format!("{kind} {name:?} of {:?}, a plugin,", plugin.api_version()),
    };
    let error = Error::new(ErrorKind::Unsupported(what)).at_object(plugin);
    Err(error.with_help(
        "no functions or programs are run: use apiVersion builtin with a builtin kind, a patch, a replacement, or \
         keep what it generates in a file",
    ))
}

fn unknown(kind: &str, what: &str, known: &[&'static str]) -> Error {
    let help = match nearest(kind, known.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("there are: {}", known.join(", ")),
    };
    fail!(Field, "no {kind:?} is built in as {what}").with_help(help)
}

fn reading(plugin: &Resource) -> Reading<'_> {
    let file = plugin.file.as_deref().unwrap_or(Path::new(""));
    Reading { file, dialect: Dialect::V3, unknown_fields: true, loose_types: true }
}

/// Makes the objects of a builtin generator.
pub fn generate(loader: &Loader<'_>, plugin: &Resource) -> Result<Vec<Resource>> {
    require_builtin(plugin)?;
    let reading = reading(plugin);
    let file = reading.file;
    let generated = match plugin.kind() {
        kind @ ("ConfigMapGenerator" | "SecretGenerator") => {
            let secret = kind == "SecretGenerator";
            // Go's reader doesn't turn numbers into strings inside of embedded structures.
            let reading = Reading { loose_types: false, ..reading };
            let mut args = read_generator(reading, &plugin.node, secret)?;
            for (own, from_metadata) in
                [(&mut args.name, plugin.name()), (&mut args.namespace, plugin.namespace())]
            {
                if own.is_empty() {
                    from_metadata.clone_into(own);
                }
            }
            let options = GeneratorOptions::merged(args.options.as_ref(), None);
            let make = if secret { generate::secret } else { generate::config_map };
            make(loader, file, &args, &options).map(|resource| vec![resource])
        }
        "IAMPolicyGenerator" => generate::generate_gke(reading, &plugin.node),
        "HelmChartInflationGenerator" => {
            let chart = read_chart(reading, &plugin.node)?;
            let fields = reading.fields("a HelmChartInflationGenerator", &plugin.node)?;
            let globals = HelmGlobals {
                chart_home: fields.string("chartHome")?,
                config_home: fields.string("configHome")?,
            };
            generate::inflate(loader, &chart, &globals)
        }
        kind => Err(unknown(kind, "a generator", GENERATORS)),
    };
    generated.map_err(|error| error.at_object(plugin))
}

/// Applies a builtin transformer.
pub fn transform(loader: &Loader<'_>, plugin: &Resource, resources: &mut Resources) -> Result<()> {
    require_builtin(plugin)?;
    apply(loader, plugin, resources).map_err(|error| error.at_object(plugin))
}

fn apply(loader: &Loader<'_>, plugin: &Resource, resources: &mut Resources) -> Result<()> {
    let reading = reading(plugin);
    let fields = reading.fields("a transformer", &plugin.node)?;
    let specs = || field_specs(&fields, "fieldSpecs");
    let file = plugin.file.as_deref().unwrap_or(Path::new(""));
    match plugin.kind() {
        "AnnotationsTransformer" => {
            metadata::set(resources, &fields.string_map("annotations")?, &specs()?)
        }
        "LabelTransformer" => metadata::set(resources, &fields.string_map("labels")?, &specs()?),
        "PrefixTransformer" => rename(&fields, End::Prefix, resources),
        "SuffixTransformer" => rename(&fields, End::Suffix, resources),
        "PrefixSuffixTransformer" => {
            rename(&fields, End::Prefix, resources)?;
            rename(&fields, End::Suffix, resources)
        }
        "NamespaceTransformer" => {
            let subjects = Subjects::parse(&fields.string("setRoleBindingSubjects")?)?;
            let unset_only = fields.bool("unsetOnly")?;
            let mut root = plugin.node.as_mapping().cloned().unwrap_or_else(Mapping::default);
            let namespace = of_metadata(&mut root);
            Namespace { namespace: &namespace, specs: &specs()?, unset_only, subjects }
                .set(resources)
        }
        "ImageTagTransformer" => {
            let image = fields.optional("imageTag", read_image)?.unwrap_or_default();
            images::set(resources, &[image], &specs()?).map(drop)
        }
        "ReplicaCountTransformer" => {
            let replica = fields.optional("replica", read_replica)?.unwrap_or_default();
            replicas::set(resources, &replica, &specs()?).map(drop)
        }
        "PatchTransformer" => {
            let entry = read_patch(reading, &plugin.node)?;
            patches::apply_entry(loader, file, &entry, resources)
        }
        "PatchStrategicMergeTransformer" => {
            let (paths, inline) = (fields.texts("paths")?, fields.text("patches")?);
            patches::apply_strategic_list(loader, file, &paths, &inline, resources)
        }
        "PatchJson6902Transformer" => {
            let entry = PatchEntry {
                path: fields.text("path")?,
                patch: fields.text("jsonOp")?,
                target: fields.optional("target", read_selector)?,
                at: fields.at(),
                ..PatchEntry::default()
            };
            patches::apply_json_entry(loader, file, &entry, resources)
        }
        "ReplacementTransformer" => {
            let entries = fields.each("replacements", read_replacement_field)?;
            apply_replacements(loader, file, &entries, resources)
        }
        "ValueAddTransformer" => value_add::transform(loader, reading, &plugin.node, resources),
        "HashTransformer" => generate::add_hashes(resources),
        kind => Err(unknown(kind, "a transformer", TRANSFORMERS)),
    }
}

fn rename(fields: &Fields<'_>, end: End, resources: &mut Resources) -> Result<()> {
    if fields.get("fieldSpecs").is_none() {
        return Err(fail!(Field, "a transformer of names needs fieldSpecs"));
    }
    let text = fields.string(if end == End::Prefix { "prefix" } else { "suffix" })?;
    add(resources, end, &text, &field_specs(fields, "fieldSpecs")?)
}

/// Carries out replacements that are written out or in files.
pub fn apply_replacements(
    loader: &Loader<'_>,
    file: &Path,
    entries: &[ReplacementField],
    resources: &mut Resources,
) -> Result<()> {
    let mut all = Vec::new();
    for entry in entries {
        if entry.path.is_empty() {
            all.push((entry.replacement.clone(), file.to_owned()));
            continue;
        }
        if entry.replacement.source.is_some()
            || entry.replacement.targets.as_ref().is_some_and(|all| !all.is_empty())
        {
            let error =
                fail!(Field, "an entry of replacements takes a path or a replacement, not both");
            return Err(error.at(file, entry.replacement.at));
        }
        let node: Node =
            loader.settings(&entry.path).map_err(|error| error.at(file, entry.path.at))?;
        if node.as_scalar().is_some() {
            return Err(fail!(Field, "a file of replacements holds one or a list of them")
                .in_file(&loader.path(&entry.path)));
        }
        let path = loader.path(&entry.path);
        let reading = Reading { unknown_fields: true, ..loader.reading(&path) };
        all.extend(
            read_replacements(reading, &node)?
                .into_iter()
                .map(|replacement| (replacement, path.clone())),
        );
    }
    all.iter().try_for_each(|(replacement, file)| {
        replacements::replace(loader, resources, file, std::slice::from_ref(replacement))
    })
}
