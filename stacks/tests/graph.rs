//! The stacks as graphs: what a reader of the stack expects of it, held against the program's own output.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use serde_json::Value;
use std::process::Command;

const IMAGES: [&str; 4] =
    ["--image", "client=registry/client:1", "--image", "server=registry/server:1"];

/// Runs the team's formwork in the project's folder, without credentials.
fn formwork(arguments: &[&str]) -> (i32, String, String) {
    let project = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let output = Command::new(env!("CARGO_BIN_EXE_formwork"))
        .args(arguments)
        .current_dir(project)
        .env_clear()
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
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
    // One NAT gateway per zone in production; the template of previews in staging, and who makes them.
    let extra = ["aws.ec2.ElasticIp", "aws.ec2.NatGateway"];
    let mut expected = kinds(&staging);
    expected.extend(extra.iter().chain(&extra).map(|kind| (*kind).to_owned()));
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
    let (code, _, stderr) = formwork(&emit);
    assert_eq!(code, 1);
    assert!(stderr.contains("which image of `server`?"), "{stderr}");
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

#[test]
fn bad_input_is_refused_with_its_place_and_changes_nothing() {
    let plan = |arguments: &[&str]| formwork(&[&["plan"], arguments].concat());
    for (arguments, message) in [
        (&["nowhere"][..], "nowhere"),
        (&[][..], "which stack?"),
        (&["--graph", "no/such/file.json"][..], "no/such/file.json"),
        (&["--bogus"][..], "--bogus"),
        (&["foundation", "--environment", "no/such.toml"][..], "no/such.toml"),
    ] {
        let (code, stdout, stderr) = plan(arguments);
        assert_eq!(code, 1, "{arguments:?}: {stdout}{stderr}");
        assert!(stderr.contains(message), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}

#[test]
fn cycles_duplicates_and_missing_overlays_in_a_graph_are_named() {
    let dir = std::env::temp_dir().join(format!("formwork-graphs-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let good = graph(&["staging"]);
    let refused = |name: &str, change: &dyn Fn(&mut Vec<Value>), message: &str| {
        let mut graph = good.clone();
        change(graph["nodes"].as_array_mut().unwrap());
        let file = dir.join(name);
        std::fs::write(&file, graph.to_string()).unwrap();
        let (code, _, stderr) = formwork(&["plan", "--graph", file.to_str().unwrap()]);
        assert_eq!(code, 1);
        assert!(stderr.contains(message), "{stderr}");
    };
    let vpc = |nodes: &mut Vec<Value>| {
        nodes.iter().position(|node| node["address"] == "staging/vpc").unwrap()
    };
    refused(
        "cycle.json",
        &|nodes| {
            let vpc = vpc(nodes);
            nodes[vpc]["options"]["after"] = serde_json::json!(["staging/internet"]);
        },
        "staging/vpc → staging/internet → staging/vpc",
    );
    refused(
        "duplicate.json",
        &|nodes| {
            let vpc = vpc(nodes);
            nodes.push(nodes[vpc].clone());
        },
        "`staging/vpc` is added twice",
    );
    std::fs::remove_dir_all(&dir).unwrap();
}
