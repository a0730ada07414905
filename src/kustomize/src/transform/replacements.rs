//! Replacements: one value copied into the fields of other objects.

use crate::error::{Error, Result, fail};
use crate::fieldpath::{self, Found};
use crate::id::{Gvk, split_api_version};
use crate::kustomization::{FieldOptions, Replacement, Source, Target};
use crate::load::Loader;
use crate::resource::Resource;
use crate::resources::Resources;
use crate::selector::{Matcher, Selector, same_namespace};
use crate::suggest;
use crate::warning::WarningKind;
use crate::yaml::{Node, ParseOptions, Scalar, Value, parse_document, to_document};
use smol_str::SmolStr;
use std::path::Path;

/// How many objects an ambiguous source names.
const MAX_NAMED: usize = 5;

/// Carries out replacements in order; later ones see what earlier ones did.
pub fn replace(
    loader: &Loader<'_>,
    resources: &mut Resources,
    file: &Path,
    replacements: &[Replacement],
) -> Result<()> {
    for replacement in replacements {
        let targets = replacement.targets.as_ref();
        let (Some(targets), true) =
            (targets, replacement.source.is_some() || replacement.source_value.is_some())
        else {
            let error = fail!(Field, "a replacement needs a source and at least one target");
            return Err(error.at(file, replacement.at));
        };
        let source_at = replacement.source.as_ref().map_or(replacement.at, |source| source.at);
        let mut value =
            find_value(resources, replacement).map_err(|error| error.at(file, source_at))?;
        if let Some(written) = &replacement.source_value {
            value.at = loader.context.within(file, written.at);
        }
        for target in targets {
            let written =
                write(resources, target, &value).map_err(|error| error.at(file, target.at))?;
            if let (0, Some(select)) = (written, &target.select) {
                let near = suggest::for_selector(resources, select);
                loader.context.warn(
                    WarningKind::ReplacementMatchesNothing { near },
                    file,
                    select.at,
                );
            }
        }
    }
    Ok(())
}

fn find_value(resources: &Resources, replacement: &Replacement) -> Result<Node> {
    let source = match (&replacement.source, &replacement.source_value) {
        (Some(_), Some(_)) => {
            return Err(fail!(Field, "a replacement takes a source or a sourceValue, not both"));
        }
        (None, value) => return Ok(Node::untyped(value.as_deref().unwrap_or_default())),
        (Some(source), None) => source,
    };
    let mut matches = resources.iter().filter(|resource| is_source(resource, source));
    let Some(resource) = matches.next() else {
        let error = fail!(NoMatch, "no object matches the source {}", describe(source));
        let selector = Selector::exactly(&source.gvk, &source.name, &source.namespace);
        return Err(error.maybe_help(suggest::for_selector(resources, &selector)));
    };
    let others: Vec<&Resource> = matches.collect();
    if !others.is_empty() {
        let count = others.len() + 1;
        let error = fail!(Ambiguous, "{count} objects match the source {}", describe(source));
        let all = std::iter::once(resource).chain(others).take(MAX_NAMED);
        let error =
            all.fold(error, |error, resource| error.with_related(resource, resource.describe()));
        return Err(error.with_help("say the name and the namespace of the one that is meant"));
    }
    let path = fieldpath::split(&source.field_path);
    let found = fieldpath::lookup(&resource.node, &path)?;
    let Some(node) = found.filter(|node| !node.is_null_or_empty()) else {
        return Err(fail!(NoMatch, "{} has no field {}", resource.describe(), source.field_path)
            .maybe_help(suggest::in_object(&resource.node, &path)));
    };
    part_of(node, source.options.as_ref())
}

fn describe(source: &Source) -> String {
    let mut parts = Vec::new();
    for (name, value) in [
        ("group", source.gvk.group.as_str()),
        ("version", &source.gvk.version),
        ("kind", &source.gvk.kind),
        ("name", &source.name),
        ("namespace", &source.namespace),
    ] {
        if !value.is_empty() {
            parts.push(format!("{name} {value:?}"));
        }
    }
    parts.join(", ")
}

/// The identities of an object as replacements see them: namespaces as written, past ones as they took effect.
fn identities(resource: &Resource) -> Vec<(Gvk, SmolStr, SmolStr)> {
    let (group, version) = split_api_version(resource.api_version());
    let with_kind =
        |kind: &str| Gvk { group: group.into(), version: version.into(), kind: kind.into() };
    let now = (with_kind(resource.kind()), resource.name().into(), resource.namespace().into());
    let past = resource.previous.iter();
    let past = past.map(|past| (with_kind(&past.kind), past.name.clone(), past.namespace.clone()));
    std::iter::once(now).chain(past).collect()
}

fn is_source(resource: &Resource, source: &Source) -> bool {
    identities(resource).iter().any(|(gvk, name, namespace)| {
        (source.name.is_empty() || source.name == *name)
            && (source.namespace.is_empty() || same_namespace(&source.namespace, namespace))
            && source.gvk.selects_gvk(gvk)
    })
}

/// The part of a scalar that a delimiter and an index choose.
fn part_of(node: &Node, options: Option<&FieldOptions>) -> Result<Node> {
    let Some(options) = options.filter(|options| !options.delimiter.is_empty()) else {
        return Ok(node.clone());
    };
    let Some(scalar) = node.as_scalar() else {
        return Err(fail!(Field, "a delimiter splits plain values, not a {}", node.shape()));
    };
    let mut parts = scalar.text.split(options.delimiter.as_str());
    let part = usize::try_from(options.index).ok().and_then(|index| parts.nth(index));
    let Some(part) = part else {
        let count = scalar.text.split(options.delimiter.as_str()).count();
        return Err(fail!(
            Field,
            "index {} is beyond the parts of {:?}, which {:?} splits into {count}",
            options.index,
            scalar.text,
            options.delimiter
        ));
    };
    let mut node = node.clone();
    if let Some(scalar) = node.as_scalar_mut() {
        scalar.text = part.into();
    }
    Ok(node)
}

/// Writes the value into every object that a target selects; says how many those were.
fn write(resources: &mut Resources, target: &Target, value: &Node) -> Result<usize> {
    let mut count = 0;
    let Some(select) = &target.select else {
        return Err(fail!(Field, "a target of a replacement needs a select"));
    };
    let select = select.compile()?;
    let named: Vec<bool> = target.reject.iter().map(|reject| !reject.names_nothing()).collect();
    let rejects: Vec<Matcher> =
        target.reject.iter().map(|reject| reject.compile()).collect::<Result<_>>()?;
    for resource in resources.all_mut() {
        if !select.matches_metadata(resource) {
            continue;
        }
        if rejects.iter().any(|reject| reject.asks_metadata() && reject.matches_metadata(resource))
        {
            continue;
        }
        let ids = identities(resource);
        let is = |matcher: &Matcher| {
            ids.iter().any(|(gvk, name, namespace)| matcher.matches_identity(gvk, name, namespace))
        };
        if rejects.iter().zip(&named).any(|(reject, named)| *named && is(reject)) || !is(&select) {
            continue;
        }
        copy(resource, target, value)?;
        resource.settle_shared();
        count += 1;
    }
    Ok(count)
}

fn copy(resource: &mut Resource, target: &Target, value: &Node) -> Result<()> {
    let options = target.options.as_ref();
    let create = options.is_some_and(|options| options.create);
    for field in &target.field_paths {
        let path = fieldpath::split(field);
        if copy_into_text(&mut resource.node, &path, value, options).is_ok() {
            continue;
        }
        let name = resource.describe();
        let missing = |error: Option<Error>| {
            let verb = if create { "find or create" } else { "find" };
            let message = format!("can't {verb} field {field:?} in {name}");
            match error {
                Some(error) => error.doing(message),
                None => fail!(NoMatch, "{message}"),
            }
        };
        let help = |node: &Node| {
            let near = suggest::in_object(node, &path);
            let near = near.map(|near| format!("{near} "));
            let near = near.unwrap_or_default();
            if create {
                near.trim_end().to_owned()
            } else {
                format!("{near}To make a missing field, say `create: true` under `options`")
            }
        };
        let kind = create.then(|| shape_like(value));
        match fieldpath::visit(&mut resource.node, &path, kind.as_ref(), &mut |node| {
            set(node, value, options)
        }) {
            Ok(Found(0)) => return Err(missing(None).with_help(help(&resource.node))),
            Ok(_) => {}
            Err(error) => return Err(missing(Some(error))),
        }
    }
    Ok(())
}

/// What a created field holds before the value is put into it.
fn shape_like(value: &Node) -> Node {
    match &value.value {
        Value::Scalar(_) => Node::scalar(Scalar::untyped("")),
        Value::Sequence(_) => Node::sequence(Vec::new()),
        Value::Mapping(_) => Node::empty_mapping(),
    }
}

/// Puts the value into one field, which stands where the value does from now on, or into one part of it.
fn set(node: &mut Node, value: &Node, options: Option<&FieldOptions>) -> Result<()> {
    let mut value = value.clone();
    if let Some(options) = options.filter(|options| !options.delimiter.is_empty()) {
        let shape = node.shape();
        let Some(scalar) = node.as_scalar() else {
            return Err(fail!(Field, "a delimiter splits plain values, not a {shape}"));
        };
        let mut parts: Vec<&str> = scalar.text.split(options.delimiter.as_str()).collect();
        let part = value.text().to_owned();
        match usize::try_from(options.index) {
            Err(_) => parts.insert(0, &part),
            Ok(index) if index >= parts.len() => parts.push(&part),
            Ok(index) => parts[index] = &part,
        }
        let joined = parts.join(&options.delimiter);
        if let Some(scalar) = value.as_scalar_mut() {
            scalar.text = joined.into();
        }
        value.at = node.at;
    }
    match &mut node.value {
        // A plain value keeps its type and its quotes; only the text changes.
        Value::Scalar(scalar) => {
            scalar.replace(value.text(), scalar.tag);
            node.at = value.at;
        }
        _ => *node = value,
    }
    Ok(())
}

/// Writes into JSON or YAML that stands as text in a field, and puts the text back in the same notation.
fn copy_into_text(
    root: &mut Node,
    path: &[String],
    value: &Node,
    options: Option<&FieldOptions>,
) -> Result<()> {
    let not_text = || fail!(Field, "no structured text on this path");
    let mut found = None;
    for length in 1..path.len() {
        let Ok(node) = fieldpath::lookup(root, &path[..length]) else { continue };
        if let Some(scalar) = node.and_then(Node::as_scalar)
            && let Ok(Some(parsed)) = parse_document(&scalar.text, ParseOptions::EMBEDDED)
        {
            found = Some((length, parsed));
            break;
        }
    }
    let (length, mut document) = found.ok_or_else(not_text)?;
    let kind = options.is_some_and(|options| options.create).then(|| shape_like(value));
    let Found(count) =
        fieldpath::visit(&mut document, &path[length..], kind.as_ref(), &mut |node| {
            set(node, value, options)
        })?;
    if count == 0 {
        return Err(not_text());
    }
    let Some(scalar) = fieldpath::lookup_mut(root, &path[..length])?.and_then(Node::as_scalar_mut)
    else {
        return Err(not_text());
    };
    scalar.text = serialise(&document, &scalar.text)?.into();
    Ok(())
}

fn serialise(document: &Node, original: &str) -> Result<String> {
    if !original.trim_start().starts_with(['{', '[']) {
        return Ok(to_document(document).trim().to_owned());
    }
    let json = crate::yaml::to_json(document, crate::yaml::Dialect::V3)
        .map_err(crate::error::ErrorKind::from)?;
    let pretty = original.contains('\n') && original.contains("  ");
    Ok(crate::gojson::to_string(&json, pretty))
}
