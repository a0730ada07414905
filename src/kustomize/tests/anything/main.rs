//! Whatever is built: an error or objects, never a panic, never without end. The fuzz targets go on where this stops.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use formwork_kustomize::{Memory, Options, Schemas, build, inspect};
use proptest::prelude::*;
use std::path::Path;

/// Trees tried by each test, within seconds.
const CASES: u32 = 200;

const KUSTOMIZATION: &str = "\
namePrefix: a-
nameSuffix: -z
namespace: place
resources: [object.yaml]
commonLabels: {app: web}
labels: [{pairs: {tier: front}, includeSelectors: true}]
commonAnnotations: {owner: team}
images: [{name: web, newName: other, newTag: '2'}]
replicas: [{name: web, count: 3}]
configMapGenerator: [{name: config, literals: [A=b]}]
secretGenerator: [{name: secret, literals: [A=b], type: Opaque}]
patches:
- path: patch.yaml
- target: {kind: Deploy.*, name: web}
  patch: '- {op: replace, path: /spec/replicas, value: 5}'
replacements:
- source: {kind: Service, name: web, fieldPath: 'spec.ports.[name=http].port'}
  targets:
  - select: {kind: Deployment}
    fieldPaths: ['spec.template.spec.containers.[name=main].env.0.value']
    options: {delimiter: ':', index: 1, create: true}
vars: [{name: PORT, objref: {kind: Service, name: web, apiVersion: v1}, fieldref: {fieldpath: 'spec.ports[0].port'}}]
";

const OBJECT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  strategy: {rollingUpdate: {maxUnavailable: 25%, maxSurge: 0}}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: main
        image: web:1
        args: [$(PORT), &anchor 'x', *anchor]
        env: [{name: A, value: 'a:b'}, {name: C, valueFrom: {configMapKeyRef: {name: config, key: A}}}]
        resources: {requests: {cpu: 1, memory: 1Gi}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
";

const PATCH: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      containers:
      - {name: main, $patch: delete}
      - {name: more, image: web}
      - $patch: replace
";

/// Text that is put into the middle of something good.
const SPLICES: &[&str] = &[
    "",
    "\n",
    ":",
    ": ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "'",
    "\"",
    "&a ",
    "*a",
    "!!int ",
    "!!binary ",
    "|",
    ">-\n",
    "#",
    "null",
    "~",
    "\t",
    "---\n",
    "...\n",
    "<<: ",
    "$patch: merge\n",
    "$(PORT)",
    "%",
    "🙂",
    "\u{0}",
    "\u{feff}",
    "1e999",
    "0x",
    "-",
    "/",
    "~1",
    "*",
    "(",
    ".",
    "?",
    "$setElementOrder/containers: [a]\n",
    "9999999999999999999",
    "kind: List\nitems:\n",
];

fn check(kustomization: &str, object: &str, patch: &str) {
    let files = Memory::new()
        .with("/kustomization.yaml", kustomization)
        .with("/object.yaml", object)
        .with("/patch.yaml", patch);
    if let Ok(built) = build(&files, Path::new("/"), &Options::default()) {
        let text = built.to_yaml();
        assert_eq!(text.is_empty(), built.objects().len() == 0);
        let _ = inspect(&built, Schemas::stored());
    }
}

/// One good text with a few pieces cut out, doubled or put in.
fn spoiled(good: &'static str) -> impl Strategy<Value = String> {
    let cut = (0..good.len(), 0..12usize, prop::sample::select(SPLICES));
    prop::collection::vec(cut, 0..4).prop_map(move |cuts| {
        let mut text = good.to_owned();
        for (at, length, splice) in cuts {
            let floor = |mut at: usize| {
                at = at.min(text.len());
                while !text.is_char_boundary(at) {
                    at -= 1;
                }
                at
            };
            let (start, end) = (floor(at), floor(at + length));
            text.replace_range(start..end, splice);
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn spoiled_trees(kustomization in spoiled(KUSTOMIZATION), object in spoiled(OBJECT), patch in spoiled(PATCH)) {
        check(&kustomization, &object, &patch);
    }

    #[test]
    fn spoiled_objects(object in spoiled(OBJECT), patch in spoiled(PATCH)) {
        check(KUSTOMIZATION, &object, &patch);
    }

    #[test]
    fn any_text(text in "[-:,\\[\\]{}&*!|>'\"#%@` \\n\\ta-c0-3~$.<]{0,120}") {
        check(&text, OBJECT, PATCH);
        check("resources: [object.yaml]\n", &text, PATCH);
        check("resources: [object.yaml]\npatches: [{path: patch.yaml, target: {kind: .*}}]\n", OBJECT, &text);
    }
}

/// Else the spoiled ones would all fail at the same place.
#[test]
fn the_good_tree_is_built() {
    let files = Memory::new()
        .with("/kustomization.yaml", KUSTOMIZATION)
        .with("/object.yaml", OBJECT)
        .with("/patch.yaml", PATCH);
    let built = build(&files, Path::new("/"), &Options::default());
    assert_eq!(built.map(|built| built.objects().len()).map_err(|error| error.to_string()), Ok(4));
}
