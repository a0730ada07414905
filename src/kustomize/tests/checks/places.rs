//! Where findings point: to the field as somebody wrote it, in whichever file that was.

use formwork_kustomize::{Finding, Memory, Options, Schemas, build, inspect};
use std::path::Path;

const BASE: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replica: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
        - name: main
          image: web:latest
          ports:
            - containerPort: eighty
        - name: side
          image: side:1
";

/// The places of findings with this code, as `FILE:LINE:COLUMN FIELD`.
fn places(code: &str, overlay: &str, patch: &str) -> Vec<String> {
    let files = Memory::new()
        .with("/base/kustomization.yaml", "resources: [web.yaml]\n")
        .with("/base/web.yaml", BASE)
        .with("/overlay/kustomization.yaml", format!("resources: [../base]\n{overlay}"))
        .with("/overlay/patch.yaml", patch);
    let built = build(&files, Path::new("/overlay"), &Options::default())
        .unwrap_or_else(|error| panic!("{error}"));
    let place = |finding: &Finding| {
        let place = finding.place.as_ref().map(ToString::to_string);
        format!("{} {}", place.unwrap_or_default(), finding.field)
    };
    let findings = inspect(&built, Schemas::stored());
    findings.iter().filter(|finding| finding.code == code).map(place).collect()
}

const UNKNOWN: &str = "FWK001";
const WRONG_TYPE: &str = "FWK002";
const MISSING: &str = "FWK003";
const MUTABLE_TAG: &str = "FWK113";

#[test]
fn a_field_of_a_base_is_where_the_base_has_it() {
    assert_eq!(places(UNKNOWN, "", ""), ["/base/web.yaml:6:12 spec.replica"]);
    let port = "/base/web.yaml:16:30 spec.template.spec.containers[0].ports[0].containerPort";
    assert_eq!(places(WRONG_TYPE, "", ""), [port]);
    // What adds to the object leaves its other fields where they were.
    let overlay =
        "namePrefix: a-\nnamespace: shop\nlabels: [{pairs: {team: x}, includeTemplates: true}]\n";
    assert_eq!(places(WRONG_TYPE, overlay, ""), [port]);
    let json = "patches: [{target: {kind: Deployment}, patch: '[{\"op\": \"add\", \"path\": \"/spec/paused\", \"value\": true}]'}]\n";
    assert_eq!(places(WRONG_TYPE, json, ""), [port]);
}

#[test]
fn a_field_of_a_patch_is_where_the_patch_has_it() {
    let patch = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      containers:
        - name: side
          ports:
            - containerPort: ninety
";
    // What a patch names comes first.
    let of_base = "/base/web.yaml:16:30 spec.template.spec.containers[1].ports[0].containerPort";
    let of_patch =
        |place: &str| format!("{place} spec.template.spec.containers[0].ports[0].containerPort");
    let found = places(WRONG_TYPE, "patches: [{path: patch.yaml}]\n", patch);
    assert_eq!(found, [of_patch("/overlay/patch.yaml:10:30"), of_base.to_owned()]);
    // Written out in the kustomization: its fifth line is the patch's first.
    let indented = patch.replace('\n', "\n      ");
    let inline =
        format!("patches:\n  - target: {{kind: Deployment}}\n    patch: |-\n      {indented}\n");
    let found = places(WRONG_TYPE, &inline, "");
    assert_eq!(found, [of_patch("/overlay/kustomization.yaml:14:36"), of_base.to_owned()]);
}

#[test]
fn what_is_not_there_is_in_what_it_would_be_in() {
    let overlay = "patches: [{path: patch.yaml}]\n";
    let patch = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: null
";
    assert_eq!(places(MISSING, overlay, patch), ["/base/web.yaml:5:1 spec.selector"]);
}

#[test]
fn what_a_transformer_changed_is_where_it_was_written() {
    let overlay = "images: [{name: side, newTag: latest}]\n";
    let field = |n: usize| format!("spec.template.spec.containers[{n}].image");
    let expected = [
        format!("/base/web.yaml:14:18 {}", field(0)),
        format!("/base/web.yaml:18:18 {}", field(1)),
    ];
    let found = places(MUTABLE_TAG, overlay, "");
    assert_eq!(found, expected);
}
