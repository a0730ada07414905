//! A directory as it was at a Git revision.

use super::super::{CliError, tools::HostTools};
use formwork_kustomize::Tools as _;
use std::{
    io,
    path::{Path, PathBuf},
};

/// Writes the whole tree of a revision into a scratch folder, and gives the directory in it.
///
/// The whole tree, since bases may be anywhere in it. The repository's own index and files stay as they are.
pub(super) fn check_out(
    tools: &HostTools,
    directory: &Path,
    revision: &str,
) -> Result<PathBuf, CliError> {
    let failed = |error: io::Error| {
        CliError::with_help(
            format!("can't read {} at revision {revision}: {error}", directory.display()),
            "it must be in a Git repository on this machine that has the revision; in CI, fetch it first",
        )
    };
    // It may be gone by now, so the search for the repository begins at what is left of the path.
    let here = std::env::current_dir().map_err(failed)?;
    let asked = formwork_kustomize::clean(&here.join(directory));
    let Some(start) = asked.ancestors().find(|path| path.is_dir()) else {
        return Err(failed(io::Error::from(io::ErrorKind::NotFound)));
    };
    let start = start.canonicalize().map_err(failed)?;
    let top = line(tools.git(&start, &["rev-parse", "--show-toplevel"], &[]).map_err(failed)?);
    let top = PathBuf::from(top);
    let commit = format!("{revision}^{{commit}}");
    let arguments = ["rev-parse", "--verify", "--quiet", "--end-of-options", &commit];
    let commit = tools.git(&top, &arguments, &[]).map_err(|_| {
        failed(io::Error::new(io::ErrorKind::NotFound, "there is no such revision"))
    })?;
    let commit = line(commit);
    let scratch = tools.scratch_directory().map_err(failed)?;
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    let (index, tree) = (text(scratch.join("index")), scratch.join("tree"));
    let prefix = format!("--prefix={}/", tree.display());
    let own_index = [("GIT_INDEX_FILE", index.as_str())];
    tools.git(&top, &["read-tree", &commit], &own_index).map_err(failed)?;
    tools.git(&top, &["checkout-index", "--all", &prefix], &own_index).map_err(failed)?;
    let canonical = asked.canonicalize().unwrap_or(asked);
    let inside = canonical.strip_prefix(&top).map_err(io::Error::other).map_err(failed)?;
    let directory = tree.join(inside);
    if !directory.is_dir() {
        let gone = io::Error::new(io::ErrorKind::NotFound, "that revision has no such directory");
        return Err(failed(gone));
    }
    Ok(directory)
}

fn line(output: Vec<u8>) -> String {
    String::from_utf8_lossy(&output).trim_end().to_owned()
}
