//! Staging: the same stack in its own account, and the template that previews are cloned from.

use super::support::{plan, with_images};
use crate::{Rehearsal, clients::psql_as_superuser};

const SITE: &str = "staging";

/// Rows in the template, so that a clone can be told from an empty database.
pub const ROWS: usize = 1_000;

pub async fn apply(r: &mut Rehearsal) -> Result<(), String> {
    for site in ["production", SITE] {
        r.formwork(site, &["apply", "--yes", "foundation", "--for", site])?.code_is(0)?;
        plan(r, site, &["foundation", "--for", site], 0)?;
    }
    r.formwork(SITE, &with_images(&["apply", "--yes", "staging"]))?.code_is(0)?;
    plan(r, SITE, &with_images(&["staging"]), 0).map(drop)
}

pub async fn template(r: &mut Rehearsal) -> Result<(), String> {
    let site = r.site(SITE)?;
    // The template belongs to the creator role.
    let rows = format!(
        "SET ROLE shop_creator; CREATE TABLE orders (id int PRIMARY KEY, note text NOT NULL);
         INSERT INTO orders SELECT n, 'order ' || n FROM generate_series(1, {ROWS}) n"
    );
    psql_as_superuser(site, "shop_clone", &rows)?.ok()?;
    plan(r, SITE, &with_images(&["staging"]), 0).map(drop)
}
