//! The command line: parse, build the stack, plan, act. One place chooses exit codes.

#[macro_use]
mod out;

mod apply;
mod arguments;
mod deploy;
mod drift;
mod error;
mod graph;
mod hold;
mod kube;
mod plan;
mod progress;
mod rehearse;
mod saved;
mod scope;
mod state;
mod store;
mod undo;

use crate::Program;
use error::CliError;
use std::{
    ffi::OsString,
    io::{BufRead as _, IsTerminal as _, Write as _},
    process::ExitCode,
};

/// How a command ended.
enum Ended {
    /// Done, and nothing differs.
    Fine,
    /// Planned, and something would change.
    Changes,
    /// Said all there is to say already; something failed.
    Failed,
    /// A change was hopeless, and what was good before is back.
    RolledBack,
}

/// Exit code of a plan with changes.
const CHANGES: u8 = 2;
/// Exit code of a run that brought back what was good before.
const ROLLED_BACK: u8 = 3;
/// Exit code of every error, usage included.
const ERROR: u8 = 1;

pub(crate) fn main(program: &Program, arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let matches = match arguments::command(program).try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            // Help and version are no errors to clap either.
            let code = if error.use_stderr() { ERROR } else { 0 };
            // Where even printing fails, the code still tells.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    // Paths and commands in messages are to be copied, so nothing wraps them. A hook that is set already
    // is the caller's own.
    let handler = |_: &_| -> Box<dyn miette::ReportHandler> {
        Box::new(miette::MietteHandlerOpts::new().wrap_lines(false).build())
    };
    let _ = miette::set_hook(Box::new(handler));
    let ended = run(program, &matches).unwrap_or_else(|error| {
        errln!("{:?}", error.into_report());
        Ended::Failed
    });
    if let Err(error) = out::finish() {
        errln!("standard output is incomplete: {error}");
        return ExitCode::from(ERROR);
    }
    match ended {
        Ended::Fine => ExitCode::SUCCESS,
        Ended::Changes => ExitCode::from(CHANGES),
        Ended::Failed => ExitCode::from(ERROR),
        Ended::RolledBack => ExitCode::from(ROLLED_BACK),
    }
}

fn run(program: &Program, matches: &clap::ArgMatches) -> Result<Ended, CliError> {
    let Some((command, matches)) = matches.subcommand() else { return Ok(Ended::Fine) };
    match command {
        "kube" => return kube::run(matches),
        "emit" => return graph::emit(program, matches),
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::new(format!("can't start: {error}")))?;
    runtime.block_on(async {
        match command {
            "plan" => plan::run(program, matches).await,
            "apply" => apply::apply(program, matches).await,
            "deploy" => deploy::run(program, matches).await,
            "rollback" => deploy::roll_back(matches).await,
            "drift" => drift::run(matches).await,
            "destroy" => apply::destroy(matches).await,
            "rehearse" => rehearse::run(matches).await,
            "state" => state::run(program, matches).await,
            "unlock" => state::unlock::run(matches).await,
            other => Err(CliError::new(format!("no command `{other}`"))),
        }
    })
}

/// Asks a person; without a terminal nobody can answer.
fn confirm(question: &str) -> Result<bool, CliError> {
    if !std::io::stdin().is_terminal() {
        return Err(CliError::with_help(
            "nobody is there to confirm this, and nothing was changed",
            "pass --yes to go on without being asked",
        ));
    }
    out!("{question}");
    let failed = |error: std::io::Error| CliError::new(format!("can't ask: {error}"));
    std::io::stdout().flush().map_err(failed)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(failed)?;
    Ok(answer.trim() == "yes")
}
