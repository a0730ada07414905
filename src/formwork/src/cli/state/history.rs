//! `formwork state history` and `formwork state rollback-to`.

use super::{CliError, Ended, json_argument, stack_argument, text, to_json};
use clap::{Arg, Command, value_parser};
use formwork_engine::{
    State,
    state::{Store, Version},
};
use serde_json::json;
use std::collections::BTreeSet;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

pub(super) fn command() -> Command {
    Command::new("history")
        .about("List the kept versions of a stack's state: when, by whom, what changed")
        .arg(stack_argument())
        .arg(json_argument())
}

pub(super) fn rollback() -> Command {
    Command::new("rollback-to")
        .about("Make an earlier version the newest one, under a new serial")
        .long_about(
            "Make an earlier version the newest one, under a new serial.\n\n\
             Only the state goes back, nothing else: the next plan shows how what exists differs from it. For \
             a state that is damaged, or was changed by mistake.",
        )
        .arg(stack_argument())
        .arg(Arg::new("serial").value_name("SERIAL").required(true).value_parser(value_parser!(u64)))
}

pub(super) async fn run(store: &Store, matches: &clap::ArgMatches) -> Result<Ended, CliError> {
    let versions = store.history(text(matches, "stack")).await?;
    if versions.is_empty() {
        super::read(store, text(matches, "stack")).await?;
    }
    let mut before: Option<&State> = None;
    let mut rows = vec![];
    for version in &versions {
        let (when, by) = match &version.header {
            Some(header) => (moment(header.at), header.by.clone()),
            None => ("-".to_owned(), "-".to_owned()),
        };
        let what = what_changed(version, before);
        rows.push(match matches.get_flag("json") {
            true => to_json(&json!({
                "serial": version.serial, "at": when, "by": by, "changed": what,
                "readable": version.state.is_ok(),
            }))?,
            false => format!("{:>6}  {when}  {by}  {what}", version.serial),
        });
        before = version.state.as_ref().ok().or(before);
    }
    match matches.get_flag("json") {
        true => outln!("[{}]", rows.join(",\n")),
        false => rows.iter().for_each(|row| outln!("{row}")),
    }
    Ok(Ended::Fine)
}

fn moment(at: i64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(at).ok();
    moment.and_then(|moment| moment.format(&Rfc3339).ok()).unwrap_or_else(|| "-".to_owned())
}

/// What a version changed, in a line: names that were added, changed, taken away.
fn what_changed(version: &Version, before: Option<&State>) -> String {
    let state = match &version.state {
        Ok(state) => state,
        Err(why) => return format!("can't be read: {why}"),
    };
    let Some(before) = before else { return format!("{} resources", state.resources.len()) };
    let all: BTreeSet<_> = state.resources.keys().chain(before.resources.keys()).collect();
    let changes: Vec<String> = all
        .into_iter()
        .filter_map(|address| {
            let sign = match (before.resources.get(address), state.resources.get(address)) {
                (None, Some(_)) => '+',
                (Some(_), None) => '-',
                (old, new) if old != new => '~',
                _ => return None,
            };
            Some(format!("{sign}{}", address.name()))
        })
        .collect();
    if changes.is_empty() { "no resource".to_owned() } else { changes.join(" ") }
}

pub(super) async fn run_rollback(
    store: &Store,
    matches: &clap::ArgMatches,
) -> Result<Ended, CliError> {
    let stack = text(matches, "stack");
    let serial = matches.get_one::<u64>("serial").copied().unwrap_or_default();
    let written = super::held(store, stack, async || roll_back(store, stack, serial).await).await?;
    outln!(
        "{stack}: serial {written} is what serial {serial} was; plan to see how what exists differs"
    );
    Ok(Ended::Fine)
}

/// Writes a version again as the newest, and gives its serial.
async fn roll_back(store: &Store, stack: &str, serial: u64) -> Result<u64, CliError> {
    let serials = store.serials(stack).await?;
    let Some(newest) = serials.last().copied() else {
        return Err(CliError::new(format!("no stack `{stack}` in the state at {}", store.place())));
    };
    if !serials.contains(&serial) {
        let kept: Vec<String> = serials.iter().map(ToString::to_string).collect();
        return Err(CliError::with_help(
            format!("serial {serial} of `{stack}` isn't kept"),
            format!("these are: {}", kept.join(", ")),
        ));
    }
    let (state, _) = store.read_serial(stack, serial, None).await?;
    store.write(&State { serial: newest + 1, ..state }).await?;
    Ok(newest + 1)
}
