//! The data of generated objects: literals, files, and files of `key=value` lines.

use crate::error::{Result, fail};
use crate::kustomization::KeyValueSources;
use crate::load::Loader;
use std::collections::BTreeMap;
use std::path::Path;

/// Data by key; a value may be binary.
pub type Data = BTreeMap<String, Vec<u8>>;

/// Collects the data of one object; a key given twice is an error.
///
/// `file` is where the generator stands.
pub fn collect(loader: &Loader<'_>, file: &Path, sources: &KeyValueSources) -> Result<Data> {
    let mut data = Data::new();
    let mut put = |key: String, value: Vec<u8>| match data.insert(key.clone(), value) {
        None => Ok(()),
        Some(_) => Err(fail!(Conflict, "this generator has the key {key:?} twice")),
    };
    for source in &sources.envs {
        env_file(loader, source)
            .and_then(|pairs| {
                pairs.into_iter().try_for_each(|(key, value)| put(key, value.into_bytes()))
            })
            .map_err(|error| error.at(file, source.at))?;
    }
    for literal in &sources.literals {
        split_literal(literal)
            .and_then(|(key, value)| put(key.to_owned(), value.as_bytes().to_vec()))
            .map_err(|error| error.at(file, literal.at))?;
    }
    for source in &sources.files {
        split_file(source)
            .and_then(|(key, path)| put(key.to_owned(), loader.bytes(path)?))
            .map_err(|error| error.at(file, source.at))?;
    }
    Ok(data)
}

/// `key=value`; one pair of quotes around the value is taken off.
fn split_literal(literal: &str) -> Result<(&str, &str)> {
    match literal.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key, unquote(value))),
        _ => Err(fail!(Field, "the literal {literal:?} has no key before an =")
            .with_help("write it as key=value")),
    }
}

fn unquote(value: &str) -> &str {
    let inside = |quote: char| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    inside('"').or_else(|| inside('\'')).unwrap_or(value)
}

/// `path`, whose last part is the key, or `key=path`.
fn split_file(source: &str) -> Result<(&str, &str)> {
    match source.split('=').collect::<Vec<_>>()[..] {
        [path] => Ok((path.trim_end_matches('/').rsplit('/').next().unwrap_or(path), path)),
        ["", _] => Err(fail!(Field, "the file {source:?} has no key before the =")),
        [_, ""] => Err(fail!(Field, "the file {source:?} has no path after the =")),
        [key, path] => Ok((key, path)),
        _ => Err(fail!(Field, "the file {source:?} has more than one =")
            .with_help("write it as path or key=path")),
    }
}

/// Lines of `key=value`; comments and empty lines are skipped, a line without `=` is an empty value.
fn env_file(loader: &Loader<'_>, file: &str) -> Result<Vec<(String, String)>> {
    let text = loader.text(file)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line).trim_start());
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pairs = lines.map(|line| {
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        (key.to_owned(), value.to_owned())
    });
    Ok(pairs.filter(|(key, _)| !key.is_empty()).collect())
}
