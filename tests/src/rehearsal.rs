//! The rehearsal: a local cloud, the steps in order, and the tally.

use crate::{
    clients::{self, Said},
    environment, steps,
};
use formwork_rehearse::{Inventory, LocalCloud, Options, Parts, Progress, Site};
use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Instant,
};

/// How many steps passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: usize,
    pub failed: usize,
}

/// The site whose state is in a bucket; the other's is in a folder. So both are lived with.
pub const BUCKETED: &str = "staging";
pub const BUCKET: &str = "shop-formwork-state";

/// Where the state of a site's stacks is.
pub fn state(scratch: &Path, site: &str) -> String {
    match site {
        BUCKETED => format!("s3://{BUCKET}/rehearsal"),
        _ => state_folder(scratch).display().to_string(),
    }
}

fn state_folder(scratch: &Path) -> PathBuf {
    scratch.join("state")
}

/// What the steps share: the cloud, the program, and what was there before.
pub struct Rehearsal {
    cloud: LocalCloud,
    formwork: PathBuf,
    project: PathBuf,
    pub before: Inventory,
}

impl Rehearsal {
    pub fn site(&self, name: &str) -> Result<&Site, String> {
        self.cloud.site(name).ok_or_else(|| format!("the local cloud has no site {name}"))
    }

    /// The folder that production's state is in.
    pub fn state_folder(&self) -> PathBuf {
        state_folder(self.cloud.scratch())
    }

    fn environment_file(&self, site: &str) -> PathBuf {
        self.cloud.scratch().join(format!("environments/{site}.toml"))
    }

    /// Writes the site's environment file.
    pub fn write_environment(&self, site: &str, protect: bool) -> Result<(), String> {
        let text = environment::local(&self.project, self.site(site)?, protect)?;
        let file = self.environment_file(site);
        let folder = file.parent().ok_or("no folder")?;
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        std::fs::write(&file, text).map_err(|error| error.to_string())
    }

    /// Runs formwork with the credentials and the environment of a site.
    pub fn formwork(&self, site: &str, arguments: &[&str]) -> Result<Said, String> {
        let said = Self::ended(self.start(site, arguments)?)?;
        self.log(&said.stdout);
        self.log(&said.stderr);
        Ok(said)
    }

    /// Starts formwork, and leaves it to its own.
    pub fn start(&self, site: &str, arguments: &[&str]) -> Result<Child, String> {
        let mut site_and_paths = self.site(site)?.clone();
        site_and_paths.kubeconfig = PathBuf::from("/dev/null");
        self.log(&arguments.join(" "));
        Command::new(&self.formwork)
            .args(arguments)
            .current_dir(&self.project)
            .envs(site_and_paths.environment())
            .env("FORMWORK_STATE", state(self.cloud.scratch(), site))
            .env("FORMWORK_ENVIRONMENT", self.environment_file(site))
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", self.formwork.display()))
    }

    /// What a run said, to its end.
    pub fn ended(run: Child) -> Result<Said, String> {
        run.wait_with_output().map(clients::said).map_err(|error| error.to_string())
    }

    pub fn project(&self) -> &Path {
        &self.project
    }

    pub fn scratch(&self) -> &Path {
        self.cloud.scratch()
    }

    /// Where all that formwork was told and said is kept.
    pub fn logs(&self) -> PathBuf {
        self.scratch().join("said")
    }

    /// Keeps it, to look for secrets in it.
    pub fn log(&self, text: &str) {
        let file = || {
            std::fs::create_dir_all(self.logs())?;
            std::fs::OpenOptions::new().create(true).append(true).open(self.logs().join("log"))
        };
        // A log that can't be written shows as one that holds nothing to look through.
        if let Ok(mut file) = file() {
            let _ = writeln!(file, "{text}");
        }
    }

    /// What exists in both sites now.
    pub async fn inventory(&self) -> Result<Inventory, String> {
        Inventory::take(self.cloud.sites()).await.map_err(|error| error.to_string())
    }
}

/// Runs every step on a local cloud in `scratch`, telling each; with `keep`, leaves the cloud up at the end
/// and hands it over.
pub async fn rehearse(
    formwork: &Path,
    scratch: &Path,
    keep: bool,
) -> Result<(Tally, Option<LocalCloud>), String> {
    let progress = Progress::lines();
    let started = Instant::now();
    tokio::task::block_in_place(|| Parts::ensure(&progress)).map_err(|error| error.to_string())?;
    let cloud = LocalCloud::start(Options::new(scratch)).await.map_err(|e| e.to_string())?;
    println!("      the local cloud is up after {:.1} s", started.elapsed().as_secs_f64());
    let bucketed = cloud.site(BUCKETED).ok_or("no site with a bucket")?;
    clients::make_bucket(bucketed, BUCKET)?;
    let before = Inventory::take(cloud.sites()).await.map_err(|error| error.to_string())?;
    // The package lies in the project's folder.
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no project folder")?;
    let mut rehearsal =
        Rehearsal { cloud, formwork: formwork.to_owned(), project: project.to_owned(), before };
    let tally = play(&mut rehearsal, keep).await;
    println!("{} passed, {} failed", tally.passed, tally.failed);
    if keep {
        return Ok((tally, Some(rehearsal.cloud)));
    }
    rehearsal.cloud.stop().await;
    Ok((tally, None))
}

/// Plays the steps in order; after a failed one the rest would tell nothing new.
async fn play(rehearsal: &mut Rehearsal, keep: bool) -> Tally {
    let mut tally = Tally::default();
    for (name, step) in steps::all(keep) {
        let started = Instant::now();
        let result = step(rehearsal).await;
        let seconds = started.elapsed().as_secs_f64();
        match result {
            Ok(()) => {
                tally.passed += 1;
                println!("ok    {name} ({seconds:.1} s)");
            }
            Err(why) => {
                tally.failed += 1;
                println!("FAIL  {name} ({seconds:.1} s)\n{why}");
                break;
            }
        }
    }
    tally
}
