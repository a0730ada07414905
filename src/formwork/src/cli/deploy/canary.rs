//! `--canary`: a release is tried out beside the present one, before that is changed.

use super::super::{CliError, Ended};
use crate::render;
use clap::{Arg, ArgAction, ArgMatches};
use formwork_engine::{
    Address, Graph, Registry, State,
    apply::{self, Options},
    plan::{Plan, Step},
    rollback,
    state::Store,
};
use std::sync::atomic::Ordering;

pub(super) fn argument() -> Arg {
    Arg::new("canary")
        .long("canary")
        .help("Release the stack's canaries first, and what they try out only if they are well; then take them away")
        .action(ArgAction::SetTrue)
}

/// Whether canaries are asked for, of a stack that has some.
pub(super) fn wanted(graph: &Graph, matches: &ArgMatches) -> Result<bool, CliError> {
    let wanted = matches.get_flag("canary");
    if wanted && graph.canaries().next().is_none() {
        return Err(CliError::with_help(
            format!("the stack `{}` has no canary", graph.stack),
            "add one: another app in the same namespace, with `.canary_of(app)`",
        ));
    }
    Ok(wanted)
}

/// The canaries of a plan.
fn of(plan: &Plan) -> impl Iterator<Item = &Step> {
    plan.steps.values().filter(|step| step.options.canary_of.is_some())
}

/// Whether an address is a canary of the plan.
pub(in crate::cli) fn is_canary(plan: &Plan, address: Address) -> bool {
    of(plan).any(|step| step.address == address)
}

/// Deletes the canaries of a plan, whatever came of them.
pub(in crate::cli) async fn take_away(
    registry: &Registry,
    store: &Store,
    plan: &Plan,
    mut state: State,
    options: &Options<'_>,
) -> Result<Ended, CliError> {
    let canaries = of(plan).map(|step| step.address);
    let canaries: Vec<Address> =
        canaries.filter(|address| state.resources.contains_key(address)).collect();
    for address in canaries {
        if options.stop.load(Ordering::Relaxed) {
            errln!("{address}: this canary is still there; the next run takes it away");
            return Ok(Ended::Failed);
        }
        errln!("{address}: taking the canary away");
        let removal = rollback::removal(registry, store, &state, address).await?;
        let outcome = apply::apply(&removal, state, registry, store, options).await?;
        outln!("{}", render::outcome(&removal, &outcome));
        if !outcome.succeeded() {
            return Ok(Ended::Failed);
        }
        state = outcome.state;
    }
    Ok(Ended::Fine)
}
