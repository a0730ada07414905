//! However a local cloud ends, none of its processes is left.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    io::{BufRead, BufReader},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use formwork_rehearse::{LocalCloud, Options, Progress, processes_of};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// How long the kernel and PostgreSQL's orphans may take after a kill.
const GONE_LIMIT: Duration = Duration::from_secs(10);
/// How long a cloud may take to show its first process.
const FIRST_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// One cloud at a time: two cores are soon busy.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn options(scratch: &Path) -> Options {
    let mut options = Options::new(scratch).only("staging");
    options.progress = Progress::lines();
    options
}

#[track_caller]
fn assert_gone(scratch: &Path) {
    let started = Instant::now();
    loop {
        let left = processes_of(scratch);
        if left.is_empty() {
            return;
        }
        assert!(started.elapsed() < GONE_LIMIT, "left behind: {left:#?}");
        thread::sleep(POLL);
    }
}

/// What this process has started and not waited for, dead or alive.
fn children() -> Vec<String> {
    let me = std::process::id().to_string();
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let stat = fs::read_to_string(entry.ok()?.path().join("stat")).ok()?;
        // The parent is the second word after the name, which is in brackets.
        let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?;
        (parent == me).then(|| stat.clone())
    });
    processes.collect()
}

#[test]
fn nothing_is_left_after_stop() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let cloud = LocalCloud::start_blocking(&options(folder.path())).unwrap();
    let running = processes_of(folder.path());
    assert!(running.len() >= 8, "every part is seen in the process table: {running:#?}");
    assert!(cloud.ended().is_empty());
    cloud.stop_blocking();
    assert_eq!(processes_of(folder.path()), Vec::<String>::new());
    assert_eq!(children(), Vec::<String>::new(), "all are reaped");
    assert!(folder.path().join("logs/staging-kube-apiserver.log").exists(), "logs are kept");
}

#[test]
fn nothing_is_left_after_a_panic() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _cloud = LocalCloud::start_blocking(&options(folder.path())).unwrap();
        assert!(!processes_of(folder.path()).is_empty());
        panic!("on purpose");
    }));
    assert!(panicked.is_err());
    assert_eq!(processes_of(folder.path()), Vec::<String>::new());
    assert_eq!(children(), Vec::<String>::new());
}

#[test]
fn nothing_is_left_when_a_part_does_not_start() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.yaml");
    fs::write(&broken, "apiVersion: kwok.x-k8s.io/v1alpha1\nkind: Stage\nspec: 7\n").unwrap();
    let scratch = folder.path().join("scratch");
    let mut options = options(&scratch);
    fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    options.stages.push(broken);
    let error = LocalCloud::start_blocking(&options).unwrap_err().to_string();
    assert!(error.contains("staging/kwok"), "names the part: {error}");
    assert!(error.contains("logs/staging-kwok.log"), "names its log: {error}");
    assert_eq!(processes_of(&scratch), Vec::<String>::new());
    assert_eq!(children(), Vec::<String>::new());
}

#[test]
fn nothing_is_left_after_a_signal() {
    let _alone = alone();
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let folder = tempfile::tempdir().unwrap();
        let mut program = Program::start(folder.path());
        program.wait_until_ready();
        program.send(signal);
        let status = program.child.wait().unwrap();
        assert!(status.success(), "{signal} ends it in peace: {status}");
        // Stopped in order, so nothing needs to be waited for.
        assert_eq!(processes_of(folder.path()), Vec::<String>::new());
    }
}

#[test]
fn nothing_is_left_after_a_kill() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::start(folder.path());
    program.wait_until_ready();
    assert!(processes_of(folder.path()).len() > 8);
    program.send(Signal::SIGKILL);
    program.child.wait().unwrap();
    assert_gone(folder.path());
}

#[test]
fn nothing_is_left_after_a_signal_on_the_way_up() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::start(folder.path());
    let started = Instant::now();
    // The program itself, and a part.
    while processes_of(folder.path()).len() < 2 {
        assert!(started.elapsed() < FIRST_LIMIT);
        thread::sleep(POLL);
    }
    program.send(Signal::SIGINT);
    assert!(!program.child.wait().unwrap().success());
    assert_gone(folder.path());
}

/// `local-cloud up`.
struct Program {
    child: Child,
}

impl Program {
    fn start(scratch: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_local-cloud"));
        command.args(["up", "--only", "staging", "--scratch"]).arg(scratch);
        Self { child: command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap() }
    }

    fn wait_until_ready(&mut self) {
        let lines = BufReader::new(self.child.stdout.as_mut().unwrap()).lines();
        let ready = lines.map_while(Result::ok).any(|line| line.contains("# Ready."));
        assert!(ready, "it said that it is ready");
    }

    fn send(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // After a failed assertion it may still run; it takes its parts along.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
