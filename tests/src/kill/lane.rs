//! A lane: lives one after the other, on one database server.

use super::stack::Stack;
use formwork_rehearse::{LocalCloud, Site};
use std::path::PathBuf;

/// The account of the first life; each next one has the next number.
const FIRST_ACCOUNT: usize = 900_000_000_000;
/// How many lives a lane may have.
const MOST_LIVES: usize = 10_000;

pub struct Lane<'a> {
    cloud: &'a LocalCloud,
    pub stack: &'a Stack,
    number: usize,
    servers: usize,
    lives: usize,
    server: Site,
}

/// What belongs to one life alone.
pub struct Own {
    pub site: Site,
    pub namespace: String,
    pub folder: PathBuf,
}

impl<'a> Lane<'a> {
    pub fn new(cloud: &'a LocalCloud, stack: &'a Stack, number: usize) -> Result<Self, String> {
        let server = server(cloud, stack, number, 0)?;
        Ok(Self { cloud, stack, number, servers: 1, lives: 0, server })
    }

    /// Goes on with another server, after a life that may have left something.
    pub fn renew(&mut self) -> Result<(), String> {
        self.server = server(self.cloud, self.stack, self.number, self.servers)?;
        self.servers += 1;
        Ok(())
    }

    /// A new account and a new namespace.
    pub fn own(&mut self) -> Result<Own, String> {
        let life = self.number * MOST_LIVES + self.lives;
        self.lives += 1;
        let account = (FIRST_ACCOUNT + life).to_string();
        let site = Site { access_key_id: account.clone(), account, ..self.server.clone() };
        let namespace = format!("shop-l{life}");
        let folder = self.cloud.scratch().join("lives").join(&namespace);
        std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        Ok(Own { site, namespace, folder })
    }
}

fn server(cloud: &LocalCloud, stack: &Stack, lane: usize, nth: usize) -> Result<Site, String> {
    let site = cloud.site(&stack.name);
    let site = site.ok_or_else(|| format!("the local cloud has no site {}", stack.name))?;
    let annex = cloud.annex(site, &format!("lane{lane}-{nth}"), &site.account);
    annex.map_err(|error| error.to_string())
}
