//! Scope, moves, adoption, triggers, creation before destruction, saved plans and approvals.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use formwork_engine::{
    apply,
    plan::{Action, Approval, Plan, PlanError, SavedError, SavedPlan, Scope, Unapproved},
    session::{self, Planning, SessionError},
    *,
};
use std::collections::{BTreeMap, BTreeSet};
use support::{
    Cut, Host, Network,
    world::{Wanted, World, options},
};

fn at(name: &str) -> Address {
    Address::new("prod", name).unwrap()
}

fn scoped(scope: Scope) -> Planning {
    Planning { scope, no_refresh: false }
}

async fn plan(world: &World, graph: &Graph, planning: &Planning) -> Result<Plan, SessionError> {
    let state = session::load(&world.store, &graph.stack).await?.state;
    Ok(session::make_plan(&world.registry, &world.store, graph, &state, planning).await?.plan)
}

fn actions(plan: &Plan) -> BTreeMap<&'static str, Action> {
    plan.changes().map(|step| (step.address.name(), step.action)).collect()
}

#[tokio::test]
async fn a_target_comes_with_what_it_needs_and_leaves_the_rest() {
    let world = World::new();
    let graph = Wanted { export: true, ..Wanted::default() }.graph();
    let planning = scoped(Scope { target: [at("host-0")].into(), ..Scope::default() });
    let outcome = world.try_apply_as(&graph, &planning).await.unwrap();
    assert!(outcome.succeeded());
    assert_eq!(world.log(), ["create net", "create host-0"]);
    assert_eq!(world.actions(&graph).await, [("host-1", Action::Create)].into());
    // A part that doesn't tell the exports doesn't take them back either.
    world.apply(&graph).await;
    let exports = world.store.read("prod").await.unwrap().unwrap().exports;
    let graph = Wanted { label: "b", sizes: vec![5, 6], export: true, ..Wanted::default() }.graph();
    let planning = scoped(Scope { exclude: [at("net")].into(), ..Scope::default() });
    assert!(actions(&plan(&world, &graph, &planning).await.unwrap()).is_empty());
    let planning = scoped(Scope { exclude: [at("host-1")].into(), ..Scope::default() });
    let planned = plan(&world, &graph, &planning).await.unwrap();
    let expected = [("host-0", Action::Update), ("net", Action::Update)];
    assert_eq!(actions(&planned), expected.into());
    world.try_apply_as(&graph, &planning).await.unwrap();
    assert_eq!(world.store.read("prod").await.unwrap().unwrap().exports, exports);
    assert_eq!(world.actions(&graph).await, [("host-1", Action::Update)].into());
}

#[tokio::test]
async fn what_leaves_is_targeted_with_what_stands_on_it() {
    let world = World::new();
    world.apply(&Wanted::default().graph()).await;
    let nothing = Graph::empty("prod");
    let target = scoped(Scope { target: [at("net")].into(), ..Scope::default() });
    assert_eq!(plan(&world, &nothing, &target).await.unwrap().count(Action::Delete), 3);
    let target = scoped(Scope { target: [at("host-0")].into(), ..Scope::default() });
    let planned = plan(&world, &nothing, &target).await.unwrap();
    assert_eq!(actions(&planned), [("host-0", Action::Delete)].into());
    // What is left out keeps what it stands on.
    let exclude = scoped(Scope { exclude: [at("host-0")].into(), ..Scope::default() });
    let planned = plan(&world, &nothing, &exclude).await.unwrap();
    assert_eq!(actions(&planned), [("host-1", Action::Delete)].into());
    let slip = scoped(Scope { target: [at("hots-0")].into(), ..Scope::default() });
    let error = plan(&world, &nothing, &slip).await.unwrap_err();
    assert!(matches!(error, SessionError::Plan(PlanError::Unknown { .. })), "{error}");
}

#[tokio::test]
async fn replace_is_forced_and_protection_still_holds() {
    let world = World::new();
    let graph = Wanted::default().graph();
    world.apply(&graph).await;
    let before = world.cloud.ids("mem.Host");
    let replace = scoped(Scope { replace: [at("host-1")].into(), ..Scope::default() });
    let outcome = world.try_apply_as(&graph, &replace).await.unwrap();
    assert_eq!(outcome.done, [(at("host-1"), Action::Replace)].into());
    assert_eq!(world.cloud.ids("mem.Host"), before, "the name stays");
    let protected = Wanted { protect: true, ..Wanted::default() }.graph();
    world.apply(&protected).await;
    let error = plan(&world, &protected, &replace).await.unwrap_err();
    assert!(matches!(error, SessionError::Plan(PlanError::Protected(_))), "{error}");
}

#[tokio::test]
async fn refresh_only_takes_what_is_there_into_the_state_and_calls_nothing() {
    let world = World::new();
    let graph = Wanted::default().graph();
    world.apply(&graph).await;
    let hosts = world.cloud.ids("mem.Host");
    {
        let mut items = world.cloud.items.lock().unwrap();
        items.remove(&hosts[0]);
        items.get_mut(&hosts[1]).unwrap().fields.insert("size".into(), 9.into());
    }
    world.log();
    let refresh = scoped(Scope { refresh_only: true, ..Scope::default() });
    let planned = plan(&world, &graph, &refresh).await.unwrap();
    assert_eq!(actions(&planned), [("host-0", Action::Forget)].into());
    assert_eq!(planned.steps[&at("host-1")].changes[0].path, "size");
    world.try_apply_as(&graph, &refresh).await.unwrap();
    assert!(world.log().is_empty());
    let state = world.store.read("prod").await.unwrap().unwrap();
    assert!(!state.resources.contains_key(&at("host-0")));
    world.apply(&graph).await;
}

#[tokio::test]
async fn without_a_refresh_nothing_is_read_and_the_stacks_own_changes_show() {
    let world = World::new();
    world.apply(&Wanted::default().graph()).await;
    let graph = Wanted { sizes: vec![1, 7], ..Wanted::default() }.graph();
    let blind = Planning { no_refresh: true, ..Planning::default() };
    let planned = plan(&world, &graph, &blind).await.unwrap();
    assert_eq!((planned.requests, planned.count(Action::Update)), (0, 1));
    assert!(world.try_apply_as(&graph, &blind).await.unwrap().succeeded());
    assert_eq!(world.actions(&graph).await, BTreeMap::new());
}

/// A network and a host in it; under another name it says what it was called before.
fn pair(net: &str, label: &str) -> Graph {
    let mut s = Stack::new("prod");
    s.bind("mem", serde_json::json!({}));
    let network = Network::new().cidr("10.0.0.0/16").label(label);
    let network = match net {
        "net" => s.add(net, network),
        renamed => s.add(renamed, network.renamed_from("net")),
    };
    s.add("host", Host::new().network(network.id).size(1));
    s.finish().unwrap()
}

#[tokio::test]
async fn a_new_name_moves_and_replaces_nothing() {
    let world = World::new();
    world.apply(&pair("net", "a")).await;
    world.log();
    let graph = pair("network", "a");
    let planned = plan(&world, &graph, &Planning::default()).await.unwrap();
    assert_eq!(planned.moves, [(at("net"), at("network"))].into());
    assert!(planned.has_changes() && actions(&planned).is_empty());
    world.apply(&graph).await;
    assert!(world.log().is_empty());
    let state = world.store.read("prod").await.unwrap().unwrap();
    assert_eq!(state.resources[&at("host")].dependencies, [at("network")].into());
    world.apply(&Graph::empty("prod")).await;
    assert!(world.cloud.items.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_exists_is_taken_over_with_the_changes_shown() {
    let world = World::new();
    let graph = pair("net", "a");
    world.apply(&graph).await;
    // The state is lost; what exists is told by hand.
    let id = world.cloud.ids("mem.Network")[0].clone();
    world.store.remove("prod").await.unwrap();
    for item in world.cloud.items.lock().unwrap().values_mut() {
        item.owner.lineage = "lost".into();
    }
    let relabelled = pair("net", "b");
    let adopt =
        |id: &str| scoped(Scope { adopt: [(at("net"), id.to_owned())].into(), ..Scope::default() });
    let error = plan(&world, &relabelled, &adopt(&id)).await.unwrap_err();
    assert!(error.to_string().contains("it belongs to `prod/net` of another state"), "{error}");
    let error = plan(&world, &relabelled, &adopt("net-77")).await.unwrap_err();
    assert!(error.to_string().contains("there is no mem.Network of that identifier"), "{error}");
}

#[tokio::test]
async fn a_trigger_replaces_what_doesn_t_change_itself() {
    let world = World::new();
    let graph = |label: &str| {
        let mut s = Stack::new("prod");
        s.bind("mem", serde_json::json!({}));
        let net = s.add("net", Network::new().cidr("10.0.0.0/16").label(label));
        let host = Host::new().network(net.id).size(1);
        s.add("host", host.replace_triggered_by(net));
        s.finish().unwrap()
    };
    world.apply(&graph("a")).await;
    let expected = [("host", Action::Replace), ("net", Action::Update)];
    assert_eq!(world.actions(&graph("b")).await, expected.into());
    world.apply(&graph("b")).await;
}

fn first(label: &'static str, size: u32, cidr: &'static str) -> Graph {
    let mut s = Stack::new("prod");
    s.bind("mem", serde_json::json!({}));
    let net = s.add("net", Network::new().cidr(cidr).label(label));
    let host = Host::new().network(net.id).size(size);
    s.add("host", host.create_before_destroy(true));
    s.finish().unwrap()
}

#[tokio::test]
async fn the_new_one_is_made_before_the_old_one_goes() {
    let world = World::new();
    world.apply(&first("a", 1, "10.0.0.0/16")).await;
    world.log();
    world.apply(&first("a", 1, "10.9.0.0/16")).await;
    assert_eq!(world.log(), ["create net", "create host", "delete host", "delete net"]);
    assert_eq!(world.cloud.ids("mem.Host"), ["prod-host-g1"]);
    world.apply(&first("a", 1, "10.8.0.0/16")).await;
    assert_eq!(world.cloud.ids("mem.Host"), ["prod-host-g2"]);
    world.apply(&Graph::empty("prod")).await;
    assert!(world.cloud.items.lock().unwrap().is_empty());
}

/// Kills a replacement that creates first at every changing call: nothing is orphaned.
#[tokio::test]
async fn a_replacement_that_creates_first_survives_a_kill_anywhere() {
    for call in 0..4 {
        for cut in [Cut::Before(call), Cut::After(call), Cut::LoseAnswer(call), Cut::Refuse(call)] {
            let world = World::new();
            world.apply(&first("a", 1, "10.0.0.0/16")).await;
            world.cloud.changes.store(0, std::sync::atomic::Ordering::SeqCst);
            *world.cloud.cut.lock().unwrap() = cut;
            let graph = first("a", 1, "10.9.0.0/16");
            let stuck = std::time::Duration::from_millis(300);
            let _ = tokio::time::timeout(stuck, world.try_apply(&graph)).await;
            *world.cloud.cut.lock().unwrap() = Cut::Never;
            world.apply(&graph).await;
            let state = world.store.read("prod").await.unwrap().unwrap();
            let known: BTreeSet<String> =
                state.resources.values().map(|record| record.id.clone()).collect();
            let there: BTreeSet<String> =
                world.cloud.items.lock().unwrap().keys().cloned().collect();
            assert_eq!(known, there, "{cut:?}");
            assert!(state.deposed.is_empty(), "{cut:?}");
        }
    }
}

async fn saved(world: &World, graph: &Graph) -> SavedPlan {
    let state = session::load(&world.store, "prod").await.unwrap().state;
    let planning = Planning::default();
    let planned =
        session::make_plan(&world.registry, &world.store, graph, &state, &planning).await.unwrap();
    let session::Planned { plan, observed } = planned;
    SavedPlan { plan, graph: graph.clone(), observed, scope: Scope::default() }
}

#[tokio::test]
async fn a_saved_plan_is_what_its_content_leads_to_or_is_refused() {
    let world = World::new();
    world.apply(&Wanted::default().graph()).await;
    let graph = Wanted { cidr: "10.9.0.0/16", ..Wanted::default() }.graph();
    let plan = saved(&world, &graph).await;
    let bytes = plan.to_bytes("program", "me", None).unwrap();
    let back = SavedPlan::from_bytes(&bytes, "program", None).unwrap();
    assert_eq!(back, plan);
    let state = world.store.read("prod").await.unwrap().unwrap();
    let again = async |plan: &SavedPlan| {
        session::plan_again(&world.registry, &world.store, plan, &state).await.unwrap()
    };
    back.verify(&again(&back).await).unwrap();
    assert!(matches!(SavedPlan::from_bytes(&bytes, "other", None), Err(SavedError::Program)));
    for i in (0..bytes.len()).step_by(7) {
        let mut bad = bytes.clone();
        bad[i] ^= 1;
        assert!(SavedPlan::from_bytes(&bad, "program", None).is_err(), "byte {i}");
        assert!(SavedPlan::from_bytes(&bytes[..i], "program", None).is_err(), "cut at {i}");
    }
    // A forger who also mends the digest is found by planning again.
    let forgeries: [fn(&mut SavedPlan); 5] = [
        |plan| plan.plan.steps.get_mut(&at("host-0")).unwrap().needs_consent = false,
        |plan| drop(plan.plan.steps.remove(&at("host-1"))),
        |plan| plan.plan.steps.get_mut(&at("net")).unwrap().action = Action::Delete,
        |plan| {
            plan.plan.steps.get_mut(&at("net")).unwrap().recorded.as_mut().unwrap().id = "x".into()
        },
        |plan| {
            let step = plan.plan.steps.get_mut(&at("host-0")).unwrap();
            step.fields.insert("size".into(), Expr::Literal(64.into()));
        },
    ];
    for forge in forgeries {
        let mut forged = plan.clone();
        forge(&mut forged);
        let forged =
            SavedPlan::from_bytes(&forged.to_bytes("p", "me", None).unwrap(), "p", None).unwrap();
        assert!(matches!(forged.verify(&again(&forged).await), Err(SavedError::Forged(_))));
    }
    let all = options(plan.plan.needs_consent().collect());
    let outcome = apply::apply(&back.plan, state, &world.registry, &world.store, &all).await;
    assert!(outcome.unwrap().succeeded());
    assert_eq!(world.actions(&graph).await, BTreeMap::new());
}

#[tokio::test]
async fn an_approval_outlives_other_applies_and_finishes_what_was_half_done() {
    let world = World::new();
    let registry = &world.registry;
    let graph = Wanted::default().graph();
    let approved = Approval::of(&world.plan(&graph).await.unwrap(), registry);
    let approved: Approval = approved.to_string().parse().unwrap();
    // A part of it is done by then: the rest is a subset, and what is missing holds.
    let part = scoped(Scope { target: [at("host-0")].into(), ..Scope::default() });
    world.try_apply_as(&graph, &part).await.unwrap();
    let rest = world.plan(&graph).await.unwrap();
    assert_eq!(rest.changes().count(), 1);
    assert_eq!(approved.departures(&rest, registry), []);
    world.apply(&graph).await;
    assert_eq!(approved.departures(&world.plan(&graph).await.unwrap(), registry), []);
    // Anything else isn't covered.
    let other = Wanted { sizes: vec![1, 9, 3], ..Wanted::default() }.graph();
    let departures = approved.departures(&world.plan(&other).await.unwrap(), registry);
    assert_eq!(departures, [Unapproved::Changed(at("host-1")), Unapproved::Added(at("host-2"))]);
    let approved = Approval::of(&world.plan(&other).await.unwrap(), registry);
    // The same end from another start was not approved.
    let hosts = world.cloud.ids("mem.Host");
    let drifted = |size: u32| {
        let mut items = world.cloud.items.lock().unwrap();
        items.get_mut(&hosts[1]).unwrap().fields.insert("size".into(), size.into());
    };
    drifted(5);
    let departures = approved.departures(&world.plan(&other).await.unwrap(), registry);
    assert_eq!(departures, [Unapproved::Changed(at("host-1"))]);
    drifted(2);
    assert_eq!(approved.departures(&world.plan(&other).await.unwrap(), registry), []);
    // What was approved and has vanished from the stack neither is planned nor holds.
    let less = Wanted { sizes: vec![1, 9], ..Wanted::default() }.graph();
    let departures = approved.departures(&world.plan(&less).await.unwrap(), registry);
    assert_eq!(departures, [Unapproved::Missing(at("host-2"))]);
}
