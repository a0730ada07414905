//! The life of each network resource, in the emulator.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use formwork_aws::{
    Aws,
    ec2::{
        ElasticIp, InternetGateway, NatGateway, Route, RouteTable, Rule, SecurityGroup, Subnet, Vpc,
    },
};
use formwork_engine::{Data, FailureKind, Id, list, map};
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

    // As when an answer is lost and the call is sent again: the emulator has its effect twice.
    let associate = bench.ec2().associate_route_table().route_table_id(table.id());
    associate.subnet_id(a().as_str()).send().await.unwrap();
    assert_eq!(table.drift().await, ["subnets[-]"]);
    table.repair().await;
    table.check_written().await;
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

#[tokio::test]
async fn a_security_group() {
    let bench = Bench::new();
    let vpc = bench.make("net", Vpc::new().cidr("10.0.0.0/16")).await;
    let vpc = || Id::existing(vpc.id());
    let server = bench.make("server", SecurityGroup::new().vpc(vpc()).ingress(list![])).await;
    assert_eq!(server.output("name").await, server.predicted("name").unwrap());
    let from_server = || Rule::new().port(5432).group(Id::existing(server.id()));
    let https = || Rule::new().port(443).cidr("0.0.0.0/0").description("everybody");
    let draft = || SecurityGroup::new().vpc(vpc()).description("the database");

    let mut db = bench.make("db", draft().ingress(list![from_server(), https()])).await;
    assert_eq!(db.owner().await.unwrap(), db.subject.owner);
    // The same address range at a wider port range is another rule; egress is closed.
    let wider = Rule::new().port(443).last_port(444).cidr("0.0.0.0/0");
    let itself = Rule::new().protocol("all").members(true);
    let changed = draft().ingress(list![from_server(), wider, itself]).egress(list![]);
    db.change(changed, &["ingress[-]", "ingress[+]", "ingress[+]", "egress[-]"]).await;
    db.change(draft().ingress([from_server()]), &["ingress[-]", "ingress[-]"]).await;
    let described = draft().ingress([from_server().description("the server")]);
    db.change(described, &["ingress[-]", "ingress[+]"]).await;

    let taken = bench.thing("db", draft().ingress(list![])).create().await.unwrap_err();
    assert_eq!(taken.kind, FailureKind::Taken, "{taken}");
    db.delete().await;
    server.delete().await;
}

/// A rule that somebody else adds is that one rule, and taking it back leaves the others alone.
#[tokio::test]
async fn drift_of_a_security_group_is_the_rule_that_drifted() {
    let bench = Bench::new();
    let vpc = bench.make("net", Vpc::new().cidr("10.0.0.0/16")).await;
    let rules = [Rule::new().port(443).cidr("0.0.0.0/0"), Rule::new().port(80).cidr("::/0")];
    let group = SecurityGroup::new().vpc(Id::existing(vpc.id())).ingress(rules);
    let group = bench.make("web", group).await;

    let outside = Aws::to(bench.target(), &bench.setup()).await.unwrap();
    let ssh = outside.ec2.authorize_security_group_ingress().group_id(group.id());
    let ssh = ssh.ip_protocol("tcp").from_port(22).to_port(22).cidr_ip("0.0.0.0/0");
    let refused = ssh.clone().send().await.unwrap_err();
    assert!(format!("{refused:?}").contains("sent outside of any declared call"), "{refused:?}");

    let mut intruder = group.subject.inputs.clone().into_map();
    let Some(Data::List(rules)) = intruder.get_mut("ingress") else { panic!("{intruder:?}") };
    let rule = json!({"protocol": "tcp", "port": 22, "last_port": 22, "cidr": "0.0.0.0/0"});
    rules.push(Data::from_json(&rule));
    let mut from_outside = bench.again(&group);
    from_outside.subject.inputs = Data::Map(intruder);
    from_outside.repair().await;

    assert_eq!(group.drift().await, ["ingress[-]"]);
    group.repair().await;
    group.check_written().await;
}
