//! Previews: an environment for each of two pull requests, beside each other.

use super::{
    staging::ROWS,
    support::{equal, holds, plan, with_images},
};
use crate::{
    Rehearsal,
    clients::{Login, boto3, kubectl, psql},
};
use serde_json::Value;

pub const SITE: &str = "staging";
pub const PULLS: [&str; 2] = ["41", "42"];

/// The name of a pull request's database and role.
fn name(pull: &str) -> String {
    format!("shop_staging_pr{pull}")
}

/// Each by two runs at once, on one state in a bucket: one makes it. The other stops where it isn't told to wait,
/// or has nothing left to do.
pub async fn create(r: &mut Rehearsal) -> Result<(), String> {
    for (pull, patience) in [(PULLS[0], "0"), (PULLS[1], "60")] {
        let apply = ["apply", "--yes", "--lock-timeout", patience, "preview", "--pr", pull];
        let apply = with_images(&apply);
        let runs = [r.start(SITE, &apply)?, r.start(SITE, &apply)?];
        let mut said = vec![];
        for run in runs {
            said.push(Rehearsal::ended(run)?);
        }
        said.sort_by_key(|said| said.code);
        let made = said.iter().filter(|said| said.stderr.contains("/app: created")).count();
        let stopped = said[1].code == 1 && said[1].stderr.contains("is being changed by");
        let waited = said[1].code == 0 && said.iter().any(|s| s.stdout.contains("nothing to do"));
        if (said[0].code, made) != (0, 1) || !(waited || stopped && patience == "0") {
            return Err(format!("not one that makes it and one that stops or waits: {said:#?}"));
        }
        plan(r, SITE, &with_images(&["preview", "--pr", pull]), 0)?;
    }
    Ok(())
}

/// The password of a preview, from Secrets Manager.
fn password(r: &Rehearsal, pull: &str) -> Result<String, String> {
    let code = format!(
        "s = client('secretsmanager')\nprint(s.get_secret_value(SecretId='shop/pr{pull}/database')['SecretString'])"
    );
    Ok(boto3(r.site(SITE)?, &code)?.ok()?.trim().to_owned())
}

pub async fn contents(r: &mut Rehearsal) -> Result<(), String> {
    let site = r.site(SITE)?;
    let master = Login { database: "postgres", user: &site.postgres_master, password: "" };
    for pull in PULLS {
        let sql = format!(
            "SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype
             FROM pg_database WHERE datname = '{}'",
            name(pull)
        );
        let row = psql(site, master, &sql)?.ok()?;
        let expected = format!("{}|UTF8|en_US.UTF-8|en_US.UTF-8", name(pull));
        equal("the database", row.trim().to_owned(), expected)?;
        let namespace = format!("shop-pr{pull}");
        let get = |what: &str| kubectl(site, &["-n", &namespace, "get", what, "-o", "json"])?.ok();
        let secrets: Value = json(&get("secrets")?)?;
        let wanted = base64(&password(r, pull)?);
        let found = secrets["items"].as_array().into_iter().flatten();
        let found = found.filter(|secret| secret["data"]["PGPASSWORD"] == wanted.as_str()).count();
        equal("Kubernetes secrets with the password of Secrets Manager", found, 1)?;
        let deployments: Value = json(&get("deployments")?)?;
        for deployment in deployments["items"].as_array().into_iter().flatten() {
            let labels = &deployment["metadata"]["labels"];
            equal("label app", labels["app"].as_str(), Some("shop"))?;
            equal("label environment", labels["environment"].as_str(), Some("staging"))?;
            equal("label release", labels["release"].as_str(), Some(namespace.as_str()))?;
            equal("ready replicas", deployment["status"]["readyReplicas"].as_u64(), Some(1))?;
        }
        equal("deployments", deployments["items"].as_array().map(Vec::len), Some(2))?;
    }
    Ok(())
}

pub async fn isolation(r: &mut Rehearsal) -> Result<(), String> {
    let site = r.site(SITE)?;
    for (pull, other) in [(PULLS[0], PULLS[1]), (PULLS[1], PULLS[0])] {
        let (own, others, password) = (name(pull), name(other), password(r, pull)?);
        let login = |database| Login { database, user: &own, password: &password };
        let count = psql(site, login(&own), "SELECT count(*) FROM orders")?.ok()?;
        equal("rows of the clone", count.trim().to_owned(), ROWS.to_string())?;
        let write = format!(
            "INSERT INTO orders VALUES (-{pull}, 'mine'); UPDATE orders SET note = 'x' WHERE id = 1;
             CREATE TABLE drafts (id int); DROP TABLE drafts"
        );
        psql(site, login(&own), &write)?.ok()?;
        let refused = psql(site, login(&others), "SELECT 1")?.code_is(2)?;
        holds("the refusal", &refused.stderr, "permission denied for database")?;
        let refused = psql(site, login("shop_clone"), "SELECT 1")?.code_is(2)?;
        holds("the refusal", &refused.stderr, "permission denied for database")?;
        let wrong = Login { password: "guess", ..login(&own) };
        let refused = psql(site, wrong, "SELECT 1")?.code_is(2)?;
        holds("the refusal", &refused.stderr, "password authentication failed")?;
    }
    Ok(())
}

/// Neither the graph, nor the state, nor the cluster of a preview refers to the master.
pub async fn no_master(r: &mut Rehearsal) -> Result<(), String> {
    let site = r.site(SITE)?;
    for pull in PULLS {
        let graph = r.formwork(SITE, &with_images(&["emit", "preview", "--pr", pull]))?.ok()?;
        let state = r.formwork(SITE, &["state", "show", &format!("preview-pr{pull}")])?.ok()?;
        let namespace = format!("shop-pr{pull}");
        let cluster = ["-n", namespace.as_str(), "get", "secrets,configmaps", "-o", "json"];
        let cluster = kubectl(site, &cluster)?.ok()?;
        for (what, text) in [("graph", graph), ("state", state), ("cluster", cluster)] {
            if text.contains(&site.postgres_master) || text.contains("master") {
                return Err(format!("the {what} of preview {pull} knows the master"));
            }
            let password = password(r, pull)?;
            if what != "cluster" && text.contains(&password) {
                return Err(format!("the {what} of preview {pull} holds its password"));
            }
        }
    }
    Ok(())
}

fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("{error} in\n{text}"))
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
