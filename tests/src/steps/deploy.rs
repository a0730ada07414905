//! Deploys: a server that doesn't start is seen, kept as evidence, and put back, in production and in a preview.

use super::{
    preview::PULLS,
    support::{changes, equal, holds, plan, with_images},
};
use crate::{Rehearsal, clients::kubectl};
use serde_json::Value;
use std::{fs, path::Path};

/// Exit code of a deploy that was put back.
const PUT_BACK: i32 = 3;
/// The last line of a server that doesn't know the script it is told to run.
const LAST_LINE: &str = r#"error Command "foo" not found."#;

/// The team's own test: `yarn start` becomes `yarn foo`.
pub async fn production(r: &mut Rehearsal) -> Result<(), String> {
    put_back(r, "production", "shop-production", &["production"]).await
}

pub async fn preview(r: &mut Rehearsal) -> Result<(), String> {
    let namespace = format!("shop-pr{}", PULLS[0]);
    put_back(r, "staging", &namespace, &["preview", "--pr", PULLS[0]]).await
}

async fn put_back(
    r: &Rehearsal,
    site: &str,
    namespace: &str,
    stack: &[&str],
) -> Result<(), String> {
    let project = project_with(r, r#"["yarn", "foo"]"#)?;
    let before = objects(r, site, namespace)?;
    let evidence = r.scratch().join(format!("evidence-{namespace}"));
    let (evidence_folder, project) =
        (evidence.display().to_string(), project.display().to_string());
    let deploy = ["deploy", "--yes", "--project", &project, "--evidence", &evidence_folder];
    let deploy = with_images(&[&deploy[..], stack].concat());
    let said = r.formwork(site, &deploy)?.code_is(PUT_BACK)?;
    holds("what the deploy said", &said.stderr, "crash loop")?;
    let kept = fs::read_dir(&evidence).map_err(|error| format!("{evidence_folder}: {error}"))?;
    let kept: Vec<_> = kept.flatten().map(|entry| entry.path()).collect();
    let [file] = kept.as_slice() else { return Err(format!("not one file of evidence: {kept:?}")) };
    let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
    holds("the evidence", &text, LAST_LINE)?;
    equal("objects after the rollback", objects(r, site, namespace)?, before)?;
    // The stack that is checked out is what is there again; the bad one is still to be deployed.
    plan(r, site, &with_images(stack), 0)?;
    let bad = with_images(&[&["--project", project.as_str()][..], stack].concat());
    let lines = changes(&plan(r, site, &bad, 2)?);
    equal("changes that the bad one would make", lines.len(), 1)?;
    let name = said_name(stack);
    let history =
        r.formwork(site, &["deploy", "history", "--format", "json", &name])?.code_is(0)?;
    let history: Value =
        serde_json::from_str(&history.stdout).map_err(|error| error.to_string())?;
    let statuses: Vec<&str> = history
        .as_array()
        .into_iter()
        .flatten()
        .rev()
        .take(3)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .filter_map(|revision| revision["status"].as_str())
        .collect();
    equal("the last releases", statuses, vec!["good", "rolled back", "good"])
}

/// A release is tried out beside production's own: a bad one isn't promoted, a good one is, and neither stays.
pub async fn canary(r: &mut Rehearsal) -> Result<(), String> {
    const PRODUCTION: &str = "shop-production";
    let bad = project_with(r, r#"["yarn", "foo"]"#)?;
    let before = objects(r, "production", PRODUCTION)?;
    let evidence = r.scratch().join("evidence-canary").display().to_string();
    let arguments = ["deploy", "--yes", "--canary", "--evidence", evidence.as_str()];
    let with = |project: &str| {
        r.formwork(
            "production",
            &with_images(&[&arguments[..], &["--project", project, "production"]].concat()),
        )
    };
    let said = with(&bad.display().to_string())?.code_is(PUT_BACK)?;
    holds("what the deploy said", &said.stderr, "crash loop")?;
    let kept = fs::read_dir(&evidence).map_err(|error| format!("{evidence}: {error}"))?;
    equal("files of evidence", kept.count(), 1)?;
    let uids = || {
        let uid = ["-n", PRODUCTION, "get", "pods", "-o", "jsonpath={.items[*].metadata.uid}"];
        kubectl(r.site("production")?, &uid)?.ok()
    };
    equal("objects after the bad canary", objects(r, "production", PRODUCTION)?, before)?;
    let pods = uids()?;

    let good = project_with(r, r#"["yarn", "start", "--quiet"]"#)?;
    let said = with(&good.display().to_string())?.code_is(0)?;
    let order = ["production/beta: created", "production/app: updated", "production/beta: deleted"];
    let told: Vec<usize> = order.iter().filter_map(|step| said.stderr.find(step)).collect();
    if told.len() != order.len() || !told.is_sorted() {
        return Err(format!("it wasn't {order:?}, in this order:\n{}", said.stderr));
    }
    let command = "jsonpath={.spec.template.spec.containers[0].command}";
    let server = ["-n", PRODUCTION, "get", "deployment", "shop-production-server", "-o", command];
    let command = kubectl(r.site("production")?, &server)?.ok()?;
    holds("the server's command", &command, "--quiet")?;
    if uids()? == pods {
        return Err("the pods are the same as before".into());
    }
    let betas = [
        "-n",
        PRODUCTION,
        "get",
        "deployments,services,ingresses",
        "-l",
        "track=beta",
        "-o",
        "name",
    ];
    equal(
        "what is left of the canary",
        kubectl(r.site("production")?, &betas)?.ok()?.as_str(),
        "",
    )?;
    // Nothing changes, so there is nothing to be tried out.
    let said = with(&good.display().to_string())?.code_is(0)?;
    equal("what nothing to change said of a canary", said.stderr.contains("beta"), false)?;
    r.formwork("production", &["rollback", "--yes", "production"])?.code_is(0)?;
    plan(r, "production", &with_images(&["production"]), 0).map(drop)
}

/// The server alone is released: the client keeps the image that it has.
pub async fn one_part(r: &mut Rehearsal) -> Result<(), String> {
    let image = "server=registry.example/server:2";
    let deploy = ["deploy", "--yes", "production", "--image", image];
    r.formwork("production", &deploy)?.code_is(0)?;
    let images = ["-n", "shop-production", "get", "deployments", "-o"];
    let template = "jsonpath={.items[*].spec.template.spec.containers[*].image}";
    let images = kubectl(r.site("production")?, &[&images[..], &[template]].concat())?.ok()?;
    equal("images", images.as_str(), "registry.example/client:1 registry.example/server:2")?;
    // And back, as a person would put it back.
    r.formwork("production", &["rollback", "--yes", "production"])?.code_is(0)?;
    plan(r, "production", &with_images(&["production"]), 0).map(drop)
}

/// The stack's name in the state.
fn said_name(stack: &[&str]) -> String {
    match stack {
        ["preview", _, pull] => format!("preview-pr{pull}"),
        _ => stack.concat(),
    }
}

/// A copy of what the overlays are built from, with another command for the server.
fn project_with(r: &Rehearsal, command: &str) -> Result<std::path::PathBuf, String> {
    let copy = r.scratch().join("another-project");
    copy_folder(&r.project().join("kube"), &copy.join("kube"))
        .map_err(|error| error.to_string())?;
    let file = copy.join("kube/bases/server/deployment.yaml");
    let text = fs::read_to_string(&file).map_err(|error| error.to_string())?;
    let changed = text.replace(r#"["yarn", "start"]"#, command);
    if changed == text {
        return Err(format!("{}: the server's command isn't `yarn start`", file.display()));
    }
    fs::write(&file, changed).map_err(|error| error.to_string())?;
    Ok(copy)
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy_folder(&entry.path(), &target)?,
            false => drop(fs::copy(entry.path(), target)?),
        }
    }
    Ok(())
}

/// What the namespace holds that somebody wrote: specs and data, without what the cluster adds, nor releases.
fn objects(r: &Rehearsal, site: &str, namespace: &str) -> Result<Vec<String>, String> {
    let kinds =
        "deployments,services,configmaps,secrets,ingresses,serviceaccounts,poddisruptionbudgets";
    let list = kubectl(r.site(site)?, &["-n", namespace, "get", kinds, "-o", "json"])?.ok()?;
    let list: Value = serde_json::from_str(&list).map_err(|error| error.to_string())?;
    let mut lines: Vec<String> = vec![];
    for object in list["items"].as_array().into_iter().flatten() {
        let metadata = &object["metadata"];
        let is_release = metadata["labels"]
            .as_object()
            .is_some_and(|labels| labels.contains_key("formwork/role"));
        let name = metadata["name"].as_str().unwrap_or_default();
        if is_release || name.starts_with("formwork.") {
            continue;
        }
        lines.push(format!(
            "{} {name} {} {} {} {}",
            object["kind"], metadata["labels"], object["spec"], object["data"], object["type"]
        ));
    }
    lines.sort();
    Ok(lines)
}
