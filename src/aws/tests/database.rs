//! The life of each RDS resource, in the emulator.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod outside;
mod support;

use formwork_aws::{
    ec2::{Subnet, Vpc},
    rds::{Instance, ParameterGroup, SubnetGroup},
};
use formwork_engine::{Data, FailureKind, Id, map};
use outside::outside;
use support::{Bench, Thing};

/// Subnets in two zones.
async fn subnets(bench: &Bench) -> [Id<Subnet>; 2] {
    let vpc = bench.make("net", Vpc::new().cidr("10.0.0.0/16")).await;
    let subnet = async |name: &str, cidr: &str, zone: &str| {
        let draft = Subnet::new().vpc(Id::existing(vpc.id())).cidr(cidr).zone(zone);
        Id::existing(bench.make(name, draft).await.id())
    };
    [
        subnet("a", "10.0.1.0/24", "eu-central-1a").await,
        subnet("b", "10.0.2.0/24", "eu-central-1b").await,
    ]
}

#[tokio::test]
async fn a_subnet_group() {
    let bench = Bench::new();
    let subnets = subnets(&bench).await;
    let draft = || SubnetGroup::new().subnets([subnets[1].clone(), subnets[0].clone()]);
    let mut group = bench.make("db", draft().tags(map! {"team": "web"})).await;
    assert_eq!(group.owner().await.unwrap(), group.subject.owner);
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
    group.delete().await;
}

#[tokio::test]
async fn a_parameter_group() {
    let bench = Bench::new();
    let draft = || ParameterGroup::new().family("postgres17");
    // More than one call may change.
    let many = (0..25).map(|i| (format!("custom.p{i}"), i.to_string()));
    let many: std::collections::BTreeMap<String, String> = many.collect();
    let mut group = bench.make("db", draft().parameters(many)).await;
    assert_eq!(group.owner().await.unwrap(), group.subject.owner);
    for output in ["name", "arn"] {
        assert_eq!(group.output(output).await, group.predicted(output).unwrap());
    }
    let few = map! {"rds.force_ssl": "1", "work_mem": "8192"};
    let changed = draft().parameters(few).tags(map! {"team": "web"});
    group.subject.inputs = bench.thing("db", changed).subject.inputs;
    // 25 that go, 2 that come, and the tag.
    assert_eq!(group.drift().await.len(), 28);
    group.repair().await;
    group.check_written().await;

    let rds = aws_sdk_rds::Client::new(&outside(&bench).await);
    let shown = rds.describe_db_parameters().db_parameter_group_name(group.id()).source("user");
    let shown = shown.send().await.unwrap().parameters.unwrap();
    let method = |name: &str| {
        let found = shown.iter().find(|p| p.parameter_name() == Some(name)).unwrap();
        found.apply_method().unwrap().as_str().to_owned()
    };
    assert_eq!(method("work_mem"), "immediate");
    assert_eq!(method("rds.force_ssl"), "pending-reboot", "nothing says that it is dynamic");

    group.create().await.unwrap();
    group.check_written().await;
    let mut other = bench.thing("db", draft().parameters(map! {}));
    other.subject.owner.intent = "another".into();
    assert_eq!(other.create().await.unwrap_err().kind, FailureKind::Taken);
    group.delete().await;
}

#[tokio::test]
async fn a_database_server() {
    let bench = Bench::new();
    let subnets = bench.make("db", SubnetGroup::new().subnets(subnets(&bench).await)).await;
    let group = Id::existing(subnets.id());
    let draft = || {
        Instance::new()
            .version("17")
            .class("db.t4g.micro")
            .storage_gb(20)
            .port(15432)
            .subnet_group(group.clone())
            .master_user("shop_master")
    };
    let small = draft()
        .security_groups([Id::existing("sg-00000001")])
        .backup_days(7)
        .auto_minor_upgrades(true)
        .iam_authentication(true)
        .deletion_protection(true);
    let mut server = bench.make("postgres", small.tags(map! {"team": "web"})).await;
    assert_eq!(server.owner().await.unwrap(), server.subject.owner);
    for output in ["name", "arn"] {
        assert_eq!(server.output(output).await, server.predicted(output).unwrap());
    }
    assert_eq!(server.output("host").await, "127.0.0.1");
    assert_eq!(server.output("port").await, "15432");
    let resource = server.output("resource_id").await;
    let users = format!("arn:aws:rds-db:eu-central-1:{}:dbuser:{resource}", bench.account);
    assert_eq!(server.output("users_arn").await, users);

    let protected = server.provider.delete(&bench.binding, &server.subject).await.unwrap_err();
    assert_eq!(protected.kind, FailureKind::Invalid, "{protected}");
    assert!(protected.hint.unwrap().contains("deletion_protection(false)"));

    let changed = draft()
        .security_groups([Id::existing("sg-00000002")])
        .backup_days(14)
        .multi_az(true)
        .iam_authentication(false)
        .deletion_protection(false)
        .tags(map! {"cost": "7"});
    let paths = [
        "multi_az",
        "security_groups[-]",
        "security_groups[+]",
        "iam_authentication",
        "backup_days",
        "deletion_protection",
        "tags.cost",
        "tags.team",
    ];
    server.change(changed, &paths).await;

    let bigger = Instance::new()
        .version("17.6")
        .class("db.t4g.small")
        .storage_gb(30)
        .master_user("shop_master")
        .skip_final_snapshot(true);
    // The emulator keeps the version as it was asked for.
    server.subject.inputs = bench.thing("postgres", bigger).subject.inputs;
    let paths = ["version", "class", "storage_gb", "skip_final_snapshot"];
    assert_eq!(server.drift().await, paths);
    server.repair().await;
    assert_eq!(
        server.drift().await,
        ["skip_final_snapshot"],
        "it is only ever compared with the record"
    );

    server.create().await.unwrap();
    let mut other = bench.thing("postgres", draft());
    other.subject.owner.intent = "another".into();
    let refused = other.create().await.unwrap_err();
    assert_eq!(refused.kind, FailureKind::Taken, "{refused}");
    server.delete().await;
    assert_eq!(snapshots(&bench).await, [] as [String; 0]);
}

#[tokio::test]
async fn deleting_a_server_leaves_a_last_snapshot() {
    let bench = Bench::new();
    let draft = Instance::new().version("17").class("db.t4g.micro").storage_gb(20).master_user("m");
    let mut server = bench.make("postgres", draft).await;
    let seen = server.read().await.unwrap();
    server.subject.outputs = Data::Map(seen.outputs);
    server.delete().await;
    let resource = server.subject.outputs.get("resource_id").unwrap().plain_text().to_lowercase();
    assert_eq!(snapshots(&bench).await, [format!("test-postgres-final-{resource}")]);
}

#[tokio::test]
async fn what_was_changed_from_outside_is_drift() {
    let bench = Bench::new();
    let draft = Instance::new()
        .version("17")
        .class("db.t4g.micro")
        .storage_gb(20)
        .master_user("m")
        // AWS asks for a password then; the emulator doesn't, nor does it manage one.
        .managed_password(false)
        .backup_days(7);
    let server: Thing<'_> = bench.make("postgres", draft).await;
    let rds = aws_sdk_rds::Client::new(&outside(&bench).await);
    let change = rds.modify_db_instance().db_instance_identifier(server.id());
    let change = change.db_instance_class("db.m7g.large").backup_retention_period(0);
    change.apply_immediately(true).send().await.unwrap();
    assert_eq!(server.drift().await, ["class", "backup_days"]);
    server.repair().await;
    server.check_written().await;
    server.delete().await;
}

async fn snapshots(bench: &Bench) -> Vec<String> {
    let rds = aws_sdk_rds::Client::new(&outside(bench).await);
    let all = rds.describe_db_snapshots().send().await.unwrap().db_snapshots.unwrap_or_default();
    all.into_iter().filter_map(|snapshot| snapshot.db_snapshot_identifier).collect()
}
