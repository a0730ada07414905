//! Clusters and node groups: Auto Mode, and every update; the emulator has none of the update calls.
//!
//! <https://docs.aws.amazon.com/eks/latest/APIReference/API_Operations.html>

use crate::{
    replay::{ACCOUNT, Answer, Replay, ok},
    support::{Bench, Thing},
};
use formwork_aws::{
    ec2::Subnet,
    eks::{AutoMode, Cluster, LogKind, NodeGroup, Support, Taint, TaintEffect},
};
use formwork_engine::{Arn, Data, FailureKind, Id, Status, map};
use serde_json::{Value as Json, json};

const READ: &str = "GET /clusters/test-main";
const CREATE: &str = "POST /clusters";
const CONFIGURE: &str = "POST /clusters/test-main/update-config";
const UPGRADE: &str = "POST /clusters/test-main/updates";

fn role() -> Arn {
    Arn::new(format!("arn:aws:iam::{ACCOUNT}:role/cluster"))
}

/// A cluster in the shape of the example of `DescribeCluster`, with some of it said otherwise.
fn described(other: Json) -> Json {
    let mut cluster = json!({
        "name": "test-main",
        "arn": format!("arn:aws:eks:eu-central-1:{ACCOUNT}:cluster/test-main"),
        "version": "1.33",
        "endpoint": "https://A0DCCD80A04F01705DD065655C30CC3D.gr7.eu-central-1.eks.amazonaws.com",
        "roleArn": role().as_str(),
        "resourcesVpcConfig": {
            "subnetIds": ["subnet-0b", "subnet-0a"],
            "securityGroupIds": [],
            "clusterSecurityGroupId": "sg-0c",
            "vpcId": "vpc-0a",
            "endpointPublicAccess": true,
            "endpointPrivateAccess": false,
            "publicAccessCidrs": ["0.0.0.0/0"],
        },
        "kubernetesNetworkConfig": {"serviceIpv4Cidr": "10.100.0.0/16", "ipFamily": "ipv4"},
        "logging": {"clusterLogging": [{
            "types": ["api", "audit", "authenticator", "controllerManager", "scheduler"],
            "enabled": false,
        }]},
        "identity": {"oidc": {"issuer": "https://oidc.eks.eu-central-1.amazonaws.com/id/A0"}},
        "status": "ACTIVE",
        "certificateAuthority": {"data": "Y2E="},
        "upgradePolicy": {"supportType": "EXTENDED"},
        "deletionProtection": false,
        "computeConfig": {"enabled": false, "nodePools": []},
        "tags": {
            "formwork:lineage": "lineage-1",
            "formwork:address": "test/main",
            "formwork:intent": "intent-main",
            "Name": "test-main",
        },
    });
    cluster.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    cluster
}

fn read(other: Json) -> Answer {
    ok(READ, json!({"cluster": described(other)}).to_string())
}

fn updating(call: &'static str) -> Answer {
    ok(call, json!({"update": {"id": "u", "status": "InProgress"}}).to_string())
}

/// A draft of that cluster: a macro, since each field that is set makes another type.
macro_rules! draft {
    ($version:literal) => {
        Cluster::new().version($version).role(role()).subnets(subnets())
    };
}

fn subnets() -> [Id<Subnet>; 2] {
    [Id::existing("subnet-0a"), Id::existing("subnet-0b")]
}

fn made<'b>(mut thing: Thing<'b>, id: &str) -> Thing<'b> {
    thing.subject.id = Some(id.to_owned());
    thing
}

/// The JSON body of the only request of a call.
fn body(replay: &Replay, call: &str) -> Json {
    serde_json::from_str(replay.only(call).split_once('\n').unwrap().1).unwrap()
}

#[tokio::test]
async fn auto_mode_is_three_capabilities_turned_on_at_once() {
    let auto = json!({"computeConfig": {
        "enabled": true,
        "nodePools": ["system", "general-purpose"],
        "nodeRoleArn": format!("arn:aws:iam::{ACCOUNT}:role/node"),
    }});
    let (bench, replay) = Replay::bench([ok(CREATE, "{}"), read(auto)]);
    let auto = AutoMode::new()
        .enabled(true)
        .node_pools(["general-purpose", "system"])
        .node_role(Arn::new(format!("arn:aws:iam::{ACCOUNT}:role/node")));
    let mut cluster = bench.thing("main", draft!("1.33").auto_mode(auto));
    cluster.create().await.unwrap();
    let sent = body(&replay, CREATE);
    assert_eq!(sent["computeConfig"]["nodePools"], json!(["general-purpose", "system"]));
    assert_eq!(sent["computeConfig"]["enabled"], true);
    assert_eq!(sent["storageConfig"]["blockStorage"]["enabled"], true);
    assert_eq!(sent["kubernetesNetworkConfig"]["elasticLoadBalancing"]["enabled"], true);
    assert_eq!(sent["bootstrapSelfManagedAddons"], false);
    assert_eq!(sent["accessConfig"]["authenticationMode"], "API");
    assert_eq!(sent["clientRequestToken"], "intent-main");
    assert_eq!(sent["tags"]["formwork:lineage"], "lineage-1");
    let (seen, differences) = cluster.look().await;
    assert_eq!(differences, Vec::<String>::new());
    assert_eq!(seen.outputs["security_group"], Data::Text("sg-0c".into()));
    assert_eq!(seen.outputs["certificate_authority"], Data::Text("Y2E=".into()));
    assert_eq!(seen.owner.unwrap(), cluster.subject.owner);
    replay.done();
}

/// While it is being made, what isn't ready isn't told, and what was predicted is.
#[tokio::test]
async fn a_cluster_that_is_being_made_has_no_endpoint_yet() {
    let creating = json!({"status": "CREATING", "endpoint": null, "identity": null});
    let (bench, _) = Replay::bench([read(creating)]);
    let cluster = made(bench.thing("main", draft!("1.33")), "test-main").read().await.unwrap();
    assert_eq!(cluster.status, Status::Pending("CREATING".into()));
    assert_eq!(cluster.outputs.keys().collect::<Vec<_>>(), ["arn", "name"]);
}

/// EKS takes one kind of change at a time: the first is sent, and the cluster is busy until the last.
#[tokio::test]
async fn changes_of_a_cluster_are_made_one_after_the_other() {
    let private = json!({"resourcesVpcConfig": {
        "subnetIds": ["subnet-0a", "subnet-0b"], "securityGroupIds": [],
        "endpointPublicAccess": false, "endpointPrivateAccess": true,
    }});
    let mut at_work = private.clone();
    at_work["status"] = json!("UPDATING");
    let mut logs = private.clone();
    logs["logging"] = json!({"clusterLogging": [{"types": ["audit"], "enabled": true}]});
    let mut upgraded = logs.clone();
    upgraded["version"] = json!("1.34");
    let (bench, replay) = Replay::bench([
        read(json!({})),
        updating(CONFIGURE),
        read(at_work),
        read(private),
        updating(CONFIGURE),
        read(logs),
        updating(UPGRADE),
        read(upgraded),
    ]);
    let want =
        draft!("1.34").public_endpoint(false).private_endpoint(true).logging([LogKind::Audit]);
    let cluster = made(bench.thing("main", want), "test-main");
    let fields = ["version", "public_endpoint", "private_endpoint", "logging"].map(str::to_owned);
    for left in ["2 more are left", "is being updated", "1 more are left"] {
        let busy = cluster.update(&fields).await.unwrap_err();
        assert_eq!(busy.kind, FailureKind::Busy, "{busy}");
        assert!(busy.message.contains(left), "{busy}");
    }
    cluster.update(&fields).await.unwrap();
    // Asked again when all is done, it has nothing to say.
    cluster.update(&fields).await.unwrap();

    let bodies: Vec<Json> = replay
        .sent()
        .iter()
        .filter(|sent| sent.starts_with("POST"))
        .map(|sent| serde_json::from_str(sent.split_once('\n').unwrap().1).unwrap())
        .map(|mut body: Json| {
            // The SDK's own, made anew for each request.
            body.as_object_mut().unwrap().remove("clientRequestToken");
            body
        })
        .collect();
    assert_eq!(
        bodies,
        [
            json!({"resourcesVpcConfig": {
                "endpointPublicAccess": false, "endpointPrivateAccess": true,
            }}),
            json!({"logging": {"clusterLogging": [
                {"types": ["audit"], "enabled": true},
                {"types": ["api", "authenticator", "controllerManager", "scheduler"], "enabled": false},
            ]}}),
            json!({"version": "1.34"}),
        ]
    );
    replay.done();
}

#[tokio::test]
async fn every_other_change_of_a_cluster_has_its_call() {
    let configured = async |field: &str, want: Thing<'_>, replay: &Replay| -> Json {
        made(want, "test-main").update(&[field.to_owned()]).await.unwrap();
        let mut body = body(replay, CONFIGURE);
        body.as_object_mut().unwrap().remove("clientRequestToken");
        replay.done();
        body
    };
    let start = || Replay::bench([read(json!({})), updating(CONFIGURE)]);

    let (bench, replay) = start();
    let want = bench.thing("main", draft!("1.33").deletion_protection(true));
    let sent = configured("deletion_protection", want, &replay).await;
    assert_eq!(sent, json!({"deletionProtection": true}));

    let (bench, replay) = start();
    let want = bench.thing("main", draft!("1.33").support(Support::Standard));
    let sent = configured("support", want, &replay).await;
    assert_eq!(sent, json!({"upgradePolicy": {"supportType": "STANDARD"}}));

    let (bench, replay) = start();
    let want = draft!("1.33").security_groups([Id::existing("sg-0d")]);
    let sent = configured("security_groups", bench.thing("main", want), &replay).await;
    let vpc = json!({"subnetIds": ["subnet-0a", "subnet-0b"], "securityGroupIds": ["sg-0d"]});
    assert_eq!(sent, json!({"resourcesVpcConfig": vpc}));

    let (bench, replay) = start();
    let want = draft!("1.33").auto_mode(AutoMode::new().enabled(true).node_pools(["system"]));
    let sent = configured("auto_mode", bench.thing("main", want), &replay).await;
    assert_eq!(
        sent,
        json!({
            "computeConfig": {"enabled": true, "nodePools": ["system"]},
            "kubernetesNetworkConfig": {"elasticLoadBalancing": {"enabled": true}},
            "storageConfig": {"blockStorage": {"enabled": true}},
        })
    );
}

const READ_NODES: &str = "GET /clusters/main/node-groups/test-nodes";
const CONFIGURE_NODES: &str = "POST /clusters/main/node-groups/test-nodes/update-config";
const UPGRADE_NODES: &str = "POST /clusters/main/node-groups/test-nodes/update-version";

/// A node group in the shape of the example of `DescribeNodegroup`.
fn nodes(status: &str, version: &str, desired: u32) -> Answer {
    let group = json!({
        "nodegroupName": "test-nodes",
        "nodegroupArn": format!("arn:aws:eks:eu-central-1:{ACCOUNT}:nodegroup/main/test-nodes/0"),
        "clusterName": "main",
        "version": version,
        "status": status,
        "scalingConfig": {"minSize": 1, "maxSize": 4, "desiredSize": desired},
        "labels": {"pool": "main", "old": "1"},
        "taints": [{"key": "only", "value": "web", "effect": "NO_SCHEDULE"}],
        "updateConfig": {"maxUnavailable": 1},
        "health": {"issues": []},
    });
    ok(READ_NODES, json!({"nodegroup": group}).to_string())
}

fn node_group<'b>(bench: &'b Bench, version: &str) -> Thing<'b> {
    let draft = NodeGroup::new()
        .cluster(Id::existing("main"))
        .role(role())
        .subnets([Id::<Subnet>::existing("subnet-0a")])
        .min_size(2)
        .max_size(3)
        .version(version.to_owned())
        .labels(map! {"pool": "main", "new": "1"})
        .taints([Taint::new().key("only").value("jobs").effect(TaintEffect::NoSchedule)]);
    made(bench.thing("nodes", draft), "main/test-nodes")
}

#[tokio::test]
async fn a_node_group_is_scaled_and_labelled_in_one_call_and_upgraded_in_another() {
    let (bench, replay) = Replay::bench([
        nodes("ACTIVE", "1.33", 4),
        updating(CONFIGURE_NODES),
        nodes("UPDATING", "1.33", 3),
    ]);
    let group = node_group(&bench, "1.34");
    let fields = ["min_size", "max_size", "labels", "taints", "version"].map(str::to_owned);
    for reason in ["new version to come", "is being updated"] {
        let busy = group.update(&fields).await.unwrap_err();
        assert_eq!(busy.kind, FailureKind::Busy, "{busy}");
        assert!(busy.message.contains(reason), "{busy}");
    }
    let mut sent = body(&replay, CONFIGURE_NODES);
    sent.as_object_mut().unwrap().remove("clientRequestToken");
    assert_eq!(
        sent,
        json!({
            // Four machines are there, left to whoever scales; the new bounds allow three.
            "scalingConfig": {"minSize": 2, "maxSize": 3, "desiredSize": 3},
            "labels": {
                "addOrUpdateLabels": {"pool": "main", "new": "1"},
                "removeLabels": ["old"],
            },
            "taints": {
                "addOrUpdateTaints": [{"key": "only", "value": "jobs", "effect": "NO_SCHEDULE"}],
                "removeTaints": [],
            },
        })
    );
    replay.done();
}

#[tokio::test]
async fn a_node_group_is_upgraded() {
    let (bench, replay) = Replay::bench([nodes("ACTIVE", "1.33", 2), updating(UPGRADE_NODES)]);
    node_group(&bench, "1.34").update(&["version".to_owned()]).await.unwrap();
    assert_eq!(body(&replay, UPGRADE_NODES)["version"], "1.34");
    replay.done();
}

/// Tags put on later don't show in the emulator's description of a cluster.
#[tokio::test]
async fn tags_of_a_cluster_are_set_and_taken_away_by_its_arn() {
    const TAGS: &str =
        "GET /tags/arn%3Aaws%3Aeks%3Aeu-central-1%3A123456789012%3Acluster%2Ftest-main";
    const SET: &str =
        "POST /tags/arn%3Aaws%3Aeks%3Aeu-central-1%3A123456789012%3Acluster%2Ftest-main";
    const REMOVE: &str = "DELETE /tags/arn%3Aaws%3Aeks%3Aeu-central-1%3A123456789012%3Acluster%2Ftest-main?tagKeys=old";
    let now =
        json!({"tags": {"formwork:intent": "i", "Name": "test-main", "old": "1", "team": "web"}});
    let (bench, replay) = Replay::bench([
        ok(TAGS, now.to_string()),
        ok(SET, "{}"),
        ok(REMOVE, "{}"),
        // Its configuration is looked at, and left as it is.
        read(json!({})),
    ]);
    let want = draft!("1.33").tags(map! {"team": "web", "cost": "7"});
    let mut cluster = made(bench.thing("main", want), "test-main");
    let arn = format!("arn:aws:eks:eu-central-1:{ACCOUNT}:cluster/test-main");
    cluster.subject.outputs = Data::Map([("arn".to_owned(), Data::Text(arn))].into());
    cluster.update(&["tags".to_owned()]).await.unwrap();
    assert_eq!(body(&replay, SET), json!({"tags": {"cost": "7"}}));
    replay.done();
}
