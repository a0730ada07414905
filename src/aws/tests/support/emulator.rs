//! The emulator of the AWS APIs, one for all tests of a file.

use formwork_rehearse::{Parts, Progress};
use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

/// An emulator that runs already, to be used instead.
const ENDPOINT: &str = "FORMWORK_TEST_AWS";

/// How long it may take to listen; tests may share two cores with a compiler.
const START_LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);

/// Where the emulator listens; starts it the first time.
pub fn endpoint() -> String {
    static ENDPOINT_OF_THIS_FILE: OnceLock<String> = OnceLock::new();
    ENDPOINT_OF_THIS_FILE
        .get_or_init(|| {
            std::env::var(ENDPOINT)
                .unwrap_or_else(|_| start("ministack", |parts| &parts.ministack.python, ministack))
        })
        .clone()
}

/// Every emulator that has S3, by name: what both take, S3 itself can be expected to take.
pub fn emulators() -> Vec<(&'static str, String)> {
    static MOTO: OnceLock<String> = OnceLock::new();
    let moto = MOTO.get_or_init(|| {
        let serve = |command: &mut Command, port: u16| {
            command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()]);
        };
        start("moto", |parts| &parts.moto.python, serve)
    });
    vec![("ministack", endpoint()), ("moto", moto.clone())]
}

fn ministack(command: &mut Command, port: u16) {
    command.args(["-m", "ministack"]);
    command.env("GATEWAY_PORT", port.to_string()).env("BIND_HOST", "127.0.0.1");
    command.env("MINISTACK_HOST", "127.0.0.1").env("MINISTACK_REGION", super::REGION);
    command.env("EKS_BASE_PORT", port.to_string()).env("AUTH", "true");
    command.env("IOT_MTLS_ENABLED", "0").env("SFTP_ENABLED", "0").env("PERSIST_STATE", "0");
}

/// Starts a Python module that listens; gives its URL.
fn start(
    what: &str,
    python: impl Fn(&Parts) -> &Path,
    serve: impl Fn(&mut Command, u16),
) -> String {
    let parts = Parts::ensure(&Progress::silent()).unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let me = std::env::current_exe().unwrap();
    let name = me.file_stem().unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(what).join(name);
    fs::create_dir_all(&folder).unwrap();
    let log = fs::File::create(folder.join("log")).unwrap();

    // It ends with the thread that started it, which stays until the tests are done.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(python(&parts));
    serve(&mut command, port);
    command.current_dir(&folder).env("HOME", &folder).env("TMPDIR", &folder);
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    thread::spawn(move || command.spawn().unwrap().wait());

    let until = Instant::now() + START_LIMIT;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < until, "{what} doesn't listen: see {}", folder.display());
        thread::sleep(PAUSE);
    }
    format!("http://127.0.0.1:{port}")
}
