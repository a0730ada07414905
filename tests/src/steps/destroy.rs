//! Destruction: one preview, what is protected, what is in use, everything.

use super::{
    preview::{PULLS, SITE as STAGING},
    support::{addresses, changes, equal, plan, refused, with_images},
};
use crate::Rehearsal;
use formwork_rehearse::Inventory;

const PRODUCTION: &str = "production";

/// Lines of the inventory that may stay: what the services themselves keep for a while.
const STAYS: [(&str, &str); 2] = [
    ("secretsmanager", "secrets in their recovery window"),
    ("snapshot", "final snapshots of databases"),
];

/// Destroys a stack with consent to all of its stateful resources, as its plan names them.
fn destroy(r: &Rehearsal, site: &str, stack: &str) -> Result<(), String> {
    let asked = r.formwork(site, &["destroy", stack])?.code_is(1)?;
    let words: Vec<&str> = asked.stdout.split_whitespace().collect();
    let consent = words.windows(2).filter(|pair| pair[0] == "--consent");
    let mut arguments = vec!["destroy", stack, "--yes"];
    consent.for_each(|pair| arguments.extend(pair));
    r.formwork(site, &arguments)?.code_is(0).map(drop)
}

fn without(inventory: &Inventory, part: &str) -> Vec<String> {
    inventory.lines().filter(|line| !line.contains(part)).map(str::to_owned).collect()
}

pub async fn one_preview(r: &mut Rehearsal) -> Result<(), String> {
    let before = r.inventory().await?;
    destroy(r, STAGING, &format!("preview-pr{}", PULLS[0]))?;
    let after = r.inventory().await?;
    let gone = format!("pr{}", PULLS[0]);
    let kept = |inventory: &Inventory| without(inventory, &gone);
    equal("what isn't of the destroyed preview", kept(&after), kept(&before))?;
    if let Some(line) = after.lines().find(|line| line.contains(&gone)) {
        return Err(format!("left of the destroyed preview: {line}"));
    }
    plan(r, STAGING, &with_images(&["preview", "--pr", PULLS[1]]), 0)?;
    plan(r, STAGING, &with_images(&["staging"]), 0).map(drop)
}

pub async fn staging_is_in_use(r: &mut Rehearsal) -> Result<(), String> {
    let why = format!("preview-pr{} imports it", PULLS[1]);
    refused(r.formwork(STAGING, &["destroy", "staging", "--yes"])?, &why)
}

pub async fn protected(r: &mut Rehearsal) -> Result<(), String> {
    let before = r.inventory().await?;
    let said = r.formwork(PRODUCTION, &["destroy", "production", "--yes"])?;
    refused(said, "these resources are protected")?;
    equal("changes by a refused destroy", r.inventory().await?.since(&before), vec![])
}

pub async fn unprotect(r: &mut Rehearsal) -> Result<(), String> {
    r.write_environment("production", false)?;
    let plan = plan(r, PRODUCTION, &with_images(&["production"]), 2)?;
    let other: Vec<String> = changes(&plan)
        .into_iter()
        .filter(|line| !line.ends_with("(protect)") && !line.ends_with("deletion_protection"))
        .collect();
    equal("changes beside the protection", other, vec![])?;
    r.formwork(PRODUCTION, &with_images(&["apply", "--yes", "production"]))?.code_is(0).map(drop)
}

pub async fn no_consent(r: &mut Rehearsal) -> Result<(), String> {
    let before = r.inventory().await?;
    let said = r.formwork(PRODUCTION, &["destroy", "production", "--yes"])?;
    refused(said, "this would lose data, and nobody consented")?;
    equal("changes by a refused destroy", r.inventory().await?.since(&before), vec![])
}

pub async fn production(r: &mut Rehearsal) -> Result<(), String> {
    destroy(r, PRODUCTION, "production")?;
    let plan = plan(r, PRODUCTION, &with_images(&["production"]), 2)?;
    let created = addresses(&plan, "create").len() as u64;
    equal("resources to create again", Some(created), plan["resources"].as_u64())
}

pub async fn the_rest(r: &mut Rehearsal) -> Result<(), String> {
    destroy(r, STAGING, &format!("preview-pr{}", PULLS[1]))?;
    destroy(r, STAGING, "staging")?;
    destroy(r, STAGING, "foundation-staging")?;
    destroy(r, PRODUCTION, "foundation-production")
}

pub async fn nothing_left(r: &mut Rehearsal) -> Result<(), String> {
    let left = r.inventory().await?.since(&r.before);
    let (stays, other): (Vec<String>, Vec<String>) =
        left.into_iter().partition(|line| STAYS.iter().any(|(part, _)| line.contains(part)));
    for line in &stays {
        println!("      stays for a while: {line}");
    }
    equal("what is left", other, vec![])
}
