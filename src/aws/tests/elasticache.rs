//! The life of each ElastiCache resource, in the emulator.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod outside;
mod support;

use formwork_aws::{
    ec2::{SecurityGroup, Subnet, Vpc},
    elasticache::{Engine, ReplicationGroup, SubnetGroup, TransitEncryption},
};
use formwork_engine::{Data, Draft, FailureKind, Id, Value, map};
use outside::outside;
use support::{Bench, Thing};

/// Changes that one resource may take one after the other.
const MAX_STEPS: usize = 5;

/// A network, and two subnets of it.
async fn network(bench: &Bench) -> (Id<Vpc>, [Id<Subnet>; 2]) {
    let vpc = bench.make("net", Vpc::new().cidr("10.0.0.0/16")).await;
    let subnet = async |name: &str, cidr: &str, zone: &str| {
        let draft = Subnet::new().vpc(Id::existing(vpc.id())).cidr(cidr).zone(zone);
        Id::existing(bench.make(name, draft).await.id())
    };
    let a = subnet("a", "10.0.1.0/24", "eu-central-1a").await;
    let b = subnet("b", "10.0.2.0/24", "eu-central-1b").await;
    (Id::existing(vpc.id()), [a, b])
}

#[tokio::test]
async fn a_subnet_group() {
    let bench = Bench::new();
    let (vpc, subnets) = network(&bench).await;
    let draft = || SubnetGroup::new().subnets([subnets[1].clone(), subnets[0].clone()]);
    let mut group = bench.make("cache", draft().tags(map! {"team": "web"})).await;
    assert_eq!(group.owner().await.unwrap(), group.subject.owner);
    assert_eq!(group.output("vpc").await, vpc.as_str());
    for output in ["name", "arn"] {
        assert_eq!(group.output(output).await, group.predicted(output).unwrap());
    }
    let changed = SubnetGroup::new()
        .subnets([subnets[0].clone()])
        .description("private subnets")
        .tags(map! {"cost": "7"});
    let paths = ["description", "subnets[-]", "tags.cost", "tags.team"];
    group.change(changed, &paths).await;
    assert_eq!(group.owner().await.unwrap(), group.subject.owner, "its marks stay");

    group.create().await.unwrap();
    let mut other = bench.thing("cache", draft());
    other.subject.owner.intent = "another".into();
    assert_eq!(other.create().await.unwrap_err().kind, FailureKind::Taken);
    group.delete().await;
}

/// Updates until nothing is left, as the engine does while a resource is busy.
async fn apply<D: Draft>(thing: &mut Thing<'_>, draft: D, paths: &[&str]) {
    let name = thing.subject.owner.address.name();
    thing.subject.inputs = thing.bench.thing(name, draft).subject.inputs;
    assert_eq!(thing.drift().await, paths);
    let fields: Vec<String> =
        paths.iter().map(|path| path.split(['.', '[']).next().unwrap().to_owned()).collect();
    for _ in 0..MAX_STEPS {
        match thing.update(&fields).await {
            Ok(()) => return thing.check_written().await,
            Err(failure) => assert_eq!(failure.kind, FailureKind::Busy, "{failure}"),
        }
    }
    panic!("still busy after {MAX_STEPS} steps");
}

#[tokio::test]
async fn a_cache() {
    let bench = Bench::new();
    let (vpc, subnets) = network(&bench).await;
    let subnets = bench.make("cache", SubnetGroup::new().subnets(subnets)).await;
    let access = SecurityGroup::new().vpc(vpc).ingress([] as [Value<_>; 0]);
    let access = bench.make("access", access).await;
    let draft = || {
        ReplicationGroup::new()
            .engine(Engine::Valkey)
            .version("8.1")
            .subnet_group(Id::existing(subnets.id()))
            .security_groups([Id::existing(access.id())])
    };
    let small = || draft().node_type("cache.t4g.small");
    let mut cache = bench.make("sessions", small().tags(map! {"team": "web"})).await;
    assert_eq!(cache.owner().await.unwrap(), cache.subject.owner);
    assert_eq!(cache.id(), "test-sessions");
    for output in ["id", "arn"] {
        assert_eq!(cache.output(output).await, cache.predicted(output).unwrap());
    }
    let seen = cache.read().await.unwrap();
    assert_eq!(seen.outputs["host"], seen.outputs["reader_host"]);
    assert!(seen.outputs["port"].plain_text().parse::<u16>().unwrap() > 0);
    for (field, value) in [
        ("engine", "valkey"),
        ("version", "8.1"),
        ("transit_encryption", "required"),
        ("at_rest_encryption", "true"),
        ("automatic_failover", "false"),
        ("replicas", "0"),
        ("subnet_group", "test-cache"),
        ("parameter_group", "default.valkey8"),
    ] {
        assert_eq!(seen.fields[field].plain_text(), value, "{field}");
    }

    // Two replicas come, then one of them may take over; back it goes the other way.
    let more = small().replicas(2).snapshot_retention_days(3).tags(map! {"cost": "7"});
    let paths = [
        "replicas",
        "automatic_failover",
        "multi_az",
        "snapshot_retention_days",
        "tags.cost",
        "tags.team",
    ];
    apply(&mut cache, more, &paths).await;
    assert_eq!(cache.owner().await.unwrap(), cache.subject.owner, "its marks stay");
    let larger = draft().node_type("cache.m7g.large").replicas(1).snapshot_retention_days(3);
    apply(&mut cache, larger, &["node_type", "replicas"]).await;
    let alone = draft().node_type("cache.m7g.large");
    let paths = ["replicas", "automatic_failover", "multi_az", "snapshot_retention_days"];
    apply(&mut cache, alone, &paths).await;

    let elasticache = aws_sdk_elasticache::Client::new(&outside(&bench).await);
    let modify = elasticache.modify_replication_group().replication_group_id(cache.id());
    modify.snapshot_retention_limit(9).apply_immediately(true).send().await.unwrap();
    assert_eq!(cache.drift().await, ["snapshot_retention_days"]);
    cache.repair().await;
    cache.check_written().await;

    // The same intent finds its own, another one is refused.
    cache.create().await.unwrap();
    let mut other = bench.thing("sessions", small());
    other.subject.owner.intent = "another".into();
    let refused = other.create().await.unwrap_err();
    assert_eq!(refused.kind, FailureKind::Taken, "{refused}");
    assert!(refused.message.contains("`test/sessions`"), "{refused}");

    let (binding, subject) = (&bench.binding, &subnets.subject);
    let busy = subnets.provider.delete(binding, subject).await.unwrap_err();
    assert_eq!(busy.kind, FailureKind::Busy, "{busy}");
    cache.delete().await;
    subnets.delete().await;
}

/// The marks are in its description too, for when its tags aren't told.
#[tokio::test]
async fn a_cache_is_known_without_its_tags() {
    let bench = Bench::new();
    let (_, subnets) = network(&bench).await;
    let subnets = bench.make("cache", SubnetGroup::new().subnets(subnets)).await;
    let cache = ReplicationGroup::new()
        .engine(Engine::Redis)
        .version("7.1")
        .node_type("cache.t4g.micro")
        .subnet_group(Id::existing(subnets.id()))
        .security_groups([Id::existing("sg-1")])
        .transit_encryption(TransitEncryption::Off)
        .name("sessions");
    let cache = bench.make("sessions", cache).await;
    assert_eq!(cache.id(), "sessions");
    let elasticache = aws_sdk_elasticache::Client::new(&outside(&bench).await);
    let arn = cache.output("arn").await;
    let mut untag = elasticache.remove_tags_from_resource().resource_name(arn);
    for key in ["formwork:lineage", "formwork:address", "formwork:intent"] {
        untag = untag.tag_keys(key);
    }
    untag.send().await.unwrap();
    assert_eq!(cache.owner().await.unwrap(), cache.subject.owner);
    let none = cache.subject.inputs.get("transit_encryption");
    assert_eq!(none, Some(&Data::Text("off".into())));
    cache.delete().await;
}
