//! Tests of validation through its public door: an object in, findings out.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod custom;
mod kinds;
mod stored;
mod types;

use formwork_kustomize::{Memory, Options, Schemas, build, validate};
use std::path::Path;

/// Findings on the objects of one file, each in one line: `CODE object: field: message | help`.
fn findings(objects: &str) -> Vec<String> {
    let files = Memory::new()
        .with("/kustomization.yaml", "resources: [objects.yaml]\n")
        .with("/objects.yaml", objects);
    let built = build(&files, Path::new("/"), &Options::default()).unwrap();
    let findings = validate(&built, Schemas::stored());
    let line = |finding: &formwork_kustomize::Finding| {
        let help = finding.help.as_ref().map(|help| format!(" | {help}")).unwrap_or_default();
        let (code, object, field) = (finding.code, &finding.object, &finding.field);
        format!("{code} {object}: {field}: {}{help}", finding.message)
    };
    findings.iter().map(line).collect()
}

/// The findings must be these, in this order.
fn check(objects: &str, expected: &[&str]) {
    assert_eq!(findings(objects), expected, "in\n{objects}");
}

/// A Deployment that is fine but for these lines in its container, indented by eight.
fn container(lines: &str) -> String {
    format!(
        "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector:
    matchLabels: {{app: web}}
  template:
    metadata:
      labels: {{app: web}}
    spec:
      containers:
      - name: web
        image: web:1
{lines}"
    )
}
