//! Holding a stack: waiting for whoever has it, and telling what became of runs that were cut off.

use super::{CliError, store};
use clap::{Arg, ArgMatches, value_parser};
use formwork_engine::{
    Registry, StateError,
    apply::Patience,
    session::{self, Held, SessionError},
    settle::Verdict,
    state::Store,
};
use std::time::{Duration, Instant};

/// How often it is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a run waits for another one of the same stack.
pub(crate) fn argument(default: &'static str) -> Arg {
    Arg::new("lock-timeout")
        .long("lock-timeout")
        .value_name("SECONDS")
        .help("How long to wait for another run that changes the same stack")
        .default_value(default)
        .value_parser(value_parser!(u64).range(..=86_400))
}

/// Takes the stack, waiting for another run as long as the arguments say, and settles what is left of earlier ones.
pub(crate) async fn hold(
    registry: &Registry,
    store: &Store,
    stack: &str,
    patience: &Patience,
    matches: &ArgMatches,
) -> Result<Held, CliError> {
    let timeout = matches.get_one::<u64>("lock-timeout").copied().unwrap_or_default();
    let (began, timeout) = (Instant::now(), Duration::from_secs(timeout));
    let mut said = false;
    let held = loop {
        let holding = session::hold(registry, store, stack, patience);
        match store::waiting(store, stack, holding).await {
            Err(SessionError::State(StateError::Locked { holder, .. }))
                if began.elapsed() < timeout =>
            {
                if !std::mem::replace(&mut said, true) {
                    errln!("`{stack}` is being changed by {holder}: waiting for its end");
                }
                tokio::time::sleep(PAUSE).await;
            }
            held => break held?,
        }
    };
    for settled in &held.settled {
        let what = match &settled.verdict {
            Verdict::Created => "was created by the run that was cut off, and is known now",
            Verdict::Surplus => {
                "exists beside the recorded one, by the run that was cut off: it is to be deleted"
            }
            Verdict::Nothing => "was not created by the run that was cut off",
            Verdict::Undecided(why) => why.as_str(),
        };
        errln!("{}: {what}", settled.address);
    }
    Ok(held)
}
