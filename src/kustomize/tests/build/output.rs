//! What is printed, feature by feature. Each expectation was compared with kustomize v5.8.2.

use crate::check::{check, check_error, files, in_order};
use formwork_kustomize::build;
use std::path::Path;

#[test]
fn keys_are_sorted_and_strings_quoted_where_yaml_1_1_would_retype_them() {
    check(
        "--- kustomization.yaml\nresources: [a.yaml]\n--- a.yaml
kind: Thing
apiVersion: demo/v1
metadata: {name: a}
spec: {b: 'yes', a: 1e3, c: 1.0, d: '0777', e: 0777, f: 2024-05-06, g: ~, h: '12:30', i: \"a: b\", j: on}
",
        "apiVersion: demo/v1
kind: Thing
metadata:
  name: a
spec:
  a: 1000
  b: \"yes\"
  c: 1
  d: \"0777\"
  e: 511
  f: \"2024-05-06T00:00:00Z\"
  g: null
  h: \"12:30\"
  i: 'a: b'
  j: \"on\"
",
    );
}

#[test]
fn a_generated_name_reaches_the_fields_that_refer_to_it() {
    check(
        "--- kustomization.yaml
resources: [pod.yaml]
namePrefix: demo-
configMapGenerator:
- name: settings
  literals: [COLOUR=green]
--- pod.yaml
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {containers: [{name: main, envFrom: [{configMapRef: {name: settings}}]}]}
",
        "apiVersion: v1
kind: Pod
metadata:
  name: demo-web
spec:
  containers:
  - envFrom:
    - configMapRef:
        name: demo-settings-d7hm94g4cm
    name: main
---
apiVersion: v1
data:
  COLOUR: green
kind: ConfigMap
metadata:
  name: demo-settings-d7hm94g4cm
",
    );
}

#[test]
fn an_outer_kustomization_merges_into_an_inner_generator() {
    check(
        "--- kustomization.yaml
resources: [base]
configMapGenerator:
- {name: settings, behavior: merge, literals: [SIZE=2]}
--- base/kustomization.yaml
configMapGenerator:
- {name: settings, literals: [COLOUR=green, SIZE=1], options: {disableNameSuffixHash: true}}
",
        "apiVersion: v1
data:
  COLOUR: green
  SIZE: \"2\"
kind: ConfigMap
metadata:
  name: settings
",
    );
}

const DEPLOYMENT: &str = "--- deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  template:
    spec:
      containers:
      - {name: main, image: 'shop/web:1', env: [{name: A, value: a}, {name: B, value: b}]}
      - {name: side, image: side}
";

#[test]
fn a_strategic_merge_joins_lists_by_key_and_puts_new_elements_first() {
    check(
        &format!(
            "--- kustomization.yaml
resources: [deployment.yaml]
patches:
- patch: |
    apiVersion: apps/v1
    kind: Deployment
    metadata: {{name: web}}
    spec:
      template:
        spec:
          containers:
          - name: main
            env:
            - {{name: C, value: c}}
            - {{name: A, $patch: delete}}
          - name: side
            $patch: delete
{DEPLOYMENT}"
        ),
        "apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 1
  template:
    spec:
      containers:
      - env:
        - name: C
          value: c
        - name: B
          value: b
        image: shop/web:1
        name: main
",
    );
}

#[test]
fn json_patches_images_and_replicas() {
    check(
        &format!(
            "--- kustomization.yaml
resources: [deployment.yaml]
images: [{{name: shop/web, newTag: '2'}}]
replicas: [{{name: web, count: 3}}]
patches:
- target: {{kind: Deploy.*}}
  patch: |-
    - {{op: remove, path: /spec/template/spec/containers/1}}
    - {{op: replace, path: /spec/template/spec/containers/0/env, value: []}}
{DEPLOYMENT}"
        ),
        "apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 3
  template:
    spec:
      containers:
      - env: []
        image: shop/web:2
        name: main
",
    );
}

#[test]
fn a_replacement_copies_a_value_into_part_of_a_field() {
    check(
        "--- kustomization.yaml
resources: [objects.yaml]
replacements:
- source: {kind: ConfigMap, fieldPath: data.host}
  targets:
  - select: {kind: Link}
    fieldPaths: [spec.url, spec.seen.0]
    options: {delimiter: /, index: 2, create: true}
--- objects.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {host: shop.example}
---
apiVersion: demo/v1
kind: Link
metadata: {name: b}
spec: {url: https://HOST/path}
",
        "apiVersion: v1
data:
  host: shop.example
kind: ConfigMap
metadata:
  name: a
---
apiVersion: demo/v1
kind: Link
metadata:
  name: b
spec:
  seen:
  - /shop.example
  url: https://shop.example/path
",
    );
}

#[test]
fn namespaces_reach_subjects_and_skip_what_has_none() {
    check(
        "--- kustomization.yaml
resources: [objects.yaml]
namespace: shop
--- objects.yaml
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: a}
subjects: [{kind: ServiceAccount, name: default, namespace: x}, {kind: ServiceAccount, name: own, namespace: x}]
roleRef: {kind: ClusterRole, name: view, apiGroup: rbac.authorization.k8s.io}
---
apiVersion: v1
kind: Service
metadata: {name: web}
",
        "apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: a
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: view
subjects:
- kind: ServiceAccount
  name: default
  namespace: shop
- kind: ServiceAccount
  name: own
  namespace: x
---
apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: shop
",
    );
}

const LABELLED: &str = "--- base/kustomization.yaml
resources: [service.yaml]
commonLabels: {team: blue}
--- base/service.yaml
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}}
--- patch.yaml
apiVersion: v1
kind: Service
metadata: {name: web, labels: {team: red}}
";

/// kustomize puts one node into both fields, and changes both by changing one.
#[test]
fn a_label_that_is_set_anew_changes_the_selector_that_the_base_gave_it_to() {
    let service = |team: &str, selected: &str| {
        format!(
            "apiVersion: v1
kind: Service
metadata:
  labels:
    team: {team}
  name: web
spec:
  selector:
    app: web
    team: {selected}
"
        )
    };
    for (overlay, team, selected) in [
        ("labels: [{pairs: {team: red}}]", "red", "red"),
        ("patches: [{path: patch.yaml}]", "red", "red"),
        // A JSON patch makes them two values.
        (
            "patches: [{target: {kind: Service}, patch: '[{\"op\": \"test\", \"path\": \"/kind\", \"value\": \"Service\"}]'}]\nlabels: [{pairs: {team: red}}]",
            "red",
            "blue",
        ),
    ] {
        check(
            &format!("--- kustomization.yaml\nresources: [base]\n{overlay}\n{LABELLED}"),
            &service(team, selected),
        );
    }
}

#[test]
fn a_patch_that_replaces_the_annotations_takes_the_notes_of_the_build_off() {
    check(
        "--- kustomization.yaml
resources: [service.yaml]
buildMetadata: [transformerAnnotations]
namePrefix: a-
patchesJson6902:
- target: {version: v1, kind: Service, name: web}
  patch: '[{\"op\": \"add\", \"path\": \"/metadata/annotations\", \"value\": {\"x\": \"n\"}}]'
nameSuffix: -b
--- service.yaml
apiVersion: v1
kind: Service
metadata: {name: web}
",
        "apiVersion: v1
kind: Service
metadata:
  annotations:
    x: \"n\"
  name: a-web-b
",
    );
}

#[test]
fn a_block_at_the_end_of_a_file_without_a_line_break_has_none() {
    let printed = |value: &str| {
        format!("apiVersion: v1\ndata:\n  k: {value}\nkind: ConfigMap\nmetadata:\n  name: a\n")
    };
    for (block, value) in [
        ("|\n    one", "one"),
        ("|\n    one\n", "|\n    one"),
        ("|\n    one\n  ", "|\n    one"),
        ("|\n    one\n# comment", "|\n    one"),
        ("|\n    one\n    # no comment", "|-\n    one\n    # no comment"),
        ("|+\n    one", "one"),
        (">\n    one\n    two", "one two"),
    ] {
        let object =
            format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n  k: {block}");
        let files = files("--- kustomization.yaml\nresources: [a.yaml]\n").with("/a.yaml", object);
        let built = build(&files, Path::new("/"), &in_order()).expect("a build");
        assert_eq!(built.to_yaml(), printed(value), "{block:?}");
    }
}

#[test]
fn in_an_order_of_ones_own_a_namespace_has_no_special_place() {
    check(
        "--- kustomization.yaml
resources: [a.yaml]
sortOptions: {order: legacy, legacySortOptions: {orderFirst: [Service]}}
--- a.yaml
apiVersion: v1
kind: Namespace
metadata: {name: a}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: a}
",
        "apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: a
---
apiVersion: v1
kind: Namespace
metadata:
  name: a
",
    );
}

#[test]
fn keys_of_a_kustomization_are_read_by_yaml_1_1() {
    check(
        "--- kustomization.yaml
configMapGenerator:
- name: a
  literals: [x=y]
  options: {disableNameSuffixHash: true, labels: {'yes': a}}
patches:
- target: {kind: ConfigMap}
  patch: |-
    - op: add
      path: /data
      value: {'off': x, 0x10: z}
",
        "apiVersion: v1
data:
  \"16\": z
  \"off\": x
kind: ConfigMap
metadata:
  labels:
    \"yes\": a
  name: a
",
    );
    check_error(
        "--- kustomization.yaml\nresources: [a.yaml]\nlabels: [{pairs: {yes: a}}]\n--- a.yaml\napiVersion: v1\nkind: A\nmetadata: {name: a}\n",
        "\"true\" is not a string, as keys must be",
    );
}
