//! Where findings point: to the field as somebody wrote it, in whichever file that was.

use formwork_kustomize::{
    Built, Finding, Memory, Options, Schemas, build, check, inspect, validate,
};
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
    let built = built(&files);
    shown(inspect(&built, Schemas::stored()), code)
}

fn built(files: &Memory) -> Built {
    build(files, Path::new("/overlay"), &Options::default())
        .unwrap_or_else(|error| panic!("{error}"))
}

fn shown(findings: Vec<Finding>, code: &str) -> Vec<String> {
    let place = |finding: &Finding| {
        let place = finding.place.as_ref().map(ToString::to_string);
        format!("{} {}", place.unwrap_or_default(), finding.field)
    };
    findings.iter().filter(|finding| finding.code == code).map(place).collect()
}

const UNKNOWN: &str = "FWK001";
const WRONG_TYPE: &str = "FWK002";
const MISSING: &str = "FWK003";
const MUTABLE_TAG: &str = "FWK113";

#[test]
fn a_field_of_a_base_is_where_the_base_has_it() {
    assert_eq!(places(UNKNOWN, "", ""), ["/base/web.yaml:6:3 spec.replica"]);
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

/// The places alone.
fn lines(code: &str, overlay: &str, patch: &str) -> Vec<String> {
    let places = places(code, overlay, patch).into_iter();
    places.map(|place| place.split(' ').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_json_patch_takes_places_along() {
    let port = "/base/web.yaml:16:30";
    let ports = "/spec/template/spec/containers/0/ports";
    let rows: &[(&str, String, &str, &[&str])] = &[
        (
            "replaced",
            "- op: replace\n  path: /spec/replica\n  value: 3\n".to_owned(),
            UNKNOWN,
            &["/overlay/patch.yaml:3:10"],
        ),
        (
            "an item added at the end",
            format!("- op: add\n  path: {ports}/-\n  value:\n    containerPort: ninety\n"),
            WRONG_TYPE,
            &[port, "/overlay/patch.yaml:4:20"],
        ),
        (
            "an item put before another",
            format!("- op: add\n  path: {ports}/0\n  value: {{containerPort: ninety}}\n"),
            WRONG_TYPE,
            &["/overlay/patch.yaml:3:26", port],
        ),
        (
            "a list as long as before, of other items",
            "- op: remove\n  path: /spec/template/spec/containers/0\n\
             - op: add\n  path: /spec/template/spec/containers/-\n  value: {name: new, image: new:latest}\n"
                .to_owned(),
            MUTABLE_TAG,
            &["/overlay/patch.yaml:5:29"],
        ),
        (
            "the rest of a list",
            "- op: remove\n  path: /spec/template/spec/containers/1\n".to_owned(),
            WRONG_TYPE,
            &[port],
        ),
        (
            "moved",
            "- op: move\n  from: /spec/template/spec/containers/0\n  path: /spec/template/spec/containers/-\n"
                .to_owned(),
            WRONG_TYPE,
            &[port],
        ),
        (
            "copied",
            format!("- op: copy\n  from: {ports}/0\n  path: {ports}/-\n"),
            WRONG_TYPE,
            &[port, port],
        ),
        (
            "as JSON",
            format!(r#"[{{"op": "add", "path": "{ports}/-", "value": {{"containerPort": "ninety"}}}}]"#),
            WRONG_TYPE,
            &[port, "/overlay/patch.yaml:1:95"],
        ),
    ];
    let overlay = "patches: [{target: {kind: Deployment}, path: patch.yaml}]\n";
    for (what, patch, code, expected) in rows {
        assert_eq!(lines(code, overlay, patch), *expected, "{what}");
    }
    // Written out in the kustomization, and in the field of earlier versions.
    let inline = "patches:\n- target: {kind: Deployment}\n  patch: |-\n    - op: replace\n      path: /spec/replica\n      value: 3\n";
    assert_eq!(lines(UNKNOWN, inline, ""), ["/overlay/kustomization.yaml:7:14"]);
    let earlier = "patchesJson6902: [{target: {version: v1, group: apps, kind: Deployment, name: web}, path: patch.yaml}]\n";
    let patch = "- op: replace\n  path: /spec/replica\n  value: 3\n";
    assert_eq!(lines(UNKNOWN, earlier, patch), ["/overlay/patch.yaml:3:10"]);
}

#[test]
fn an_object_out_of_a_list_is_where_it_was_in_the_list() {
    let list = "\
apiVersion: v1
kind: PodList
items:
- apiVersion: v1
  kind: Pod
  metadata: {name: p}
  spec:
    containers:
    - {name: c, image: c:latest}
";
    let files = Memory::new()
        .with("/overlay/kustomization.yaml", "resources: [list.yaml]\n")
        .with("/overlay/list.yaml", list);
    let found = shown(inspect(&built(&files), Schemas::stored()), MUTABLE_TAG);
    assert_eq!(found, ["/overlay/list.yaml:9:24 spec.containers[0].image"]);
}

#[test]
fn objects_of_one_title_are_told_apart() {
    let objects = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
foo: 1
---
apiVersion: example.org/v1
kind: Deployment
metadata: {name: a}
bar: 1
foo: 1
";
    let files = Memory::new()
        .with("/overlay/kustomization.yaml", "resources: [two.yaml]\n")
        .with("/overlay/two.yaml", objects);
    let found = shown(inspect(&built(&files), Schemas::stored()), UNKNOWN);
    assert_eq!(found, ["/overlay/two.yaml:4:1 foo"]);
}

#[test]
fn a_replaced_value_is_where_it_comes_from() {
    let image = "spec.template.spec.containers[1].image";
    let overlay = |source: &str, options: &str| {
        format!(
            "replacements:\n- {source}\n  targets:\n  - select: {{kind: Deployment}}\n    {options}fieldPaths: ['spec.template.spec.containers.[name=side].image']\n"
        )
    };
    let check = |source: &str, options: &str, expected: &[&str]| {
        let values = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: values}\ndata:\n  image: side:latest\n  tag: latest\n";
        let files = Memory::new()
            .with("/base/kustomization.yaml", "resources: [web.yaml]\n")
            .with("/base/web.yaml", BASE)
            .with("/overlay/values.yaml", values)
            .with(
                "/overlay/kustomization.yaml",
                format!("resources: [../base, values.yaml]\n{}", overlay(source, options)),
            );
        let found = shown(inspect(&built(&files), Schemas::stored()), MUTABLE_TAG);
        let expected: Vec<String> =
            expected.iter().map(|place| format!("{place} {image}")).collect();
        assert_eq!(found[1..], expected, "{source}");
    };
    let from = |field: &str| format!("source: {{kind: ConfigMap, fieldPath: data.{field}}}");
    check(&from("image"), "", &["/overlay/values.yaml:5:10"]);
    check("sourceValue: side:latest", "", &["/overlay/kustomization.yaml:3:16"]);
    // What is only a part of the field is still the field's own line.
    let part = "options: {delimiter: ':', index: 1}\n    ";
    check(&from("tag"), part, &["/base/web.yaml:18:18"]);
}

#[test]
fn an_object_keeps_its_identity_and_where_it_has_it_from() {
    let tabs = "apiVersion: batch/v1\nkind: CronTab\nmetadata: {name: a}\n";
    let patch = "apiVersion: x/v1\nkind: Other\nmetadata: {name: b}\nspec: {a: 1}\n";
    let files = Memory::new()
        .with(
            "/overlay/kustomization.yaml",
            "resources: [tabs.yaml]\npatches: [{target: {kind: CronTab}, path: patch.yaml}]\n",
        )
        .with("/overlay/tabs.yaml", tabs)
        .with("/overlay/patch.yaml", patch);
    let found = shown(inspect(&built(&files), Schemas::stored()), "FWK006");
    assert_eq!(found, ["/overlay/tabs.yaml:2:7 kind"]);
}

#[test]
fn any_name_of_a_field_is_found() {
    let data = "data:\n  'a[0]': 1\n  \"q.\\\"x\": 2\n  a/b: 3\n";
    let files = Memory::new().with("/overlay/kustomization.yaml", "resources: [c.yaml]\n").with(
        "/overlay/c.yaml",
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\n{data}"),
    );
    let found = shown(inspect(&built(&files), Schemas::stored()), WRONG_TYPE);
    let expected = [
        "/overlay/c.yaml:5:11 data[\"a[0]\"]",
        "/overlay/c.yaml:6:12 data[\"q.\\\"x\"]",
        "/overlay/c.yaml:7:8 data[\"a/b\"]",
    ];
    assert_eq!(found, expected);
}

#[test]
fn an_annotation_is_where_it_was_written() {
    let files = Memory::new()
        .with("/overlay/kustomization.yaml", "resources: [c.yaml]\n")
        .with(
            "/overlay/c.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\n  annotations:\n    b: x\n    formwork.dev/ignore: FWK104\n",
        );
    let found = shown(inspect(&built(&files), Schemas::stored()), "FWK091");
    assert_eq!(found, ["/overlay/c.yaml:7:26 metadata.annotations[\"formwork.dev/ignore\"]"]);
}

#[test]
fn validation_and_checks_alone_point_to_fields_too() {
    let files = Memory::new()
        .with("/overlay/kustomization.yaml", "resources: [web.yaml]\n")
        .with("/overlay/web.yaml", BASE);
    let built = built(&files);
    let found = shown(validate(&built, Schemas::stored()), UNKNOWN);
    assert_eq!(found, ["/overlay/web.yaml:6:3 spec.replica"]);
    let found = shown(check(&built), MUTABLE_TAG);
    assert_eq!(found, ["/overlay/web.yaml:14:18 spec.template.spec.containers[0].image"]);
}
