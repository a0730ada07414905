//! Grants and trusts that come of other resources: what they are worth once those exist.

use formwork_aws::{
    iam::{Grant, OidcProvider, Role, Trust},
    rds::Instance,
};
use formwork_engine::{Address, Data, KnownOutputs, Stack, Symbol, list, text};
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
