//! Any text as a kustomization and the files beside it: an error or objects, never a panic, never without end.
//!
//! Files stand one after the other, each under a line `--- path`; what comes before the first is the kustomization.

#![no_main]

use formwork_kustomize::{Memory, Options, Schemas, build, inspect};
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|text: &str| {
    let mut parts = text.split("\n--- ");
    let mut files = Memory::new().with("/kustomization.yaml", parts.next().unwrap_or_default());
    for part in parts {
        let (path, content) = part.split_once('\n').unwrap_or((part, ""));
        files.insert(Path::new("/").join(path.trim_start_matches('/')), content);
    }
    if let Ok(built) = build(&files, Path::new("/"), &Options::default()) {
        let _ = built.to_yaml();
        let _ = inspect(&built, Schemas::stored());
    }
});
