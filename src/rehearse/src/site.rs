//! A site: one environment's account, control plane, PostgreSQL and Redis.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{pki::write_secret, start_error::StartError};

/// How a program reaches one environment of the local cloud.
///
/// Also written to `sites/NAME.json` of the scratch folder, and as shell variables to `sites/NAME.env`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Site {
    /// `production` or `staging`.
    pub name: String,
    /// The AWS account: twelve digits.
    pub account: String,
    pub region: String,
    /// The AWS APIs, all services: `http://127.0.0.1:PORT`. Both sites share it; the access key tells them apart.
    pub aws_endpoint: String,
    /// The account's number, which the emulator takes for its root user.
    pub access_key_id: String,
    /// Anything will do.
    pub secret_access_key: String,
    /// The administrator's kubeconfig, with certificates inside.
    pub kubeconfig: PathBuf,
    /// `https://127.0.0.1:PORT`.
    pub kubernetes_endpoint: String,
    pub postgres_host: String,
    pub postgres_port: u16,
    /// The master role: no password on loopback, no superuser.
    pub postgres_master: String,
    /// The folder of the Unix socket, for looking in as the superuser `rdsadmin`.
    pub postgres_socket: PathBuf,
    pub redis_host: String,
    pub redis_port: u16,
    /// The programs that look into the site.
    pub tools: Tools,
}

/// Programs that look into a site.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Tools {
    pub kubectl: PathBuf,
    pub psql: PathBuf,
    /// A Python that has boto3.
    pub python: PathBuf,
}

impl Site {
    /// Reads the sites of a running cloud from its scratch folder, in the order of their names.
    pub fn all_in(scratch: &Path) -> io::Result<Vec<Self>> {
        let mut sites = Vec::new();
        for entry in fs::read_dir(scratch.join("sites"))? {
            let path = entry?.path();
            if path.extension().is_some_and(|kind| kind == "json") {
                let site = serde_json::from_slice(&fs::read(&path)?);
                sites.push(site.map_err(|error| {
                    io::Error::new(
                        io::ErrorKind::InvalidData,
                        format!("{}: {error}", path.display()),
                    )
                })?);
            }
        }
        sites.sort_by(|a: &Self, b: &Self| a.name.cmp(&b.name));
        Ok(sites)
    }

    /// The site as environment variables, for AWS clients, kubectl, psql and redis-cli.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.aws_endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", self.access_key_id.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.secret_access_key.clone()),
            ("AWS_REGION", self.region.clone()),
            ("AWS_DEFAULT_REGION", self.region.clone()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("KUBECONFIG", self.kubeconfig.display().to_string()),
            ("PGHOST", self.postgres_host.clone()),
            ("PGPORT", self.postgres_port.to_string()),
            ("PGUSER", self.postgres_master.clone()),
            ("PGDATABASE", "postgres".to_owned()),
            ("REDIS_HOST", self.redis_host.clone()),
            ("REDIS_PORT", self.redis_port.to_string()),
        ]
    }

    /// The environment in a form that a shell reads, with the tools in front of PATH.
    pub fn shell(&self) -> String {
        let mut text = format!("# The local cloud's site {}.\n", self.name);
        for (name, value) in self.environment() {
            text.push_str(&format!("export {name}={}\n", quoted(&value)));
        }
        let folders = [&self.tools.kubectl, &self.tools.psql].map(|tool| tool.parent());
        for folder in folders.into_iter().flatten() {
            text.push_str(&format!(
                "export PATH={}:\"$PATH\"\n",
                quoted(&folder.display().to_string())
            ));
        }
        text
    }

    /// Writes the site's two files into the scratch folder.
    pub(crate) fn write(&self, scratch: &Path) -> Result<(), StartError> {
        let folder = scratch.join("sites");
        let json = serde_json::to_string_pretty(self).map_err(|error| StartError::Io {
            what: "write the site to",
            path: folder.clone(),
            source: io::Error::other(error),
        })?;
        write_secret(&folder.join(format!("{}.json", self.name)), &json)?;
        write_secret(&folder.join(format!("{}.env", self.name)), &self.shell())
    }
}

/// A word that a shell takes as it is.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_survive_the_shell() {
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
