//! Grants and trusts that come of other resources: what they are worth once those exist.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use formwork_aws::{
    ecr::{Repository, login},
    elasticache::{Engine, ReplicationGroup},
    iam::{Grant, OidcProvider, Role, Trust},
    rds::Instance,
};
use formwork_engine::{Address, Data, Id, KnownOutputs, Stack, Symbol, list, text};
use serde_json::{Value as Json, json};

/// Each output is worth its own name in angle brackets.
struct Named;

impl KnownOutputs for Named {
    fn output(&self, node: Address, output: Symbol) -> Data {
        Data::Text(format!("<{node}.{output}>"))
    }
}

/// A field of the last resource of a stack.
fn field(stack: Stack, name: &str) -> Json {
    let graph = stack.finish().unwrap();
    graph.nodes.last().unwrap().fields[name].eval(&Named).to_json()
}

#[test]
fn a_role_may_log_in_as_one_user_of_one_database() {
    let mut s = Stack::new("prod");
    let draft = Instance::new().version("17").class("c").storage_gb(20).master_user("m");
    let db = s.add("db", draft);
    let grants = list![db.connect("app"), Grant::allow(["s3:GetObject"], text!["arn:x/", db.name])];
    s.add("app", Role::new().assumed_by([Trust::pods()]).grants(grants));
    assert_eq!(
        field(s, "grants"),
        json!([
            {"actions": ["rds-db:connect"], "resources": ["<prod/db.users_arn>/app"]},
            {"actions": ["s3:GetObject"], "resources": ["arn:x/<prod/db.name>"]},
        ])
    );
}

/// The key of a condition holds an output: the issuer of a cluster.
#[test]
fn a_service_account_is_trusted_by_its_issuer() {
    let mut s = Stack::new("prod");
    let oidc = s.add(
        "oidc",
        OidcProvider::new().url("https://oidc.example").client_ids(["sts.amazonaws.com"]),
    );
    s.add("app", Role::new().assumed_by([oidc.service_account("shop", "server")]));
    let condition = |key: &str, value: &str| {
        json!({
            "operator": "StringEquals",
            "key": format!("<prod/oidc.issuer>:{key}"),
            "values": [value],
        })
    };
    assert_eq!(
        field(s, "assumed_by"),
        json!([{
            "kind": "Federated",
            "principals": ["<prod/oidc.arn>"],
            "actions": ["sts:AssumeRoleWithWebIdentity"],
            "conditions": [
                condition("aud", "sts.amazonaws.com"),
                condition("sub", "system:serviceaccount:shop:server"),
            ],
        }])
    );
}

#[test]
fn runs_of_workflows_are_trusted_by_their_subject() {
    let mut s = Stack::new("ci");
    let url = "https://token.actions.githubusercontent.com";
    let github = s.add("github", OidcProvider::new().url(url).client_ids(["sts.amazonaws.com"]));
    s.add("build", Role::new().assumed_by([github.github(["repo:acme/shop:*"])]));
    let trust = field(s, "assumed_by");
    assert_eq!(trust[0]["conditions"][1]["operator"], "StringLike");
    assert_eq!(trust[0]["conditions"][1]["key"], "token.actions.githubusercontent.com:sub");
    assert_eq!(trust[0]["conditions"][1]["values"], json!(["repo:acme/shop:*"]));
}

#[test]
fn images_are_pulled_and_pushed_in_one_repository_each() {
    let mut s = Stack::new("ci");
    let server = s.add("server", Repository::new().name("shop/server"));
    let client = s.add("client", Repository::new().name("shop/client"));
    let grants = list![server.push(), client.pull(), login()];
    s.add("build", Role::new().assumed_by([Trust::pods()]).grants(grants));
    let grants = field(s, "grants");
    assert_eq!(grants[0]["resources"], json!(["<ci/server.arn>"]));
    assert!(grants[0]["actions"].as_array().unwrap().contains(&json!("ecr:PutImage")));
    assert_eq!(
        grants[1],
        json!({
            "actions": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            "resources": ["<ci/client.arn>"],
        })
    );
    assert_eq!(grants[2], json!({"actions": ["ecr:GetAuthorizationToken"], "resources": ["*"]}));
}

#[test]
fn a_role_may_log_in_as_one_user_of_one_cache() {
    let mut s = Stack::new("prod");
    let cache = ReplicationGroup::new()
        .engine(Engine::Valkey)
        .version("8.1")
        .node_type("cache.t4g.small")
        .subnet_group(Id::existing("private"))
        .security_groups([Id::existing("sg-1")]);
    let cache = s.add("cache", cache);
    let user = "arn:aws:elasticache:eu-central-1:123456789012:user:server";
    s.add("app", Role::new().assumed_by([Trust::pods()]).grants([cache.connect(user)]));
    assert_eq!(
        field(s, "grants"),
        json!([{"actions": ["elasticache:Connect"], "resources": ["<prod/cache.arn>", user]}])
    );
}
