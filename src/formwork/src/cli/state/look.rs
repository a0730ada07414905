//! `formwork state list` and `formwork state show`.

use super::{CliError, Ended, json_argument, read, text, to_json};
use clap::{Arg, Command, value_parser};
use formwork_engine::{Address, state::Store};
use serde_json::json;

pub(super) fn list() -> Command {
    Command::new("list")
        .about("List the stacks, or the resources of one")
        .arg(Arg::new("stack").value_name("STACK"))
        .arg(json_argument())
}

pub(super) fn show() -> Command {
    Command::new("show")
        .about("Show what the state has of one resource, or of a whole stack, as JSON")
        .arg(Arg::new("what").value_name("STACK[/NAME]").required(true))
        .arg(
            Arg::new("serial")
                .long("serial")
                .value_name("N")
                .help("An earlier version; `formwork state history STACK` lists them")
                .value_parser(value_parser!(u64)),
        )
}

pub(super) async fn run_list(store: &Store, matches: &clap::ArgMatches) -> Result<Ended, CliError> {
    let as_json = matches.get_flag("json");
    let mut rows = vec![];
    match matches.get_one::<String>("stack") {
        None => {
            for stack in store.stacks().await? {
                let state = read(store, &stack).await?;
                let count = state.resources.len();
                rows.push(match as_json {
                    true => to_json(&json!({
                        "stack": stack, "serial": state.serial, "resources": count,
                    }))?,
                    false => format!("{stack}  serial {}  {count} resources", state.serial),
                });
            }
        }
        Some(stack) => {
            for (address, record) in read(store, stack).await?.resources {
                let mark = if record.protect { "  protected" } else { "" };
                rows.push(match as_json {
                    true => to_json(&json!({
                        "address": address, "kind": record.kind, "id": record.id,
                        "protected": record.protect,
                    }))?,
                    false => format!("{address}  {}  {}{mark}", record.kind, record.id),
                });
            }
        }
    }
    match as_json {
        true => outln!("[{}]", rows.join(",\n")),
        false => rows.iter().for_each(|row| outln!("{row}")),
    }
    Ok(Ended::Fine)
}

pub(super) async fn run_show(store: &Store, matches: &clap::ArgMatches) -> Result<Ended, CliError> {
    let what = text(matches, "what");
    let address = what.parse::<Address>().ok();
    let stack = address.map_or(what, |address| address.stack());
    let state = match matches.get_one::<u64>("serial") {
        Some(serial) => store.read_serial(stack, *serial, None).await?.0,
        None => read(store, stack).await?,
    };
    let Some(address) = address else {
        outln!("{}", to_json(&state)?);
        return Ok(Ended::Fine);
    };
    let record = state.resources.get(&address).ok_or_else(|| {
        CliError::with_help(
            format!("`{address}` isn't in the state"),
            format!("`formwork state list {stack}` shows what is"),
        )
    })?;
    outln!("{}", to_json(record)?);
    Ok(Ended::Fine)
}
