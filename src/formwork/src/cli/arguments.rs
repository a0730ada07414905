//! The commands and their arguments.

use super::{deploy, drift, hold, kube, progress, scope, state, store, undo};
use crate::Program;
use clap::{Arg, ArgAction, Command, builder::PossibleValuesParser, value_parser};
use std::path::PathBuf;

pub(crate) fn command(program: &Program) -> Command {
    Command::new("formwork")
        .about(format!("Plans and applies the infrastructure of {}", program.name))
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .max_term_width(100)
        .subcommand(plan(program))
        .subcommand(apply(program))
        .subcommand(deploy::command(program))
        .subcommand(deploy::rollback_command())
        .subcommand(destroy())
        .subcommand(drift::command())
        .subcommand(emit(program))
        .subcommand(state::command(program))
        .subcommand(state::unlock::command())
        .subcommand(kube::command())
        .subcommand(rehearse())
}

/// A command with every stack as a subcommand, each with arguments of its own.
pub(super) fn over_stacks(program: &Program, command: Command) -> Command {
    // Wherever they stand: `apply --yes production` and `apply production --yes`.
    let command = command.mut_args(|argument| argument.global(true));
    let command = command.subcommand_value_name("STACK").subcommand_help_heading("Stacks");
    program.stacks.iter().fold(command, |command, (name, known)| {
        command.subcommand((known.arguments)(Command::new(*name)))
    })
}

pub(super) fn project() -> Arg {
    Arg::new("project")
        .long("project")
        .env("FORMWORK_PROJECT")
        .value_name("FOLDER")
        .help("The folder that paths in stacks, such as overlays, start from")
        .default_value(".")
        .value_parser(value_parser!(PathBuf))
}

pub(super) fn graph() -> Arg {
    Arg::new("graph")
        .long("graph")
        .value_name("FILE")
        .help("Take the stack from a graph that `formwork emit` wrote, not from this program")
        .value_parser(value_parser!(PathBuf))
}

fn expected() -> Arg {
    Arg::new("stack")
        .long("stack")
        .value_name("NAME")
        .help("Refuse a graph of any other stack; for graphs of code that isn't trusted")
        .requires("graph")
}

fn format() -> Arg {
    Arg::new("format")
        .long("format")
        .value_name("FORMAT")
        .help("How the plan is shown")
        .default_value("text")
        .value_parser(PossibleValuesParser::new(["text", "markdown", "json"]))
}

fn consent() -> Arg {
    Arg::new("consent")
        .long("consent")
        .value_name("ADDRESS")
        .help("Consent to the loss of this resource's data; for each that is deleted or replaced")
        .action(ArgAction::Append)
}

pub(super) fn yes() -> Arg {
    Arg::new("yes")
        .long("yes")
        .short('y')
        .help("Don't ask before the first change")
        .action(ArgAction::SetTrue)
}

pub(super) fn parallelism() -> Arg {
    Arg::new("parallelism")
        .long("parallelism")
        .value_name("N")
        .help("Calls under way at the same time")
        .default_value("10")
        .value_parser(value_parser!(u16).range(1..=256))
}

fn plan(program: &Program) -> Command {
    let command = Command::new("plan")
        .about("Show what would change; changes nothing and takes no lock")
        .long_about(
            "Show what would change; changes nothing and takes no lock.\n\n\
             Exit code: 0 nothing would change, 2 something would, 1 an error.",
        )
        .args([project(), graph(), expected(), format()])
        .args(store::arguments())
        .args(scope::part())
        .args(scope::planning())
        .arg(
            Arg::new("out")
                .long("out")
                .value_name("FILE")
                .help("Save the plan, to be carried out exactly so by `formwork apply FILE`")
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(
            Arg::new("stats")
                .long("stats")
                .help("Print the requests that were sent to AWS, by operation, on standard error")
                .action(ArgAction::SetTrue),
        )
        .arg(
            Arg::new("approval-digest")
                .long("approval-digest")
                .help("Print what approving these changes agrees to, for `apply --approved`")
                .long_help(
                    "Print what approving these changes agrees to, for `apply --approved`.\n\n\
                     It covers account and region, the changes and what they start from; not the state's \
                     serial, the program, or the images. So another apply in between doesn't make it stale.",
                )
                .action(ArgAction::SetTrue),
        );
    // What is no stack is said by whoever looks for it.
    over_stacks(program, command).allow_external_subcommands(true)
}

fn apply(program: &Program) -> Command {
    let command = Command::new("apply")
        .about("Plan, ask, and carry the plan out")
        .long_about(
            "Plan, ask, and carry the plan out.\n\n\
             The first Ctrl-C finishes what is under way and begins nothing new; the second stops at \
             once. Either way the next apply goes on from there.\n\n\
             With a saved PLAN instead of a stack, exactly that plan is carried out, without being asked, \
             or nothing where it is stale.\n\n\
             A change of an app that is hopeless (its new pods crash, their image can't be had) is undone: \
             what was good last is brought back whole, after logs and events were kept.\n\n\
             Exit code: 0 done, 1 an error, 3 a hopeless change was undone.",
        )
        .args([project(), graph(), expected(), consent(), yes(), parallelism()])
        .args([hold::argument("0"), progress::argument()])
        .args(undo::arguments())
        .args(store::arguments())
        .args(scope::part())
        .args(scope::planning())
        .arg(
            Arg::new("approved")
                .long("approved")
                .value_name("APPROVAL")
                .help("Carry out what was approved, as `plan --approval-digest` printed it")
                .long_help(
                    "Carry out what was approved, as `plan --approval-digest` printed it.\n\n\
                     The changes that are planned now must be the approved ones, or those of them that are \
                     still to be made; anything else fails before the first call, with the difference.",
                ),
        );
    over_stacks(program, command).arg(
        Arg::new("plan")
            .value_name("PLAN")
            .help("A plan that `formwork plan --out` saved, instead of a stack")
            .value_parser(value_parser!(PathBuf)),
    )
}

fn destroy() -> Command {
    Command::new("destroy")
        .about("Delete everything of a stack, from its state alone")
        .arg(
            Arg::new("stack")
                .value_name("STACK")
                .required(true)
                .help("The stack's name in the state, such as `preview-pr42`"),
        )
        .arg(
            Arg::new("if-exists")
                .long("if-exists")
                .help("A stack that the state doesn't have is destroyed already")
                .action(ArgAction::SetTrue),
        )
        .args([consent(), yes(), parallelism(), hold::argument("0"), progress::argument()])
        .args(store::arguments())
        .args(scope::part())
}

fn emit(program: &Program) -> Command {
    let command = Command::new("emit")
        .about("Write a stack's graph as JSON, for `plan --graph`; needs no credentials")
        .args([project()]);
    over_stacks(program, command).subcommand_required(true).allow_external_subcommands(true)
}

fn rehearse() -> Command {
    Command::new("rehearse")
        .about("Start the local cloud, and keep it until Ctrl-C")
        .long_about(
            "Start the local cloud, and keep it until Ctrl-C.\n\n\
             Real parts on loopback: an emulator of the AWS APIs, PostgreSQL, Redis, and for each of \
             two accounts a Kubernetes control plane. What is missing is installed into the user's \
             cache folder first. Prints the environment for formwork, kubectl and psql.",
        )
        .arg(
            Arg::new("scratch")
                .long("scratch")
                .value_name("FOLDER")
                .help("Where data and logs go; a new temporary folder if not given")
                .value_parser(value_parser!(PathBuf)),
        )
}
