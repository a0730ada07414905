//! `./dev rehearse`: the main job on a local cloud made of real parts.

use clap::Parser;
use formwork_tests::rehearse;
use std::{path::PathBuf, process::ExitCode};

/// Plan, apply, preview and destroy the reference stacks on a local cloud.
#[derive(Parser)]
struct Arguments {
    /// Stop after the previews are up, leave the local cloud running until Ctrl-C, and print its environment.
    #[arg(long)]
    keep: bool,
    /// Where data and logs go; a temporary folder, removed at the end, if not given.
    #[arg(long, value_name = "FOLDER")]
    scratch: Option<PathBuf>,
    /// The program to rehearse.
    #[arg(long, env = "FORMWORK", value_name = "FILE")]
    formwork: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<bool, String> {
    // Short, since PostgreSQL's socket lies in it, and open to the user that PostgreSQL runs as.
    let temporary = tempfile::Builder::new().prefix("formwork-").tempdir();
    let temporary = temporary.map_err(|error| error.to_string())?;
    let scratch = arguments.scratch.unwrap_or_else(|| temporary.path().to_owned());
    let (tally, cloud) = rehearse(&arguments.formwork, &scratch, arguments.keep).await?;
    if let Some(cloud) = cloud {
        println!("\nThe local cloud is up until Ctrl-C. In another terminal:\n");
        println!("    export FORMWORK_IMAGES={}", formwork_tests::images());
        for site in cloud.sites() {
            println!("    # {}", site.name);
            println!("    . {}", scratch.join(format!("sites/{}.env", site.name)).display());
            println!("    export FORMWORK_STATE={}", formwork_tests::state(&scratch, &site.name));
            let environment = scratch.join(format!("environments/{}.toml", site.name));
            println!("    export FORMWORK_ENVIRONMENT={}", environment.display());
        }
        println!("\n    {} plan staging", arguments.formwork.display());
        formwork_rehearse::interrupted().await.map_err(|error| error.to_string())?;
        cloud.stop().await;
    }
    Ok(tally.failed == 0 && tally.passed > 0)
}
