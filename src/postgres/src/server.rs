//! The server that resources live on: where it is, who we are there, how the way is secured.

use formwork_engine::{Nested, Secret, leaf};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// PostgreSQL's port, where none is given.
pub const DEFAULT_PORT: u16 = 5432;

/// The database that connections are made to for what belongs to the whole server, where none is given.
pub const DEFAULT_DATABASE: &str = "postgres";

/// How a PostgreSQL server is reached, as whom. Every kind of this crate has one as its field `server`.
#[derive(Nested, Clone, Debug, Serialize, Deserialize)]
pub struct Server {
    /// A host name or an address.
    pub host: String,
    /// 5432 by default.
    pub port: Option<u16>,
    /// The role that does the work. It needs no superuser: `LOGIN CREATEDB CREATEROLE` is enough.
    pub user: String,
    /// Its password; none where the server asks for none.
    #[secret]
    pub password: Option<Secret>,
    /// The database connected to for roles and databases themselves; `postgres` by default.
    pub database: Option<String>,
    /// By default none on a loopback address, and [`Tls::System`] on any other.
    pub tls: Option<Tls>,
    /// [`Reach::Direct`] by default.
    pub reach: Option<Reach>,
}

/// How a connection is secured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// The server proves by a certificate of the system's authorities that it is `host`.
    ///
    /// `SSL_CERT_FILE` names other authorities.
    System,
    /// The same, by the authorities in this PEM file, such as Amazon's bundle for RDS:
    /// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html>. A path is taken
    /// from the folder that formwork runs in.
    Authorities(String),
    /// Nothing is secured: passwords stay safe (SCRAM), data doesn't.
    Disable,
}

/// From where a server can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// From where formwork runs.
    Direct,
    /// Not from here: what lives on it is not observed, and can't be changed.
    None,
}

leaf!(Tls, Reach);

impl Server {
    pub(crate) fn port(&self) -> u16 {
        self.port.unwrap_or(DEFAULT_PORT)
    }

    pub(crate) fn database(&self) -> &str {
        self.database.as_deref().unwrap_or(DEFAULT_DATABASE)
    }

    pub(crate) fn tls(&self) -> Tls {
        let by_default = if self.is_loopback() { Tls::Disable } else { Tls::System };
        self.tls.clone().unwrap_or(by_default)
    }

    fn is_loopback(&self) -> bool {
        let address = self.host.parse::<IpAddr>();
        self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    /// `host:port`, for messages.
    pub(crate) fn place(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port()),
            false => format!("{}:{}", self.host, self.port()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str) -> Server {
        serde_json::from_value(serde_json::json!({ "host": host, "user": "u" })).unwrap()
    }

    #[test]
    fn only_loopback_goes_without_tls_by_default() {
        for host in ["127.0.0.1", "127.9.0.1", "::1", "localhost"] {
            assert_eq!(at(host).tls(), Tls::Disable, "{host}");
        }
        for host in ["10.0.0.1", "db.example", "localhost.example", "::2"] {
            assert_eq!(at(host).tls(), Tls::System, "{host}");
        }
        assert_eq!(at("::1").place(), "[::1]:5432");
    }
}
