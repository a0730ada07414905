//! A path that leads nowhere: where it leaves what is there, and what is there instead.

use super::near::{listed, nearest};
use crate::files::{Files, clean};
use std::path::{Component, Path, PathBuf};

/// What a path under a directory may have meant.
pub fn path(files: &dyn Files, root: &Path, name: &str) -> Option<String> {
    // Of a path that the command was given, the root is the working directory.
    let mut here = if root.as_os_str().is_empty() { PathBuf::from(".") } else { root.to_owned() };
    let mut written = PathBuf::new();
    let mut parts = Path::new(name).components();
    while let Some(part) = parts.next() {
        let next = clean(&here.join(part));
        if matches!(part, Component::CurDir | Component::ParentDir | Component::RootDir)
            || files.canonical(&next).is_ok()
        {
            written.push(part);
            here = next;
            continue;
        }
        if !files.is_dir(&here) {
            return Some(format!("{} is a file, not a directory", here.display()));
        }
        let names = files.names(&here);
        let visible = || names.iter().map(String::as_str).filter(|name| !name.starts_with('.'));
        let part = part.as_os_str().to_string_lossy();
        let same_but_ending = || {
            let stem = |name: &str| Path::new(name).file_stem().map(|stem| stem.to_owned());
            visible().find(|name| stem(name) == stem(&part))
        };
        if let Some(near) = nearest(&part, visible()).or_else(same_but_ending) {
            let meant: PathBuf = written
                .components()
                .chain([Component::Normal(near.as_ref())])
                .chain(parts)
                .collect();
            return Some(format!("did you mean {:?}?", meant.display().to_string()));
        }
        let listed = listed(visible());
        let place = match here == Path::new(".") {
            true => "this directory".to_owned(),
            false => here.display().to_string(),
        };
        return listed.map(|listed| format!("{place} has: {listed}"));
    }
    None
}
