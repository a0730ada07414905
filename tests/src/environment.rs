//! Environment files for the local cloud: the team's own, with what only a local cloud needs.

use formwork_rehearse::Site;
use std::path::Path;
use toml::{Table, Value};

/// The team's values for an environment, with the local cloud's account, addresses and ports.
pub fn local(project: &Path, site: &Site, protect: bool) -> Result<String, String> {
    let file = project.join(format!("stacks/environments/{}.toml", site.name));
    let text = std::fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    let mut values: Table = text.parse().map_err(|e| format!("{}: {e}", file.display()))?;
    values.insert("account".into(), site.account.as_str().into());
    values.insert("region".into(), site.region.as_str().into());
    values.insert("endpoint".into(), site.aws_endpoint.as_str().into());
    values.insert("protect".into(), protect.into());
    let kubeconfig = site.kubeconfig.display().to_string();
    set(&mut values, "cluster", "kubeconfig", kubeconfig.into())?;
    set(&mut values, "database", "port", i64::from(site.postgres_port).into())?;
    set(&mut values, "database", "master", site.postgres_master.as_str().into())?;
    // The emulator makes no managed password, and the local server lets the master in on loopback.
    set(&mut values, "database", "managed_password", false.into())?;
    set(&mut values, "database", "tls", false.into())?;
    Ok(values.to_string())
}

fn set(values: &mut Table, table: &str, key: &str, value: Value) -> Result<(), String> {
    let inner = values.get_mut(table).and_then(Value::as_table_mut);
    let inner = inner.ok_or_else(|| format!("the environment has no table [{table}]"))?;
    inner.insert(key.to_owned(), value);
    Ok(())
}
