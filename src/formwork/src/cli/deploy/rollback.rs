//! `formwork rollback`: an app's earlier release, whole, in the place of the present one.

use super::{CliError, Ended, Known, LOCK_TIMEOUT, app_argument, history, known, stack_argument};
use crate::{
    cli::{apply, arguments, hold, progress, store, undo},
    registry::registry,
    render,
};
use clap::{Arg, ArgMatches, Command, value_parser};
use formwork_engine::{rollback, session::Held};
use formwork_kubernetes::{
    back_to,
    release::{self, Revision, Status},
};

pub(in crate::cli) fn command() -> Command {
    Command::new("rollback")
        .about("Put an earlier release of an app back, configuration included")
        .long_about(
            "Put an earlier release of an app back, configuration included.\n\n\
             Without --to, it is the newest one that was good and isn't the present set. Secrets keep the versions \
             that they have today, and a release that doesn't work with the database's schema is refused. The stack \
             still says what it said: the next plan shows the difference.\n\n\
             Exit code: 0 it is back and up, 1 an error, 3 it was hopeless as well, and what was good last is back.",
        )
        .args([stack_argument(), app_argument(), arguments::yes(), arguments::parallelism()])
        .arg(hold::argument(LOCK_TIMEOUT))
        .arg(
            Arg::new("to")
                .long("to")
                .value_name("RELEASE")
                .help("The release's number, as `formwork deploy history` shows it")
                .value_parser(value_parser!(u64).range(1..)),
        )
        .arg(progress::argument())
        .arg(undo::evidence())
        .args(store::arguments())
}

pub(in crate::cli) async fn run(matches: &ArgMatches) -> Result<Ended, CliError> {
    let (registry, store) = (registry(), store::open(matches).await?);
    // Said before anything is locked or settled.
    let Known { address, .. } = known(matches, &store).await?;
    let patience = Default::default();
    let held = hold::hold(&registry, &store, address.stack(), &patience, matches).await?;
    let Held { state, hold, .. } = held;
    let ended = async {
        let Known { subject, connection, record, .. } = known(matches, &store).await?;
        let revisions = release::history(&connection, &subject).await?;
        let revision = match matches.contains_id("to") {
            true => history::find(matches, "to", &revisions)?,
            false => before_the_present(&revisions)?,
        };
        let inputs = back_to(revision, &record.inputs)?;
        let plan = rollback::plan(&registry, &store, &state, address, inputs).await?;
        outln!("{address}: release {} of {}", revision.number, revision.time);
        outln!("{}", render::text(&plan));
        if plan.has_changes() && !apply::confirmed(&plan, matches)? {
            errln!("nothing was changed");
            return Ok(Ended::Failed);
        }
        apply::perform(&registry, &store, &plan, state, matches, (&hold, patience)).await
    };
    let ended = ended.await;
    store::release(&store, hold).await;
    ended
}

/// The newest good release that isn't what is there now.
fn before_the_present(revisions: &[Revision]) -> Result<&Revision, CliError> {
    let present = revisions.last().map(|revision| revision.release.as_str());
    let good = revisions.iter().rev().find(|revision| {
        revision.status == Status::Good && Some(revision.release.as_str()) != present
    });
    good.ok_or_else(|| {
        CliError::with_help(
            "there is no earlier release that was good",
            "`formwork deploy history` shows all that are kept; name one with --to",
        )
    })
}
