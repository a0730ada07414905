//! `formwork deploy`: the apps of a stack alone, and their releases.

mod canary;
mod history;
mod provenance;
mod released;
mod rollback;

pub(super) use canary::{is_canary, take_away};
pub(super) use provenance::stamp;
pub(super) use released::bind;
pub(super) use rollback::{command as rollback_command, run as roll_back};

use super::{CliError, Ended, apply, arguments, graph, hold, progress, store, undo};
use crate::{
    Program,
    registry::{registry, tokens},
};
use clap::{Arg, ArgMatches, Command};
use formwork_engine::{
    Address, Connect as _, Graph, Record, Resource as _, Secrets, Subject,
    plan::Scope,
    session::{self, Planning},
    state::Store,
};
use formwork_kubernetes::{App, Connection};

/// How long a deploy waits for another one, in seconds: as long as a rollout may take to its end, and to be undone.
const LOCK_TIMEOUT: &str = "1800";

pub(super) fn command(program: &Program) -> Command {
    let command = Command::new("deploy")
        .about("Apply a stack's apps and nothing else, watch them come up, or put back what was good")
        .long_about(
            "Apply a stack's apps and nothing else, watch them come up, or put back what was good.\n\n\
             Only what this deploy changed is watched, and only its new pods. Where it is clear that they won't \
             come up, logs and events are kept, and the whole set that was good last is put back, \
             configuration included. The rest of the stack is taken as it is recorded: what it lacks is for \
             `formwork apply`.\n\n\
             With --canary, an app's canary (`.canary_of(app)`) is released first. Only if it comes up, with its \
             checks, is the app itself changed. The canary is taken away in the end, whatever came of it.\n\n\
             Exit code: 0 it is up, 1 an error, 3 it was hopeless and what was good before is back.",
        )
        .args([arguments::project(), arguments::graph(), arguments::yes(), arguments::parallelism()])
        .args([canary::argument(), hold::argument(LOCK_TIMEOUT), progress::argument()])
        .args(undo::arguments())
        .args(store::arguments());
    arguments::over_stacks(program, command)
        .subcommand(history::command())
        .subcommand(history::diff_command())
}

pub(super) async fn run(program: &Program, matches: &ArgMatches) -> Result<Ended, CliError> {
    match matches.subcommand() {
        Some(("history", matches)) => return history::run(matches).await,
        Some(("diff", matches)) => return history::diff(matches).await,
        _ => {}
    }
    let (registry, store) = (registry(), store::open(matches).await?);
    let mut graph = graph::read(program, &registry, matches)?;
    stamp(&mut graph, matches);
    let canaries = canary::wanted(&graph, matches)?;
    let scope = Scope { canaries, ..apps_alone(&graph)? };
    let planning = Planning { scope, no_refresh: false };
    let wanted = apply::Wanted::Stack(Box::new((graph, planning)));
    apply::carry_out(&registry, &store, &wanted, matches).await
}

/// The apps of a stack, without what they need.
fn apps_alone(graph: &Graph) -> Result<Scope, CliError> {
    let apps = graph.nodes.iter().filter(|node| node.kind == App::SCHEMA.kind);
    let target = apps.map(|node| node.address).collect();
    let scope = Scope { target, alone: true, ..Scope::default() };
    match scope.target.is_empty() {
        true => Err(CliError::new(format!("the stack `{}` has no app", graph.stack))),
        false => Ok(scope),
    }
}

/// The argument by which one of several apps is named.
fn app_argument() -> Arg {
    Arg::new("app")
        .long("app")
        .value_name("NAME")
        .help("The app, where the stack has several: its name in the stack")
}

fn stack_argument() -> Arg {
    Arg::new("stack")
        .value_name("STACK")
        .required(true)
        .help("The stack's name in the state, such as `preview-pr42`")
}

/// An app as it is recorded, and a connection to its cluster.
struct Known {
    address: Address,
    record: Record,
    subject: Subject,
    connection: Connection,
}

/// The app that the arguments name, from the state alone.
async fn known(matches: &ArgMatches, store: &Store) -> Result<Known, CliError> {
    let stack = matches.get_one::<String>("stack").map(String::as_str).unwrap_or_default();
    let state = session::load(store, stack).await?.state;
    let named = matches.get_one::<String>("app");
    let apps: Vec<(&Address, &Record)> = state
        .resources
        .iter()
        .filter(|(_, record)| record.kind == App::SCHEMA.kind)
        .filter(|(address, _)| named.is_none_or(|name| address.name() == name))
        .collect();
    let (address, record) = match apps.as_slice() {
        [(address, record)] => (**address, (*record).clone()),
        [] => {
            let which =
                named.map_or_else(|| "an app".to_owned(), |name| format!("an app `{name}`"));
            return Err(CliError::with_help(
                format!("the state at {} has no stack `{stack}` with {which}", store.place()),
                "`formwork state list` shows the stacks, `formwork state show STACK` what is in one",
            ));
        }
        several => {
            let names: Vec<&str> = several.iter().map(|(address, _)| address.name()).collect();
            return Err(CliError::with_help(
                format!("the stack `{stack}` has several apps: {}", names.join(", ")),
                "name one with --app",
            ));
        }
    };
    let subject = Subject::recorded(&state.lineage, address, &record);
    let connection = Connection::connect(&tokens(), &record.binding, &Secrets::default()).await?;
    Ok(Known { address, record, subject, connection })
}
