//! Tests of the checks through their public door: objects in, codes out.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod ignore;
mod places;
mod pods;
mod references;
mod rollout;
mod scaling;
mod services;

use formwork_kustomize::{Finding, Memory, Options, Schemas, build, check, inspect};
use std::path::Path;

fn built(objects: &str) -> formwork_kustomize::Built {
    let files = Memory::new()
        .with("/kustomization.yaml", "resources: [objects.yaml]\n")
        .with("/objects.yaml", objects);
    build(&files, Path::new("/"), &Options::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn line(finding: &Finding) -> String {
    let help = finding.help.as_ref().map(|help| format!(" | {help}")).unwrap_or_default();
    let (code, object, field) = (finding.code, &finding.object, &finding.field);
    format!("{code} {object}: {field}: {}{help}", finding.message)
}

/// What the checks of these codes say of the objects, each finding in one line.
fn said(codes: &[&str], objects: &str) -> Vec<String> {
    let findings = check(&built(objects));
    findings.iter().filter(|finding| codes.contains(&finding.code)).map(line).collect()
}

/// What validation and checks say of the objects.
fn all(objects: &str) -> Vec<String> {
    inspect(&built(objects), Schemas::stored()).iter().map(line).collect()
}

/// A Deployment `web` with these lines in its `spec` and in its container, indented by two and eight.
fn deployment(spec: &str, container: &str) -> String {
    workload("apps/v1", "Deployment", spec, container)
}

fn workload(api_version: &str, kind: &str, spec: &str, container: &str) -> String {
    format!(
        "\
apiVersion: {api_version}
kind: {kind}
metadata: {{name: web}}
spec:
  selector: {{matchLabels: {{app: web}}}}
{spec}  template:
    metadata: {{labels: {{app: web, tier: front}}}}
    spec:
      containers:
      - name: main
        image: web:1
{container}---
"
    )
}
