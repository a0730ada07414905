//! What random lives found, each as a small case of its own.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use formwork_engine::{plan::Action, *};
use support::{
    Host, Network,
    world::{Wanted, World},
};

/// A stack whose node `it` is a host, or a network.
fn host_or_network(host: bool) -> Graph {
    let mut s = Stack::new("prod");
    s.bind("mem", serde_json::json!({}));
    let net = s.add("net", Network::new().cidr("10.0.0.0/16"));
    match host {
        true => drop(s.add("it", Host::new().network(net.id).size(1))),
        false => drop(s.add("it", Network::new().cidr("10.1.0.0/16"))),
    }
    s.finish().unwrap()
}

#[tokio::test]
async fn what_changes_its_kind_is_deleted_as_what_it_was() {
    let world = World::new();
    world.apply(&host_or_network(true)).await;
    let plan = world.plan(&host_or_network(false)).await.unwrap();
    assert_eq!(plan.count(Action::Replace), 1);
    assert_eq!(plan.needs_consent().count(), 1, "the host's data is lost");
    world.log();
    world.apply(&host_or_network(false)).await;
    assert_eq!(world.log(), ["delete it", "create it"]);
    assert!(world.cloud.ids("mem.Host").is_empty());
    let plan = world.plan(&host_or_network(true)).await.unwrap();
    assert_eq!(plan.needs_consent().count(), 0);
    world.apply(&Wanted::default().graph()).await;
}
