//! A PostgreSQL server of the tests' own, on a free loopback port.

use super::{MASTER, MASTER_PASSWORD};
use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};
use tempfile::TempDir;

/// Looks for a server that starts, ten each second.
const READY_LOOKS: usize = 300;
/// Tries to find a port that nobody takes before the server does.
const PORT_TRIES: usize = 5;

/// A running server. It stops, and its folder goes, when this process ends, however it ends.
pub struct Process {
    pub port: u16,
    folder: PathBuf,
    // The server's keeper reads its standard input from here, and stops the server when that is closed.
    _keeper: Child,
}

/// Keeps the server, and ends it when its standard input ends.
const KEEPER: &str = r#"
"$1/postgres" -D "$2/data" >>"$2/log" 2>&1 &
cat >/dev/null
kill -INT $! && wait $!
rm -rf "$2"
"#;

/// The folder of PostgreSQL's programs.
pub fn bin() -> PathBuf {
    if let Some(named) = std::env::var_os("FORMWORK_TEST_POSTGRES") {
        return named.into();
    }
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = installed.map(|entry| entry.path().join("bin")).max();
    newest.expect("install PostgreSQL, or name its bin folder by FORMWORK_TEST_POSTGRES")
}

impl Process {
    pub fn start(settings: &[&str]) -> Self {
        let folder = TempDir::with_prefix("formwork-pg-").unwrap().keep();
        let user = system_user();
        let as_user = |program: &Path| {
            let mut command = Command::new(program);
            // LOCPATH brings en_US.UTF-8 to machines that don't have it.
            command.env("LOCPATH", &folder).env("LC_ALL", "en_US.UTF-8").current_dir(&folder);
            if let Some((uid, gid)) = user {
                command.uid(uid).gid(gid);
            }
            command
        };
        certificate(&folder);
        if let Some((uid, gid)) = user {
            for file in ["", "server.key"] {
                std::os::unix::fs::chown(folder.join(file), Some(uid), Some(gid)).unwrap();
            }
        }
        let mut localedef = as_user(Path::new("localedef"));
        run(localedef.args(["-i", "en_US", "-f", "UTF-8"]).arg(folder.join("en_US.UTF-8")));
        let mut initdb = as_user(&bin().join("initdb"));
        initdb.args(["--username=postgres", "--encoding=UTF8", "--auth=trust", "--no-sync"]);
        run(initdb.arg("-D").arg(folder.join("data")));
        fs::write(
            folder.join("data/pg_hba.conf"),
            "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n",
        )
        .unwrap();
        for _ in 0..PORT_TRIES {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = free.local_addr().unwrap().port();
            drop(free);
            configure(&folder, port, settings);
            let mut keeper = as_user(Path::new("/bin/sh"));
            keeper.args(["-c", KEEPER, "keeper"]).arg(bin()).arg(&folder);
            let keeper = keeper.stdin(Stdio::piped()).spawn().unwrap();
            let process = Self { port, folder: folder.clone(), _keeper: keeper };
            if process.is_ready() {
                process.make_master();
                return process;
            }
        }
        panic!("PostgreSQL doesn't start: {}", fs::read_to_string(folder.join("log")).unwrap());
    }

    fn is_ready(&self) -> bool {
        for _ in 0..READY_LOOKS {
            if self.psql("SELECT 1") {
                return true;
            }
            if self.log().contains("could not bind") {
                return false;
            }
            sleep(Duration::from_millis(100));
        }
        false
    }

    fn make_master(&self) {
        let attributes = "LOGIN CREATEDB CREATEROLE NOSUPERUSER";
        // Set before statements are logged, so that the log can be searched for passwords.
        let master = format!(
            "SET log_statement = none; CREATE ROLE {MASTER} {attributes} PASSWORD '{}'; \
             GRANT pg_monitor TO {MASTER} WITH ADMIN OPTION",
            MASTER_PASSWORD.replace('\'', "''")
        );
        assert!(self.psql(&master));
    }

    fn psql(&self, sql: &str) -> bool {
        let mut psql = Command::new(bin().join("psql"));
        psql.args([
            "-h",
            "127.0.0.1",
            "-p",
            &self.port.to_string(),
            "-U",
            "postgres",
            "-qAtc",
            sql,
        ]);
        psql.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
    }

    /// Everything that the server logged, every statement included.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// The certificate that the server shows, which is its own authority.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("server.crt")
    }
}

fn configure(folder: &Path, port: u16, settings: &[&str]) {
    let folder_text = folder.display();
    let fixed = format!(
        "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\n\
         fsync = off\nlog_statement = all\nlc_messages = 'C'\nshared_buffers = 32MB\n\
         ssl_cert_file = '{folder_text}/server.crt'\nssl_key_file = '{folder_text}/server.key'\n"
    );
    let settings: String = settings.iter().map(|setting| format!("{setting}\n")).collect();
    fs::write(folder.join("data/postgresql.auto.conf"), fixed + &settings).unwrap();
}

/// A certificate for `localhost`, but not for 127.0.0.1.
fn certificate(folder: &Path) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(folder.join("server.crt"), made.cert.pem()).unwrap();
    fs::write(folder.join("server.key"), made.signing_key.serialize_pem()).unwrap();
    fs::set_permissions(folder.join("server.key"), fs::Permissions::from_mode(0o600)).unwrap();
}

/// The user `postgres`, where we are root, whom PostgreSQL refuses.
fn system_user() -> Option<(u32, u32)> {
    let id = |flag: &str, user: Option<&str>| {
        let output = Command::new("id").arg(flag).args(user).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse().ok()
    };
    match id("-u", None) {
        Some(0) => Some((id("-u", Some("postgres"))?, id("-g", Some("postgres"))?)),
        _ => None,
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
}
