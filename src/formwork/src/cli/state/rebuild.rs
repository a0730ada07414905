//! `formwork state rebuild` and `formwork state confirm`: state from nothing.

use super::{CliError, Ended, change, stack_argument, text};
use crate::{
    Program,
    cli::{arguments, confirm as ask, graph, store},
    registry::registry,
};
use clap::{Arg, ArgAction, ArgMatches, Command};
use formwork_engine::{
    Address, Graph, Node,
    rebuild::{self, By, Proposal},
    session,
    state::Store,
};
use std::{collections::BTreeSet, fmt::Write as _};

/// What no service tells, of any resource.
const NEVER_KNOWN: &str = "protection, retention, ignored fields, and names that were given up: all as the stack says now";

pub(super) fn command(program: &Program) -> Command {
    let command = Command::new("rebuild")
        .about("Propose a lost state anew, from what exists and the stack")
        .long_about(
            "Propose a lost state anew, from what exists and the stack.\n\n\
             What exists is known by its marks: tags, labels, comments of databases. Nothing in a rebuilt state is \
             deleted or replaced before `formwork state confirm`. A stack that imports from others comes after \
             them. Changes nothing without --yes or a typed yes, and nothing but the state with it.",
        )
        .args([arguments::project(), arguments::graph()])
        .args(store::arguments())
        .arg(
            Arg::new("lineage")
                .long("lineage")
                .value_name("LINEAGE")
                .help("Believe the marks of this lineage, where there are those of several"),
        )
        .arg(arguments::yes());
    arguments::over_stacks(program, command)
}

pub(super) fn confirm() -> Command {
    Command::new("confirm")
        .about(
            "Confirm what `state rebuild` proposed, so that it may be deleted and replaced again",
        )
        .arg(stack_argument())
        .arg(
            Arg::new("what")
                .value_name("STACK/NAME")
                .help("Only these; everything where none is named")
                .action(ArgAction::Append)
                .num_args(0..),
        )
}

pub(super) async fn run(
    program: &Program,
    store: &Store,
    matches: &ArgMatches,
) -> Result<Ended, CliError> {
    let registry = registry();
    let graph = graph::read(program, &registry, matches)?;
    let hold = store.hold(&graph.stack).await?;
    refuse_known(store, &graph).await?;
    let imports = session::other_states(store, &graph.stack).await?;
    let lineage = matches.get_one::<String>("lineage").map(String::as_str);
    let proposal = rebuild::rebuild(&registry, &graph, &imports, lineage)
        .await
        .map_err(|error| CliError::maybe_help(error.to_string(), error.hint()))?;
    out!("{}", show(&proposal, &graph));
    let question = format!("Make this the state of `{}`? Only `yes` does: ", graph.stack);
    if !matches.get_flag("yes") && !ask(&question)? {
        errln!("nothing was changed");
        return Ok(Ended::Failed);
    }
    let mut state = proposal.state;
    state.serial += 1;
    store.write(&state).await?;
    hold.release().await?;
    outln!(
        "{stack}: rebuilt as serial {}; look at `formwork plan {stack}`, then `formwork state confirm {stack}`",
        state.serial,
        stack = state.stack
    );
    Ok(Ended::Fine)
}

/// A state that is there is better than any that is guessed.
async fn refuse_known(store: &Store, graph: &Graph) -> Result<(), CliError> {
    let stack = &graph.stack;
    let there = match store.read(stack).await? {
        Some(state) => format!("has a state, serial {}", state.serial),
        None if !store.journals(stack).await?.is_empty() => "has the journal of a run".to_owned(),
        None => return Ok(()),
    };
    Err(CliError::with_help(
        format!("`{stack}` {there}, and nothing was changed"),
        format!("`formwork state history {stack}` shows what there is to go back to"),
    ))
}

fn list<'a>(addresses: impl IntoIterator<Item = &'a Address>) -> String {
    let names: Vec<String> = addresses.into_iter().map(ToString::to_string).collect();
    names.join(", ")
}

/// The proposal as a person reads it: what was found and how, what wasn't, what nobody can know.
fn show(proposal: &Proposal, graph: &Graph) -> String {
    let mut out = String::new();
    let state = &proposal.state;
    for (address, record) in &state.resources {
        let how = match proposal.found.get(address) {
            Some(By::Marks) => "by its marks",
            Some(By::Key) => "by its key",
            None => "by its marks; the stack doesn't have it",
        };
        // Writing to a string has no way to fail.
        let _ = writeln!(out, "{address}  {}  {}  {how}", record.kind, record.id);
    }
    for (address, old) in &state.deposed {
        let ids: Vec<&str> = old.iter().map(|record| record.id.as_str()).collect();
        let _ = writeln!(out, "{address}  old selves: {}", ids.join(", "));
    }
    for (address, why) in &proposal.unreadable {
        let _ = writeln!(out, "{address}: can't be looked for: {why}");
    }
    if !proposal.absent.is_empty() {
        let _ = writeln!(out, "not there: {}", list(&proposal.absent));
    }
    if !proposal.leftovers.is_empty() {
        let _ = writeln!(out, "there, and not in the stack: {}", list(&proposal.leftovers));
    }
    let _ = writeln!(out, "can't be known: {NEVER_KNOWN}");
    let protected: BTreeSet<&Address> = graph
        .nodes
        .iter()
        .filter(|node| node.options.protect && proposal.found.contains_key(&node.address))
        .map(|node| &node.address)
        .collect();
    if !protected.is_empty() {
        let _ = writeln!(out, "    protected from now on: {}", list(protected));
    }
    for (address, fields) in &proposal.assumed {
        let _ = writeln!(out, "    {address}: taken from the stack: {}", fields.join(", "));
    }
    let found = &proposal.found;
    // Canaries come and go.
    let lasting =
        |node: &&Node| node.options.canary_of.is_none() || found.contains_key(&node.address);
    let of = graph.nodes.iter().filter(lasting).count();
    let _ =
        writeln!(out, "{}: {} of {of} found, lineage {}", state.stack, found.len(), state.lineage);
    out
}

pub(super) async fn run_confirm(store: &Store, matches: &ArgMatches) -> Result<Ended, CliError> {
    let stack = text(matches, "stack");
    let what = matches.get_many::<String>("what").unwrap_or_default();
    let what = what.map(|text| match text.contains('/') {
        true => text.parse(),
        false => Address::new(stack, text),
    });
    let what: Vec<Address> =
        what.collect::<Result<_, _>>().map_err(|error| CliError::new(error.to_string()))?;
    let mut confirmed = vec![];
    change(store, stack, |state| {
        confirmed = rebuild::confirm(state, &what).map_err(|error| {
            CliError::with_help(
                error.to_string(),
                format!("`formwork state list {stack}` shows what there is"),
            )
        })?;
        Ok(())
    })
    .await?;
    outln!("{stack}: {} confirmed", confirmed.len());
    Ok(Ended::Fine)
}
