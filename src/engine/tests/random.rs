//! Random lives of random stacks, on a strict cloud where calls are killed, lost, late, doubled and refused.
//!
//! `FORMWORK_PROPTEST_CASES` says how many; a failure prints its life, and its seed is kept beside this
//! file and tried first from then on.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "random/cloud.rs"]
mod cloud;
#[path = "random/kinds.rs"]
mod kinds;
#[path = "random/run.rs"]
mod run;
#[path = "random/stacks.rs"]
mod stacks;

use proptest::{prelude::*, test_runner::FileFailurePersistence};
use run::{Ended, Team};
use stacks::{Edit, graph, life};

/// Lives that are tried unless `FORMWORK_PROPTEST_CASES` says otherwise: a few seconds' worth.
const CASES: u32 = 48;
/// Undisturbed applies that must be enough to get where the stack says.
const TRIES: usize = 8;

fn config() -> ProptestConfig {
    let given = std::env::var("FORMWORK_PROPTEST_CASES").ok();
    ProptestConfig {
        cases: given.and_then(|cases| cases.parse().ok()).unwrap_or(CASES),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        max_shrink_iters: 600,
        ..ProptestConfig::default()
    }
}

/// Lives a life, and ends it with nothing left.
async fn live(edits: &[Edit]) {
    let team = Team::new();
    let undisturbed = edits.iter().all(|edit| edit.runs.is_empty());
    let mut accepted = None;
    for edit in edits {
        team.outside(&edit.outside);
        team.cloud.world.lock().unwrap().slowness = edit.slowness;
        let wanted = graph(&edit.wanted, false);
        for faults in &edit.runs {
            team.run(&wanted, faults.clone()).await;
        }
        if converge(&team, &wanted, undisturbed).await {
            accepted = Some(graph(&edit.wanted, true));
            team.lose_state(&wanted).await;
        }
    }
    let nothing = formwork_engine::Graph::empty("random");
    for wanted in accepted.iter().chain([&nothing]) {
        assert!(converge(&team, wanted, undisturbed).await, "nothing is protected by now");
    }
    assert_eq!(team.cloud.world.lock().unwrap().things, cloud::Things::new(), "nothing is left");
    if undisturbed && edits.iter().all(|edit| matches!(edit.outside, stacks::Outside::Nothing)) {
        let careless = team.cloud.world.lock().unwrap().careless.clone();
        assert!(careless.is_empty(), "in the wrong order: {careless:#?}");
    }
}

/// Applies undisturbed until the stack is as wanted, with whatever was under way landing in between;
/// `false` where that is refused, since it would take what is protected.
async fn converge(team: &Team, wanted: &formwork_engine::Graph, at_once: bool) -> bool {
    let mut last = team.run(wanted, Default::default()).await;
    if at_once && !matches!(last, Ended::Protected) {
        assert_eq!(last, Ended::Clean, "nothing went wrong");
        assert!(team.is_as_wanted(wanted).await, "a second plan is empty");
    }
    team.cloud.world.lock().unwrap().land();
    for _ in 0..TRIES {
        last = team.run(wanted, Default::default()).await;
        match last {
            // Refused as a whole, and rightly: nothing to hold against it.
            Ended::Protected => return false,
            Ended::Clean if team.is_as_wanted(wanted).await => {
                team.check(wanted).await;
                return true;
            }
            _ => {}
        }
    }
    panic!("not as wanted after {TRIES} undisturbed applies; the last: {last:?}");
}

fn block_on(life: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(life);
}

proptest! {
    #![proptest_config(config())]

    /// Nothing goes wrong: each apply succeeds, leaves an empty plan, and does nothing in a wrong order.
    #[test]
    fn undisturbed_lives(edits in life(false)) {
        block_on(live(&edits));
    }

    /// Everything goes wrong, and nothing is lost.
    #[test]
    fn disturbed_lives(edits in life(true)) {
        block_on(live(&edits));
    }
}
