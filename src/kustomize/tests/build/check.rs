//! One way to write a test: files in, output or error out.

use formwork_kustomize::{Error, Memory, Options, Reorder, build};
use std::path::Path;

/// Files of a test, written one after the other, each under a line `--- path`.
pub fn files(text: &str) -> Memory {
    let mut memory = Memory::new();
    for part in text.split("--- ").skip(1) {
        let (path, content) = part.split_once('\n').expect("a path ends its line");
        memory.insert(format!("/{}", path.trim()), content);
    }
    memory
}

/// Options that leave objects in the order they are loaded.
pub fn in_order() -> Options {
    Options { reorder: Reorder::None, ..Options::default() }
}

/// Builds `/` and compares what is printed.
pub fn check(text: &str, expected: &str) {
    match build(&files(text), Path::new("/"), &in_order()) {
        Ok(built) => {
            assert_eq!(built.to_yaml(), expected);
            let mut written = Vec::new();
            built.write_yaml(&mut written).expect("memory takes everything");
            assert_eq!(String::from_utf8_lossy(&written), expected, "written object by object");
        }
        Err(error) => panic!("{error}"),
    }
}

/// Builds `/`, which must fail, and looks for a part of the message.
pub fn check_error(text: &str, part: &str) {
    let error = fails(text);
    assert!(error.to_string().contains(part), "{part:?} is not in:\n{error}");
}

/// Builds `/`, which must fail.
pub fn fails(text: &str) -> Error {
    match build(&files(text), Path::new("/"), &in_order()) {
        Ok(built) => panic!("built without an error:\n{}", built.to_yaml()),
        Err(error) => error,
    }
}
