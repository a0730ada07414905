//! The program is killed at calls that change something, and the next run recovers.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use formwork_tests::kill::{Extent, kill};
use std::path::PathBuf;

/// Lives in the sample; each has a point in each of three phases.
const SAMPLE: usize = 4;

/// The program under test: `FORMWORK`, or the one that was built beside this test.
fn formwork() -> PathBuf {
    if let Some(given) = std::env::var_os("FORMWORK") {
        return given.into();
    }
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("formwork")
}

/// `./dev test --all` tries every point, by the program `kill`.
#[test]
fn a_spread_sample_of_kill_points_recovers() {
    let formwork = formwork();
    assert!(
        formwork.is_file(),
        "{}: build it first: cargo build --workspace --bins",
        formwork.display()
    );
    let scratch = tempfile::Builder::new().prefix("formwork-").tempdir().unwrap();
    let tally = kill(&formwork, scratch.path(), "production", Extent::Sample(SAMPLE)).unwrap();
    println!("kill points: {} of {} recovered", tally.recovered(), tally.points);
    assert!(tally.failed.is_empty(), "{}", tally.failed.join("\n"));
    assert_eq!(tally.points, 3 * SAMPLE);
}
