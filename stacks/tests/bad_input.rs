//! Bad input through the command line: every error names its place and the next step, ends with exit code 1,
//! and nothing is changed.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use support::{IMAGES, PROJECT, formwork_in};

/// Where the AWS SDK would look for credentials last, and wait for an answer.
const NO_METADATA: (&str, &str) = ("AWS_EC2_METADATA_DISABLED", "true");
const FOUNDATION: [&str; 3] = ["foundation", "--for", "staging"];

/// A copy of the project's inputs, so that each test may spoil its own.
struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for inputs in ["kube", "stacks/environments"] {
            copy(&Path::new(PROJECT).join(inputs), &folder.path().join(inputs));
        }
        Self { folder }
    }

    fn path(&self, of: &str) -> PathBuf {
        self.folder.path().join(of)
    }

    fn write(&self, to: &str, text: &str) {
        let path = self.path(to);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The graph of a stack, spoilt, in a file.
    fn spoilt(&self, stack: &str, spoil: impl Fn(&mut Vec<Value>)) {
        let (code, stdout, stderr) = self.run(&[], &[&["emit", stack][..], &IMAGES].concat());
        assert_eq!(code, 0, "{stderr}");
        let mut graph: Value = serde_json::from_str(&stdout).unwrap();
        spoil(graph["nodes"].as_array_mut().unwrap());
        self.write("graph.json", &graph.to_string());
    }

    fn run(&self, environment: &[(&str, &str)], arguments: &[&str]) -> (i32, String, String) {
        formwork_in(self.folder.path(), environment, arguments)
    }

    /// Runs what has to fail and change nothing; its errors must say all of this.
    fn refused(&self, environment: &[(&str, &str)], arguments: &[&str], telling: &[&str]) {
        let before = self.contents();
        let (code, stdout, stderr) = self.run(environment, arguments);
        let said = format!("{arguments:?}: {stdout}{stderr}");
        assert_eq!(code, 1, "{said}");
        assert!(!stderr.contains("panicked"), "{said}");
        for words in telling {
            assert!(stderr.contains(words) || stdout.contains(words), "no `{words}` in {said}");
        }
        assert_eq!(self.contents(), before, "{said}");
    }

    /// Every file with its content; locks aside, which are taken and let go.
    fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut all = BTreeMap::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.file_name().unwrap() != "lock" {
                    let content = fs::read(&path).unwrap();
                    all.insert(path, content);
                }
            }
        }
        all
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, name) = entry.map(|e| (e.path(), e.file_name())).unwrap();
        match from.is_dir() {
            true => copy(&from, &to.join(name)),
            false => fs::copy(&from, to.join(name)).map(drop).unwrap(),
        }
    }
}

#[test]
fn arguments() {
    let project = Project::new();
    let stacks = "this program has: foundation, preview, production, staging";
    for (arguments, telling) in [
        (&["plan"][..], &["which stack?", stacks][..]),
        (&["plan", "nowhere"], &["no stack `nowhere`", stacks]),
        (&["emit", "nowhere"], &["no stack `nowhere`", stacks]),
        (&["apply", "nowhere"], &["no stack `nowhere`", stacks]),
        (&["destroy", "nowhere"], &["no stack `nowhere` in the state at .formwork/state"]),
        (&["state", "list", "nowhere"], &["no stack `nowhere` in the state", "state list"]),
        (&["plan", "--bogus"], &["--bogus", "--help"]),
        (
            &["plan", "production"],
            &["`production/app` has no image of `client` yet", "--image client="],
        ),
        (
            &["plan", "foundation", "--for", "nothing"],
            &["stacks/environments/nothing.toml", "--environment"],
        ),
        (
            &["plan", "foundation", "--target", "nothing"],
            &["foundation-production/nothing", "state list"],
        ),
        (&["plan", "--graph", "no/such.json"], &["no/such.json"]),
        (&["plan", "preview", "--pr", "many"], &["'many'", "--pr"]),
    ] {
        project.refused(&[], arguments, telling);
    }
}

#[test]
fn an_environment_with_a_field_that_nobody_knows() {
    let project = Project::new();
    let file = "stacks/environments/staging.toml";
    let text = fs::read_to_string(project.path(file)).unwrap();
    project.write(file, &text.replace("multi_az =", "multi_azz ="));
    let telling = [file, "multi_azz", "the fields are documented"];
    project.refused(&[], &[&["plan"][..], &FOUNDATION].concat(), &telling);
}

#[test]
fn a_cycle() {
    let project = Project::new();
    project.spoilt("staging", |nodes| {
        let vpc = nodes.iter_mut().find(|node| node["address"] == "staging/vpc").unwrap();
        vpc["options"]["after"] = json!(["staging/internet"]);
    });
    let circle = "staging/vpc → staging/internet → staging/vpc";
    for command in ["plan", "apply"] {
        project.refused(&[], &[command, "--graph", "graph.json"], &[circle]);
    }
}

#[test]
fn a_duplicate_address() {
    let project = Project::new();
    project.spoilt("staging", |nodes| {
        let vpc = nodes.iter().find(|node| node["address"] == "staging/vpc").unwrap().clone();
        nodes.push(vpc);
    });
    let telling = ["`staging/vpc` is added twice: at stacks/src/network.rs:"];
    project.refused(&[], &["plan", "--graph", "graph.json"], &telling);
}

#[test]
fn a_graph_that_is_cut_off() {
    let project = Project::new();
    project.write("graph.json", "{\n  \"format\": 1,");
    let telling = ["graph.json:2:", "formwork emit STACK > FILE"];
    project.refused(&[], &["plan", "--graph", "graph.json"], &telling);
}

#[test]
fn a_missing_overlay() {
    let project = Project::new();
    fs::remove_dir_all(project.path("kube/overlays/staging")).unwrap();
    let telling =
        ["stacks/src/platform.rs:", "`staging/app`", "kube/overlays/staging", "beta, production"];
    project.refused(&[], &[&["plan", "staging"][..], &IMAGES].concat(), &telling);
}

#[test]
fn broken_yaml() {
    let project = Project::new();
    let file = "kube/bases/server/service.yaml";
    let text = fs::read_to_string(project.path(file)).unwrap();
    project.write(file, &format!("{text}broken: [1,\n"));
    let line = format!("{file}:{}", text.lines().count() + 1);
    let telling = ["`staging/app`", &line, "kube/overlays/staging/kustomization.yaml"];
    project.refused(&[], &[&["plan", "staging"][..], &IMAGES].concat(), &telling);
}

#[test]
fn no_credentials() {
    let project = Project::new();
    let apply = [&["apply", "--yes"][..], &FOUNDATION].concat();
    let telling = ["foundation-staging/github", "no AWS credentials were found", "AWS_PROFILE"];
    project.refused(&[NO_METADATA], &apply, &telling);
}

#[test]
fn an_endpoint_where_nobody_listens() {
    let project = Project::new();
    // Free a moment ago, and nobody else's to listen at: the system gives it to no server of itself.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = format!("http://{free}");
    let environment = [
        NO_METADATA,
        ("AWS_ACCESS_KEY_ID", "somebody"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_ENDPOINT_URL", &endpoint),
    ];
    let apply = [&["apply", "--yes"][..], &FOUNDATION].concat();
    let telling =
        ["foundation-staging/github", "AWS account 222222222222 in eu-central-1", "refused"];
    project.refused(&environment, &apply, &telling);
}

#[test]
fn a_damaged_state() {
    let file = ".formwork/state/foundation-staging/state/00000003.json";
    for damage in ["", "{", "null", "[]", "\u{0}\u{0}\u{0}\u{0}", "{\"format\":1,\"lineage\":"] {
        let project = Project::new();
        project.write(file, damage);
        for command in [
            &[&["plan"][..], &FOUNDATION].concat()[..],
            &[&["apply", "--yes"][..], &FOUNDATION].concat(),
            &["destroy", "--yes", "foundation-staging"],
            &["state", "show", "foundation-staging"],
        ] {
            project.refused(&[NO_METADATA], command, &[file, "is damaged"]);
        }
    }
}

/// Runs `formwork` with output that nobody takes, or that has no room, and answers the exit code and the errors.
fn printing_to(stdout: Stdio, stderr: Stdio, arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_formwork"))
        .args(arguments)
        .current_dir(PROJECT)
        .env_clear()
        .stdout(stdout)
        .stderr(stderr)
        .output()
        .unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// The writing end of a pipe whose reader is gone.
fn closed() -> Stdio {
    std::io::pipe().unwrap().1.into()
}

#[test]
fn a_reader_that_goes_away_stops_nothing() {
    let emit = [&["emit", "staging"][..], &IMAGES].concat();
    let build = ["kube", "build", "kube/overlays/production"];
    for fine in [&emit[..], &build] {
        assert_eq!(printing_to(closed(), Stdio::piped(), fine), (0, String::new()), "{fine:?}");
    }
    // The error is lost with the pipe; the code is not.
    let unknown = ["kube", "build", "nowhere"];
    assert_eq!(printing_to(Stdio::piped(), closed(), &unknown).0, 1);
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_is_not_all_there_is_an_error() {
    let full = || Stdio::from(fs::File::options().write(true).open("/dev/full").unwrap());
    let emit = [&["emit", "staging"][..], &IMAGES].concat();
    let build = ["kube", "build", "kube/overlays/production"];
    for lost in [&emit[..], &build, &["kube", "checks"]] {
        let (code, errors) = printing_to(full(), Stdio::piped(), lost);
        assert_eq!(code, 1, "{lost:?}");
        assert!(errors.contains("standard output is incomplete: No space left"), "{errors}");
    }
}
