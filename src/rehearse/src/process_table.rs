//! The process table, looked at for what belongs to a local cloud.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::process::MARKER;

/// The processes that belong to the local cloud of `scratch`: `NUMBER COMMAND LINE`.
///
/// A process belongs to it when its environment holds the marker, or when its command line or its working folder leads
/// into the scratch folder: PostgreSQL's own children overwrite their environment.
pub fn processes_of(scratch: &Path) -> Vec<String> {
    let scratch = scratch.canonicalize().unwrap_or_else(|_| scratch.to_owned());
    let text = scratch.to_string_lossy();
    let marker = format!("{MARKER}={text}");
    let processes = fs::read_dir("/proc").into_iter().flatten().filter_map(|entry| {
        let folder = entry.ok()?.path();
        let number: u32 = folder.file_name()?.to_str()?.parse().ok()?;
        let words = |file: &str| -> Vec<String> {
            let bytes = fs::read(folder.join(file)).unwrap_or_default();
            let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
            words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
        };
        let command = words("cmdline");
        let inside =
            fs::read_link(folder.join("cwd")).is_ok_and(|cwd: PathBuf| cwd.starts_with(&scratch));
        let belongs = inside
            || words("environ").contains(&marker)
            || (number != std::process::id() && command.iter().any(|word| word.contains(&*text)));
        belongs.then(|| format!("{number} {}", command.join(" ")))
    });
    processes.collect()
}
