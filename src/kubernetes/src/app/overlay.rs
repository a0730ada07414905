//! The overlay's files: read from the project into the graph, and built from there.

use super::holders;
use formwork_engine::{Expr, Failure};
use formwork_kustomize::{Built, Disk, Error, Memory, Options, build};
use serde_json::Value as Json;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path, PathBuf},
};

/// The directory of the kustomization that stands above the overlay, in memory only.
pub const ABOVE: &str = ".formwork";

/// The files of a build, by path from the project's root.
#[derive(Default)]
pub struct Files(Memory);

impl Files {
    pub fn insert(&mut self, path: &str, content: &str) {
        self.0.insert(path, content);
    }

    /// Builds the kustomization in a directory.
    pub fn build(&self, directory: &str) -> Result<Built, Failure> {
        let root = Path::new("/").join(directory);
        build(&self.0, &root, &Options::default()).map_err(|error| unbuilt(error, Path::new("/")))
    }
}

/// Puts the files into the graph that building the overlay and the bases beside it reads.
///
/// A graph that has its files already stays as it is: it was emitted from a checkout that isn't here.
pub fn embed(project: &Path, fields: &mut BTreeMap<String, Expr>) -> Result<(), Failure> {
    if fields.contains_key("objects") {
        return Err(Failure::invalid("`objects` of an App is made from its overlay, not given")
            .hint("take `objects` out of the stack"));
    }
    if fields.contains_key(holders::FIELD) {
        return Err(Failure::invalid("`holders` of an App is observed, not given")
            .hint("take `holders` out of the stack"));
    }
    if fields.contains_key("files") {
        return Ok(());
    }
    let mut directories = literal::<Vec<String>>(fields, "bases")?.unwrap_or_default();
    directories.extend(literal(fields, "overlay")?);
    let project = project.canonicalize().map_err(|error| {
        Failure::invalid(format!("the project's directory {}: {error}", project.display()))
    })?;
    let mut read: BTreeSet<PathBuf> = BTreeSet::new();
    for directory in &directories {
        let root = find(&project, directory)?;
        let built =
            build(&Disk, &root, &Options::default()).map_err(|error| unbuilt(error, &project))?;
        read.extend(built.files_read().map(Path::to_owned));
    }
    let mut files = BTreeMap::new();
    for path in read {
        let Some(name) = path.strip_prefix(&project).ok().and_then(Path::to_str) else {
            return Err(Failure::invalid(format!("{} is outside of the project", path.display()))
                .hint(
                    "everything that an overlay builds on belongs into the project's directory",
                ));
        };
        let content = std::fs::read_to_string(&path)
            .map_err(|error| Failure::invalid(format!("{name}: {error}")))?;
        files.insert(name.to_owned(), content);
    }
    // Texts by texts: there is nothing that could fail to become JSON.
    let files = serde_json::to_value(files).unwrap_or(Json::Null);
    fields.insert("files".into(), Expr::Literal(files));
    Ok(())
}

/// A field that must be written out, since files are read by it before anything else is known.
fn literal<T: serde::de::DeserializeOwned>(
    fields: &BTreeMap<String, Expr>,
    name: &str,
) -> Result<Option<T>, Failure> {
    match fields.get(name) {
        None => Ok(None),
        Some(Expr::Literal(json)) => serde_json::from_value(json.clone())
            .map(Some)
            .map_err(|error| Failure::invalid(format!("`{name}`: {error}"))),
        Some(_) => Err(Failure::invalid(format!("`{name}` can't come from another resource"))
            .hint("write the path out: files are read before anything is applied")),
    }
}

/// The directory of an overlay or a base, which lies in the project.
fn find(project: &Path, directory: &str) -> Result<PathBuf, Failure> {
    let path = Path::new(directory);
    if path.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(Failure::invalid(format!("`{directory}` is not a path inside of the project"))
            .hint("write it from the project's root: kube/overlays/production"));
    }
    let root = project.join(path);
    if root.is_dir() {
        return Ok(root);
    }
    let failure = Failure::invalid(format!("there is no directory {directory}"));
    let beside = root.parent().map(directories_in).unwrap_or_default();
    Err(match beside.is_empty() {
        true => failure.hint(format!("it is looked for from {}", project.display())),
        false => failure.hint(format!("beside it there are: {}", beside.join(", "))),
    })
}

fn directories_in(parent: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    let directories = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> =
        directories.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// A failed build, with its place as the project names it.
fn unbuilt(mut error: Error, root: &Path) -> Failure {
    let above = Path::new("/").join(ABOVE);
    let of_app = error.place.as_ref().is_some_and(|place| place.file.starts_with(&above));
    if of_app {
        error.place = None;
        return Failure::invalid(format!(
            "the overlay doesn't take what the App gives it: {error}"
        ))
        .hint("compare the App's fields with the names in the overlay");
    }
    if let Some(place) = &mut error.place
        && let Ok(relative) = place.file.strip_prefix(root)
    {
        place.file = relative.to_owned();
    }
    let hint = match &error.place {
        Some(place) => format!("mend {place}, and try it with: formwork kube build DIRECTORY"),
        None => "try it with: formwork kube build DIRECTORY".to_owned(),
    };
    Failure::invalid(error.to_string()).hint(hint)
}
