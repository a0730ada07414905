//! Connections to a server's databases, and statements on them.

use crate::{Server, Tls, failure};
use formwork_engine::{Connect, Data, Failure, Secrets};
use rustls::{
    ClientConfig, RootCertStore, pki_types::CertificateDer, pki_types::pem::PemObject as _,
};
use secrecy::ExposeSecret as _;
use std::{sync::Arc, time::Duration};
use tokio::{sync::Mutex, task::JoinHandle, time::timeout};
use tokio_postgres::{Client, Config, NoTls, Row, config::SslMode, types::ToSql};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How long connecting to one address may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a statement may take, other than copying a database.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(60);
/// How long copying, moving or dropping a database may take.
pub const COPY_TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// How long a statement waits for a lock.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(20);
/// How often the server looks whether we are still there while it copies, so that the copy of a run
/// that was killed ends with it.
pub const ABANDONED_AFTER: Duration = Duration::from_secs(2);
/// How long closing a session may take.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// What sessions call themselves in `pg_stat_activity`.
pub const APPLICATION_NAME: &str = "formwork";

/// The oldest release that has what is used here, `client_connection_check_interval` among it.
pub const OLDEST_VERSION: i32 = 14_00_00;
/// The release from which on memberships say whether they let their member inherit and set the role.
pub const MEMBERSHIP_OPTIONS_VERSION: i32 = 16_00_00;

/// The advisory lock under which catalogs are changed: two changes of one row at the same time would
/// make PostgreSQL fail one of them.
const CHANGES_LOCK: i64 = 0x0066_6f72_6d77_726b;

/// A PostgreSQL server, connected to as one role.
pub struct Postgres {
    server: Server,
    config: Config,
    tls: Option<MakeRustlsConnect>,
    version: i32,
    /// The session in the server's own database. It is kept, since every kind needs it.
    own: Mutex<Arc<Session>>,
}

impl Connect for Postgres {
    type Setup = ();

    async fn connect((): &(), binding: &Data, secrets: &Secrets) -> Result<Self, Failure> {
        let server: Server = binding.parse().map_err(|error| {
            Failure::invalid(format!("this doesn't say where a PostgreSQL server is: {error}"))
        })?;
        if server.reach == Some(crate::Reach::None) {
            let place = server.place();
            return Err(Failure::unreachable(format!(
                "{place} can't be reached from here, as its `reach` says"
            ))
            .hint("apply from where it can be reached"));
        }
        let tls = tls(&server)?;
        let mut config = Config::new();
        config
            .host(&server.host)
            .port(server.port())
            .user(&server.user)
            .application_name(APPLICATION_NAME)
            .connect_timeout(CONNECT_TIMEOUT)
            .ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
        if let Some(password) = &server.password {
            config.password(secrets.reveal(password).await?.expose_secret());
        }
        let own =
            Session::open(&server, &config, tls.as_ref(), server.database(), STATEMENT_TIMEOUT)
                .await?;
        let rows = own.query("SELECT current_setting('server_version_num')::int", &[]).await?;
        let version = rows.first().map(|row| get(row, 0)).transpose()?.unwrap_or_default();
        if version < OLDEST_VERSION {
            let (place, oldest) = (server.place(), OLDEST_VERSION / 10_000);
            return Err(Failure::invalid(format!("{place} runs a PostgreSQL older than {oldest}")));
        }
        Ok(Self { server, config, tls, version, own: Mutex::new(Arc::new(own)) })
    }
}

impl Postgres {
    /// Whether memberships have options of their own.
    pub(crate) fn has_membership_options(&self) -> bool {
        self.version >= MEMBERSHIP_OPTIONS_VERSION
    }

    /// The session in the server's own database, made again where it broke.
    pub(crate) async fn own(&self) -> Result<Arc<Session>, Failure> {
        let mut own = self.own.lock().await;
        if own.client.is_closed() {
            *own = Arc::new(self.open(self.server.database(), STATEMENT_TIMEOUT).await?);
        }
        Ok(own.clone())
    }

    /// A session of its own in the server's own database, for what takes long.
    pub(crate) async fn apart(&self) -> Result<Session, Failure> {
        self.open(self.server.database(), COPY_TIMEOUT).await
    }

    /// A session in any database. The caller closes it: a session left open would keep the database from
    /// being renamed, dropped, or used as a template.
    pub(crate) async fn inside(&self, database: &str) -> Result<Session, Failure> {
        self.open(database, COPY_TIMEOUT).await
    }

    async fn open(&self, database: &str, statement: Duration) -> Result<Session, Failure> {
        Session::open(&self.server, &self.config, self.tls.as_ref(), database, statement).await
    }
}

fn tls(server: &Server) -> Result<Option<MakeRustlsConnect>, Failure> {
    let mut roots = RootCertStore::empty();
    match server.tls() {
        Tls::Disable => return Ok(None),
        Tls::System => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                return Err(Failure::invalid("this system has no certificate authorities").hint(
                    "install ca-certificates, or name a bundle by `tls: Tls::Authorities(..)`",
                ));
            }
        }
        Tls::Authorities(file) => {
            let broken = |error: &dyn std::fmt::Display| {
                Failure::invalid(format!("{file} is no bundle of PEM certificates: {error}"))
                    .hint("the path is taken from the folder that formwork runs in")
            };
            let certificates =
                CertificateDer::pem_file_iter(&file).map_err(|error| broken(&error))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| broken(&error))?;
                roots.add(certificate).map_err(|error| broken(&error))?;
            }
            if roots.is_empty() {
                return Err(broken(&"it holds none"));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::invalid(format!("TLS can't be set up: {error}")))?;
    let config = config.with_root_certificates(roots).with_no_client_auth();
    Ok(Some(MakeRustlsConnect::new(config)))
}

/// A connection to one database.
pub(crate) struct Session {
    client: Client,
    connection: JoinHandle<()>,
}

impl Session {
    async fn open(
        server: &Server,
        config: &Config,
        tls: Option<&MakeRustlsConnect>,
        database: &str,
        statement: Duration,
    ) -> Result<Self, Failure> {
        let mut config = config.clone();
        let (statement, lock) = (statement.as_millis(), LOCK_TIMEOUT.as_millis());
        let abandoned = ABANDONED_AFTER.as_millis();
        config.dbname(database).options(format!(
            "-c statement_timeout={statement} -c lock_timeout={lock} \
             -c client_connection_check_interval={abandoned}"
        ));
        let failed = |error| failure::of_connecting(server, database, &error);
        // What ends a connection shows in the statement that was under way.
        let (client, connection) = match tls {
            Some(tls) => {
                let (client, connection) = config.connect(tls.clone()).await.map_err(failed)?;
                (client, tokio::spawn(async move { drop(connection.await) }))
            }
            None => {
                let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
                (client, tokio::spawn(async move { drop(connection.await) }))
            }
        };
        Ok(Self { client, connection })
    }

    pub(crate) async fn query(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Failure> {
        self.client.query(sql, parameters).await.map_err(|error| failure::of_statement(&error))
    }

    /// Statements that change something, all or none of them, one change at a time.
    pub(crate) async fn change(&self, statements: &[String]) -> Result<(), Failure> {
        if statements.is_empty() {
            return Ok(());
        }
        // Sent as one message, they are one transaction, and no other statement of ours gets between.
        let one_by_one = format!("SELECT pg_advisory_xact_lock({CHANGES_LOCK})");
        self.alone(&format!("{one_by_one};\n{}", statements.join(";\n"))).await
    }

    /// A statement that may not be in a transaction.
    pub(crate) async fn alone(&self, statement: &str) -> Result<(), Failure> {
        let done = self.client.batch_execute(statement).await;
        done.map_err(|error| failure::of_statement(&error))
    }

    /// Closes the session and waits until the connection has ended.
    pub(crate) async fn close(self) {
        drop(self.client);
        // A connection that doesn't end in time is cut when its task is dropped with the program.
        let _ = timeout(CLOSE_TIMEOUT, self.connection).await;
    }
}

/// A column of a row, as declared in the statement beside it.
pub(crate) fn get<'r, T: tokio_postgres::types::FromSql<'r>>(
    row: &'r Row,
    column: usize,
) -> Result<T, Failure> {
    row.try_get(column).map_err(|error| {
        Failure::service(format!("PostgreSQL's catalog answered something unexpected: {error}"))
    })
}
