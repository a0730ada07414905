//! `formwork rehearse`: the local cloud, until Ctrl-C.

use super::{CliError, Ended};
use formwork_rehearse::{LocalCloud, Options, Parts, Progress, interrupted};
use std::path::PathBuf;

pub(crate) async fn run(matches: &clap::ArgMatches) -> Result<Ended, CliError> {
    let failed = |error: &dyn std::error::Error| CliError::new(error.to_string());
    let given = matches.get_one::<PathBuf>("scratch").cloned();
    let scratch = given
        .clone()
        .unwrap_or_else(|| std::env::temp_dir().join(format!("formwork-{}", std::process::id())));
    tokio::task::block_in_place(|| Parts::ensure(&Progress::on_stderr()))
        .map_err(|error| failed(&error))?;
    let cloud = LocalCloud::start(Options::new(&scratch)).await.map_err(|error| failed(&error))?;
    outln!("The local cloud is up until Ctrl-C; logs and data are in {}.", scratch.display());
    for site in cloud.sites() {
        outln!("\n# {}", site.name);
        outln!(". {}", scratch.join(format!("sites/{}.env", site.name)).display());
    }
    interrupted().await.map_err(|error| failed(&error))?;
    cloud.stop().await;
    if given.is_none() {
        // What can't be removed lies in the system's temporary folder, which is cleaned anyway.
        let _ = std::fs::remove_dir_all(&scratch);
    }
    Ok(Ended::Fine)
}
