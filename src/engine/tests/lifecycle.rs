//! Plan, apply, drift, replacement, destruction, interruption: against a strict cloud in memory.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use formwork_engine::{
    apply,
    plan::{Action, PlanError},
    session::SessionError,
    *,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::Ordering,
    time::Duration,
};
use support::{
    Cut, Host,
    world::{Shared, Wanted, World, options},
};

/// How long a run is given before it counts as hanging in the call that was cut off.
const STUCK: Duration = Duration::from_millis(300);

#[tokio::test]
async fn create_keep_update_destroy() {
    let world = World::new();
    let graph = Wanted::default().graph();
    let plan = world.plan(&graph).await.unwrap();
    assert_eq!(plan.count(Action::Create), 3);
    let outputs = &plan.steps[&"prod/net".parse::<Address>().unwrap()].outputs;
    assert_eq!(outputs["name"], Data::Text("prod-net".into()), "predicted");
    assert!(!outputs["id"].is_known());
    world.apply(&graph).await;
    assert_eq!(world.log()[0], "create net");

    let bigger = Wanted { sizes: vec![1, 5], ..Wanted::default() }.graph();
    assert_eq!(world.actions(&bigger).await, [("host-1", Action::Update)].into());
    world.apply(&bigger).await;

    world.log();
    world.apply(&Graph::empty("prod")).await;
    assert_eq!(world.log().last().unwrap(), "delete net");
    assert!(world.cloud.items.lock().unwrap().is_empty());
}

#[tokio::test]
async fn only_outputs_that_follow_the_changed_field_become_unknown() {
    let world = World::new();
    world.apply(&Wanted::default().graph()).await;
    // The label changes the banner, which the hosts' motd shows; the network's id stays.
    let graph = Wanted { label: "b", ..Wanted::default() }.graph();
    let plan = world.plan(&graph).await.unwrap();
    let host = &plan.steps[&"prod/host-0".parse::<Address>().unwrap()];
    assert_eq!(host.action, Action::Update);
    assert_eq!(host.changes.iter().map(|c| c.path.as_str()).collect::<Vec<_>>(), ["motd"]);
    world.apply(&graph).await;
}

#[tokio::test]
async fn drift_is_exactly_what_changed_and_is_repaired() {
    let world = World::new();
    let graph = Wanted::default().graph();
    world.apply(&graph).await;
    let id = world.cloud.ids("mem.Host")[1].clone();
    world.cloud.items.lock().unwrap().get_mut(&id).unwrap().fields.insert("size".into(), 9.into());
    let plan = world.plan(&graph).await.unwrap();
    let changes: Vec<_> = plan.changes().flat_map(|step| &step.changes).collect();
    assert_eq!(changes.len(), 1);
    assert!(changes[0].drift && changes[0].path == "size");
    world.apply(&graph).await;
    world.cloud.items.lock().unwrap().remove(&id);
    assert_eq!(world.actions(&graph).await, [("host-1", Action::Create)].into());
    world.apply(&graph).await;
}

#[tokio::test]
async fn a_replacement_takes_its_children_along_in_the_right_order() {
    let world = World::new();
    world.apply(&Wanted::default().graph()).await;
    world.log();
    let graph = Wanted { cidr: "10.9.0.0/16", ..Wanted::default() }.graph();
    let plan = world.plan(&graph).await.unwrap();
    assert_eq!(plan.count(Action::Replace), 3);
    assert_eq!(plan.needs_consent().count(), 2);
    world.apply(&graph).await;
    let log = world.log();
    let at = |what: &str| log.iter().position(|line| line == what).unwrap();
    assert!(at("delete host-0") < at("delete net") && at("delete host-1") < at("delete net"));
    assert!(at("delete net") < at("create net") && at("create net") < at("create host-0"));
}

#[tokio::test]
async fn a_host_that_leaves_is_deleted_alone() {
    let world = World::new();
    world.apply(&Wanted::default().graph()).await;
    let graph = Wanted { sizes: vec![1], ..Wanted::default() }.graph();
    assert_eq!(world.actions(&graph).await, [("host-1", Action::Delete)].into());
    world.apply(&graph).await;
}

#[tokio::test]
async fn protection_holds_until_an_apply_of_its_own_takes_it_off() {
    let world = World::new();
    let protected = Wanted { protect: true, ..Wanted::default() };
    world.apply(&protected.graph()).await;
    for graph in [Graph::empty("prod"), Wanted { cidr: "10.9.0.0/16", ..Wanted::default() }.graph()]
    {
        let error = world.plan(&graph).await.unwrap_err();
        assert!(matches!(error, SessionError::Plan(PlanError::Protected(a)) if a.len() == 2));
    }
    let open = Wanted::default().graph();
    assert_eq!(world.actions(&open).await.len(), 2);
    world.log();
    world.apply(&open).await;
    assert!(world.log().is_empty(), "taking protection off calls nothing");
    world.apply(&Graph::empty("prod")).await;
}

#[tokio::test]
async fn nothing_is_called_without_consent_or_for_a_stale_plan() {
    let world = World::new();
    let graph = Wanted::default().graph();
    world.apply(&graph).await;
    let plan = world.plan(&Graph::empty("prod")).await.unwrap();
    let state = world.store.read("prod").await.unwrap().unwrap();
    world.log();
    let half = BTreeSet::from(["prod/host-0".parse().unwrap()]);
    let error =
        apply::apply(&plan, state.clone(), &world.registry, &world.store, &options(half)).await;
    assert_eq!(error.unwrap_err().hint().unwrap(), "name them to consent: --consent prod/host-1");
    world.apply(&Wanted { label: "z", ..Wanted::default() }.graph()).await;
    world.log();
    let newer = world.store.read("prod").await.unwrap().unwrap();
    let all = plan.needs_consent().collect();
    let error = apply::apply(&plan, newer, &world.registry, &world.store, &options(all)).await;
    assert!(matches!(error.unwrap_err(), apply::ApplyError::Stale { .. }));
    assert!(world.log().is_empty());
}

#[tokio::test]
async fn a_step_stops_when_what_it_is_about_to_change_is_not_what_the_plan_saw() {
    let world = World::new();
    world.apply(&Wanted::default().graph()).await;
    let id = world.cloud.ids("mem.Host")[0].clone();
    // Between the plan and the apply, somebody changes the very host that is to be updated, or deleted.
    let updated = Wanted { sizes: vec![7, 2], ..Wanted::default() };
    let deleted = Wanted { sizes: vec![30], ..Wanted::default() };
    for (size, wanted) in [(30, updated), (40, deleted)] {
        let plan = world.plan(&wanted.graph()).await.unwrap();
        let seen = plan.changes().next().unwrap().observed.as_ref().unwrap();
        let change = |items: &mut BTreeMap<String, support::Item>| {
            items.get_mut(&seen.id).unwrap().fields.insert("size".into(), size.into());
        };
        change(&mut world.cloud.items.lock().unwrap());
        world.log();
        let state = world.store.read("prod").await.unwrap().unwrap();
        let options = options(plan.needs_consent().collect());
        let outcome = apply::apply(&plan, state, &world.registry, &world.store, &options).await;
        let failed = outcome.unwrap().failed;
        assert!(
            failed[0].failure.message.contains("`size` is not what the plan saw"),
            "{failed:?}"
        );
        assert!(world.log().is_empty());
    }
    // What somebody else, or a late call of an earlier run, has made as it is wanted needs no call.
    let plan = world.plan(&Wanted::default().graph()).await.unwrap();
    let wanted = |items: &mut BTreeMap<String, support::Item>| {
        items.get_mut(&id).unwrap().fields.insert("size".into(), 1.into());
    };
    wanted(&mut world.cloud.items.lock().unwrap());
    world.log();
    let state = world.store.read("prod").await.unwrap().unwrap();
    let options = options(BTreeSet::new());
    let outcome = apply::apply(&plan, state, &world.registry, &world.store, &options).await;
    assert!(outcome.unwrap().succeeded());
    assert!(!world.log().iter().any(|call| call.contains("host-0")));
}

#[tokio::test]
async fn an_export_in_use_can_not_go() {
    let world = World::new();
    let exporter = Wanted { export: true, ..Wanted::default() };
    world.apply(&exporter.graph()).await;
    let preview = || {
        let mut s = Stack::new("preview");
        s.bind("mem", serde_json::json!({}));
        let shared: Shared = s.import("prod");
        s.add("host", Host::new().network(shared.network).size(1));
        s.finish().unwrap()
    };
    world.apply(&preview()).await;
    let error = world.plan(&Graph::empty("prod")).await.unwrap_err();
    assert_eq!(error.to_string(), "`network` of stack `prod` can't go: preview imports it");
    world.apply(&Graph::empty("preview")).await;
    world.apply(&Graph::empty("prod")).await;
    let error = world.plan(&preview()).await.unwrap_err();
    assert!(matches!(error, SessionError::Plan(PlanError::MissingExport { .. })), "{error}");
}

#[tokio::test]
async fn a_failed_branch_lets_the_others_finish() {
    let world = World::new();
    *world.cloud.cut.lock().unwrap() = Cut::Refuse(1);
    let outcome = world.try_apply(&Wanted::default().graph()).await;
    assert_eq!((outcome.failed.len(), outcome.done.len()), (1, 2), "{outcome:?}");
    *world.cloud.cut.lock().unwrap() = Cut::Never;
    world.apply(&Wanted::default().graph()).await;
}

/// Kills a run at every changing call, before and after its effect, and loses every answer: the next
/// run always ends at what is wanted, with nothing orphaned and nothing made twice.
#[tokio::test]
async fn a_run_cut_off_anywhere_is_settled_by_the_next() {
    let before = Wanted::default();
    let after = Wanted { cidr: "10.9.0.0/16", sizes: vec![1, 5, 3], ..Wanted::default() };
    for (start, graph) in [(None, before.graph()), (Some(&before), after.graph())] {
        let mut cuts = 0;
        for call in 0.. {
            let mut reached = false;
            for cut in [Cut::Before(call), Cut::After(call), Cut::LoseAnswer(call)] {
                let world = World::new();
                if let Some(start) = start {
                    world.apply(&start.graph()).await;
                }
                world.cloud.changes.store(0, Ordering::SeqCst);
                *world.cloud.cut.lock().unwrap() = cut;
                // A pending call never ends, so the run is dropped as a kill would: mid-call.
                let run = world.try_apply(&graph);
                let _ = tokio::time::timeout(STUCK, run).await;
                reached |= world.cloud.changes.load(Ordering::SeqCst) > call;
                *world.cloud.cut.lock().unwrap() = Cut::Never;
                world.apply(&graph).await;
                let state = world.store.read("prod").await.unwrap().unwrap();
                let known: BTreeSet<String> =
                    state.resources.values().map(|record| record.id.clone()).collect();
                let there: BTreeSet<String> =
                    world.cloud.items.lock().unwrap().keys().cloned().collect();
                assert_eq!(known, there, "{cut:?}");
                assert!(world.store.journals("prod").await.unwrap().is_empty());
                cuts += 1;
            }
            if !reached {
                break;
            }
        }
        assert!(cuts > 9, "{cuts}");
    }
}

#[tokio::test]
async fn what_a_run_did_that_lost_its_serial_to_another_is_known_all_the_same() {
    let world = World::new();
    let alone = Wanted { sizes: vec![], ..Wanted::default() };
    world.apply(&alone.graph()).await;
    let state = world.store.read("prod").await.unwrap().unwrap();
    // Two runs that both think they have the stack, one of them by a forced unlock.
    let relabelled = world.plan(&Wanted { label: "b", ..alone.clone() }.graph()).await.unwrap();
    let grown = world.plan(&Wanted { sizes: vec![1], ..alone }.graph()).await.unwrap();
    let apply = async |plan| {
        let options = options(BTreeSet::new());
        apply::apply(plan, state.clone(), &world.registry, &world.store, &options).await
    };
    apply(&relabelled).await.unwrap();
    let lost = apply(&grown).await.unwrap_err();
    assert!(matches!(lost, apply::ApplyError::State(StateError::Conflict { .. })), "{lost}");
    let both = Wanted { label: "b", sizes: vec![1], ..Wanted::default() }.graph();
    world.apply(&both).await;
    assert_eq!(world.cloud.ids("mem.Host").len(), 1, "the host of the second run is no orphan");
}

#[tokio::test]
async fn drift_is_told_from_the_state_alone() {
    let world = World::new();
    let told = || async { drift::drift(&world.registry, &world.store, "prod").await.unwrap() };
    assert_eq!(told().await, None, "there is no such stack");
    world.apply(&Wanted::default().graph()).await;
    let clean = told().await.unwrap();
    assert!(clean.is_empty() && clean.resources == 3 && clean.reads > 0);
    let hosts = world.cloud.ids("mem.Host");
    {
        let mut items = world.cloud.items.lock().unwrap();
        items.get_mut(&hosts[0]).unwrap().fields.insert("size".into(), 9.into());
        items.remove(&hosts[1]);
    }
    let seen: Vec<String> = told()
        .await
        .unwrap()
        .differences
        .iter()
        .map(|difference| match &difference.what {
            drift::What::Changed(changes) => format!(
                "{} {} {:?} {:?}",
                difference.address,
                changes[0].path,
                changes[0].recorded.as_ref().map(Data::plain_json),
                changes[0].found.as_ref().map(Data::plain_json)
            ),
            other => format!("{} {other:?}", difference.address),
        })
        .collect();
    let expected = [r#"prod/host-0 size Some("1") Some("9")"#, "prod/host-1 Gone"];
    assert_eq!(seen, expected);
    assert!(world.store.holder("prod").await.unwrap().is_none());
}

#[tokio::test]
async fn what_others_may_change_is_no_drift() {
    let world = World::new();
    let mut s = Stack::new("prod");
    s.bind("mem", serde_json::json!({}));
    s.add("net", support::Network::new().cidr("10.0.0.0/16").label("a").ignore("label"));
    world.apply(&s.finish().unwrap()).await;
    let id = world.cloud.ids("mem.Network").remove(0);
    let change = |label: &str| {
        let mut items = world.cloud.items.lock().unwrap();
        items.get_mut(&id).unwrap().fields.insert("label".into(), label.into());
    };
    change("b");
    assert!(drift::drift(&world.registry, &world.store, "prod").await.unwrap().unwrap().is_empty());
}
