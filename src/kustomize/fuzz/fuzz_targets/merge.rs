//! Any patch on any object: strategic merge, JSON patch, merge by a custom schema's keys.
//!
//! The text is the object, a line `---patch`, and the patch.

#![no_main]

use formwork_kustomize::{Memory, Options, build};
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|text: &str| {
    let (object, patch) = text.split_once("\n---patch\n").unwrap_or((text, text));
    let kustomization = "resources: [object.yaml]\npatches:\n- path: patch.yaml\n  target: {kind: '.*'}\n  options: {allowNameChange: true, allowKindChange: true}\n";
    let files = Memory::new()
        .with("/kustomization.yaml", kustomization)
        .with("/object.yaml", object)
        .with("/patch.yaml", patch);
    if let Ok(built) = build(&files, Path::new("/"), &Options::default()) {
        let _ = built.to_yaml();
    }
});
