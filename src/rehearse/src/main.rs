//! `local-cloud`: sets the parts up, runs a local cloud until it is told to stop, looks into one.

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, Subcommand};
use formwork_rehearse::{
    Helm, Inventory, LocalCloud, OpenTofu, Options, Parts, Progress, Site, interrupted,
};

/// How often a running cloud is looked at for parts that have ended.
const WATCH: Duration = Duration::from_secs(2);
/// The exit code of a program that was interrupted.
const INTERRUPTED: u8 = 130;

/// The local cloud: real parts on loopback.
#[derive(Parser)]
#[command(name = "local-cloud", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install every part that is missing.
    Setup {
        /// Lines instead of spinners, for when something else writes to the terminal too.
        #[arg(long)]
        plain: bool,
    },
    /// Start it, print how to reach it, and wait for Ctrl-C.
    Up {
        /// The folder for everything it writes; by default one that is removed at the end.
        #[arg(long, value_name = "DIR")]
        scratch: Option<PathBuf>,
        /// Only the site of this name.
        #[arg(long, value_name = "SITE")]
        only: Option<String>,
    },
    /// List what exists in every site of a running local cloud.
    Inventory {
        /// Its scratch folder.
        #[arg(long, value_name = "DIR")]
        scratch: PathBuf,
    },
    /// Print where a program of the set-up is.
    Path { tool: Tool },
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Tool {
    Actionlint,
    CargoDeny,
    /// Built only when it is asked for.
    Helm,
    Kubectl,
    Kustomize,
    Psql,
    Python,
    /// Built only when it is asked for.
    Tofu,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Setup { plain } => setup(plain).await,
        Command::Up { scratch, only } => up(scratch, only).await,
        Command::Inventory { scratch } => inventory(&scratch).await,
        Command::Path { tool } => path(tool).await,
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

type Outcome = Result<ExitCode, Box<dyn Error>>;

async fn setup(plain: bool) -> Outcome {
    ensure(if plain { Progress::lines() } else { Progress::on_stderr() }).await?;
    eprintln!("setup: every part is there");
    Ok(ExitCode::SUCCESS)
}

async fn inventory(scratch: &Path) -> Outcome {
    let sites = Site::all_in(scratch)
        .map_err(|error| format!("no local cloud in {}: {error}", scratch.display()))?;
    print!("{}", Inventory::take(&sites).await?);
    Ok(ExitCode::SUCCESS)
}

async fn path(tool: Tool) -> Outcome {
    let parts = async || ensure(Progress::on_stderr()).await;
    let path = match tool {
        Tool::Actionlint => parts().await?.actionlint.program,
        Tool::CargoDeny => parts().await?.cargo_deny.program,
        Tool::Helm => {
            let alone = || Helm::ensure(&Progress::on_stderr());
            tokio::task::spawn_blocking(alone).await??.program
        }
        Tool::Kubectl => parts().await?.kubernetes.kubectl,
        Tool::Kustomize => parts().await?.kustomize.program,
        Tool::Psql => parts().await?.postgres.programs.join("psql"),
        Tool::Python => parts().await?.ministack.python,
        Tool::Tofu => {
            let alone = || OpenTofu::ensure(&Progress::on_stderr());
            tokio::task::spawn_blocking(alone).await??.program
        }
    };
    println!("{}", path.display());
    Ok(ExitCode::SUCCESS)
}

async fn ensure(progress: Progress) -> Result<Parts, Box<dyn Error>> {
    Ok(tokio::task::spawn_blocking(move || Parts::ensure(&progress)).await??)
}

async fn up(scratch: Option<PathBuf>, only: Option<String>) -> Outcome {
    let temporary = scratch.is_none();
    let default = || std::env::temp_dir().join(format!("formwork-{}", std::process::id()));
    let mut options = Options::new(scratch.unwrap_or_else(default));
    if let Some(site) = only {
        options = options.only(&site);
    }
    let cloud = tokio::select! {
        started = LocalCloud::start(options) => started?,
        signal = interrupted() => {
            eprintln!("{}: ended before the local cloud was up", signal?);
            // What was started so far is killed with this process.
            std::process::exit(INTERRUPTED.into());
        }
    };
    print(&cloud);
    let outcome = tokio::select! {
        signal = interrupted() => {
            eprintln!("{}: stopping", signal?);
            ExitCode::SUCCESS
        }
        () = broken(&cloud) => ExitCode::FAILURE,
    };
    let scratch = cloud.scratch().to_owned();
    cloud.stop().await;
    if temporary && outcome == ExitCode::SUCCESS {
        fs::remove_dir_all(&scratch)?;
    }
    Ok(outcome)
}

fn print(cloud: &LocalCloud) {
    for site in cloud.sites() {
        println!("{}", site.shell());
    }
    println!("# In another shell: . {}/sites/NAME.env", cloud.scratch().display());
    println!("# Logs: {}/logs", cloud.scratch().display());
    println!("# Ready. Ctrl-C stops it.");
}

/// Returns when a part has ended by itself.
async fn broken(cloud: &LocalCloud) {
    loop {
        tokio::time::sleep(WATCH).await;
        let ended = cloud.ended();
        for (part, status) in &ended {
            let log = cloud.scratch().join("logs").join(format!("{}.log", part.replace('/', "-")));
            eprintln!("error: {part} ended with {status}; its log is {}", log.display());
        }
        if !ended.is_empty() {
            return;
        }
    }
}
