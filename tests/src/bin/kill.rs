//! What `./dev test --all` runs last: the program is killed at every call that changes something.

use clap::Parser;
use formwork_tests::kill::{Extent, kill};
use std::{path::PathBuf, process::ExitCode};

/// Kill the program at each call that changes something, and see that the next run recovers.
#[derive(Parser)]
struct Arguments {
    /// The stack: `production` or `staging`.
    #[arg(long, default_value = "production")]
    stack: String,
    /// Only so many lives, spread over the calls, each with a point in each phase.
    #[arg(long, value_name = "LIVES")]
    sample: Option<usize>,
    /// Where data and logs go; a temporary folder, removed at the end, if not given.
    #[arg(long, value_name = "FOLDER")]
    scratch: Option<PathBuf>,
    /// The program to kill.
    #[arg(long, env = "FORMWORK", value_name = "FILE")]
    formwork: PathBuf,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<bool, String> {
    // Short, since PostgreSQL's socket lies in it, and open to the user that PostgreSQL runs as.
    let temporary = tempfile::Builder::new().prefix("formwork-").tempdir();
    let temporary = temporary.map_err(|error| error.to_string())?;
    let scratch = arguments.scratch.unwrap_or_else(|| temporary.path().to_owned());
    let extent = arguments.sample.map_or(Extent::Everything, Extent::Sample);
    let tally = kill(&arguments.formwork, &scratch, &arguments.stack, extent)?;
    for failed in &tally.failed {
        println!("not recovered: {failed}");
    }
    println!("kill points: {} of {} recovered", tally.recovered(), tally.points);
    Ok(tally.failed.is_empty() && tally.points > 0)
}
