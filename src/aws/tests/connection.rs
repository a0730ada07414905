//! Connecting: whose credentials, what is said where there are none, and how many calls things take.

#![allow(clippy::unwrap_used, reason = "a test that can't go on says so by panicking")]

mod outside;
mod support;

use aws_credential_types::{
    Credentials,
    provider::{self, SharedCredentialsProvider, error::CredentialsError, future},
};
use formwork_aws::{
    Aws, Setup,
    ec2::{Subnet, Vpc},
};
use formwork_engine::{Arn, Failure, FailureKind, Id};
use outside::outside;
use support::{Bench, key};

async fn refused(bench: &Bench, credentials: SharedCredentialsProvider) -> Failure {
    let setup = Setup { credentials: Some(credentials), ..Setup::default() };
    Aws::to(bench.target(), &setup).await.unwrap_err()
}

#[tokio::test]
async fn credentials_of_another_account_are_refused() {
    let bench = Bench::new();
    let failure = refused(&bench, key("999999999999")).await;
    assert_eq!(failure.kind, FailureKind::Denied);
    let expected = format!("and the stack is for account {}", bench.account);
    assert!(
        failure.message.starts_with("the credentials are of account 999999999999"),
        "{failure}"
    );
    assert!(failure.message.ends_with(&expected), "{failure}");
    assert!(failure.hint.unwrap().contains("AWS_PROFILE"));
}

/// A source of credentials that has none, or none that holds.
#[derive(Debug)]
struct NoCredentials(fn() -> CredentialsError);

impl provider::ProvideCredentials for NoCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err((self.0)()))
    }
}

#[tokio::test]
async fn having_no_credentials_is_said_with_the_next_step() {
    let bench = Bench::new();
    let none = NoCredentials(CredentialsError::not_loaded_no_source);
    let failure = refused(&bench, SharedCredentialsProvider::new(none)).await;
    assert_eq!(failure.kind, FailureKind::Denied);
    assert_eq!(failure.message, "no AWS credentials were found");
    assert!(failure.hint.unwrap().contains("aws sso login"));

    let expired = NoCredentials(|| CredentialsError::provider_error("the SSO session has expired"));
    let failure = refused(&bench, SharedCredentialsProvider::new(expired)).await;
    assert_eq!(failure.kind, FailureKind::Denied);
    assert!(failure.message.contains("the SSO session has expired"), "{failure}");
    assert!(failure.hint.unwrap().contains("aws sso login"));
}

/// The emulator checks keys that aren't an account's number.
#[tokio::test]
async fn credentials_that_nobody_knows_are_denied() {
    let bench = Bench::new();
    let stranger = Credentials::new("AKIAIOSFODNN7EXAMPLE", "secret", None, None, "test");
    let failure = refused(&bench, SharedCredentialsProvider::new(stranger)).await;
    assert_eq!(failure.kind, FailureKind::Denied, "{failure}");
    assert!(failure.message.starts_with("STS GetCallerIdentity: "), "{failure}");
    assert!(failure.hint.unwrap().contains("aws sso login"));
}

#[tokio::test]
async fn an_endpoint_where_nobody_listens_is_unreachable() {
    let bench = Bench::new();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut target = bench.target();
    target.endpoint = Some(format!("http://{closed}"));
    let failure = Aws::to(target, &bench.setup()).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable, "{failure}");
    assert_eq!(failure.hint.unwrap(), format!("is anything listening at http://{closed}?"));
}

/// The emulator holds an assumed role to its policies, and this one has none.
#[tokio::test]
async fn a_role_is_assumed_and_what_it_lacks_is_named() {
    let root = Bench::new();
    let iam = aws_sdk_iam::Client::new(&outside(&root).await);
    let trust = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}"#;
    let role = iam.create_role().role_name("deploy").assume_role_policy_document(trust).send();
    let role = role.await.unwrap().role.unwrap().arn;
    let mut target = root.target();
    target.role = Some(Arn::new(role));
    let bench = Bench::with(target, root.setup());
    let failure = bench.thing("net", Vpc::new().cidr("10.0.0.0/16")).create().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Denied, "{failure}");
    assert!(failure.message.starts_with("EC2 CreateVpc: "), "{failure}");
    assert_eq!(failure.hint.unwrap(), "the credentials in use need ec2:CreateVpc, ec2:CreateTags");
}

/// Many resources of a kind are read by one call, and those that lost their tags by one more.
#[tokio::test]
async fn a_refresh_takes_few_calls() {
    let bench = Bench::new();
    let vpc = bench.make("net", Vpc::new().cidr("10.0.0.0/16")).await;
    let mut subjects = vec![];
    for i in 0..5 {
        let draft = Subnet::new().vpc(Id::existing(vpc.id())).zone("eu-central-1a");
        let mut subnet = bench.thing(&format!("s{i}"), draft.cidr(format!("10.0.{i}.0/24")));
        subnet.create().await.unwrap();
        subjects.push(subnet.subject);
    }
    let provider = bench.registry.get("aws.ec2.Subnet").unwrap();
    let reads = || bench.log.counts()[&("EC2", "DescribeSubnets")];
    assert_eq!(provider.list(&bench.binding, &subjects).await.unwrap().len(), 5);
    assert_eq!(reads(), 1);

    // What the tags don't lead to is found by its id.
    for subject in &mut subjects {
        subject.owner.lineage = "another".into();
    }
    assert_eq!(provider.list(&bench.binding, &subjects).await.unwrap().len(), 5);
    assert_eq!(reads(), 1 + 2);
    assert_eq!(bench.log.counts()[&("STS", "GetCallerIdentity")], 1, "one connection per binding");
}
