//! What exists in a site, listed without anything that formwork remembers.
//!
//! Independent of our own providers on purpose: boto3 asks the emulator, kubectl the Kubernetes API, psql PostgreSQL. An
//! end-to-end test takes an inventory before and after, and compares.

mod aws;
mod kubernetes;
mod postgres;

use std::{collections::BTreeSet, fmt, thread};

use thiserror::Error;

use crate::{Site, parts::joined};

/// How many lines of what a program says an error shows.
const SAID_LINES: usize = 3;

/// Why an inventory could not be taken.
#[derive(Debug, Error)]
pub enum InventoryError {
    /// A program that looks could not be run.
    #[error("{site}: could not run {program}: {source}; run `local-cloud setup`")]
    NotRun { site: String, program: String, source: std::io::Error },

    /// A program that looks said no.
    #[error("{site}: {program} ended with {status}; is the local cloud still up?\n{output}")]
    Failed { site: String, program: String, status: String, output: String },

    /// A program that looks gave something unexpected.
    #[error("{site}: {program} gave what can't be read: {why}")]
    Unreadable { site: String, program: String, why: String },
}

/// What exists: one line for each thing, sorted. A line begins with the site and the service: `staging ec2/vpc vpc-1 …`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Inventory {
    lines: BTreeSet<String>,
}

impl Inventory {
    /// Looks into every site.
    pub async fn take(sites: &[Site]) -> Result<Self, InventoryError> {
        let sites = sites.to_vec();
        let taken = tokio::task::spawn_blocking(move || Self::take_blocking(&sites));
        taken.await.unwrap_or_else(|failure| std::panic::resume_unwind(failure.into_panic()))
    }

    /// [`Self::take`] for callers without a runtime.
    pub fn take_blocking(sites: &[Site]) -> Result<Self, InventoryError> {
        thread::scope(|scope| {
            let looking: Vec<_> = sites
                .iter()
                .flat_map(|site| {
                    let looks = [aws::list, kubernetes::list, postgres::list];
                    looks.map(|look| scope.spawn(move || (site, look(site))))
                })
                .collect();
            let mut lines = BTreeSet::new();
            // Every thread is joined before the first error is passed on.
            for (site, seen) in looking.into_iter().map(joined).collect::<Vec<_>>() {
                lines.extend(seen?.into_iter().map(|line| format!("{} {line}", site.name)));
            }
            Ok(Self { lines })
        })
    }

    /// The lines, sorted.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// What differs from an earlier inventory: `+ line` for what is there now, `- line` for what was there then.
    pub fn since(&self, earlier: &Self) -> Vec<String> {
        let new = self.lines.difference(&earlier.lines).map(|line| format!("+ {line}"));
        let gone = earlier.lines.difference(&self.lines).map(|line| format!("- {line}"));
        new.chain(gone).collect()
    }
}

impl fmt::Display for Inventory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(formatter, "{line}"))
    }
}

/// Runs a program that looks, and gives what it prints.
fn ask(site: &Site, command: &mut std::process::Command) -> Result<String, InventoryError> {
    let program = || command_name(command);
    let (name, site) = (program(), site.name.clone());
    match command.output() {
        Err(source) => Err(InventoryError::NotRun { site, program: name, source }),
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        }
        Ok(output) => Err(InventoryError::Failed {
            site,
            program: name,
            status: output.status.to_string(),
            output: last_lines(&String::from_utf8_lossy(&output.stderr)),
        }),
    }
}

/// The end of what a program says: of a Python traceback, the error.
fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.trim().lines().collect();
    lines[lines.len().saturating_sub(SAID_LINES)..].join("\n")
}

fn command_name(command: &std::process::Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

fn unreadable(site: &Site, program: &str, why: impl fmt::Display) -> InventoryError {
    InventoryError::Unreadable {
        site: site.name.clone(),
        program: program.to_owned(),
        why: why.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_have_a_direction() {
        let of =
            |lines: &[&str]| Inventory { lines: lines.iter().map(|l| (*l).to_owned()).collect() };
        let (before, after) = (of(&["a", "b"]), of(&["b", "c"]));
        assert_eq!(after.since(&before), ["+ c", "- a"]);
        assert!(before.since(&before).is_empty());
    }
}
