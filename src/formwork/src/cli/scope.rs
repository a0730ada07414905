//! Scope arguments: which part of a stack a run covers, and what it is told beyond the stack.

use super::CliError;
use clap::{Arg, ArgAction, ArgMatches};
use formwork_engine::{Address, plan::Scope, session::Planning};
use std::collections::{BTreeMap, BTreeSet};

/// The arguments that choose a part of a stack.
pub(crate) fn part() -> [Arg; 2] {
    [
        address("target", "Only this and what it needs; may be given more than once"),
        address("exclude", "Not this, nor what needs it; may be given more than once"),
    ]
}

/// The arguments that say how to plan.
pub(crate) fn planning() -> [Arg; 4] {
    [
        address("replace", "Replace this, although nothing forces it"),
        Arg::new("adopt")
            .long("adopt")
            .value_name("ADDRESS=ID")
            .help("Take over what exists under this identifier, instead of creating it")
            .action(ArgAction::Append),
        Arg::new("refresh-only")
            .long("refresh-only")
            .help("Change nothing; take what exists into the state, and show how it differs")
            .action(ArgAction::SetTrue)
            .conflicts_with_all(["no-refresh", "replace", "adopt"]),
        Arg::new("no-refresh")
            .long("no-refresh")
            .help("Plan from the state alone, without reading what exists")
            .action(ArgAction::SetTrue),
    ]
}

fn address(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name("ADDRESS").help(help).action(ArgAction::Append)
}

/// Reads the arguments; an address may leave out the stack, which is known.
pub(crate) fn read(matches: &ArgMatches, stack: &str) -> Result<Planning, CliError> {
    let flag = |name: &str| matches.try_get_one::<bool>(name).ok().flatten() == Some(&true);
    let scope = Scope {
        target: addresses(matches, "target", stack)?,
        alone: false,
        exclude: addresses(matches, "exclude", stack)?,
        replace: addresses(matches, "replace", stack)?,
        adopt: adoptions(matches, stack)?,
        canaries: false,
        refresh_only: flag("refresh-only"),
    };
    Ok(Planning { scope, no_refresh: flag("no-refresh") })
}

fn adoptions(matches: &ArgMatches, stack: &str) -> Result<BTreeMap<Address, String>, CliError> {
    let given = given(matches, "adopt").map(|text| {
        let Some((address, id)) = text.split_once('=') else {
            return Err(CliError::new(format!("--adopt {text}: write it as ADDRESS=ID")));
        };
        Ok((parse("adopt", address, stack)?, id.to_owned()))
    });
    given.collect()
}

/// The addresses that were given under a name.
pub(crate) fn addresses(
    matches: &ArgMatches,
    name: &str,
    stack: &str,
) -> Result<BTreeSet<Address>, CliError> {
    given(matches, name).map(|text| parse(name, text, stack)).collect()
}

fn given<'m>(matches: &'m ArgMatches, name: &str) -> impl Iterator<Item = &'m str> {
    let values = matches.try_get_many::<String>(name).ok().flatten();
    values.into_iter().flatten().map(String::as_str)
}

fn parse(argument: &str, text: &str, stack: &str) -> Result<Address, CliError> {
    let address = match text.contains('/') {
        true => text.parse(),
        false => Address::new(stack, text),
    };
    address.map_err(|error| CliError::new(format!("--{argument} {text}: {error}")))
}
