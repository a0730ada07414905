//! Production: planned, applied, drifted, repaired.

use super::support::{addresses, changes, equal, plan, with_images};
use crate::{
    Rehearsal,
    clients::{boto3, kubectl, psql_as_superuser},
};

const SITE: &str = "production";

pub async fn plan_on_empty(r: &mut Rehearsal) -> Result<(), String> {
    r.write_environment("production", true)?;
    r.write_environment("staging", false)?;
    let plan = plan(r, SITE, &with_images(&["production"]), 2)?;
    let resources = plan["resources"].as_u64().unwrap_or_default();
    let created = addresses(&plan, "create").len() as u64;
    equal("resources to create", created, resources)?;
    if created < 20 {
        return Err(format!("only {created} resources in production"));
    }
    equal("reads", plan["reads"].as_u64(), Some(0))?;
    println!("      {created} resources to create");
    Ok(())
}

pub async fn apply(r: &mut Rehearsal) -> Result<(), String> {
    let said = r.formwork(SITE, &with_images(&["apply", "--yes", "production"]))?.code_is(0)?;
    match said.stderr.lines().find(|line| line.contains("reads back other than asked")) {
        Some(line) => Err(line.to_owned()),
        None => Ok(()),
    }
}

pub async fn second_plan(r: &mut Rehearsal) -> Result<(), String> {
    let plan = plan(r, SITE, &with_images(&["production"]), 0)?;
    let stats = r.formwork(SITE, &with_images(&["plan", "--stats", "production"]))?.code_is(0)?;
    let requests = stats.stderr.lines().find(|line| line.starts_with("AWS API requests: "));
    let requests = requests.ok_or_else(|| format!("no requests in:\n{}", stats.stderr))?;
    println!("      {} resources, {} reads, {requests}", plan["resources"], plan["reads"]);
    Ok(())
}

/// The state is deleted with everything in it, proposed anew from what exists, and confirmed.
pub async fn rebuild(r: &mut Rehearsal) -> Result<(), String> {
    let before = r.inventory().await?;
    let state = r.state_folder().join("production");
    std::fs::remove_dir_all(&state).map_err(|error| format!("{}: {error}", state.display()))?;
    let said = with_images(&["state", "rebuild", "--yes", "production"]);
    let said = r.formwork(SITE, &said)?.code_is(0)?;
    for bad in ["not there:", "can't be looked for", "not in the stack"] {
        if said.stdout.contains(bad) {
            return Err(said.stdout);
        }
    }
    plan(r, SITE, &with_images(&["production"]), 0)?;
    r.formwork(SITE, &["state", "confirm", "production"])?.code_is(0)?;
    plan(r, SITE, &with_images(&["production"]), 0)?;
    equal("changes by a rebuild", r.inventory().await?.since(&before), vec![])
}

/// A rule, a replica count and a grant, each by the service's own client.
pub async fn drift(r: &mut Rehearsal) -> Result<(), String> {
    let site = r.site(SITE)?;
    boto3(
        site,
        r#"
ec2 = client("ec2")
tag = {"Name": "tag:formwork:address", "Values": ["production/database-access"]}
group = ec2.describe_security_groups(Filters=[tag])["SecurityGroups"][0]["GroupId"]
ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[
    {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "IpRanges": [{"CidrIp": "203.0.113.0/24"}]}])
"#,
    )?
    .ok()?;
    let scale =
        ["-n", "shop-production", "scale", "deployment/shop-production-server", "--replicas=5"];
    kubectl(site, &scale)?.ok()?;
    psql_as_superuser(site, "shop", "GRANT TEMPORARY ON DATABASE shop TO shop_reader")?.ok()?;
    let plan = plan(r, SITE, &with_images(&["production"]), 2)?;
    let expected = [
        r#"update production/app objects["Deployment/shop-production/shop-production-server"].spec.replicas"#,
        "update production/database-access ingress[-]",
        "update production/reader-grants on_database[-]",
    ];
    equal("the changes", changes(&plan), expected.map(str::to_owned).to_vec())?;
    let drifted = plan["changes"].as_array().into_iter().flatten();
    let drifted = drifted.flat_map(|step| step["changes"].as_array().into_iter().flatten());
    equal("all of them as drift", drifted.filter(|change| change["drift"] == true).count(), 3)?;
    // The same from the state alone, with who it was where the service keeps that.
    let told = drift_of(r, 2)?;
    let told = told[0]["differences"].as_array().cloned().unwrap_or_default();
    let lines = told.iter().flat_map(|difference| {
        let address = difference["address"].as_str().unwrap_or_default();
        let changes = difference["changed"].as_array().into_iter().flatten();
        changes.map(move |change| {
            let who = change["by"][0]["who"].as_str().map(|who| format!(" by {who}"));
            let path = change["path"].as_str().unwrap_or_default();
            format!("{address} {path}{}", who.unwrap_or_default())
        })
    });
    let expected = [
        r#"production/app objects["Deployment/shop-production/shop-production-server"].spec.replicas by kubectl (scale)"#,
        "production/database-access ingress[-]",
        "production/reader-grants on_database[-]",
    ];
    equal("what drifted", lines.collect(), expected.map(str::to_owned).to_vec())
}

fn drift_of(r: &Rehearsal, code: i32) -> Result<serde_json::Value, String> {
    let said = r.formwork(SITE, &["drift", "--format", "json", SITE])?.code_is(code)?;
    serde_json::from_str(&said.stdout).map_err(|error| format!("drift --format json: {error}"))
}

pub async fn repair(r: &mut Rehearsal) -> Result<(), String> {
    r.formwork(SITE, &with_images(&["apply", "--yes", "production"]))?.code_is(0)?;
    plan(r, SITE, &with_images(&["production"]), 0)?;
    drift_of(r, 0)?;
    let site = r.site(SITE)?;
    let replicas = ["-n", "shop-production", "get", "deployment/shop-production-server"];
    let replicas = [&replicas[..], &["-o", "jsonpath={.spec.replicas}"]].concat();
    equal("replicas", kubectl(site, &replicas)?.ok()?, "3".to_owned())
}
