//! `formwork apply` and `formwork destroy`, which applies the empty stack.

use super::{CliError, Ended, graph, progress::Lines};
use crate::{Program, registry::registry, render};
use formwork_engine::{
    Address, Graph, Registry,
    apply::{self, Options, Outcome, Patience},
    plan::Plan,
    session,
    settle::Verdict,
    state::LocalStore,
};
use std::{
    collections::BTreeSet,
    io::{BufRead as _, IsTerminal as _, Write as _},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Exit code of a run that the second Ctrl-C ended, as shells have it.
const INTERRUPTED: i32 = 130;

pub(crate) async fn apply(
    program: &Program,
    matches: &clap::ArgMatches,
) -> Result<Ended, CliError> {
    let registry = registry();
    let graph = graph::read(program, &registry, matches)?;
    carry_out(&registry, &graph, matches).await
}

pub(crate) async fn destroy(matches: &clap::ArgMatches) -> Result<Ended, CliError> {
    let stack = matches.get_one::<String>("stack").map(String::as_str).unwrap_or_default();
    let store = LocalStore::new(graph::path(matches, "state"));
    if !store.stacks()?.iter().any(|known| known == stack) && store.journals(stack)?.is_empty() {
        let known = store.stacks()?.join(", ");
        return Err(CliError::with_help(
            format!("no stack `{stack}` in the state at {}", store.folder().display()),
            if known.is_empty() { "it has none".into() } else { format!("it has: {known}") },
        ));
    }
    carry_out(&registry(), &Graph::empty(stack), matches).await
}

/// Lock, settle, read, plan, show, ask, apply, sum up.
async fn carry_out(
    registry: &Registry,
    graph: &Graph,
    matches: &clap::ArgMatches,
) -> Result<Ended, CliError> {
    let store = LocalStore::new(graph::path(matches, "state"));
    let patience = Patience::default();
    let held = session::hold(registry, &store, &graph.stack, &patience).await?;
    for settled in &held.settled {
        let what = match settled.verdict {
            Verdict::Created => "was created by the run that was cut off, and is known now",
            Verdict::Nothing => "was not created by the run that was cut off",
        };
        eprintln!("{}: {what}", settled.address);
    }
    let plan = session::make_plan(registry, &store, graph, &held.state).await?;
    println!("{}", render::text(&plan));
    if plan.has_changes() && !confirmed(&plan, matches)? {
        eprintln!("nothing was changed");
        return Ok(Ended::Failed);
    }
    let stop = Arc::new(AtomicBool::new(false));
    listen_for_interrupts(stop.clone());
    let options = Options {
        parallelism: matches
            .get_one::<u16>("parallelism")
            .map_or(apply::PARALLELISM, |n| usize::from(*n)),
        consent: consent(matches)?,
        patience,
        reporter: &Lines::new(),
        stop: &stop,
    };
    let outcome = apply::apply(&plan, held.state, registry, &store, &options).await?;
    Ok(sum_up(&plan, &outcome))
}

fn consent(matches: &clap::ArgMatches) -> Result<BTreeSet<Address>, CliError> {
    let given = matches.get_many::<String>("consent").into_iter().flatten();
    given
        .map(|text| text.parse().map_err(|error| CliError::new(format!("--consent: {error}"))))
        .collect()
}

/// Asks before the first change, unless told not to; without a terminal nobody can answer.
fn confirmed(plan: &Plan, matches: &clap::ArgMatches) -> Result<bool, CliError> {
    if matches.get_flag("yes") {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        return Err(CliError::with_help(
            "nobody is there to confirm the plan, and nothing was changed",
            "pass --yes to apply without being asked",
        ));
    }
    print!("Apply this to `{}`? Only `yes` does: ", plan.stack);
    let failed = |error: std::io::Error| CliError::new(format!("can't ask: {error}"));
    std::io::stdout().flush().map_err(failed)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(failed)?;
    Ok(answer.trim() == "yes")
}

fn listen_for_interrupts(stop: Arc<AtomicBool>) {
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_err() {
            return;
        }
        stop.store(true, Ordering::Relaxed);
        eprintln!("finishing what is under way; Ctrl-C again stops at once");
        if tokio::signal::ctrl_c().await.is_ok() {
            eprintln!("stopped; the next apply finds out what happened and goes on");
            std::process::exit(INTERRUPTED);
        }
    });
}

fn sum_up(plan: &Plan, outcome: &Outcome) -> Ended {
    println!("{}", render::outcome(plan, outcome));
    if outcome.succeeded() { Ended::Fine } else { Ended::Failed }
}
