//! `formwork state pull` and `formwork state push`.

use super::{CliError, Ended, read, stack_argument, text, to_json};
use clap::{Arg, Command, value_parser};
use formwork_engine::{
    State,
    state::{STATE_FORMAT, Store},
};
use std::{io::Read as _, path::PathBuf};

/// The largest state that is read from a file.
const LARGEST: u64 = 256 * 1024 * 1024;

pub(super) fn pull() -> Command {
    Command::new("pull").about("Print a stack's state as JSON").arg(stack_argument())
}

pub(super) fn push() -> Command {
    Command::new("push")
        .about("Make a state from a file the newest one")
        .long_about(
            "Make a state from a file the newest one, under a new serial.\n\n\
             The file is what `state pull` printed, edited. Its lineage and serial must be those of the newest \
             version: so nothing that was written since is lost.",
        )
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .help("The file; `-` is standard input")
                .required(true)
                .value_parser(value_parser!(PathBuf)),
        )
}

pub(super) async fn run_pull(store: &Store, matches: &clap::ArgMatches) -> Result<Ended, CliError> {
    outln!("{}", to_json(&read(store, text(matches, "stack")).await?)?);
    Ok(Ended::Fine)
}

pub(super) async fn run_push(store: &Store, matches: &clap::ArgMatches) -> Result<Ended, CliError> {
    let path = super::super::graph::path(matches, "file");
    let failed =
        |error: std::io::Error| CliError::new(format!("can't read {}: {error}", path.display()));
    let mut json = String::new();
    match path.to_str() {
        Some("-") => std::io::stdin().take(LARGEST).read_to_string(&mut json).map_err(failed)?,
        _ => {
            let file = std::fs::File::open(path).map_err(failed)?;
            file.take(LARGEST).read_to_string(&mut json).map_err(failed)?
        }
    };
    let pushed: State = serde_json::from_str(&json).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        CliError::new(format!("{}:{line}:{column}: no state: {error}", path.display()))
    })?;
    if pushed.format > STATE_FORMAT {
        return Err(CliError::new(format!(
            "the state has format {}, and this program reads formats up to {STATE_FORMAT}",
            pushed.format
        )));
    }
    let stack = pushed.stack.clone();
    let stranger = pushed.resources.keys().find(|address| address.stack() != stack);
    if let Some(stranger) = stranger {
        return Err(CliError::new(format!("`{stranger}` is no resource of stack `{stack}`")));
    }
    let written = super::change(store, &stack, |state| {
        if (&pushed.lineage, pushed.serial) != (&state.lineage, state.serial) {
            return Err(CliError::with_help(
                format!(
                    "the file is serial {} of lineage {}, and the newest state is serial {} of lineage {}",
                    pushed.serial, pushed.lineage, state.serial, state.lineage
                ),
                "pull again, and edit that",
            ));
        }
        *state = pushed;
        state.format = STATE_FORMAT;
        Ok(())
    })
    .await?;
    outln!("{stack}: serial {} is what the file says", written.serial);
    Ok(Ended::Fine)
}
