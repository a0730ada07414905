//! `formwork kube check`, `checks` and a plan of an overlay that a cluster would refuse.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use serde_json::Value;
use std::{fs, path::Path};
use support::formwork_in;

const GOOD: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {LEVEL: info}
";

/// A folder of one kustomization with this object.
fn folder(object: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("kustomization.yaml"), "resources: [object.yaml]\n").unwrap();
    fs::write(folder.path().join("object.yaml"), object).unwrap();
    folder
}

fn run(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    formwork_in(folder, &[], &[&["kube"], arguments].concat())
}

#[test]
fn what_is_fine_ends_with_0() {
    let folder = folder(GOOD);
    let (code, stdout, stderr) = run(folder.path(), &["check"]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    assert_eq!(stdout, "1 object, Kubernetes 1.36: no errors, no warnings\n");
    assert_eq!(run(folder.path(), &["check", "--kubernetes", "v1.36"]).0, 0);
}

#[test]
fn what_a_cluster_refuses_ends_with_1_and_is_told_with_its_place() {
    let folder = folder(&GOOD.replace("\ndata:", "\ndta:"));
    let (code, stdout, _) = run(folder.path(), &["check"]);
    assert_eq!(code, 1);
    assert_eq!(
        stdout,
        "  × FWK001 ConfigMap settings: dta: there is no such field
   ╭─[object.yaml:4:1]
 3 │ metadata: {name: settings}
 4 │ dta: {LEVEL: info}
   · ───
   ╰────
  help: did you mean `data`?
1 object, Kubernetes 1.36: 1 error, no warnings
"
    );
}

#[test]
fn warnings_fail_only_when_asked_to() {
    let folder = folder(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: b, image: c}]}\n",
    );
    assert_eq!(run(folder.path(), &["check"]).0, 0);
    assert_eq!(run(folder.path(), &["check", "--strict"]).0, 1);
    let (code, stdout, _) = run(folder.path(), &["check", "--json"]);
    let said: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &said["warnings"], &said["errors"]), (0, &2.into(), &0.into()));
    assert_eq!(said["findings"][0]["code"], "FWK112");
    assert_eq!(said["findings"][1]["field"], "spec.containers[0].image");
}

#[test]
fn custom_resources_are_noted_not_failed() {
    let folder = folder("apiVersion: example.com/v1\nkind: Queue\nmetadata: {name: a}\n");
    let (code, stdout, _) = run(folder.path(), &["check", "--strict"]);
    assert_eq!(code, 0);
    assert!(
        stdout.contains("note: 1 × not validated: the definition of example.com/v1 Queue"),
        "{stdout}"
    );
}

#[test]
fn other_versions_need_a_file() {
    let folder = folder(GOOD);
    let (code, _, stderr) = run(folder.path(), &["check", "--kubernetes", "1.30"]);
    assert!(
        code == 1 && stderr.contains("those of 1.36") && stderr.contains("kube schemas"),
        "{stderr}"
    );
    let (code, _, stderr) = run(folder.path(), &["check", "--schemas", "object.yaml"]);
    assert!(code == 1 && stderr.contains("not a file of schemas"), "{stderr}");
    let stored =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../src/kustomize/data/kubernetes-1.36.schemas");
    assert_eq!(run(folder.path(), &["check", "--schemas", stored]).0, 0);
}

#[test]
fn checks_are_listed_with_reason_and_remedy() {
    let folder = folder(GOOD);
    let (code, stdout, _) = run(folder.path(), &["checks"]);
    assert_eq!(code, 0);
    assert!(stdout.lines().filter(|line| line.starts_with("FWK")).count() > 30);
    let (code, one, _) = run(folder.path(), &["checks", "fwk104"]);
    assert!(
        code == 0 && one.starts_with("FWK104 Recreate with several replicas (warning)"),
        "{one}"
    );
    assert_eq!(run(folder.path(), &["checks", "FWK999"]).0, 1);
}
