//! `formwork apply` and `formwork destroy`, which applies the empty stack.

use super::{CliError, Ended, confirm, deploy, graph, hold, progress, saved, scope, store, undo};
use crate::{Program, registry::registry, render};
use formwork_engine::{
    Graph, Registry, State,
    apply::{self, ApplyError, Options, Outcome, Patience},
    plan::{Approval, Plan, SavedPlan},
    session::{self, Held, Planning},
    state::{Hold, Store},
};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Exit code of a run that the second Ctrl-C ended, as shells have it.
const INTERRUPTED: i32 = 130;

/// What is to be carried out.
pub(super) enum Wanted {
    Stack(Box<(Graph, Planning)>),
    Saved(Box<SavedPlan>),
}

impl Wanted {
    fn stack(&self) -> &str {
        match self {
            Self::Stack(wanted) => &wanted.0.stack,
            Self::Saved(saved) => &saved.graph.stack,
        }
    }
}

pub(crate) async fn apply(
    program: &Program,
    matches: &clap::ArgMatches,
) -> Result<Ended, CliError> {
    let (registry, store) = (registry(), store::open(matches).await?);
    let wanted = match matches.get_one::<PathBuf>("plan") {
        Some(file) if !file.exists() => {
            return Err(graph::unknown(program, &file.display().to_string()));
        }
        Some(file) => Wanted::Saved(Box::new(saved::read(file, &registry, &store)?)),
        None => {
            let mut graph = graph::read(program, &registry, matches)?;
            deploy::stamp(&mut graph, matches);
            let planning = scope::read(matches, &graph.stack)?;
            Wanted::Stack(Box::new((graph, planning)))
        }
    };
    carry_out(&registry, &store, &wanted, matches).await
}

pub(crate) async fn destroy(matches: &clap::ArgMatches) -> Result<Ended, CliError> {
    let stack = matches.get_one::<String>("stack").map(String::as_str).unwrap_or_default();
    let store = store::open(matches).await?;
    let known = store.stacks().await?;
    if !known.iter().any(|name| name == stack) && store.journals(stack).await?.is_empty() {
        if matches.get_flag("if-exists") {
            outln!("{stack}: nothing to destroy");
            return Ok(Ended::Fine);
        }
        let known = known.join(", ");
        return Err(CliError::with_help(
            format!("no stack `{stack}` in the state at {}", store.place()),
            if known.is_empty() { "it has none".into() } else { format!("it has: {known}") },
        ));
    }
    let wanted = Wanted::Stack(Box::new((Graph::empty(stack), scope::read(matches, stack)?)));
    carry_out(&registry(), &store, &wanted, matches).await
}

/// Lock, settle, carry out, let go.
pub(super) async fn carry_out(
    registry: &Registry,
    store: &Store,
    wanted: &Wanted,
    matches: &clap::ArgMatches,
) -> Result<Ended, CliError> {
    let patience = Patience::default();
    let held = hold::hold(registry, store, wanted.stack(), &patience, matches).await?;
    let Held { state, hold, .. } = held;
    let ended = carry_out_held(registry, store, wanted, matches, (state, &hold, patience)).await;
    store::release(store, hold).await;
    ended
}

/// Read, plan, show, ask, apply, sum up.
async fn carry_out_held(
    registry: &Registry,
    store: &Store,
    wanted: &Wanted,
    matches: &clap::ArgMatches,
    (state, hold, patience): (State, &Hold, Patience),
) -> Result<Ended, CliError> {
    let approval = approval(matches)?;
    let plan = match wanted {
        Wanted::Stack(wanted) => {
            let (mut graph, planning) = wanted.as_ref().clone();
            deploy::bind(&mut graph, &state)?;
            session::make_plan(registry, store, &graph, &state, &planning).await?.plan
        }
        Wanted::Saved(saved) => checked(registry, store, saved, &state).await?,
    };
    outln!("{}", render::text(&plan));
    let agreed = match (&approval, wanted) {
        (Some(approval), _) => {
            approved(approval, &plan, registry)?;
            true
        }
        (None, Wanted::Saved(_)) => true,
        (None, Wanted::Stack(..)) => false,
    };
    if plan.has_changes() && !agreed && !confirmed(&plan, matches)? {
        errln!("nothing was changed");
        return Ok(Ended::Failed);
    }
    perform(registry, store, &plan, state, matches, (hold, patience)).await
}

/// Applies a plan that was agreed to, undoes what is hopeless, sums up.
pub(super) async fn perform(
    registry: &Registry,
    store: &Store,
    plan: &Plan,
    state: State,
    matches: &clap::ArgMatches,
    (hold, patience): (&Hold, Patience),
) -> Result<Ended, CliError> {
    let (stop, progress) = (Arc::new(AtomicBool::new(false)), progress::reporter(matches));
    let reporter = undo::Keeping::new(progress.as_ref(), matches);
    listen_for_interrupts(stop.clone());
    let options = Options {
        parallelism: matches
            .get_one::<u16>("parallelism")
            .map_or(apply::PARALLELISM, |n| usize::from(*n)),
        consent: scope::addresses(matches, "consent", &plan.stack)?,
        patience,
        reporter: &reporter,
        hold,
        stop: &stop,
    };
    let outcome = apply::apply(plan, state, registry, store, &options).await?;
    let ended = sum_up(plan, &outcome);
    let undone = undo::undo(registry, store, plan, outcome, &options, matches).await?;
    for file in reporter.kept() {
        errln!("what was seen is kept in {}", file.display());
    }
    Ok(undone.unwrap_or(ended))
}

/// A saved plan that still fits the state, and is what its own content leads to.
async fn checked(
    registry: &Registry,
    store: &Store,
    saved: &SavedPlan,
    state: &State,
) -> Result<Plan, CliError> {
    let plan = &saved.plan;
    if plan.lineage == state.lineage && plan.serial == state.serial {
        saved.verify(&session::plan_again(registry, store, saved, state).await?)?;
        return Ok(plan.clone());
    }
    if plan.lineage != state.lineage && state.serial > 0 {
        let (planned, actual) = (plan.lineage.clone(), state.lineage.clone());
        return Err(ApplyError::Lineage { planned, actual }.into());
    }
    let planning = Planning { scope: saved.scope.clone(), no_refresh: false };
    let now = session::make_plan(registry, store, &saved.graph, state, &planning).await?;
    Err(saved::stale(plan, &now.plan, state.serial))
}

fn approval(matches: &clap::ArgMatches) -> Result<Option<Approval>, CliError> {
    let text = matches.try_get_one::<String>("approved").ok().flatten();
    let parsed = text.map(|text| text.parse()).transpose();
    parsed.map_err(|error| {
        CliError::with_help(
            format!("--approved: {error}"),
            "give what `formwork plan STACK --approval-digest` printed, whole",
        )
    })
}

/// Refuses a plan that departs from what was approved.
fn approved(approval: &Approval, plan: &Plan, registry: &Registry) -> Result<(), CliError> {
    let departures = approval.departures(plan, registry);
    if departures.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = departures.iter().map(ToString::to_string).collect();
    Err(CliError::with_help(
        format!("this isn't what was approved; nothing was changed\n{}", lines.join("\n")),
        "plan again, and have what it shows approved",
    ))
}

/// Asks before the first change, unless told not to.
pub(super) fn confirmed(plan: &Plan, matches: &clap::ArgMatches) -> Result<bool, CliError> {
    if matches.get_flag("yes") {
        return Ok(true);
    }
    confirm(&format!("Apply this to `{}`? Only `yes` does: ", plan.stack))
}

fn listen_for_interrupts(stop: Arc<AtomicBool>) {
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_err() {
            return;
        }
        stop.store(true, Ordering::Relaxed);
        errln!("finishing what is under way; Ctrl-C again stops at once");
        if tokio::signal::ctrl_c().await.is_ok() {
            errln!("stopped; the next apply finds out what happened and goes on");
            std::process::exit(INTERRUPTED);
        }
    });
}

fn sum_up(plan: &Plan, outcome: &Outcome) -> Ended {
    outln!("{}", render::outcome(plan, outcome));
    if outcome.succeeded() { Ended::Fine } else { Ended::Failed }
}
