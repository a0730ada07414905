//! The life of each network resource, in the emulator.

mod support;

use formwork_aws::ec2::{ElasticIp, InternetGateway, NatGateway, Route, RouteTable, Subnet, Vpc};
use formwork_engine::{Data, Id, map};
use serde_json::json;
use support::Bench;

const ZONE: &str = "eu-central-1a";

#[tokio::test]
async fn a_vpc() {
    let bench = Bench::new();
    let draft = || Vpc::new().cidr("10.0.0.0/16");
    let mut vpc = bench.make("net", draft().dns_hostnames(true).tags(map! {"team": "web"})).await;
    assert_eq!(vpc.owner().await.unwrap(), vpc.subject.owner);
    assert_eq!(vpc.output("id").await, vpc.id());
    assert_eq!(vpc.output("cidr").await, vpc.predicted("cidr").unwrap());
    let arn = format!("arn:aws:ec2:eu-central-1:{}:vpc/{}", bench.account, vpc.id());
    assert_eq!(vpc.output("arn").await, arn);

    let changed = draft().dns_hostnames(false).dns_support(false).tags(map! {"cost": "7"});
    let paths = ["dns_support", "dns_hostnames", "tags.cost", "tags.team"];
    vpc.change(changed, &paths).await;
    assert_eq!(vpc.owner().await.unwrap(), vpc.subject.owner, "its marks stay");
    vpc.delete().await;
}

#[tokio::test]
async fn a_subnet() {
    let bench = Bench::new();
    let vpc = bench.make("net", Vpc::new().cidr("10.0.0.0/16")).await;
    let draft = || Subnet::new().vpc(Id::existing(vpc.id())).cidr("10.0.1.0/24").zone(ZONE);
    let mut subnet = bench.make("a", draft()).await;
    assert_eq!(subnet.owner().await.unwrap(), subnet.subject.owner);
    let tags = map! {"kubernetes.io/role/elb": "1"};
    let changed = draft().public_addresses(true).tags(tags);
    subnet.change(changed, &["public_addresses", r#"tags["kubernetes.io/role/elb"]"#]).await;

    let busy = vpc.provider.delete(&bench.binding, &vpc.subject).await.unwrap_err();
    assert_eq!(busy.kind, formwork_engine::FailureKind::Busy, "{busy}");
    subnet.delete().await;
    vpc.delete().await;
}

/// By `tag`: a second creation makes a second one, and both are found by the intent.
#[tokio::test]
async fn what_is_found_by_tag_is_found_as_often_as_it_was_made() {
    let bench = Bench::new();
    let mut vpc = bench.make("net", Vpc::new().cidr("10.0.0.0/16")).await;
    vpc.create().await.unwrap();
    vpc.subject.id = None;
    let found =
        vpc.provider.list(&bench.binding, std::slice::from_ref(&vpc.subject)).await.unwrap();
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|one| one.owner.as_ref() == Some(&vpc.subject.owner)));
}

#[tokio::test]
async fn an_internet_gateway() {
    let bench = Bench::new();
    let one = bench.make("one", Vpc::new().cidr("10.0.0.0/16")).await;
    let two = bench.make("two", Vpc::new().cidr("10.1.0.0/16")).await;
    let draft = |vpc: &str| InternetGateway::new().vpc(Id::existing(vpc));
    let mut gateway = bench.make("out", draft(one.id())).await;
    assert_eq!(gateway.owner().await.unwrap(), gateway.subject.owner);
    gateway.change(draft(two.id()), &["vpc"]).await;
    gateway.change(draft(two.id()).tags(map! {"team": "web"}), &["tags.team"]).await;
    gateway.delete().await;
}

#[tokio::test]
async fn an_address_and_a_nat_gateway() {
    let bench = Bench::new();
    let vpc = bench.make("net", Vpc::new().cidr("10.0.0.0/16")).await;
    let subnet = Subnet::new().vpc(Id::existing(vpc.id())).cidr("10.0.1.0/24").zone(ZONE);
    let subnet = bench.make("a", subnet).await;
    let mut address = bench.make("out", ElasticIp::new()).await;
    address.change(ElasticIp::new().tags(map! {"team": "web"}), &["tags.team"]).await;
    assert!(address.output("address").await.contains('.'));

    let draft =
        || NatGateway::new().subnet(Id::existing(subnet.id())).address(Id::existing(address.id()));
    let mut nat = bench.thing("nat", draft());
    nat.create().await.unwrap();
    // The emulator doesn't tell the gateway's addresses.
    nat.check_written_but(&["address"]).await;
    assert_eq!(nat.owner().await.unwrap(), nat.subject.owner);
    nat.delete().await;
    address.delete().await;
}

#[tokio::test]
async fn a_route_table() {
    let bench = Bench::new();
    let vpc = bench.make("net", Vpc::new().cidr("10.0.0.0/16")).await;
    let id = || Id::existing(vpc.id());
    let subnet = |cidr: &str| Subnet::new().vpc(id()).cidr(cidr.to_owned()).zone(ZONE);
    let a = bench.make("a", subnet("10.0.1.0/24")).await;
    let b = bench.make("b", subnet("10.0.2.0/24")).await;
    let out = bench.make("out", InternetGateway::new().vpc(id())).await;
    let mut nat = bench.thing("nat", NatGateway::new().subnet(Id::existing(a.id())));
    nat.create().await.unwrap();

    let (out, nat) = (out.id().to_owned(), nat.id().to_owned());
    let by_out = || Route::new().destination("0.0.0.0/0").internet_gateway(Id::existing(&out));
    let by_nat = |to: &str| Route::new().destination(to.to_owned()).nat_gateway(Id::existing(&nat));
    let (a, b) = (|| Id::<Subnet>::existing(a.id()), || Id::<Subnet>::existing(b.id()));
    let draft = || RouteTable::new().vpc(id());

    let mut table = bench.make("public", draft().routes([by_out()]).subnets([a()])).await;
    assert_eq!(table.owner().await.unwrap(), table.subject.owner);
    // Its target turns, another one comes, a subnet changes over.
    let routes = [by_nat("0.0.0.0/0"), by_nat("192.168.0.0/16")];
    let changed = draft().routes(routes).subnets([b()]);
    let paths = ["routes[-]", "routes[+]", "routes[+]", "subnets[-]", "subnets[+]"];
    table.change(changed, &paths).await;
    let changed = draft().routes([by_nat("192.168.0.0/16")]).subnets([b(), a()]);
    table.change(changed, &["routes[-]", "subnets[+]"]).await;
    table.delete().await;
}

#[tokio::test]
async fn a_route_has_one_target() {
    let bench = Bench::new();
    let provider = bench.registry.get("aws.ec2.RouteTable").unwrap();
    let fields = Data::of(&json!({"routes": [{"destination": "0.0.0.0/0"}]})).unwrap();
    let refused = provider.expand(fields).unwrap_err().to_string();
    assert!(refused.starts_with("the route for `0.0.0.0/0` has 0 targets"), "{refused}");
}
