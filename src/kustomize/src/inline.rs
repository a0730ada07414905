//! Objects that are written out inside of a kustomization file, with their places in that file.

use crate::decode::Text;
use crate::error::{Error, Result};
use crate::load::Loader;
use crate::objects::parse_objects;
use crate::resource::Resource;
use std::path::Path;

/// Reads the objects of a text.
pub fn objects(loader: &Loader<'_>, file: &Path, text: &Text) -> Result<Vec<Resource>> {
    parse_objects(text, file, line_offset(text))
        .map_err(|error| place(loader, file, text, error))
}

/// The lines of the file before the text's own first line.
pub fn line_offset(text: &Text) -> u32 {
    if text.block { text.at.line } else { text.at.line.saturating_sub(1) }
}

/// Moves the place of an error inside of the text to where that is in the file.
pub fn place(loader: &Loader<'_>, file: &Path, text: &Text, mut error: Error) -> Error {
    let Some(place) = error.place.as_mut().filter(|place| place.file == file) else {
        return error;
    };
    if text.block {
        let indent = indentation(loader, file, text).unwrap_or_default();
        place.column = place.column.saturating_add(indent);
    } else {
        // Quotes and folded lines may be anywhere in it: its beginning is what is known.
        (place.line, place.column) = (text.at.line, text.at.column);
    }
    error
}

/// How far a block is indented in its file.
fn indentation(loader: &Loader<'_>, file: &Path, text: &Text) -> Option<u32> {
    let content = String::from_utf8(loader.context.files.read(file).ok()?).ok()?;
    let line = content
        .lines()
        .skip(usize::try_from(text.at.line).ok()?)
        .find(|line| !line.trim().is_empty())?;
    u32::try_from(line.len() - line.trim_start_matches(' ').len()).ok()
}
