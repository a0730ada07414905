//! `formwork state relock`: another lock for the key that a store is sealed with.

use super::{CliError, Ended, store, text};
use clap::{Arg, Command};
use formwork_engine::state::Store;

pub(super) fn command() -> Command {
    Command::new("relock")
        .about("Lock the key of a sealed store in another way")
        .long_about(
            "Lock the key of a sealed store in another way.\n\n\
             Give the present way as always (--encryption), and the new one by --to. What is there stays sealed \
             by the same key, so nothing is written again; from then on only the new way opens it.",
        )
        .arg(
            Arg::new("to")
                .long("to")
                .value_name("HOW")
                .help("identity:FILE or kms:KEY, as for --encryption; or passphrase, which FORMWORK_NEW_PASSPHRASE holds")
                .required(true),
        )
}

pub(super) async fn run(store: &Store, matches: &clap::ArgMatches) -> Result<Ended, CliError> {
    let how = text(matches, "to");
    let keyring = store::new_keyring(how).await?;
    store.relock(keyring.as_ref()).await?;
    outln!("the key of {} is locked by {how} now", store.place());
    Ok(Ended::Fine)
}
