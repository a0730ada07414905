//! Secrets: every one that an account's store holds is looked for in all that formwork writes and is given.

use super::support::{IMAGES, with_images};
use crate::{Rehearsal, clients::Said, rehearsal::BUCKET};
use std::{
    fs,
    path::Path,
    process::Child,
    thread,
    time::{Duration, Instant},
};

const LOOK: &str = include_str!("../secrets.py");
/// The longest until the journal of a run holds what it is killed for.
const UNTIL_THERE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(5);
/// What the journal holds by the time that secrets were made and are about to be used.
const LATE: &str = "production/app";

/// Production is applied, and killed while its journal holds what uses the secrets.
pub async fn of_a_killed_run(r: &mut Rehearsal) -> Result<(), String> {
    let apply = with_images(&["apply", "--yes", "production"]);
    let mut run = r.start("production", &apply)?;
    let killed = kill_when_there(&mut run, &r.state_folder().join("production/journal"));
    let said = Rehearsal::ended(run)?;
    killed.map_err(|why| format!("{why}\n{}{}", said.stdout, said.stderr))?;
    nowhere(r, "production", &said)
}

fn kill_when_there(run: &mut Child, journal: &Path) -> Result<(), String> {
    let started = Instant::now();
    while started.elapsed() < UNTIL_THERE {
        if holds(journal, LATE) {
            return run.kill().map_err(|error| error.to_string());
        }
        if let Ok(Some(ended)) = run.try_wait() {
            return Err(format!("it ended by itself, {ended}"));
        }
        thread::sleep(POLL);
    }
    Err(format!("no journal with {LATE} after {UNTIL_THERE:?}"))
}

/// Whether a file somewhere in the folder holds the text as an address of an intent.
fn holds(folder: &Path, text: &str) -> bool {
    let needle = format!(r#""address":"{text}""#);
    let Ok(entries) = fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| match entry.path() {
        path if path.is_dir() => holds(&path, text),
        path => fs::read_to_string(path).is_ok_and(|content| content.contains(&needle)),
    })
}

/// The states of both sites, a saved plan of each stack, and what was said on the way.
pub async fn of_everything(r: &mut Rehearsal) -> Result<(), String> {
    let plans = r.scratch().join("plans");
    fs::create_dir_all(&plans).map_err(|error| error.to_string())?;
    let stacks: [(&str, &[&str]); 3] = [
        ("production", &["production"]),
        ("staging", &["staging"]),
        ("staging", &["preview", "--pr", "41"]),
    ];
    for (number, (site, stack)) in stacks.iter().enumerate() {
        let file = plans.join(format!("{number}.plan")).display().to_string();
        let plan = [&["plan", "--out", &file], *stack, &IMAGES].concat();
        r.formwork(site, &plan)?.code_is(0)?;
    }
    for site in ["production", "staging"] {
        let said = r.formwork(site, &["state", "list"])?.code_is(0)?;
        nowhere(r, site, &said)?;
    }
    Ok(())
}

/// Fails where a secret of the site is in a state, a journal, a plan, or in what formwork said.
fn nowhere(r: &Rehearsal, site: &str, said: &Said) -> Result<(), String> {
    r.log(&said.stdout);
    r.log(&said.stderr);
    let folders = [r.state_folder(), r.scratch().join("plans"), r.logs()];
    let folders: Vec<String> = folders.iter().map(|path| path.display().to_string()).collect();
    let bucket = if site == crate::rehearsal::BUCKETED { BUCKET } else { "" };
    let mut arguments: Vec<&str> = folders.iter().map(String::as_str).collect();
    arguments.push(bucket);
    let answer = crate::clients::boto3_with(r.site(site)?, LOOK, &arguments)?.ok()?;
    let (finds, summary) = answer.trim_end().rsplit_once('\n').unwrap_or(("", answer.trim_end()));
    if !finds.is_empty() {
        return Err(finds.to_owned());
    }
    println!("      {site}: {summary}");
    match summary.contains("looked=0 ") {
        true => Err("there was nothing to look through".to_owned()),
        false => Ok(()),
    }
}
