//! `formwork drift`: what was changed outside of formwork, and by whom where that is known.

use super::{CliError, Ended, store};
use crate::{registry::registry, render};
use clap::{Arg, ArgAction, Command, builder::PossibleValuesParser};
use formwork_engine::drift::{self, Drift};

pub(super) fn command() -> Command {
    Command::new("drift")
        .about("Show what differs from what was last applied; changes nothing and takes no lock")
        .long_about(
            "Show what differs from what was last applied; changes nothing and takes no lock.\n\n\
             Needs the state alone, not the stack: what a change of the stack would do is no drift, and neither is \
             a field that the stack leaves to others.\n\n\
             Exit code: 0 nothing differs, 2 something does, 1 an error.",
        )
        .arg(
            Arg::new("stacks")
                .value_name("STACK")
                .help("The stacks to look at; all that the state has if none is named")
                .action(ArgAction::Append),
        )
        .arg(
            Arg::new("format")
                .long("format")
                .value_name("FORMAT")
                .help("How it is shown")
                .default_value("text")
                .value_parser(PossibleValuesParser::new(["text", "markdown", "json"])),
        )
        .args(store::arguments())
}

pub(super) async fn run(matches: &clap::ArgMatches) -> Result<Ended, CliError> {
    let (store, registry) = (store::open(matches).await?, registry());
    let named: Vec<String> =
        matches.get_many::<String>("stacks").into_iter().flatten().cloned().collect();
    let stacks = if named.is_empty() { store.stacks().await? } else { named };
    let mut all: Vec<Drift> = vec![];
    for stack in stacks {
        let found = drift::drift(&registry, &store, &stack).await?;
        all.push(found.ok_or_else(|| {
            CliError::with_help(
                format!("no stack `{stack}` in the state at {}", store.place()),
                "`formwork state list` shows those that are there",
            )
        })?);
    }
    match matches.get_one::<String>("format").map(String::as_str) {
        Some("json") => outln!(
            "{}",
            serde_json::to_string_pretty(&all)
                .map_err(|error| CliError::new(format!("can't write JSON: {error}")))?
        ),
        Some("markdown") => all.iter().for_each(|drift| out!("{}", render::drift::markdown(drift))),
        _ => all.iter().for_each(|drift| out!("{}", render::drift::text(drift))),
    }
    Ok(if all.iter().all(Drift::is_empty) { Ended::Fine } else { Ended::Changes })
}
