//! `formwork plan`.

use super::{CliError, Ended, deploy, graph, saved, scope, store};
use crate::{Program, registry, render};
use formwork_aws::CallLog;
use formwork_engine::{
    plan::{Approval, Plan, SavedPlan},
    session::{self, Planned},
};
use std::path::PathBuf;

pub(crate) async fn run(program: &Program, matches: &clap::ArgMatches) -> Result<Ended, CliError> {
    let calls = CallLog::default();
    let registry = registry::counting(&calls);
    let mut graph = graph::read(program, &registry, matches)?;
    deploy::stamp(&mut graph, matches);
    let planning = scope::read(matches, &graph.stack)?;
    let store = store::open(matches).await?;
    let folded = session::load(&store, &graph.stack).await?;
    if !folded.open.is_empty() {
        let names: Vec<String> = folded.open.iter().map(|i| i.address.to_string()).collect();
        errln!(
            "an earlier run was cut off; whether it created these is found out by the next apply: {}",
            names.join(", ")
        );
    }
    deploy::bind(&mut graph, &folded.state)?;
    let Planned { plan, observed } =
        session::make_plan(&registry, &store, &graph, &folded.state, &planning).await?;
    let ended = if plan.has_changes() { Ended::Changes } else { Ended::Fine };
    if matches.get_flag("approval-digest") {
        outln!("{}", Approval::of(&plan, &registry));
    } else {
        outln!("{}", show(&plan, matches)?);
    }
    if let Some(out) = matches.get_one::<PathBuf>("out") {
        let saved = SavedPlan { plan, graph, observed, scope: planning.scope };
        saved::write(out, &saved, &registry, &store)?;
        errln!("saved; carry it out with: formwork apply {}", out.display());
    }
    if matches.get_flag("stats") {
        errln!("{}", stats(&calls));
    }
    Ok(ended)
}

/// The requests that were sent to AWS, by operation; retries count.
fn stats(calls: &CallLog) -> String {
    let each = calls
        .counts()
        .into_iter()
        .map(|((service, operation), count)| format!("\n  {count:>4} {service} {operation}"));
    format!("AWS API requests: {}{}", calls.total(), each.collect::<String>())
}

fn show(plan: &Plan, matches: &clap::ArgMatches) -> Result<String, CliError> {
    match matches.get_one::<String>("format").map(String::as_str) {
        Some("json") => serde_json::to_string_pretty(&render::json(plan))
            .map_err(|error| CliError::new(format!("can't write the plan: {error}"))),
        Some("markdown") => Ok(render::markdown(plan)),
        _ => Ok(render::text(plan)),
    }
}
