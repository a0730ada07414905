//! What the emulator lacks of RDS: managed passwords, changes that wait, servers that go slowly.

use crate::{
    replay::{Answer, Replay, ok, refusal},
    support::Thing,
};
use formwork_aws::rds::Instance;
use formwork_engine::{Data, Secret, SecretRef, SecretStore, Secrets, Status};
use futures::future::BoxFuture;
use secrecy::SecretString;

/// As in <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBInstances.html>.
fn described(status: &str, more: &str) -> Answer {
    ok(
        "DescribeDBInstances",
        format!(
            "<DescribeDBInstancesResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\">\
             <DescribeDBInstancesResult><DBInstances><DBInstance>\
             <DBInstanceIdentifier>test-db</DBInstanceIdentifier>\
             <DbiResourceId>db-ABCDEFGHIJKL</DbiResourceId>\
             <DBInstanceArn>arn:aws:rds:eu-central-1:123456789012:db:test-db</DBInstanceArn>\
             <DBInstanceStatus>{status}</DBInstanceStatus><Engine>postgres</Engine>\
             <EngineVersion>17.6</EngineVersion><DBInstanceClass>db.m7g.large</DBInstanceClass>\
             <AllocatedStorage>20</AllocatedStorage><MasterUsername>master</MasterUsername>{more}\
             </DBInstance></DBInstances></DescribeDBInstancesResult></DescribeDBInstancesResponse>"
        ),
    )
}

const ENDPOINT: &str = "<Endpoint><Address>test-db.x.eu-central-1.rds.amazonaws.com</Address>\
    <Port>5432</Port></Endpoint>";

const MANAGED: &str = "<MasterUserSecret>\
    <SecretArn>arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!db-1-AbCdEf</SecretArn>\
    <SecretStatus>active</SecretStatus><KmsKeyId>key</KmsKeyId></MasterUserSecret>";

fn created() -> Answer {
    ok(
        "CreateDBInstance",
        "<CreateDBInstanceResponse><CreateDBInstanceResult><DBInstance/>\
         </CreateDBInstanceResult></CreateDBInstanceResponse>",
    )
}

fn draft() -> impl formwork_engine::Draft {
    Instance::new().version("17").class("db.m7g.large").storage_gb(20).master_user("master")
}

/// One that exists.
fn made<'b>(mut thing: Thing<'b>) -> Thing<'b> {
    thing.subject.id = Some(thing.subject.name.clone());
    thing
}

#[tokio::test]
async fn aws_keeps_the_masters_password_and_we_refer_to_it() {
    let more = format!("{ENDPOINT}{MANAGED}");
    let (bench, replay) =
        Replay::bench([created(), described("creating", MANAGED), described("available", &more)]);
    let mut server = bench.thing("db", draft());
    server.create().await.unwrap();
    let request = replay.only("CreateDBInstance");
    for part in [
        "ManageMasterUserPassword=true",
        "StorageEncrypted=true",
        "StorageType=gp3",
        "PubliclyAccessible=false",
        "CopyTagsToSnapshot=true",
    ] {
        assert!(request.split('&').any(|sent| sent == part), "{part} in {request}");
    }
    assert!(!request.contains("&MasterUserPassword="), "{request}");

    let young = server.read().await.unwrap();
    assert_eq!(young.status, Status::Pending("creating".into()));
    assert_eq!(young.outputs.get("master_secret"), None, "not before it is ready");
    assert_eq!(young.outputs.get("host"), None);
    assert_eq!(young.outputs["resource_id"].plain_text(), "db-ABCDEFGHIJKL");

    let seen = server.read().await.unwrap();
    assert_eq!(seen.fields["managed_password"], Data::Bool(true));
    assert_eq!(seen.fields["version"].plain_text(), "17", "as asked for, whatever the patch");
    let Data::Secret(secret) = &seen.outputs["master_secret"] else { panic!("{seen:?}") };
    let [formwork_engine::SecretPart::Ref(secret)] = secret.parts() else { panic!() };
    assert_eq!(secret.store, "aws.secretsmanager");
    assert_eq!(
        secret.key,
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!db-1-AbCdEf#password"
    );
    assert_eq!(secret.version, "AWSCURRENT");
    let at: Data = serde_json::from_str(&secret.at).unwrap();
    assert_eq!(at, bench.binding, "it says where the secret is");
    replay.done();
}

/// A store that knows one text.
struct Store;

impl SecretStore for Store {
    fn name(&self) -> &'static str {
        "test"
    }
    fn fetch<'a>(
        &'a self,
        _: &'a SecretRef,
    ) -> BoxFuture<'a, Result<SecretString, formwork_engine::Failure>> {
        Box::pin(async { Ok(SecretString::from("hunter2-hunter2")) })
    }
}

#[tokio::test]
async fn a_given_password_is_sent_and_referred_to() {
    let (bench, replay) = Replay::bench([created(), described("available", ENDPOINT)]);
    let mut server = bench.thing("db", draft());
    let secret = Secret::stored(SecretRef {
        store: "test".into(),
        at: String::new(),
        key: "k".into(),
        version: "1".into(),
    });
    let mut inputs = server.subject.inputs.clone().into_map();
    inputs.insert("master_password".into(), Data::Secret(secret.clone()));
    server.subject.inputs = Data::Map(inputs);
    let secrets = Secrets::new(vec![Box::new(Store)]);
    let id = server.provider.create(&bench.binding, &server.subject, &secrets).await.unwrap();
    server.subject.id = Some(id);
    let request = replay.only("CreateDBInstance");
    assert!(request.contains("&MasterUserPassword=hunter2-hunter2"));
    assert!(request.contains("&ManageMasterUserPassword=false"));
    let seen = server.read().await.unwrap();
    assert_eq!(seen.outputs["master_secret"], Data::Secret(secret));
    assert_eq!(seen.fields["managed_password"], Data::Bool(false));
    replay.done();
}

#[tokio::test]
async fn a_change_that_waits_for_the_maintenance_window_counts_as_made() {
    let waiting = "<PendingModifiedValues><DBInstanceClass>db.m7g.xlarge</DBInstanceClass>\
        <AllocatedStorage>40</AllocatedStorage></PendingModifiedValues>";
    let (bench, _) = Replay::bench([described("available", waiting)]);
    let seen = made(bench.thing("db", draft())).read().await.unwrap();
    assert_eq!(seen.fields["class"].plain_text(), "db.m7g.xlarge");
    assert_eq!(seen.fields["storage_gb"].plain_text(), "40");
}

#[tokio::test]
async fn deleting_one_that_is_on_its_way_out_is_a_success() {
    let busy =
        || refusal("DeleteDBInstance", "InvalidDBInstanceState", "it is already being deleted");
    let (bench, replay) =
        Replay::bench([busy(), described("deleting", ""), busy(), described("modifying", "")]);
    let server = made(bench.thing("db", draft()));
    server.provider.delete(&bench.binding, &server.subject).await.unwrap();
    assert!(replay.sent()[0].contains("FinalDBSnapshotIdentifier=test-db-final-intent-db"));
    let failure = server.provider.delete(&bench.binding, &server.subject).await.unwrap_err();
    assert_eq!(failure.kind, formwork_engine::FailureKind::Busy, "{failure}");
    replay.done();
}
