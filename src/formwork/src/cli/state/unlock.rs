//! `formwork unlock`: taking a stack away from a run that is dead.

use super::{CliError, Ended, stack_argument, store, text};
use crate::cli::confirm;
use clap::{Arg, ArgAction, Command};

pub(in crate::cli) fn command() -> Command {
    Command::new("unlock")
        .about("Take a stack away from a run that is dead")
        .long_about(
            "Take a stack away from a run that is dead.\n\n\
             A run that is alive loses its hold by this, and stops before its next call; a call that is \
             already under way can still land, and the next apply finds out. In a folder the operating \
             system lets go of a dead run's lock by itself.",
        )
        .arg(stack_argument())
        .arg(
            Arg::new("yes")
                .long("yes")
                .short('y')
                .help("Don't ask")
                .action(ArgAction::SetTrue),
        )
        .args(store::arguments())
}

pub(in crate::cli) async fn run(matches: &clap::ArgMatches) -> Result<Ended, CliError> {
    let (store, stack) = (store::open(matches).await?, text(matches, "stack"));
    let Some(holder) = store.holder(stack).await? else {
        outln!("nobody holds `{stack}`");
        return Ok(Ended::Fine);
    };
    outln!("`{stack}` is held by {holder}");
    let question = "Take it away from there? Only where that run is dead. `yes` does: ";
    if !matches.get_flag("yes") && !confirm(question)? {
        outln!("nothing was changed");
        return Ok(Ended::Failed);
    }
    store.break_hold(stack).await?;
    match store.holder(stack).await? {
        None => outln!("nobody holds `{stack}` now"),
        Some(holder) => {
            return Err(CliError::with_help(
                format!("`{stack}` is still held by {holder}"),
                "that run is alive on this machine; end it first",
            ));
        }
    }
    Ok(Ended::Fine)
}
