//! Patches: which objects they are for, and how each kind is applied.

use crate::decode::Text;
use crate::error::{Error, ErrorKind, Result, fail};
use crate::kustomization::{PatchEntry, PatchOptions};
use crate::load::Loader;
use crate::patch::json6902::JsonPatch;
use crate::patch::strategic;
use crate::resource::Resource;
use crate::resources::Resources;
use crate::schema::Schemas;
use crate::selector::{Pattern, Selector};
use crate::suggest;
use crate::warning::WarningKind;
use crate::yaml::{Mark, Node};
use std::path::{Path, PathBuf};

/// A patch's text and where it comes from.
struct Source {
    text: String,
    file: PathBuf,
    /// What of the file stands before the text.
    before: Mark,
}

/// Applies one entry of `patches`.
pub fn apply_entry(
    loader: &Loader<'_>,
    file: &Path,
    entry: &PatchEntry,
    resources: &mut Resources,
) -> Result<()> {
    let source = read_entry(loader, file, entry)?;
    let matched = apply_text(loader, file, entry, &source, resources)
        .map_err(|error| error.at(file, entry.at))?;
    warn_unless(matched, loader, file, entry, resources);
    Ok(())
}

/// Applies a patch of either kind; false when its target matches nothing.
fn apply_text(
    loader: &Loader<'_>,
    file: &Path,
    entry: &PatchEntry,
    text: &Source,
    resources: &mut Resources,
) -> Result<bool> {
    let strategic = loader.objects(&text.text, &text.file, text.before);
    let json = loader.json_patch(&text.text, &text.file, text.before);
    match (strategic, json) {
        (Ok(patches), Ok(json)) if !patches.is_empty() && !json.is_empty() => {
            Err(fail!(Patch, "this is both a strategic merge patch and a JSON patch"))
        }
        (Ok(patches), _) => {
            apply_strategic(loader, file, entry, with_options(patches, entry.options), resources)
        }
        (Err(_), Ok(json)) if json.is_empty() => Ok(true),
        (Err(_), Ok(json)) => match &entry.target {
            Some(target) => apply_json(file, target, &json, resources, true),
            None => Err(fail!(Patch, "a JSON patch needs a target").with_help(
                "say which objects it is for: a `target` with kind and name, beside the patch",
            )),
        },
        // A list was meant as a JSON patch; anything else is taken for a strategic one.
        (Err(_), Err(json)) if text.text.trim_start().starts_with(['-', '[']) => Err(json),
        (Err(strategic), Err(_)) => Err(strategic),
    }
}

fn warn_unless(
    matched: bool,
    loader: &Loader<'_>,
    file: &Path,
    entry: &PatchEntry,
    resources: &Resources,
) {
    if let (false, Some(target)) = (matched, &entry.target) {
        let near = suggest::for_selector(resources, target);
        loader.context.warn(WarningKind::PatchMatchesNothing { near }, file, target.at);
    }
}

fn read_entry(loader: &Loader<'_>, file: &Path, entry: &PatchEntry) -> Result<Source> {
    let invalid = |reason: &str| {
        let kind = ErrorKind::Invalid { field: "patches".to_owned(), reason: reason.to_owned() };
        Err(Error::new(kind).at(file, entry.at))
    };
    match (&*entry.path, entry.patch.trim()) {
        ("", "") => invalid("an entry needs a path or a patch"),
        ("", text) => Ok(Source {
            text: text.to_owned(),
            file: file.to_owned(),
            before: entry.patch.before(),
        }),
        (path, "") => {
            let text = loader.text(path).map_err(|error| error.at(file, entry.path.at))?;
            Ok(Source { text, file: loader.path(path), before: Mark::default() })
        }
        _ => invalid("an entry takes a path or a patch, not both"),
    }
}

fn with_options(mut patches: Vec<Resource>, options: PatchOptions) -> Vec<Resource> {
    for patch in &mut patches {
        patch.may_rename |= options.allow_name_change;
        patch.may_change_kind |= options.allow_kind_change;
    }
    patches
}

/// Applies strategic merge patches by target or by the names they carry; false when a target matches nothing.
fn apply_strategic(
    loader: &Loader<'_>,
    file: &Path,
    entry: &PatchEntry,
    patches: Vec<Resource>,
    resources: &mut Resources,
) -> Result<bool> {
    let hold = loader.context.schema();
    let Some(target) = &entry.target else {
        for patch in patches {
            let position = find_one(resources, &patch)?;
            resources.modify(position, |resource| merge(resource, &patch, hold.schemas()))?;
        }
        return Ok(true);
    };
    let [patch] = patches.as_slice() else {
        return match patches.is_empty() {
            true => Ok(true),
            false => {
                let error = fail!(
                    Patch,
                    "several strategic merge patches in one entry can't have a target"
                );
                Err(error.with_help("give each an entry of its own, or leave the target out"))
            }
        };
    };
    let selected = select(resources, file, target)?;
    let matched = !selected.is_empty();
    merge_into(resources, &selected, patch, hold.schemas())?;
    Ok(matched)
}

/// Applies what `patchesStrategicMerge` lists: inline patches and files of patches.
pub fn apply_strategic_list(
    loader: &Loader<'_>,
    file: &Path,
    entries: &[Text],
    inline: &Text,
    resources: &mut Resources,
) -> Result<()> {
    let mut patches = Vec::new();
    for entry in entries {
        // What parses as objects is taken for a patch, everything else for a path.
        match loader.objects(entry, file, entry.before()) {
            Ok(inline) => patches.extend(inline),
            Err(error) if entry.contains('\n') => return Err(error),
            Err(_) => {
                let text = loader.text(entry).map_err(|error| error.at(file, entry.at))?;
                patches.extend(loader.objects(&text, &loader.path(entry), Mark::NOWHERE)?);
            }
        }
    }
    patches.extend(loader.objects(inline, file, inline.before())?);
    if patches.is_empty() {
        return Err(fail!(Patch, "patchesStrategicMerge has no patch in it"));
    }
    let hold = loader.context.schema();
    for patch in &patches {
        let position = find_one(resources, patch)?;
        merge_into(resources, &[position], patch, hold.schemas())?;
    }
    Ok(())
}

/// Applies an entry of `patchesJson6902`.
pub fn apply_json_entry(
    loader: &Loader<'_>,
    file: &Path,
    entry: &PatchEntry,
    resources: &mut Resources,
) -> Result<()> {
    let target = entry.target.as_ref().filter(|target| !target.name.is_empty());
    let Some(target) = target else {
        return Err(fail!(Patch, "an entry of patchesJson6902 needs a target with a name")
            .at(file, entry.at));
    };
    let source = match (&*entry.path, &*entry.patch) {
        ("", "") => {
            return Err(fail!(Patch, "an entry of patchesJson6902 needs a path or a patch")
                .at(file, entry.at));
        }
        ("", text) => {
            Source { text: text.to_owned(), file: file.to_owned(), before: entry.patch.before() }
        }
        (path, "") => Source {
            text: loader.text(path).map_err(|error| error.at(file, entry.path.at))?,
            file: loader.path(path),
            before: Mark::default(),
        },
        _ => return Err(fail!(Patch, "a path or a patch, not both").at(file, entry.at)),
    };
    let at = |error: Error| error.at(file, entry.at);
    let patch = loader.json_patch(&source.text, &source.file, source.before).map_err(at)?;
    if patch.is_empty() {
        return Err(fail!(Patch, "this patch is empty").at(file, entry.at));
    }
    let matched = apply_json(file, target, &patch, resources, false).map_err(at)?;
    warn_unless(matched, loader, file, entry, resources);
    Ok(())
}

fn apply_json(
    file: &Path,
    target: &Selector,
    patch: &JsonPatch,
    resources: &mut Resources,
    keep_name: bool,
) -> Result<bool> {
    let selected = select(resources, file, target)?;
    for position in &selected {
        resources.modify(*position, |resource| -> Result<()> {
            if keep_name {
                resource.store_previous();
            }
            resource.write_notes()?;
            patch
                .apply(&mut resource.node)
                .map_err(|error| error.doing(format!("patching {}", resource.describe())))?;
            resource.shared_values = 0;
            rewrite_as_strings(resource, &["annotations"])?;
            resource.take_notes()
        })?;
    }
    Ok(!selected.is_empty())
}

/// Positions of the objects that a selector takes.
fn select(resources: &mut Resources, file: &Path, selector: &Selector) -> Result<Vec<usize>> {
    let matcher = selector.compile().map_err(|error| error.at(file, selector.at))?;
    if let Pattern::Text(name) = &matcher.name {
        let named = resources.find_name(name);
        return Ok(named
            .into_iter()
            .filter(|position| matcher.matches(resources.get(*position)))
            .collect());
    }
    let all = resources.iter().enumerate();
    Ok(all
        .filter(|(_, resource)| matcher.matches(resource))
        .map(|(position, _)| position)
        .collect())
}

/// The object that a patch names.
fn find_one(resources: &mut Resources, patch: &Resource) -> Result<usize> {
    let id = patch.original_id();
    match resources.find_any(&id).as_slice() {
        [position] => Ok(*position),
        [] => {
            let api_version = id.gvk.api_version();
            Err(fail!(NoMatch, "no object matches this patch for {id} ({api_version})")
                .at_object(patch)
                .maybe_help(suggest::for_id(resources, &id)))
        }
        several => {
            let error = fail!(Ambiguous, "several objects match this patch for {id}");
            let error = several.iter().fold(error.at_object(patch), |error, position| {
                let object = resources.get(*position);
                error.with_related(object, object.describe())
            });
            Err(error.with_help("say the namespace of the one that is meant, or give a target"))
        }
    }
}

/// Lays a patch over several objects, each of which lends it its version.
fn merge_into(
    resources: &mut Resources,
    positions: &[usize],
    patch: &Resource,
    schemas: Schemas<'_>,
) -> Result<()> {
    let mut patch = patch.clone();
    // kustomize reads the patch's labels and annotations as strings here, so that null doesn't delete them.
    rewrite_as_strings(&mut patch, &["labels", "annotations"])?;
    for position in positions {
        let mut patch = patch.clone();
        patch.set_api_version(resources.get(*position).api_version());
        resources.modify(*position, |resource| merge(resource, &patch, schemas))?;
    }
    resources.drop_gone();
    // Only a patch that renames can make two objects one.
    if patch.may_rename || patch.may_change_kind { resources.check_unique() } else { Ok(()) }
}

/// Lays a patch over an object, which keeps its name, kind and namespace unless the patch may change them.
fn merge(resource: &mut Resource, patch: &Resource, schemas: Schemas<'_>) -> Result<()> {
    let (name, namespace) = (resource.name().to_owned(), resource.namespace().to_owned());
    let kind = resource.kind().to_owned();
    if patch.may_rename || patch.may_change_kind {
        resource.store_previous();
    }
    resource.write_notes()?;
    let identity = resource.node.identity();
    let kept = strategic::merge(&mut resource.node, patch.node.clone(), schemas)
        .map_err(|error| error.doing(format!("patching {kind} {name:?}")).at_object(patch))?;
    if !kept {
        resource.node = Node::null();
    }
    resource.settle_shared();
    if kept {
        resource.take_notes()?;
    }
    if resource.is_gone() {
        return Ok(());
    }
    if !patch.may_change_kind {
        resource.set_kind(&kind);
    }
    if !patch.may_rename {
        resource.set_name(&name)?;
    }
    resource.set_namespace(&namespace)?;
    resource.node.stand_as(identity);
    Ok(())
}

fn rewrite_as_strings(resource: &mut Resource, fields: &[&str]) -> Result<()> {
    for field in fields {
        let entries = resource
            .metadata_map(field)
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()));
        let entries: Vec<_> = entries.collect();
        resource.set_metadata_map(field, entries)?;
    }
    Ok(())
}
