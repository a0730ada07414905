//! The life of each IAM resource, in the emulator.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod outside;
mod support;

use formwork_aws::iam::{Condition, GITHUB_ISSUER, Grant, OidcProvider, Role, Trust};
use formwork_engine::{Arn, FailureKind, Status, list, map};
use outside::outside;
use support::Bench;

const READ_ONLY: &str = "arn:aws:iam::aws:policy/ReadOnlyAccess";
const VIEW_ONLY: &str = "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess";

fn pull() -> formwork_engine::Value<Grant> {
    Grant::allow(["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], "arn:aws:ecr:::repository/a")
}

#[tokio::test]
async fn a_role() {
    let bench = Bench::new();
    let draft = || Role::new().assumed_by([Trust::pods()]);
    let mut role = bench
        .make(
            "app",
            draft()
                .grants([pull()])
                .managed_policies([Arn::new(READ_ONLY)])
                .description("the app")
                .max_session_seconds(7200)
                .tags(map! {"team": "web"}),
        )
        .await;
    assert_eq!(role.owner().await.unwrap(), role.subject.owner);
    assert_eq!(role.id(), "test-app");
    let arn = format!("arn:aws:iam::{}:role/test-app", bench.account);
    assert_eq!(role.output("arn").await, arn);
    assert_eq!(role.predicted("arn").unwrap(), arn);
    assert_eq!(role.predicted("name").unwrap(), role.output("name").await);

    let limited = Condition::equals("aws:SourceAccount", [&bench.account]);
    let secret = Grant::new()
        .sid("Read")
        .actions(["secretsmanager:GetSecretValue"])
        .resources(["arn:aws:secretsmanager:::secret:a", "arn:aws:secretsmanager:::secret:b"])
        .conditions([limited]);
    let changed = Role::new()
        .assumed_by(list![Trust::service("ec2.amazonaws.com"), Trust::account("999999999999")])
        .grants(list![secret, pull()])
        .managed_policies([Arn::new(VIEW_ONLY)])
        .max_session_seconds(3600)
        .description("the server");
    let paths = [
        "assumed_by[-]",
        "assumed_by[+]",
        "assumed_by[+]",
        "grants[+]",
        "managed_policies[-]",
        "managed_policies[+]",
        "max_session_seconds",
        "description",
    ];
    role.change(changed, &paths).await;
    assert_eq!(role.owner().await.unwrap(), role.subject.owner, "its marks stay");

    role.change(
        Role::new().assumed_by([Trust::pods()]),
        &[
            "assumed_by[-]",
            "assumed_by[-]",
            "assumed_by[+]",
            "grants[-]",
            "grants[-]",
            "managed_policies[-]",
        ],
    )
    .await;
    role.delete().await;
}

#[tokio::test]
async fn a_path_is_part_of_a_roles_arn() {
    let bench = Bench::new();
    let role = bench.make("ci", Role::new().assumed_by([Trust::pods()]).path("/ci/")).await;
    assert_eq!(role.predicted("arn").unwrap(), role.output("arn").await);
    assert!(role.output("arn").await.ends_with("role/ci/test-ci"));
    role.delete().await;
}

#[tokio::test]
async fn a_boundary_that_went_away_is_drift() {
    let bench = Bench::new();
    let draft =
        || Role::new().assumed_by([Trust::pods()]).permissions_boundary(Arn::new(READ_ONLY));
    let role = bench.make("app", draft()).await;
    let outside = bench.thing("app", Role::new().assumed_by([Trust::pods()]));
    let outside = support::Thing { subject: role.subject.clone(), ..outside };
    let mut without = outside.subject.inputs.clone().into_map();
    without.remove("permissions_boundary");
    let without = formwork_engine::Data::Map(without);
    let subject = formwork_engine::Subject { inputs: without, ..outside.subject.clone() };
    let outside = support::Thing { subject, ..outside };
    outside.update(&["permissions_boundary".into()]).await.unwrap();
    assert_eq!(role.drift().await, ["permissions_boundary"]);
    role.repair().await;
    role.check_written().await;
    role.delete().await;
}

#[tokio::test]
async fn policies_put_on_a_role_from_outside_are_drift_and_are_taken_off() {
    let bench = Bench::new();
    let role = bench.make("app", Role::new().assumed_by([Trust::pods()]).grants([pull()])).await;
    let iam = aws_sdk_iam::Client::new(&outside(&bench).await);
    let admin =
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    let put = iam.put_role_policy().role_name(role.id()).policy_name("admin");
    put.policy_document(admin).send().await.unwrap();
    let attach = iam.attach_role_policy().role_name(role.id()).policy_arn(READ_ONLY);
    attach.send().await.unwrap();
    let deny = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole"}}"#;
    let trust = iam.update_assume_role_policy().role_name(role.id()).policy_document(deny);
    trust.send().await.unwrap();
    let paths = ["assumed_by[-]", "assumed_by[+]", "grants[-]", "managed_policies[-]"];
    assert_eq!(role.drift().await, paths);
    role.repair().await;
    role.check_written().await;
    let left = iam.list_role_policies().role_name(role.id()).send().await.unwrap();
    assert_eq!(left.policy_names, ["formwork"]);
    role.delete().await;
}

/// By `name`: the same intent finds its own, and nobody takes what another holds.
#[tokio::test]
async fn a_name_is_taken_once() {
    let bench = Bench::new();
    let mut role =
        bench.make("app", Role::new().assumed_by([Trust::pods()]).grants([pull()])).await;
    role.create().await.unwrap();
    role.check_written().await;
    let mut other = bench.thing("app", Role::new().assumed_by([Trust::pods()]));
    other.subject.owner.intent = "another".into();
    let refused = other.create().await.unwrap_err();
    assert_eq!(refused.kind, FailureKind::Taken, "{refused}");
    assert!(refused.message.contains("`test/app`"), "{refused}");
    role.delete().await;
}

#[tokio::test]
async fn deleting_a_role_takes_it_out_of_instance_profiles() {
    let bench = Bench::new();
    let role =
        bench.make("node", Role::new().assumed_by([Trust::service("ec2.amazonaws.com")])).await;
    let iam = aws_sdk_iam::Client::new(&outside(&bench).await);
    iam.create_instance_profile().instance_profile_name("p").send().await.unwrap();
    let add = iam.add_role_to_instance_profile().instance_profile_name("p").role_name(role.id());
    add.send().await.unwrap();
    role.delete().await;
}

#[tokio::test]
async fn an_identity_provider() {
    let bench = Bench::new();
    let draft = || {
        let url = format!("https://{GITHUB_ISSUER}");
        OidcProvider::new().url(url).client_ids(["sts.amazonaws.com"])
    };
    let mut provider = bench.make("github", draft()).await;
    assert_eq!(provider.read().await.unwrap().status, Status::Ready);
    assert_eq!(provider.owner().await.unwrap(), provider.subject.owner);
    for output in ["arn", "issuer"] {
        assert_eq!(provider.output(output).await, provider.predicted(output).unwrap());
    }
    provider.create().await.unwrap();
    let mut other = bench.thing("other", draft());
    let refused = other.create().await.unwrap_err();
    assert_eq!(refused.kind, FailureKind::Taken, "{refused}");
    assert!(refused.hint.unwrap().contains("import"));
    provider.delete().await;
}
