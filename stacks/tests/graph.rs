//! The stacks as graphs: what a reader of the stack expects of it, held against the program's own output.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use serde_json::Value;
use std::path::Path;
use support::{IMAGES, PROJECT, formwork_in};

fn formwork(arguments: &[&str]) -> (i32, String, String) {
    formwork_in(Path::new(PROJECT), &[], arguments)
}

fn graph(arguments: &[&str]) -> Value {
    let (code, stdout, stderr) = formwork(&[&["emit"], arguments, &IMAGES].concat());
    assert_eq!(code, 0, "{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

fn kinds(graph: &Value) -> Vec<String> {
    let nodes = graph["nodes"].as_array().unwrap();
    nodes.iter().map(|node| node["kind"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn production_and_staging_are_one_function() {
    let (production, staging) = (graph(&["production"]), graph(&["staging"]));
    let mut shared = kinds(&production);
    shared.sort();
    // One NAT gateway per zone in production, and a canary; the template of previews in staging, and who makes them.
    let zone = ["aws.ec2.ElasticIp", "aws.ec2.NatGateway"];
    let canary = ["kube.App", "aws.eks.PodIdentityAssociation"];
    let mut expected = kinds(&staging);
    expected.extend([zone, zone, canary].concat().into_iter().map(str::to_owned));
    let template = expected.iter().position(|kind| kind == "postgres.Database").unwrap();
    expected.remove(template);
    let previews = expected.iter().position(|kind| kind == "aws.eks.AccessEntry").unwrap();
    expected.remove(previews);
    expected.sort();
    assert_eq!(shared, expected);
}

/// The longest inline policy that IAM takes, without white space:
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const LONGEST_POLICY: usize = 10_240;

#[test]
fn roles_of_ci_fit_into_policies_and_trust_only_what_was_merged() {
    for environment in ["production", "staging"] {
        let (code, stdout, stderr) = formwork(&["emit", "foundation", "--for", environment]);
        assert_eq!(code, 0, "{stderr}");
        let graph: Value = serde_json::from_str(&stdout).unwrap();
        let nodes = graph["nodes"].as_array().unwrap();
        let field = |name: &str, field: &str| {
            let address = format!("foundation-{environment}/{name}");
            let node = nodes.iter().find(|node| node["address"] == *address).unwrap();
            node["fields"][field].clone()
        };
        let names = ["plan", "apply", "preview"];
        let roles = if environment == "staging" { &names[..] } else { &names[..2] };
        for role in roles {
            let grants = field(role, "grants")["literal"].clone();
            let statements: Vec<Value> = grants
                .as_array()
                .unwrap()
                .iter()
                .map(|grant| {
                    serde_json::json!({
                        "Effect": "Allow",
                        "Action": grant["actions"],
                        "Resource": grant["resources"],
                        "Condition": grant["conditions"],
                    })
                })
                .collect();
            let policy = serde_json::json!({ "Version": "2012-10-17", "Statement": statements });
            let length = policy.to_string().len();
            assert!(length < LONGEST_POLICY, "{environment}'s {role}: {length}");
            let trust = field(role, "assumed_by").to_string();
            assert!(trust.contains("repo:acme/shop:environment:"), "{trust}");
            assert!(!trust.contains("pull_request"), "{trust}");
        }
    }
}

#[test]
fn what_holds_data_in_production_is_protected() {
    let graph = graph(&["production"]);
    let nodes = graph["nodes"].as_array().unwrap();
    let protected: Vec<&str> = nodes
        .iter()
        .filter(|node| node["options"]["protect"] == true)
        .map(|node| node["address"].as_str().unwrap())
        .collect();
    assert_eq!(protected, ["production/postgres", "production/cache"]);
}

#[test]
fn a_preview_imports_staging_and_knows_no_master() {
    let graph = graph(&["preview", "--pr", "42"]);
    assert_eq!(graph["stack"], "preview-pr42");
    let text = graph.to_string();
    assert!(text.contains("staging/exports") && !text.contains("master"));
    assert!(text.contains("shop_staging_pr42") && text.contains("shop_clone"));
}

#[test]
fn every_service_has_an_image_and_only_those() {
    let emit = ["emit", "production", "--image", "client=registry/client:1"];
    // What isn't released now keeps what it has, which only the state knows.
    let (code, graph, stderr) = formwork(&emit);
    assert_eq!(code, 0, "{stderr}");
    assert!(graph.contains(r#""server": "released""#), "{graph}");
    let (code, _, stderr) = formwork(&[&emit[..], &["--image", "worker=x"]].concat());
    assert_eq!(code, 1);
    assert!(stderr.contains("no service `worker`"), "{stderr}");
}

#[test]
fn options_of_a_command_may_stand_behind_the_stack() {
    let (code, _, stderr) = formwork(
        &[&["plan", "production"], &IMAGES[..], &["--project", "no/such/folder"]].concat(),
    );
    assert_eq!(code, 1);
    assert!(stderr.contains("no/such/folder"), "{stderr}");
}
