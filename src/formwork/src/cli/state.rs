//! `formwork state`: looking into the state.

use super::{CliError, Ended, graph};
use formwork_engine::{Address, State, state::LocalStore};

pub(crate) fn run(matches: &clap::ArgMatches) -> Result<Ended, CliError> {
    let Some((command, matches)) = matches.subcommand() else { return Ok(Ended::Fine) };
    let store = LocalStore::new(graph::path(matches, "state"));
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    match command {
        "list" => list(&store, text("stack")),
        _ => show(&store, text("what").unwrap_or_default()),
    }
}

fn list(store: &LocalStore, stack: Option<&str>) -> Result<Ended, CliError> {
    let Some(stack) = stack else {
        for stack in store.stacks()? {
            let state = read(store, &stack)?;
            println!("{stack}  serial {}  {} resources", state.serial, state.resources.len());
        }
        return Ok(Ended::Fine);
    };
    for (address, record) in read(store, stack)?.resources {
        let marks = if record.protect { "  protected" } else { "" };
        println!("{address}  {}  {}{marks}", record.kind, record.id);
    }
    Ok(Ended::Fine)
}

fn show(store: &LocalStore, what: &str) -> Result<Ended, CliError> {
    let json = match what.parse::<Address>() {
        Ok(address) => {
            let state = read(store, address.stack())?;
            let record = state.resources.get(&address).ok_or_else(|| {
                CliError::with_help(
                    format!("`{address}` isn't in the state"),
                    format!("`formwork state list {}` shows what is", address.stack()),
                )
            })?;
            serde_json::to_string_pretty(record)
        }
        Err(_) => serde_json::to_string_pretty(&read(store, what)?),
    };
    println!("{}", json.map_err(|error| CliError::new(format!("can't write JSON: {error}")))?);
    Ok(Ended::Fine)
}

fn read(store: &LocalStore, stack: &str) -> Result<State, CliError> {
    store.read(stack)?.ok_or_else(|| {
        CliError::with_help(
            format!("no stack `{stack}` in the state at {}", store.folder().display()),
            "`formwork state list` shows those that are there",
        )
    })
}
