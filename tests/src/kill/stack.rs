//! The stack that is killed at: its graph before and after the update, for an account, a server and a namespace.

use crate::{environment, steps::IMAGES};
use formwork_rehearse::Site;
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use toml::{Table, Value};

/// A stack, and the program that plans and applies it.
pub struct Stack {
    formwork: PathBuf,
    project: PathBuf,
    pub name: String,
}

/// Where the stack is built for the first time, and what it is updated to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    First,
    /// Other images and sizes, one NAT gateway instead of three, and another host name.
    Second,
}

impl Stack {
    pub fn new(formwork: PathBuf, project: PathBuf, name: &str) -> Self {
        Self { formwork, project, name: name.to_owned() }
    }

    /// The program on a site, with the state in a folder.
    pub fn command(&self, site: &Site, state: &Path) -> Command {
        let mut command = Command::new(&self.formwork);
        command.current_dir(&self.project).envs(site.environment()).stdin(Stdio::null());
        // The cluster is reached as the environment file says.
        command.env("KUBECONFIG", "/dev/null").env("NO_COLOR", "1").env("FORMWORK_STATE", state);
        command
    }

    /// Writes the graph into a folder. Many of them share a cluster, so it is for a namespace of its own.
    pub fn graph(
        &self,
        site: &Site,
        folder: &Path,
        namespace: &str,
        version: Version,
    ) -> Result<PathBuf, String> {
        let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
        let text = environment::local(&self.project, site, false)?;
        let text = if version == Version::First { text } else { second(&text)? };
        let file = folder.join(format!("{version:?}.toml"));
        std::fs::write(&file, text).map_err(failed)?;
        let mut emit = self.command(site, folder);
        emit.args(["emit", &self.name, "--environment"]).arg(&file);
        for image in IMAGES {
            let of_version = if version == Version::First { ":1" } else { ":2" };
            emit.arg(image.replace(":1", of_version));
        }
        let output = emit.output().map_err(failed)?;
        if !output.status.success() {
            return Err(format!("emit: {}", String::from_utf8_lossy(&output.stderr)));
        }
        let graph = String::from_utf8_lossy(&output.stdout);
        let graph = graph.replace(&format!("shop-{}", self.name), namespace);
        let file = folder.join(format!("{version:?}.json"));
        std::fs::write(&file, graph).map_err(failed)?;
        Ok(file)
    }
}

/// The environment after the update.
fn second(text: &str) -> Result<String, String> {
    let mut values: Table = text.parse().map_err(|error| format!("{error}"))?;
    let changes: [(&[&str], Value); 4] = [
        (&["domain"], "www.shop.example".into()),
        (&["network", "nat_per_zone"], false.into()),
        (&["database", "storage_gb"], 200.into()),
        (&["cache", "replicas"], 1.into()),
    ];
    for (path, value) in changes {
        let (last, tables) = path.split_last().ok_or("no path")?;
        let mut table = &mut values;
        for name in tables {
            let inner = table.get_mut(*name).and_then(Value::as_table_mut);
            table = inner.ok_or_else(|| format!("the environment has no table [{name}]"))?;
        }
        table.insert((*last).to_owned(), value);
    }
    Ok(values.to_string())
}
