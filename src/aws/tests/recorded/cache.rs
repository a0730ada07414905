//! What the emulator lacks of ElastiCache: states that last, changes by way of another, passwords.

use crate::{
    replay::{Answer, Replay, ok, refusal},
    support::{Bench, Thing},
};
use formwork_aws::elasticache::{Engine, ReplicationGroup, TransitEncryption};
use formwork_engine::{
    Data, Draft, Failure, FailureKind, Id, Secret, SecretRef, SecretStore, Secrets, Status,
};
use futures::future::BoxFuture;
use secrecy::SecretString;

const ARN: &str = "arn:aws:elasticache:eu-central-1:123456789012:replicationgroup:test-cache";
const MARKED: &str = "formwork test/cache lineage lineage-1 intent intent-cache";

/// As in <https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DescribeReplicationGroups.html>.
fn group(status: &str, more: &str) -> Answer {
    ok(
        "DescribeReplicationGroups",
        format!(
            "<DescribeReplicationGroupsResponse xmlns=\"http://elasticache.amazonaws.com/doc/2015-02-02/\">\
             <DescribeReplicationGroupsResult><ReplicationGroups><ReplicationGroup>\
             <ReplicationGroupId>test-cache</ReplicationGroupId><ARN>{ARN}</ARN>\
             <Description>{MARKED}</Description><Status>{status}</Status><Engine>valkey</Engine>\
             <CacheNodeType>cache.t4g.small</CacheNodeType>\
             <MemberClusters><ClusterId>test-cache-001</ClusterId></MemberClusters>\
             <AutomaticFailover>disabled</AutomaticFailover><MultiAZ>disabled</MultiAZ>\
             <AtRestEncryptionEnabled>true</AtRestEncryptionEnabled>\
             <SnapshotRetentionLimit>0</SnapshotRetentionLimit>{more}\
             </ReplicationGroup></ReplicationGroups></DescribeReplicationGroupsResult>\
             </DescribeReplicationGroupsResponse>"
        ),
    )
}

const ENCRYPTED: &str = "<TransitEncryptionEnabled>true</TransitEncryptionEnabled>";
const EITHER_WAY: &str = "<TransitEncryptionEnabled>true</TransitEncryptionEnabled>\
    <TransitEncryptionMode>preferred</TransitEncryptionMode>";
const PLAIN: &str = "<TransitEncryptionEnabled>false</TransitEncryptionEnabled>";

/// As in <https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DescribeCacheClusters.html>.
fn node(version: &str, security_group: &str) -> Answer {
    ok(
        "DescribeCacheClusters",
        format!(
            "<DescribeCacheClustersResponse xmlns=\"http://elasticache.amazonaws.com/doc/2015-02-02/\">\
             <DescribeCacheClustersResult><CacheClusters><CacheCluster>\
             <CacheClusterId>test-cache-001</CacheClusterId>\
             <ReplicationGroupId>test-cache</ReplicationGroupId>\
             <EngineVersion>{version}</EngineVersion>\
             <PreferredMaintenanceWindow>sun:03:00-sun:04:00</PreferredMaintenanceWindow>\
             <CacheSubnetGroupName>private</CacheSubnetGroupName>\
             <SecurityGroups><member><SecurityGroupId>{security_group}</SecurityGroupId>\
             <Status>active</Status></member></SecurityGroups>\
             </CacheCluster></CacheClusters></DescribeCacheClustersResult>\
             </DescribeCacheClustersResponse>"
        ),
    )
}

fn done(call: &'static str) -> Answer {
    ok(
        call,
        format!(
            "<{call}Response><{call}Result><ReplicationGroup/></{call}Result></{call}Response>"
        ),
    )
}

fn draft(version: &str, security_group: &str) -> impl Draft {
    ReplicationGroup::new()
        .engine(Engine::Valkey)
        .version(version)
        .node_type("cache.t4g.small")
        .subnet_group(Id::existing("private"))
        .security_groups([Id::existing(security_group)])
}

/// One that exists.
fn made<D: Draft>(bench: &Bench, draft: D) -> Thing<'_> {
    let mut thing = bench.thing("cache", draft);
    thing.subject.id = Some(thing.subject.name.clone());
    thing
}

async fn change(cache: &Thing<'_>, fields: &[&str]) -> Result<(), Failure> {
    cache.update(&fields.iter().map(|field| (*field).to_owned()).collect::<Vec<_>>()).await
}

fn has(request: &str, parts: &[&str]) {
    for part in parts {
        assert!(request.split('&').any(|sent| sent == *part), "{part} in {request}");
    }
}

#[tokio::test]
async fn one_that_is_being_made_is_known_by_its_description_and_its_tags_are_not_asked_for() {
    let taken = refusal("CreateReplicationGroup", "ReplicationGroupAlreadyExists", "it exists");
    let young = || [group("creating", PLAIN), node("8.1.0", "sg-1")];
    let (bench, replay) = Replay::bench(
        [done("CreateReplicationGroup"), taken].into_iter().chain(young()).chain(young()),
    );
    let draft = ReplicationGroup::new()
        .engine(Engine::Valkey)
        .version("8.1")
        .node_type("cache.t4g.small")
        .replicas(2)
        .subnet_group(Id::existing("private"))
        .security_groups([Id::existing("sg-1")])
        .port(6380);
    let mut cache = bench.thing("cache", draft);
    cache.create().await.unwrap();
    has(
        &replay.only("CreateReplicationGroup"),
        &[
            "NumCacheClusters=3",
            "AutomaticFailoverEnabled=true",
            "MultiAZEnabled=true",
            "TransitEncryptionEnabled=true",
            "AtRestEncryptionEnabled=true",
            "CacheSubnetGroupName=private",
            "SecurityGroupIds.SecurityGroupId.1=sg-1",
            "Port=6380",
            &format!(
                "ReplicationGroupDescription={}",
                MARKED.replace(' ', "%20").replace('/', "%2F")
            ),
        ],
    );
    // Cut off, and tried again by the same intent.
    cache.create().await.unwrap();
    let seen = cache.read().await.unwrap();
    assert_eq!(seen.status, Status::Pending("creating".into()));
    assert_eq!(seen.owner.as_ref(), Some(&cache.subject.owner));
    assert_eq!(seen.fields["version"].plain_text(), "8.1", "as precise as it was asked for");
    for untold in ["tags", "port"] {
        assert_eq!(seen.fields.get(untold), None, "{untold}");
    }
    assert_eq!(seen.outputs.get("host"), None, "not before it is ready");
    replay.done();
}

#[tokio::test]
async fn settings_change_at_once_and_in_one_call() {
    let (bench, replay) = Replay::bench([
        group("modifying", ENCRYPTED),
        node("8.0.1", "sg-1"),
        group("available", ENCRYPTED),
        node("8.0.1", "sg-1"),
        done("ModifyReplicationGroup"),
        group("modifying", ENCRYPTED),
        node("8.1.0", "sg-2"),
    ]);
    let cache = made(&bench, draft("8.1", "sg-2"));
    let fields = ["version", "security_groups", "node_type"];
    let busy = change(&cache, &fields).await.unwrap_err();
    assert_eq!(busy.kind, FailureKind::Busy, "{busy}");
    change(&cache, &fields).await.unwrap();
    let request = replay.only("ModifyReplicationGroup");
    let parts =
        ["EngineVersion=8.1", "SecurityGroupIds.SecurityGroupId.1=sg-2", "ApplyImmediately=true"];
    has(&request, &parts);
    assert!(!request.contains("CacheNodeType"), "it is what it should be: {request}");
    change(&cache, &fields).await.unwrap();
    replay.done();
}

#[tokio::test]
async fn encryption_comes_by_way_of_preferred() {
    let (bench, replay) = Replay::bench([
        group("available", PLAIN),
        node("8.1.0", "sg-1"),
        done("ModifyReplicationGroup"),
        group("available", EITHER_WAY),
        node("8.1.0", "sg-1"),
        done("ModifyReplicationGroup"),
    ]);
    let cache = made(&bench, draft("8.1", "sg-1"));
    let busy = change(&cache, &["transit_encryption"]).await.unwrap_err();
    assert_eq!(busy.kind, FailureKind::Busy, "{busy}");
    change(&cache, &["transit_encryption"]).await.unwrap();
    let sent = replay.sent();
    let sent: Vec<_> = sent.iter().filter(|body| body.contains("=ModifyRep")).collect();
    has(sent[0], &["TransitEncryptionEnabled=true", "TransitEncryptionMode=preferred"]);
    has(sent[1], &["TransitEncryptionEnabled=true", "TransitEncryptionMode=required"]);
    replay.done();
}

#[tokio::test]
async fn what_is_encrypted_either_way_reads_as_that() {
    let tags = "<ListTagsForResourceResponse><ListTagsForResourceResult><TagList/>\
        </ListTagsForResourceResult></ListTagsForResourceResponse>";
    let (bench, _) = Replay::bench([
        group("available", EITHER_WAY),
        node("8.1.0", "sg-1"),
        ok("ListTagsForResource", tags),
        group("snapshotting", ENCRYPTED),
        node("8.1.0", "sg-1"),
    ]);
    let cache = made(&bench, draft("8.1", "sg-1"));
    let word = |mode: TransitEncryption| Data::Text(mode.as_str().into());
    let seen = cache.read().await.unwrap();
    assert_eq!(seen.fields["transit_encryption"], word(TransitEncryption::Preferred));
    let seen = cache.read().await.unwrap();
    assert_eq!(seen.fields["transit_encryption"], word(TransitEncryption::Required));
    assert_eq!(seen.status, Status::Ready, "a snapshot keeps nobody from using it");
}

/// A store that knows one text.
struct Store;

impl SecretStore for Store {
    fn name(&self) -> &'static str {
        "test"
    }
    fn fetch<'a>(&'a self, _: &'a SecretRef) -> BoxFuture<'a, Result<SecretString, Failure>> {
        Box::pin(async { Ok(SecretString::from("hunter2-hunter2-hunter2")) })
    }
}

#[tokio::test]
async fn a_password_is_revealed_at_the_call_only() {
    let has_one = "<AuthTokenEnabled>true</AuthTokenEnabled>";
    let (bench, replay) = Replay::bench([
        done("CreateReplicationGroup"),
        group("available", has_one),
        node("8.1.0", "sg-1"),
        done("ModifyReplicationGroup"),
        group("available", ""),
        node("8.1.0", "sg-1"),
    ]);
    let mut cache = made(&bench, draft("8.1", "sg-1"));
    let secret = Secret::stored(SecretRef {
        store: "test".into(),
        at: String::new(),
        key: "k".into(),
        version: "1".into(),
    });
    let mut inputs = cache.subject.inputs.clone().into_map();
    inputs.insert("auth_token".into(), Data::Secret(secret));
    cache.subject.inputs = Data::Map(inputs);
    let secrets = Secrets::new(vec![Box::new(Store)]);
    let (binding, subject) = (&bench.binding, &cache.subject);
    cache.provider.create(binding, subject, &secrets).await.unwrap();
    has(&replay.only("CreateReplicationGroup"), &["AuthToken=hunter2-hunter2-hunter2"]);
    let fields = ["auth_token".to_owned()];
    cache.provider.update(binding, subject, &fields, &secrets).await.unwrap();
    let rotated = ["AuthToken=hunter2-hunter2-hunter2", "AuthTokenUpdateStrategy=ROTATE"];
    has(&replay.only("ModifyReplicationGroup"), &rotated);
    let refused = cache.provider.update(binding, subject, &fields, &secrets).await.unwrap_err();
    assert_eq!(refused.kind, FailureKind::Invalid, "it was made without one: {refused}");
    assert!(refused.hint.is_some());
    replay.done();
}

#[tokio::test]
async fn deleting_takes_the_snapshot_and_one_on_its_way_out_is_a_success() {
    let busy =
        || refusal("DeleteReplicationGroup", "InvalidReplicationGroupState", "not available");
    let (bench, replay) = Replay::bench([
        done("DeleteReplicationGroup"),
        busy(),
        group("deleting", ""),
        busy(),
        group("modifying", ""),
    ]);
    let draft = ReplicationGroup::new()
        .engine(Engine::Valkey)
        .version("8.1")
        .node_type("cache.t4g.small")
        .subnet_group(Id::existing("private"))
        .security_groups([Id::existing("sg-1")])
        .final_snapshot("last");
    let cache = made(&bench, draft);
    let delete = || cache.provider.delete(&bench.binding, &cache.subject);
    delete().await.unwrap();
    has(&replay.sent()[0], &["FinalSnapshotIdentifier=last"]);
    delete().await.unwrap();
    assert_eq!(delete().await.unwrap_err().kind, FailureKind::Busy);
    replay.done();
}
