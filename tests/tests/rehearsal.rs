//! The whole rehearsal, as `./dev rehearse` runs it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::PathBuf;

/// The program under test: `FORMWORK`, or the one that was built beside this test.
fn formwork() -> PathBuf {
    if let Some(given) = std::env::var_os("FORMWORK") {
        return given.into();
    }
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("formwork")
}

#[test]
fn the_main_job_from_an_empty_account_to_an_empty_account() {
    let formwork = formwork();
    assert!(formwork.is_file(), "{}: build it first: cargo build -p stacks", formwork.display());
    let scratch = tempfile::Builder::new().prefix("formwork-").tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let rehearsal = formwork_tests::rehearse(&formwork, scratch.path(), false);
    let (tally, _) = runtime.block_on(rehearsal).unwrap();
    assert_eq!(tally.failed, 0);
    assert_eq!(tally.passed, 26, "every step was played");
}
