//! `formwork kube`: working with Kubernetes manifests. One file is one command.

mod build;
mod check;
mod checks;
mod diff;
mod excerpt;
mod report;
mod schemas;
mod tools;

use super::{CliError, Ended};
use clap::{Arg, ArgMatches, Command, value_parser};
use std::path::PathBuf;

pub(crate) fn command() -> Command {
    Command::new("kube")
        .about("Work with Kubernetes manifests")
        .subcommand_required(true)
        .subcommand(build::command())
        .subcommand(diff::command())
        .subcommand(check::command())
        .subcommand(checks::command())
        .subcommand(schemas::command())
}

pub(crate) fn run(matches: &ArgMatches) -> Result<Ended, CliError> {
    match matches.subcommand() {
        Some(("build", matches)) => build::run(matches),
        Some(("diff", matches)) => diff::run(matches),
        Some(("check", matches)) => check::run(matches),
        Some(("checks", matches)) => checks::run(matches),
        Some(("schemas", matches)) => schemas::run(matches),
        _ => Ok(Ended::Fine),
    }
}

/// The directory, or the repository, of a kustomization.
fn directory() -> Arg {
    Arg::new("dir")
        .value_name("DIR")
        .help("The directory of a kustomization, or the URL of a Git repository with one")
        .default_value(".")
        .value_parser(value_parser!(PathBuf))
}
