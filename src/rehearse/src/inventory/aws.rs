//! What the emulator holds, asked with boto3.

use std::process::Command;

use super::{InventoryError, ask, unreadable};
use crate::Site;

/// Prints a JSON list of lines.
const SCRIPT: &str = include_str!("aws.py");

pub(super) fn list(site: &Site) -> Result<Vec<String>, InventoryError> {
    let mut python = Command::new(&site.tools.python);
    python.args(["-I", "-c", SCRIPT, &site.aws_endpoint, &site.region]);
    python.args([&site.access_key_id, &site.secret_access_key]);
    // Nothing of the user's own AWS settings may lead elsewhere.
    let settings = std::env::vars_os().map(|(name, _)| name);
    for name in settings.filter(|name| name.to_string_lossy().starts_with("AWS_")) {
        python.env_remove(name);
    }
    python.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    let answer = ask(site, &mut python)?;
    serde_json::from_str(&answer).map_err(|error| unreadable(site, "the boto3 script", error))
}
