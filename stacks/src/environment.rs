//! The environment argument: everything in which production and staging differ.

use formwork::prelude::*;
use serde::Deserialize;
use std::path::PathBuf;

/// Which environment a stack is built for.
#[derive(clap::Args)]
pub struct EnvironmentFile {
    /// The environment's values; by default `stacks/environments/NAME.toml` of the named environment.
    #[arg(long, env = "FORMWORK_ENVIRONMENT", value_name = "FILE")]
    environment: Option<PathBuf>,
}

impl EnvironmentFile {
    /// Reads the file, or the one that is kept for `name`.
    pub fn read(&self, name: &str) -> Result<Environment, StackError> {
        let kept = || PathBuf::from(format!("stacks/environments/{name}.toml"));
        Ok(read_environment(&self.environment.clone().unwrap_or_else(kept))?)
    }
}

/// The values of one environment.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// The AWS account, 12 digits.
    pub account: String,
    pub region: String,
    /// Where the AWS APIs are, instead of at AWS: only for the local cloud.
    pub endpoint: Option<String>,
    /// The S3 bucket that holds the state, made by hand once.
    pub state_bucket: String,
    /// The domain under which the app answers; previews get a name below it.
    pub domain: String,
    /// Whether what holds data is protected from deletion.
    pub protect: bool,
    pub network: Network,
    pub cluster: Cluster,
    pub database: Database,
    pub cache: Cache,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// The addresses of the network; a /16.
    pub cidr: String,
    /// One NAT gateway per zone, or one for all.
    pub nat_per_zone: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// The Kubernetes version, such as `1.34`.
    pub version: String,
    pub instance_types: Vec<String>,
    pub min_nodes: u32,
    pub max_nodes: u32,
    /// Reach the cluster as this kubeconfig says, instead of by its own endpoint.
    pub kubeconfig: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// The PostgreSQL version, such as `17`.
    pub version: String,
    pub class: String,
    pub storage_gb: u32,
    pub multi_az: bool,
    /// The port, where it isn't PostgreSQL's own.
    pub port: Option<u16>,
    /// The master user.
    pub master: String,
    /// Whether AWS makes and keeps the master's password; only the local cloud lets it in without one.
    #[serde(default = "yes")]
    pub managed_password: bool,
    /// Whether connections are encrypted; only the local cloud does without.
    #[serde(default = "yes")]
    pub tls: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// The Valkey version, such as `8.1`.
    pub version: String,
    pub node: String,
    pub replicas: u32,
}

fn yes() -> bool {
    true
}

impl Environment {
    /// Says which account and region the stack's AWS resources are in.
    pub fn bind(&self, s: &mut Stack) {
        let target = aws::Target::new().account(self.account.clone()).region(self.region.clone());
        s.bind("aws", target.maybe_endpoint(self.endpoint.clone()));
    }
}
