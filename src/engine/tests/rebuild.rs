//! State from nothing: what a lost state held is proposed, confirmed, and then there is nothing to do.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use formwork_engine::{
    plan::PlanError,
    rebuild::{ConfirmError, Proposal, RebuildError, confirm, rebuild},
    session::SessionError,
    *,
};
use std::collections::{BTreeMap, BTreeSet};
use support::{
    Host, Network,
    world::{Wanted, World},
};

fn at(name: &str) -> Address {
    Address::new("prod", name).unwrap()
}

impl World {
    async fn rebuild(&self, graph: &Graph) -> Result<Proposal, RebuildError> {
        rebuild(&self.registry, graph, &BTreeMap::new(), None).await
    }

    /// Loses the state, and writes what is proposed in its place.
    async fn take(&self, graph: &Graph) -> Proposal {
        self.store.remove("prod").await.unwrap();
        self.log();
        let mut proposal = self.rebuild(graph).await.unwrap();
        assert!(self.log().is_empty(), "nothing is called that changes anything");
        proposal.state.serial = 1;
        self.store.write(&proposal.state).await.unwrap();
        proposal
    }

    async fn confirm(&self) {
        let mut state = self.store.read("prod").await.unwrap().unwrap();
        confirm(&mut state, &[]).unwrap();
        state.serial += 1;
        self.store.write(&state).await.unwrap();
    }
}

/// A state without what a rebuild can't tell: serial, runs, and that it isn't confirmed.
fn comparable(state: &State) -> State {
    let mut state = State { serial: 0, runs: vec![], ..state.clone() };
    state.resources.values_mut().for_each(|record| record.unconfirmed = false);
    state
}

#[tokio::test]
async fn a_lost_state_comes_back_and_the_plan_is_empty() {
    let world = World::new();
    let graph = Wanted { export: true, ..Wanted::default() }.graph();
    world.apply(&graph).await;
    let before = world.store.read("prod").await.unwrap().unwrap();
    let proposal = world.take(&graph).await;
    assert_eq!(comparable(&proposal.state), comparable(&before));
    assert_eq!(proposal.found.len(), 3);
    assert!(proposal.absent.is_empty() && proposal.leftovers.is_empty());
    assert_eq!(world.actions(&graph).await, BTreeMap::new());
    world.confirm().await;
    assert_eq!(world.actions(&graph).await, BTreeMap::new());
    world.apply(&Graph::empty("prod")).await;
    assert!(world.cloud.items.lock().unwrap().is_empty());
}

#[tokio::test]
async fn nothing_rebuilt_goes_before_it_is_confirmed() {
    let world = World::new();
    let graph = Wanted::default().graph();
    world.apply(&graph).await;
    world.take(&graph).await;
    let replaced = Wanted { cidr: "10.9.0.0/16", ..Wanted::default() }.graph();
    for graph in [&Graph::empty("prod"), &replaced] {
        let error = world.plan(graph).await.unwrap_err();
        let SessionError::Plan(PlanError::Unconfirmed(all)) = &error else { panic!("{error}") };
        assert_eq!(all.len(), 3);
        assert!(error.hint().unwrap().contains("formwork state confirm prod"));
    }
    // An update is no loss, and what it leaves behind is still unconfirmed.
    let bigger = Wanted { sizes: vec![1, 7], ..Wanted::default() }.graph();
    world.apply(&bigger).await;
    let mut state = world.store.read("prod").await.unwrap().unwrap();
    assert!(state.resources.values().all(|record| record.unconfirmed));
    assert_eq!(confirm(&mut state, &[at("no")]), Err(ConfirmError::Absent(at("no"))));
    assert_eq!(confirm(&mut state, &[at("net")]), Ok(vec![at("net")]));
    assert_eq!(confirm(&mut state, &[at("net")]), Err(ConfirmError::Nothing("prod".into())));
    world.confirm().await;
    world.apply(&Graph::empty("prod")).await;
}

#[tokio::test]
async fn what_left_the_stack_is_found_by_its_marks_with_what_it_stands_on() {
    let world = World::new();
    let mut s = Stack::new("prod");
    s.bind("mem", serde_json::json!({}));
    s.add("net", Network::new().cidr("10.0.0.0/16"));
    let more = s.add("more", Network::new().cidr("10.1.0.0/16"));
    s.add("host", Host::new().network(more.id).size(1));
    let all = s.finish().unwrap();
    world.apply(&all).await;
    let mut less = all.clone();
    less.nodes.retain(|node| node.address == at("net"));
    let proposal = world.take(&less).await;
    assert_eq!(proposal.leftovers, BTreeSet::from([at("more")]));
    // Hosts are known by their names alone, and the stack doesn't name this one any more.
    assert!(!proposal.state.resources.contains_key(&at("host")));
    assert!(matches!(
        world.plan(&less).await.unwrap_err(),
        SessionError::Plan(PlanError::Unconfirmed(all)) if all == [at("more")]
    ));
}

#[tokio::test]
async fn what_is_gone_or_somebody_elses_is_not_taken() {
    let world = World::new();
    let graph = Wanted::default().graph();
    world.apply(&graph).await;
    let hosts = world.cloud.ids("mem.Host");
    {
        let mut items = world.cloud.items.lock().unwrap();
        items.remove(&hosts[0]);
        items.get_mut(&hosts[1]).unwrap().owner.address = "other/host-1".parse().unwrap();
    }
    let proposal = world.take(&graph).await;
    assert_eq!(proposal.absent, BTreeSet::from([at("host-0"), at("host-1")]));
    assert_eq!(proposal.state.resources.len(), 1);
}

#[tokio::test]
async fn two_lineages_are_a_persons_choice_and_nothing_is_nothing() {
    let world = World::new();
    let graph = Wanted::default().graph();
    let error = world.rebuild(&graph).await.unwrap_err();
    assert!(matches!(&error, RebuildError::Nothing(stack) if stack == "prod"), "{error}");
    world.apply(&graph).await;
    let state = world.store.read("prod").await.unwrap().unwrap();
    let net = world.cloud.ids("mem.Network")[0].clone();
    {
        let mut items = world.cloud.items.lock().unwrap();
        let mut other = items[&net].clone();
        other.owner.lineage = "another".into();
        items.insert("net-other".into(), other);
    }
    let error = world.rebuild(&graph).await.unwrap_err();
    assert!(matches!(&error, RebuildError::Lineages(all) if all.len() == 2), "{error}");
    let imports = BTreeMap::new();
    let chosen = rebuild(&world.registry, &graph, &imports, Some(&state.lineage)).await.unwrap();
    assert_eq!(comparable(&chosen.state), comparable(&state));
}
