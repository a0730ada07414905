//! Where a release comes from: the commit and the author that its history shows.

use super::super::graph::path;
use clap::ArgMatches;
use formwork_engine::Graph;
use formwork_kubernetes::release;
use std::{path::Path, process::Command};

/// Fills in commit and author where the stack doesn't say them.
pub(in crate::cli) fn stamp(graph: &mut Graph, matches: &ArgMatches) {
    let commit = variable("GITHUB_SHA").or_else(|| checked_out(path(matches, "project")));
    let author = variable("GITHUB_ACTOR").or_else(|| variable("USER"));
    release::stamp(graph, commit.as_deref(), author.as_deref());
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The commit that the project's folder has checked out, where git is installed and it is a checkout.
fn checked_out(project: &Path) -> Option<String> {
    let mut git = Command::new("git");
    let output =
        git.arg("-C").arg(project).args(["rev-parse", "--verify", "HEAD"]).output().ok()?;
    let commit = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| commit.trim().to_owned()).filter(|commit| !commit.is_empty())
}
