//! What the next run makes of a run that was cut off.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "settling/cloud.rs"]
mod cloud;
#[path = "settling/run.rs"]
mod run;

use cloud::{Fault, KEYED, NAMED, TAGGED, TOKEN};
use formwork_engine::{plan::Action, *};
use run::{Bench, Ended, STACK};
use std::collections::BTreeMap;

fn at(name: &str) -> Address {
    Address::new(STACK, name).unwrap()
}

/// A stack of things that stand alone, by name and kind, and of which the last uses the first.
fn graph(things: &[(&str, &str)]) -> Graph {
    let mut graph = Graph::empty(STACK);
    graph.bindings.insert("sim".to_owned(), Expr::Literal(serde_json::Value::Null));
    for (i, (name, kind)) in things.iter().enumerate() {
        let mut fields = BTreeMap::from([("label".to_owned(), Expr::Literal("a".into()))]);
        if i > 0 && i == things.len() - 1 {
            let first = Expr::Ref { node: at(things[0].0), output: Symbol::new("id") };
            fields.insert("within".to_owned(), first);
        }
        let (address, kind) = (at(name), (*kind).to_owned());
        graph.nodes.push(Node { address, kind, fields, options: Options::default(), source: None });
    }
    graph
}

fn one(fault: Fault) -> BTreeMap<usize, Fault> {
    BTreeMap::from([(0, fault)])
}

async fn ran(bench: &Bench, graph: &Graph) -> apply::Outcome {
    match bench.run(graph).await {
        Ended::Ran(outcome) => *outcome,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_cannot_be_decided_holds_back_only_itself_and_what_depends_on_it() {
    let bench = Bench::new();
    let graph = graph(&[("a", TAGGED), ("b", NAMED), ("c", TAGGED)]);
    bench.sim.faults(one(Fault::KilledAfter), BTreeMap::new());
    assert!(matches!(bench.run(&graph).await, Ended::Killed));
    // The first reads of the next run are those of settling.
    bench.sim.faults(BTreeMap::new(), one(Fault::Refused));
    let outcome = ran(&bench, &graph).await;
    let failed = &outcome.failed[0];
    assert_eq!((failed.address, failed.doing), (at("a"), "settle"));
    let said = &failed.failure.message;
    assert!(said.contains("look for a sim.Tagged called `prod-a`"), "{said}");
    assert_eq!(outcome.skipped, [at("c")]);
    let state = bench.state().await;
    assert!(state.resources.contains_key(&at("b")));
    assert_eq!(state.open.len(), 1);
    let plan = bench.plan(&graph).await.unwrap();
    assert_eq!(plan.steps[&at("a")].blocked.as_ref(), state.undecided.values().next());
    // Nor is anything destroyed that it may stand on, and the stack isn't taken for destroyed.
    bench.sim.faults(BTreeMap::new(), one(Fault::Refused));
    let outcome = ran(&bench, &Graph::empty(STACK)).await;
    assert!(!outcome.succeeded());
    bench.converge(&graph).await;
    assert_eq!(bench.sim.items().len(), 3);
    bench.converge(&Graph::empty(STACK)).await;
}

#[tokio::test]
async fn a_plan_says_what_the_next_apply_finds_out_first() {
    let bench = Bench::new();
    let graph = graph(&[("a", TAGGED)]);
    bench.sim.faults(one(Fault::KilledAfter), BTreeMap::new());
    bench.run(&graph).await;
    let plan = bench.plan(&graph).await.unwrap();
    let step = &plan.steps[&at("a")];
    assert_eq!((step.action, &step.blocked), (Action::Create, &None));
    assert!(step.reasons[0].contains("the next apply finds out first"));
    bench.converge(&graph).await;
    assert_eq!(bench.sim.log(), ["create sim.Tagged-1"]);
}

#[tokio::test]
async fn what_lands_after_it_was_settled_is_found_by_a_later_run() {
    for kind in [TAGGED, TOKEN, NAMED, KEYED] {
        for destroys in [false, true] {
            let bench = Bench::new();
            let graph = graph(&[("a", kind)]);
            // The next changing call or read after three lets it land: settling has read twice by then.
            bench.sim.faults(one(Fault::KilledLandsLate(3)), BTreeMap::new());
            assert!(matches!(bench.run(&graph).await, Ended::Killed));
            let wanted = if destroys { Graph::empty(STACK) } else { graph.clone() };
            bench.run(&wanted).await;
            bench.sim.calm();
            assert_eq!(bench.state().await.watched.len(), 1, "{kind}");
            bench.converge(&wanted).await;
            assert_eq!(bench.sim.items().len(), usize::from(!destroys), "{kind}");
        }
    }
}

#[tokio::test]
async fn what_reads_hid_from_settling_is_found_by_a_later_run() {
    let graph = graph(&[("a", TOKEN), ("b", TAGGED), ("c", TOKEN)]);
    for hidden in 0..5 {
        let bench = Bench::new();
        bench.sim.faults([(2, Fault::KilledBefore)].into(), BTreeMap::new());
        bench.sim.lag([0, hidden]);
        assert!(matches!(bench.run(&graph).await, Ended::Killed));
        bench.converge(&graph).await;
        assert_eq!(bench.sim.items().len(), 3);
        bench.converge(&Graph::empty(STACK)).await;
    }
}

#[tokio::test]
async fn a_call_that_had_its_effect_twice_leaves_one() {
    for (kind, fault) in [(TAGGED, Fault::TwiceAndKilled), (TOKEN, Fault::TwiceAndKilled)] {
        let bench = Bench::new();
        let graph = graph(&[("a", kind)]);
        bench.sim.faults(one(fault), BTreeMap::new());
        assert!(matches!(bench.run(&graph).await, Ended::Killed));
        assert_eq!(bench.sim.items().len(), 2, "{kind}");
        bench.converge(&Graph::empty(STACK)).await;
    }
    for kind in [TAGGED, TOKEN] {
        let bench = Bench::new();
        let graph = graph(&[("a", kind)]);
        bench.sim.faults(one(Fault::Twice), BTreeMap::new());
        assert!(ran(&bench, &graph).await.succeeded());
        assert_eq!(bench.sim.items().len(), 2, "{kind}");
        let plan = bench.plan(&graph).await.unwrap();
        assert_eq!(plan.steps[&at("a")].deposed.len(), 1, "the plan shows what is deleted");
        bench.converge(&graph).await;
        assert_eq!(bench.sim.items().len(), 1, "{kind}");
    }
}

#[tokio::test]
async fn a_name_that_something_else_holds_is_refused_and_never_adopted() {
    let bench = Bench::new();
    let graph = graph(&[("a", NAMED)]);
    bench.sim.faults(one(Fault::KilledAfter), BTreeMap::new());
    bench.run(&graph).await;
    bench.sim.meddle(|items| {
        for item in items.values_mut() {
            item.owner = None;
        }
    });
    bench.sim.calm();
    let outcome = ran(&bench, &graph).await;
    assert_eq!(outcome.failed[0].failure.kind, FailureKind::Taken);
    let outcome = ran(&bench, &Graph::empty(STACK)).await;
    assert!(outcome.succeeded());
    assert_eq!(bench.sim.items().len(), 1, "a stranger's");
}

#[tokio::test]
async fn what_was_created_and_is_not_seen_yet_is_not_taken_for_gone() {
    let alone = graph(&[("a", TAGGED), ("b", TAGGED)]);
    for wanted in [alone.clone(), Graph::empty(STACK)] {
        let bench = Bench::new();
        // `a` is created and known to be; the next run can't see it yet.
        bench.sim.lag([4]);
        bench.sim.faults([(1, Fault::KilledBefore)].into(), BTreeMap::new());
        assert!(matches!(bench.run(&alone).await, Ended::Killed));
        bench.run(&wanted).await;
        bench.converge(&wanted).await;
    }
}

#[tokio::test]
async fn a_name_that_the_same_call_took_is_ours() {
    let bench = Bench::new();
    let graph = graph(&[("a", NAMED)]);
    bench.sim.faults(one(Fault::ToldTaken), BTreeMap::new());
    assert!(ran(&bench, &graph).await.succeeded());
    bench.converge(&graph).await;
    assert_eq!(bench.sim.log(), ["create sim.Named:prod-a"]);
}
