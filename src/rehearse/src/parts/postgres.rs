//! PostgreSQL: stands for an RDS instance.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::Command,
};

use nix::{sys::signal::Signal, unistd::User};

use super::{Setup, debian, find_program, is_program};
use crate::{
    command::SetupCommand,
    launch::{Launch, READY_LIMIT, says_yes},
    ports::on_free_ports,
    process::{Program, Turn},
    setup_error::SetupError,
    start_error::StartError,
};

/// Where Debian keeps the programs of each version.
const DEBIAN_VERSIONS: &str = "/usr/lib/postgresql";
/// The source of the locale, from Debian's package `locales`.
const LOCALE_SOURCE: &str = "/usr/share/i18n/locales/en_US";
/// The locale of every database.
const LOCALE: &str = "en_US.UTF-8";
/// The user that runs PostgreSQL where we are root, whom PostgreSQL refuses.
const SYSTEM_USER: &str = "postgres";
/// The superuser, named as on RDS. It comes in through the Unix socket only.
pub const SUPERUSER: &str = "rdsadmin";
/// The master role; not a superuser, as on RDS.
pub const MASTER: &str = "formwork_master";
/// The longest path of a Unix socket, in bytes, on Linux.
const SOCKET_PATH_LIMIT: usize = 107;

/// PostgreSQL, made available.
#[derive(Clone, Debug)]
pub struct Postgres {
    /// The folder of its programs.
    pub programs: PathBuf,
    /// The folder that holds the compiled locale.
    pub locales: PathBuf,
}

/// A running server.
pub(crate) struct Server {
    pub port: u16,
    /// The folder of its Unix socket.
    pub socket: PathBuf,
}

impl Postgres {
    pub(crate) fn ensure(setup: &Setup<'_>) -> Result<Self, SetupError> {
        let step = setup.step("postgres");
        let has_locale =
            || find_program("localedef").is_some() && Path::new(LOCALE_SOURCE).exists();
        let missing: Vec<&str> = [(newest().is_none(), "postgresql"), (!has_locale(), "locales")]
            .iter()
            .filter_map(|(missing, package)| missing.then_some(*package))
            .collect();
        if !missing.is_empty() {
            debian::install(setup, &step, "postgres", &missing)?;
        }
        let programs = newest().ok_or_else(|| SetupError::Missing {
            part: "postgres".to_owned(),
            missing: format!("no initdb in {DEBIAN_VERSIONS}/*/bin or in PATH"),
            next: "install PostgreSQL 15 or newer".to_owned(),
        })?;
        let usable = |folder: &Path| folder.join(LOCALE).join("LC_COLLATE").exists();
        let locales = setup.cache.install("locale", &[LOCALE], &step, usable, |folder| {
            step.note("compiling the locale en_US.UTF-8");
            let log = setup.cache.log("locale");
            let next = "see the log; Debian's package locales holds the source";
            let command = SetupCommand { part: "postgres", step: &step, log: &log, next };
            let mut compile = Command::new("localedef");
            command.run(compile.args(["-i", "en_US", "-f", "UTF-8"]).arg(folder.join(LOCALE)))
        })?;
        step.done();
        Ok(Self { programs, locales })
    }

    /// Makes a database cluster and starts it.
    ///
    /// On loopback, the master role comes in without a password (the emulator hands out no managed master password) and
    /// every other role by SCRAM. The superuser comes in through the Unix socket, whose folder its owner alone may enter.
    pub(crate) fn start(&self, launch: &Launch<'_>) -> Result<Server, StartError> {
        let folder = launch.folder("postgres")?;
        let owner = Owner::of(&folder)?;
        let (data, socket) = (folder.join("data"), folder.join("socket"));
        // The cache is in a home that the server's user may not be able to enter.
        let locales = folder.join("locales");
        copy(&self.locales, &locales)?;
        for private in [&data, &socket] {
            fs::create_dir_all(private).map_err(StartError::io("make the folder", private))?;
            owner.take(private, 0o700)?;
        }
        let mut initdb = self.command("initdb", &owner, &locales);
        initdb.arg("--pgdata").arg(&data).args(["--username", SUPERUSER, "--locale", LOCALE]);
        initdb.args(["--encoding", "UTF8", "--auth", "trust", "--no-sync", "--no-instructions"]);
        initdb.current_dir(&data);
        launch.run("postgres", &mut initdb)?;
        let access = data.join("pg_hba.conf");
        fs::write(&access, hba()).map_err(StartError::io("write", &access))?;

        on_free_ports(|[port]| {
            let longest = socket.join(format!(".s.PGSQL.{port}"));
            if longest.as_os_str().len() > SOCKET_PATH_LIMIT {
                return Err(StartError::Scratch {
                    path: launch.folder.clone(),
                    why: format!(
                        "PostgreSQL's socket {} would have too long a name",
                        longest.display()
                    ),
                    next: "choose a scratch folder with a shorter path".to_owned(),
                });
            }
            let mut command = Command::new(self.programs.join("postgres"));
            command.arg("-D").arg(&data).env("LOCPATH", &locales).env("LC_ALL", LOCALE);
            let mut set = |name: &str, value: &str| {
                command.args(["-c", &format!("{name}={value}")]);
            };
            set("listen_addresses", "127.0.0.1");
            set("port", &port.to_string());
            set("unix_socket_directories", &socket.to_string_lossy());
            set("password_encryption", "scram-sha-256");
            // A server that is thrown away need not survive a power cut.
            set("fsync", "off");
            set("synchronous_commit", "off");
            set("full_page_writes", "off");
            // Files in the data folder go away with it; in /dev/shm they would stay after a kill.
            set("dynamic_shared_memory_type", "mmap");
            set("shared_buffers", "32MB");
            set("max_connections", "100");
            set("jit", "off");
            command.current_dir(&data);
            let running = launch.processes.start(Program {
                name: launch.name("postgres"),
                command,
                // "Fast": ends sessions instead of waiting for them.
                stop: Signal::SIGINT,
                turn: Turn::Stores,
                user: owner.user.clone(),
            })?;
            let server = Server { port, socket: socket.clone() };
            running.ready(READY_LIMIT, || {
                says_yes(&mut self.psql(&socket, port, "select 1")).map(drop)
            })?;
            Ok(server)
        })
        .and_then(|server| {
            let roles = roles();
            launch.run("postgres", &mut self.psql(&server.socket, server.port, &roles))?;
            Ok(server)
        })
    }

    fn psql(&self, socket: &Path, port: u16, sql: &str) -> Command {
        psql(&self.programs.join("psql"), socket, port, "postgres", sql)
    }

    fn command(&self, program: &str, owner: &Owner, locales: &Path) -> Command {
        let program = self.programs.join(program);
        let mut command = match &owner.user {
            Some(user) => {
                let mut command = Command::new("setpriv");
                command
                    .args(["--reuid", user, "--regid", user, "--clear-groups", "--"])
                    .arg(program);
                command
            }
            None => Command::new(program),
        };
        command.env("LOCPATH", locales).env("LC_ALL", LOCALE);
        for variable in ["PGHOST", "PGPORT", "PGUSER", "PGDATA", "LANG", "LANGUAGE"] {
            command.env_remove(variable);
        }
        command
    }
}

/// psql as the superuser, through the socket, printing rows only and stopping at the first error.
pub(crate) fn psql(program: &Path, socket: &Path, port: u16, database: &str, sql: &str) -> Command {
    let mut command = Command::new(program);
    command.arg("--host").arg(socket).args(["--port", &port.to_string(), "--username", SUPERUSER]);
    command.args(["--no-psqlrc", "--no-password", "--quiet", "--tuples-only", "--no-align"]);
    command.args(["--set", "ON_ERROR_STOP=1", "--dbname", database, "--command", sql]);
    for variable in ["PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGOPTIONS", "PGSERVICE"] {
        command.env_remove(variable);
    }
    command
}

/// Who may come in, and how.
fn hba() -> String {
    format!(
        "# Written by formwork for its local cloud.\n\
         local all {SUPERUSER} trust\n\
         local all all scram-sha-256\n\
         host all {SUPERUSER} all reject\n\
         host all {MASTER} 127.0.0.1/32 trust\n\
         host all all 127.0.0.1/32 scram-sha-256\n"
    )
}

/// The roles that an RDS instance is born with, as far as they matter.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.Roles.rds_superuser.html>
fn roles() -> String {
    format!(
        "CREATE ROLE rds_iam NOLOGIN; \
         CREATE ROLE rds_superuser NOLOGIN; \
         GRANT pg_monitor, pg_signal_backend, pg_checkpoint TO rds_superuser WITH ADMIN OPTION; \
         CREATE ROLE {MASTER} LOGIN CREATEDB CREATEROLE NOSUPERUSER; \
         GRANT rds_superuser TO {MASTER}; \
         GRANT rds_iam TO {MASTER} WITH ADMIN OPTION; \
         REVOKE {MASTER} FROM {SUPERUSER}; \
         ALTER DATABASE postgres OWNER TO {MASTER};"
    )
}

/// The folder of the newest PostgreSQL's programs.
fn newest() -> Option<PathBuf> {
    let debian = fs::read_dir(DEBIAN_VERSIONS).into_iter().flatten().filter_map(|entry| {
        let path = entry.ok()?.path();
        let version: u32 = path.file_name()?.to_str()?.parse().ok()?;
        let programs = path.join("bin");
        is_program(&programs.join("initdb")).then_some((version, programs))
    });
    debian.max().map(|(_, programs)| programs).or_else(|| {
        // A link in PATH leads to the folder that has all of them.
        let initdb = find_program("initdb")?.canonicalize().ok()?;
        initdb.parent().map(Path::to_owned)
    })
}

/// Who owns a server's files.
struct Owner {
    /// The user to change to; none where we aren't root.
    user: Option<String>,
    ids: Option<(u32, u32)>,
}

impl Owner {
    fn of(folder: &Path) -> Result<Self, StartError> {
        if !nix::unistd::geteuid().is_root() {
            return Ok(Self { user: None, ids: None });
        }
        let found = User::from_name(SYSTEM_USER).ok().flatten();
        let user = found.ok_or_else(|| StartError::Scratch {
            path: folder.to_owned(),
            why: format!("PostgreSQL refuses root, and there is no user {SYSTEM_USER} to run it"),
            next: format!("add the user (adduser --system --group {SYSTEM_USER})"),
        })?;
        Ok(Self {
            user: Some(SYSTEM_USER.to_owned()),
            ids: Some((user.uid.as_raw(), user.gid.as_raw())),
        })
    }

    fn take(&self, path: &Path, mode: u32) -> Result<(), StartError> {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
            .map_err(StartError::io("set the permissions of", path))?;
        let Some((user, group)) = self.ids else { return Ok(()) };
        chown(path, Some(user), Some(group)).map_err(StartError::io("change the owner of", path))
    }
}

/// Copies a folder of files and folders.
fn copy(from: &Path, to: &Path) -> Result<(), StartError> {
    fs::create_dir_all(to).map_err(StartError::io("make the folder", to))?;
    for entry in fs::read_dir(from).map_err(StartError::io("list", from))? {
        let entry = entry.map_err(StartError::io("list", from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy(&source, &target)?;
        } else {
            fs::copy(&source, &target).map_err(StartError::io("copy to", &target))?;
        }
    }
    Ok(())
}
