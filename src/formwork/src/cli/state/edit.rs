//! `formwork state mv` and `formwork state rm`.

use super::{CliError, Ended, change};
use clap::{Arg, Command};
use formwork_engine::{Address, state::Store};
use std::collections::BTreeMap;

pub(super) fn mv() -> Command {
    let address = |name: &'static str| Arg::new(name).value_name("STACK/NAME").required(true);
    Command::new("mv")
        .about("Give a resource another address in the state; nothing else changes")
        .long_about(
            "Give a resource another address in the state; nothing else changes.\n\n\
             The stack has to use the new name as well. `.renamed_from(\"old\")` in the stack does both.",
        )
        .args([address("from"), address("to")])
}

pub(super) fn rm() -> Command {
    Command::new("rm")
        .about("Forget a resource; it goes on existing, and formwork doesn't know it any more")
        .arg(Arg::new("what").value_name("STACK/NAME").required(true))
}

fn address(matches: &clap::ArgMatches, name: &str) -> Result<Address, CliError> {
    let text = super::text(matches, name);
    text.parse().map_err(|error| CliError::new(format!("{error}")))
}

fn absent(address: Address) -> CliError {
    CliError::with_help(
        format!("`{address}` isn't in the state"),
        format!("`formwork state list {}` shows what is", address.stack()),
    )
}

pub(super) async fn run_mv(store: &Store, matches: &clap::ArgMatches) -> Result<Ended, CliError> {
    let (from, to) = (address(matches, "from")?, address(matches, "to")?);
    if from.stack() != to.stack() {
        return Err(CliError::with_help(
            format!("`{from}` and `{to}` are of two stacks"),
            "forget it in one (`state rm`), and take it over in the other (`apply --adopt`)",
        ));
    }
    if to.is_exports() {
        return Err(CliError::new("no resource may be called `exports`"));
    }
    change(store, from.stack(), |state| {
        if !state.resources.contains_key(&from) {
            return Err(absent(from));
        }
        if state.resources.contains_key(&to) {
            return Err(CliError::new(format!("`{to}` is in the state already")));
        }
        state.move_all(&BTreeMap::from([(from, to)]));
        Ok(())
    })
    .await?;
    outln!("{from} is {to} now");
    Ok(Ended::Fine)
}

pub(super) async fn run_rm(store: &Store, matches: &clap::ArgMatches) -> Result<Ended, CliError> {
    let what = address(matches, "what")?;
    change(store, what.stack(), |state| {
        let record = state.resources.get(&what).ok_or_else(|| absent(what))?;
        if record.protect {
            return Err(CliError::with_help(
                format!("`{what}` is protected"),
                "take the protection off first, by an apply of its own",
            ));
        }
        let standing: Vec<String> = state
            .resources
            .iter()
            .filter(|(_, record)| record.dependencies.contains(&what))
            .map(|(address, _)| format!("`{address}`"))
            .collect();
        if !standing.is_empty() {
            return Err(CliError::with_help(
                format!("`{what}` is what these stand on: {}", standing.join(", ")),
                "forget those first",
            ));
        }
        state.resources.remove(&what);
        Ok(())
    })
    .await?;
    outln!("{what} is forgotten; it goes on existing");
    Ok(Ended::Fine)
}
