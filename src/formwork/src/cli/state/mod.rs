//! `formwork state`: looking into the state, and mending it. One file a command.

mod edit;
mod history;
mod look;
mod rebuild;
mod relock;
mod transfer;
pub(super) mod unlock;

use super::{CliError, Ended, store};
use crate::Program;
use clap::{Arg, ArgAction, Command};
use formwork_engine::{State, state::Store};

pub(super) fn command(program: &Program) -> Command {
    let commands = [
        look::list(),
        look::show(),
        history::command(),
        history::rollback(),
        edit::mv(),
        edit::rm(),
        transfer::pull(),
        transfer::push(),
        relock::command(),
        rebuild::confirm(),
    ];
    let commands = commands.into_iter().map(|command| command.args(store::arguments()));
    Command::new("state")
        .about("Look into the state, and mend it")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(commands)
        .subcommand(rebuild::command(program))
}

pub(super) async fn run(program: &Program, matches: &clap::ArgMatches) -> Result<Ended, CliError> {
    let Some((command, matches)) = matches.subcommand() else { return Ok(Ended::Fine) };
    let store = store::open(matches).await?;
    match command {
        "list" => look::run_list(&store, matches).await,
        "show" => look::run_show(&store, matches).await,
        "history" => history::run(&store, matches).await,
        "rollback-to" => history::run_rollback(&store, matches).await,
        "mv" => edit::run_mv(&store, matches).await,
        "rm" => edit::run_rm(&store, matches).await,
        "rebuild" => rebuild::run(program, &store, matches).await,
        "confirm" => rebuild::run_confirm(&store, matches).await,
        "pull" => transfer::run_pull(&store, matches).await,
        "relock" => relock::run(&store, matches).await,
        _ => transfer::run_push(&store, matches).await,
    }
}

fn stack_argument() -> Arg {
    Arg::new("stack").value_name("STACK").required(true)
}

fn json_argument() -> Arg {
    Arg::new("json").long("json").help("As JSON, for programs").action(ArgAction::SetTrue)
}

fn text<'m>(matches: &'m clap::ArgMatches, name: &str) -> &'m str {
    matches.get_one::<String>(name).map(String::as_str).unwrap_or_default()
}

/// The newest state of a stack that has one.
async fn read(store: &Store, stack: &str) -> Result<State, CliError> {
    let state = store.read(stack).await?;
    state.ok_or_else(|| {
        CliError::with_help(
            format!("no stack `{stack}` in the state at {}", store.place()),
            "`formwork state list` shows those that are there",
        )
    })
}

/// Changes a stack's state under its lock, and writes it under a new serial.
async fn change(
    store: &Store,
    stack: &str,
    change: impl FnOnce(&mut State) -> Result<(), CliError>,
) -> Result<State, CliError> {
    held(store, stack, async || {
        if !store.journals(stack).await?.is_empty() {
            return Err(CliError::with_help(
                format!(
                    "an earlier run of `{stack}` was cut off, and its journal isn't part of the state yet"
                ),
                "apply first: that finds out what happened",
            ));
        }
        let mut state = read(store, stack).await?;
        change(&mut state)?;
        state.serial += 1;
        store.write(&state).await?;
        Ok(state)
    })
    .await
}

/// Does something under a stack's lock.
async fn held<T>(
    store: &Store,
    stack: &str,
    work: impl AsyncFnOnce() -> Result<T, CliError>,
) -> Result<T, CliError> {
    let hold = store::waiting(store, stack, store.hold(stack)).await?;
    let done = work().await;
    store::release(store, hold).await;
    done
}

fn to_json(value: &impl serde::Serialize) -> Result<String, CliError> {
    serde_json::to_string_pretty(value)
        .map_err(|error| CliError::new(format!("can't write JSON: {error}")))
}
