//! `formwork kube checks`: what is looked for, why, and what to do about it.

use super::super::{CliError, Ended};
use clap::{Arg, ArgAction, ArgMatches, Command};
use formwork_kustomize::{Rule, rules};

pub(in crate::cli) fn command() -> Command {
    Command::new("checks")
        .about("List what `formwork kube check` and plans look for: why, and how to put it right")
        .arg(Arg::new("code").value_name("CODE").help("Only these, such as FWK101").num_args(0..))
        .arg(Arg::new("json").long("json").help("List them as JSON").action(ArgAction::SetTrue))
}

pub(super) fn run(matches: &ArgMatches) -> Result<Ended, CliError> {
    let codes: Vec<&String> = matches.get_many("code").into_iter().flatten().collect();
    if let Some(unknown) = codes.iter().find(|code| rules().all(|rule| !is(rule, code))) {
        return Err(CliError::with_help(
            format!("no check has the code {unknown}"),
            "`formwork kube checks` lists them all",
        ));
    }
    let wanted: Vec<&Rule> = rules()
        .filter(|rule| codes.is_empty() || codes.iter().any(|code| is(rule, code)))
        .collect();
    if matches.get_flag("json") {
        outln!("{:#}", serde_json::json!(wanted));
        return Ok(Ended::Fine);
    }
    for rule in wanted {
        let ignorable = if rule.can_be_ignored { "" } else { ", can't be ignored" };
        outln!("{} {} ({}{ignorable})", rule.code, rule.name, rule.severity);
        outln!("    {}", rule.why);
        outln!("    {}\n", rule.fix);
    }
    Ok(Ended::Fine)
}

fn is(rule: &Rule, code: &str) -> bool {
    rule.code.eq_ignore_ascii_case(code)
}
