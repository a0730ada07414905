//! Trees in the shapes that public projects have, as data in `shapes`.
//!
//! A file says what it shows in its first line; files follow, each under a line `--- path`. After the path, `crlf` gives the
//! file Windows' line ends, and `open` leaves out its last one.

use crate::tree::Tree;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Every tree with its name.
pub fn all() -> Vec<(String, Tree)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential/shapes");
    let entries = fs::read_dir(folder).unwrap();
    let mut trees: Vec<(String, Tree)> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, Tree::new(files(&fs::read_to_string(path).unwrap())))
        })
        .collect();
    trees.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(!trees.is_empty());
    trees
}

fn files(text: &str) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    // A separator of documents may have a comment after it, but no path.
    for part in text.split("\n--- ").skip(1).filter(|part| !part.starts_with('#')) {
        let (header, content) = part.split_once('\n').unwrap_or((part, ""));
        let (path, ending) = header.split_once(' ').unwrap_or((header, ""));
        let content = if content.is_empty() { String::new() } else { format!("{content}\n") };
        let content = match ending {
            "crlf" => content.replace('\n', "\r\n"),
            "open" => content.trim_end_matches('\n').to_owned(),
            "" => content,
            other => panic!("unknown ending {other:?} of {path}"),
        };
        files.insert(path.to_owned(), content);
    }
    files
}
