//! `formwork kube`: working with Kubernetes manifests.

use super::{CliError, Ended, graph};
use formwork_kustomize::{Built, Disk, LoadRestrictor, Options, Reorder, build};
use std::{io::Write as _, path::Path};

pub(crate) fn run(matches: &clap::ArgMatches) -> Result<Ended, CliError> {
    let Some((_, matches)) = matches.subcommand() else { return Ok(Ended::Fine) };
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    let options = Options {
        load_restrictor: match text("load-restrictor") {
            Some("LoadRestrictionsNone") => LoadRestrictor::None,
            _ => LoadRestrictor::RootOnly,
        },
        reorder: match text("reorder") {
            Some("none") => Reorder::None,
            _ => Reorder::Legacy,
        },
        enable_managedby_label: matches.get_flag("enable-managedby-label"),
        ..Options::default()
    };
    let built = build(&Disk, graph::path(matches, "dir"), &options)
        .map_err(|error| CliError::new(error.to_string()))?;
    for warning in built.warnings() {
        eprintln!("warning: {warning}");
    }
    write(&built, matches.try_get_one("output").ok().flatten().map(std::path::PathBuf::as_path))?;
    Ok(Ended::Fine)
}

/// Writes to standard output, into a file, or one file an object into a folder.
fn write(built: &Built, output: Option<&Path>) -> Result<(), CliError> {
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |error: std::io::Error| CliError::new(format!("can't write {path}: {error}"))
    };
    match output {
        None => {
            let stdout = Path::new("standard output");
            std::io::stdout().write_all(built.to_yaml().as_bytes()).map_err(failed(stdout))
        }
        Some(folder) if folder.is_dir() => {
            for (name, object) in built.files() {
                let path = folder.join(name);
                std::fs::write(&path, object.to_yaml()).map_err(failed(&path))?;
            }
            Ok(())
        }
        Some(file) => std::fs::write(file, built.to_yaml()).map_err(failed(file)),
    }
}
