//! The life of each EKS resource, in the emulator; what it lacks is in `recorded/cluster.rs`.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod outside;
mod support;

use formwork_aws::eks::{
    AccessEntry, AccessPolicy, Addon, Capacity, Cluster, Conflicts, LogKind, NodeGroup,
    PodIdentityAssociation, Taint, TaintEffect, cluster_token,
};
use formwork_engine::{Arn, FailureKind, Id, list, map};
use outside::outside;
use secrecy::ExposeSecret as _;
use serde_json::json;
use support::{Bench, REGION, Thing, key};

/// A role that the emulator knows: it checks that there is one.
async fn role(bench: &Bench, name: &str) -> Arn {
    let iam = aws_sdk_iam::Client::new(&outside(bench).await);
    let trust = r#"{"Version":"2012-10-17","Statement":[]}"#;
    let made = iam.create_role().role_name(name).assume_role_policy_document(trust).send().await;
    Arn::new(made.unwrap().role.unwrap().arn)
}

fn subnets() -> [Id<formwork_aws::ec2::Subnet>; 2] {
    [Id::existing("subnet-0a"), Id::existing("subnet-0b")]
}

async fn cluster(bench: &Bench) -> Thing<'_> {
    let draft = Cluster::new().version("1.34").role(role(bench, "cluster").await);
    bench.make("main", draft.subnets(subnets())).await
}

#[tokio::test]
async fn a_cluster() {
    let bench = Bench::new();
    let draft = Cluster::new()
        .version("1.34")
        .role(role(&bench, "cluster").await)
        .subnets(subnets())
        .security_groups([Id::existing("sg-0a")])
        .private_endpoint(true)
        .public_cidrs(["203.0.113.0/24"])
        .service_cidr("172.20.0.0/16")
        .logging([LogKind::Audit, LogKind::Api])
        .tags(map! {"team": "web"});
    let cluster = bench.make("main", draft).await;
    assert_eq!(cluster.owner().await.unwrap(), cluster.subject.owner);
    assert_eq!(cluster.id(), "test-main");
    for predicted in ["name", "arn"] {
        assert_eq!(cluster.output(predicted).await, cluster.predicted(predicted).unwrap());
    }
    assert!(cluster.output("endpoint").await.starts_with("https://"));
    assert!(cluster.output("issuer").await.contains("/id/"));

    let again = bench.again(&cluster).create().await.unwrap_err();
    assert_eq!(again.kind, FailureKind::Taken, "{again}");
    cluster.delete().await;
}

#[tokio::test]
async fn a_node_group() {
    let bench = Bench::new();
    let cluster = cluster(&bench).await;
    let draft = NodeGroup::new()
        .cluster(Id::existing(cluster.id()))
        .role(role(&bench, "node").await)
        .subnets(subnets())
        .instance_types(["m7g.large"])
        .min_size(1)
        .max_size(4)
        .capacity(Capacity::Spot)
        .image("AL2023_ARM_64_STANDARD")
        .disk_size(50)
        .labels(map! {"pool": "main"})
        .taints([Taint::new().key("only").value("web").effect(TaintEffect::NoSchedule)]);
    let group = bench.make("nodes", draft).await;
    assert_eq!(group.owner().await.unwrap(), group.subject.owner);
    assert_eq!(group.read().await.unwrap().fields["desired_size"].plain_text(), "1");
    assert_eq!(group.output("name").await, group.predicted("name").unwrap());
    group.delete().await;
}

#[tokio::test]
async fn an_addon() {
    let bench = Bench::new();
    let cluster = cluster(&bench).await;
    let draft = || Addon::new().cluster(Id::existing(cluster.id())).name("vpc-cni");
    let first = draft().version("v1.19.0-eksbuild.1").conflicts(Conflicts::Overwrite);
    let mut addon = bench.thing("cni", first.configuration(json!({"env": {"A": "1"}})));
    addon.create().await.unwrap();
    addon.check_written_but(&["conflicts"]).await;
    assert_eq!(addon.owner().await.unwrap(), addon.subject.owner);
    assert_eq!(addon.output("version").await, "v1.19.0-eksbuild.1");
    let changed = draft().version("v1.20.0-eksbuild.1").configuration(json!({"env": {"A": "2"}}));
    addon.change(changed, &["version", "configuration.env.A"]).await;
    addon.delete().await;
}

#[tokio::test]
async fn an_access_entry() {
    let bench = Bench::new();
    let cluster = cluster(&bench).await;
    let principal = role(&bench, "deployer").await;
    let draft =
        || AccessEntry::new().cluster(Id::existing(cluster.id())).principal(principal.clone());
    let policy = |name: &str| AccessPolicy::new().policy(name.to_owned());
    let (admin, view) = ("AmazonEKSClusterAdminPolicy", "AmazonEKSViewPolicy");

    let first = draft().groups(["deployers"]).policies([policy(admin), policy(view)]);
    let mut entry = bench.make("deployer", first).await;
    assert_eq!(entry.owner().await.unwrap(), entry.subject.owner);
    // One policy goes, the other is narrowed to a namespace.
    let changed = draft().groups(["a", "b"]).policies([policy(view).namespaces(["web"])]);
    let paths =
        ["groups[-]", "groups[+]", "groups[+]", "policies[-]", "policies[-]", "policies[+]"];
    entry.change(changed, &paths).await;
    // The whole cluster is wider than the namespace, and seen as a difference.
    entry.change(draft().policies([policy(view)]), &["policies[-]", "policies[+]"]).await;
    entry.delete().await;
}

#[tokio::test]
async fn a_pod_identity_association() {
    let bench = Bench::new();
    let cluster = cluster(&bench).await;
    let (one, two) = (role(&bench, "one").await, role(&bench, "two").await);
    let draft = || {
        PodIdentityAssociation::new()
            .cluster(Id::existing(cluster.id()))
            .namespace("web")
            .service_account("server")
    };
    let mut association = bench.make("server", draft().role(one)).await;
    assert_eq!(association.owner().await.unwrap(), association.subject.owner);
    association.change(draft().role(two), &["role"]).await;

    // By key: without its id it is found by its service account, and a second one is refused.
    let mut again = bench.again(&association);
    again.subject.id = None;
    assert_eq!(again.read().await.unwrap().id, association.id());
    let refused = again.create().await.unwrap_err();
    assert_eq!(refused.kind, FailureKind::Taken, "{refused}");
    association.delete().await;
}

/// STS itself accepts the token's question, and not with another cluster's name.
#[tokio::test]
async fn a_token_is_accepted_by_sts() {
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
    let bench = Bench::new();
    let endpoint = bench.target().endpoint.unwrap();
    let token = cluster_token(REGION, "main", Some(&endpoint), &key(&bench.account)).await.unwrap();
    let url = token.text.expose_secret().strip_prefix("k8s-aws-v1.").unwrap().to_owned();
    let url = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(url).unwrap()).unwrap();
    let answer = tokio::task::spawn_blocking(move || {
        ureq::get(&url).header("x-k8s-aws-id", "main").call().unwrap().body_mut().read_to_string()
    });
    let answer = answer.await.unwrap().unwrap();
    assert!(answer.contains(&format!("<Account>{}</Account>", bench.account)), "{answer}");
}

#[tokio::test]
async fn what_is_not_there_reads_as_absent() {
    let bench = Bench::new();
    let entry = AccessEntry::new()
        .cluster(Id::existing("none"))
        .principal(Arn::new("arn:aws:iam::1:role/a"));
    let entry = bench.thing("entry", entry.policies(list![]));
    assert_eq!(entry.read().await, None);
    let addon = bench.thing("addon", Addon::new().cluster(Id::existing("none")).name("coredns"));
    assert_eq!(addon.read().await, None);
}
