//! The programs of this machine that a build may call: `git` for remote bases, `helm` for charts; and HTTPS for files.

use formwork_kustomize::{Repository, Tools};
use std::{
    collections::HashMap,
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// How long fetching a repository may take unless its URL says otherwise (`?timeout=`), as in kustomize.
const FETCH_LIMIT: Duration = Duration::from_secs(27);
/// How long `helm` may take; it may have to pull a chart.
const HELM_LIMIT: Duration = Duration::from_secs(300);
/// How long a file may take that comes over HTTPS.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(60);
/// The most that a program or a server may answer, in bytes.
const ANSWER_LIMIT: u64 = 64 << 20;
/// How much of a program's complaint is passed on, in bytes: its end.
const COMPLAINT_LIMIT: usize = 2000;
/// How often a running program is asked whether it has ended.
const POLL: Duration = Duration::from_millis(5);

/// The programs of this machine. What they make lies in a folder that goes when this does.
#[derive(Debug, Default)]
pub(super) struct HostTools {
    scratch: Mutex<Option<TempDir>>,
    /// Repositories that were fetched already, by URL and reference.
    fetched: Mutex<HashMap<(String, String, bool), PathBuf>>,
}

impl Tools for HostTools {
    fn clone_repository(&self, repository: &Repository) -> io::Result<PathBuf> {
        let (url, reference) = (&repository.clone_url, &repository.reference);
        let key = (url.clone(), reference.clone(), repository.submodules);
        let mut fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(folder) = fetched.get(&key) {
            return Ok(folder.clone());
        }
        let folder = self.scratch_directory()?;
        let end = Instant::now() + repository.timeout.unwrap_or(FETCH_LIMIT);
        let git = |arguments: &[&str]| git(&folder, arguments, &[], end);
        let wanted = if reference.is_empty() { "HEAD" } else { reference };
        git(&["init", "--quiet"])?;
        // Submodules by relative URL are looked up from here.
        git(&["remote", "add", "origin", url])?;
        git(&["fetch", "--quiet", "--depth=1", "--", url, wanted])?;
        git(&["checkout", "--quiet", "FETCH_HEAD"])?;
        if repository.submodules {
            git(&["submodule", "--quiet", "update", "--init", "--recursive"])?;
        }
        fetched.insert(key, folder.clone());
        Ok(folder)
    }

    fn run(
        &self,
        program: &str,
        arguments: &[String],
        environment: &[(String, String)],
        directory: &Path,
    ) -> io::Result<Vec<u8>> {
        let mut command = Command::new(program);
        command.args(arguments).envs(environment.iter().cloned()).current_dir(directory);
        run(command, Instant::now() + HELM_LIMIT).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                io::Error::new(error.kind(), "there is no such program on this machine")
            }
            _ => error,
        })
    }

    fn download(&self, url: &str) -> io::Result<Vec<u8>> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ureq::tls::TlsConfig::builder()
            .root_certs(ureq::tls::RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(provider)
            .build();
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(DOWNLOAD_LIMIT))
            .tls_config(tls)
            .build();
        let agent = ureq::Agent::new_with_config(config);
        let mut response = agent.get(url).call().map_err(io::Error::other)?;
        let body = response.body_mut().with_config().limit(ANSWER_LIMIT);
        body.read_to_vec().map_err(io::Error::other)
    }

    fn scratch_directory(&self) -> io::Result<PathBuf> {
        let mut scratch = self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        let root = match scratch.take() {
            Some(root) => scratch.insert(root),
            None => scratch.insert(tempfile::Builder::new().prefix("formwork-kube-").tempdir()?),
        };
        let folder = tempfile::Builder::new().tempdir_in(root.path())?;
        // It goes together with the folder around it.
        Ok(folder.keep())
    }

    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        std::fs::write(path, content)
    }
}

impl HostTools {
    /// Runs git in a directory of a repository of this machine, and returns what it prints.
    pub(super) fn git(
        &self,
        directory: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> io::Result<Vec<u8>> {
        git(directory, arguments, environment, Instant::now() + FETCH_LIMIT)
    }
}

fn git(
    directory: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
    end: Instant,
) -> io::Result<Vec<u8>> {
    let mut command = Command::new("git");
    command
        .args(arguments)
        .current_dir(directory)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh")
        .env("LC_ALL", "C");
    // Settings of a repository that this was started in, by a hook for example.
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        command.env_remove(variable);
    }
    command.envs(environment.iter().copied());
    run(command, end).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            io::Error::new(error.kind(), "there is no program `git` on this machine")
        }
        _ => error,
    })
}

/// Runs a program until a moment, and returns what it prints; fails with the end of what it complained about.
fn run(mut command: Command, end: Instant) -> io::Result<Vec<u8>> {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let output = child.stdout.take().map(|pipe| thread::spawn(|| read(pipe)));
    let complaint = child.stderr.take().map(|pipe| thread::spawn(|| read(pipe)));
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() >= end {
            // What it started ends with its pipes.
            child.kill()?;
            child.wait()?;
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "it took too long, and was stopped",
            ));
        }
        thread::sleep(POLL);
    };
    let joined = |reader: Option<thread::JoinHandle<io::Result<Vec<u8>>>>| match reader {
        Some(reader) => reader.join().unwrap_or_else(|_| Ok(Vec::new())),
        None => Ok(Vec::new()),
    };
    let (output, complaint) = (joined(output)?, joined(complaint)?);
    if status.success() {
        return Ok(output);
    }
    let complaint = String::from_utf8_lossy(&complaint);
    let mut from = complaint.len().saturating_sub(COMPLAINT_LIMIT);
    while !complaint.is_char_boundary(from) {
        from += 1;
    }
    Err(io::Error::other(match complaint[from..].trim() {
        "" => format!("it ended with {status}"),
        complaint => complaint.to_owned(),
    }))
}

fn read(pipe: impl Read) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    pipe.take(ANSWER_LIMIT + 1).read_to_end(&mut content)?;
    if content.len() as u64 > ANSWER_LIMIT {
        return Err(io::Error::other(format!("it printed more than {ANSWER_LIMIT} bytes")));
    }
    Ok(content)
}
