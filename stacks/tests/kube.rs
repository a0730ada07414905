//! `formwork kube build` and `formwork kube diff`, as a person calls them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use serde_json::{Value, json};
use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
    thread,
};
use tempfile::TempDir;

const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n";

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), files);
    folder
}

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (path, content) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// Runs `formwork kube` there, and gives its exit code, output and complaints.
fn kube(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_formwork"));
    for proxy in
        ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]
    {
        command.env_remove(proxy);
    }
    command
        .arg("kube")
        .args(arguments)
        .current_dir(folder)
        .envs([("NO_COLOR", "1"), ("TERM", "xterm")]);
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

fn git(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.current_dir(folder).args(["-c", "user.name=test", "-c", "user.email=test@example.com"]);
    command.args(["-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main"]).args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Names of the objects that were built.
fn names(yaml: &str) -> Vec<&str> {
    yaml.lines().filter_map(|line| line.strip_prefix("  name: ")).collect()
}

#[test]
fn built_to_standard_output_to_a_file_and_to_a_folder() {
    let here = folder(&[
        ("kustomization.yaml", "resources: [service.yaml]\nnamePrefix: a-\n"),
        ("service.yaml", SERVICE),
        ("out/.keep", ""),
    ]);
    let expected = SERVICE.replace("web", "a-web");
    assert_eq!(kube(here.path(), &["build"]), (0, expected.clone(), String::new()));
    assert_eq!(kube(here.path(), &["build", ".", "-o", "all.yaml"]).0, 0);
    assert_eq!(fs::read_to_string(here.path().join("all.yaml")).unwrap(), expected);
    assert_eq!(kube(here.path(), &["build", ".", "--output=out"]).0, 0);
    let file = here.path().join("out/v1_service_a-web.yaml");
    assert_eq!(fs::read_to_string(file).unwrap(), expected);
    let (code, _, stderr) = kube(here.path(), &["build", ".", "-o", "missing/all.yaml"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("can't write missing/all.yaml"), "{stderr}");
}

#[test]
fn options_change_what_is_built() {
    let here = folder(&[
        ("base/kustomization.yaml", "resources: [../service.yaml, space.yaml]\n"),
        ("base/space.yaml", "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: space\n"),
        ("service.yaml", SERVICE),
    ]);
    let (code, _, stderr) = kube(here.path(), &["build", "base"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("LoadRestrictionsNone"), "{stderr}");
    let any = ["build", "base", "--load-restrictor", "LoadRestrictionsNone"];
    let (_, yaml, _) = kube(here.path(), &any);
    assert_eq!(names(&yaml), ["space", "web"]);
    let (_, yaml, _) = kube(here.path(), &[&any[..], &["--reorder", "none"]].concat());
    assert_eq!(names(&yaml), ["web", "space"]);
    let (_, yaml, _) = kube(here.path(), &[&any[..], &["--enable-managedby-label"]].concat());
    assert_eq!(yaml.matches("app.kubernetes.io/managed-by: kustomize").count(), 2, "{yaml}");
}

#[test]
fn arguments_for_functions_are_taken_and_said_to_change_nothing() {
    let here =
        folder(&[("kustomization.yaml", "resources: [service.yaml]\n"), ("service.yaml", SERVICE)]);
    let arguments = [
        "build",
        "-e",
        "A=1",
        "--env=B",
        "--mount",
        "type=bind",
        "--network",
        "--network-name",
        "x",
        "--as-current-user",
        "--enable-alpha-plugins",
        "--enable-exec",
        ".",
    ];
    let (code, yaml, stderr) = kube(here.path(), &arguments);
    assert_eq!((code, yaml.as_str()), (0, SERVICE));
    for name in ["env", "mount", "network", "network-name", "as-current-user", "enable-exec"] {
        assert!(stderr.contains(&format!("--{name} changes nothing")), "{name}: {stderr}");
    }
}

#[test]
fn strict_makes_warnings_errors() {
    let here = folder(&[
        ("kustomization.yaml", "resources: [service.yaml]\nimages:\n- {name: web, newTag: '2'}\n"),
        ("service.yaml", SERVICE),
    ]);
    let (code, yaml, stderr) = kube(here.path(), &["build"]);
    assert_eq!((code, yaml.as_str()), (0, SERVICE));
    assert!(stderr.contains("no container uses the image \"web\""), "{stderr}");
    assert!(stderr.contains("kustomization.yaml:3:"), "{stderr}");
    let (code, yaml, stderr) = kube(here.path(), &["build", "--strict", "-o", "out.yaml"]);
    assert_eq!((code, yaml.as_str()), (1, ""));
    assert!(stderr.contains("a warning, which --strict doesn't let pass"), "{stderr}");
    assert!(!here.path().join("out.yaml").exists());
}

#[test]
fn an_error_shows_its_lines() {
    let here = folder(&[
        ("shop/kustomization.yaml", "resources: [service.yaml]\nnamePrefx: a-\n"),
        ("shop/service.yaml", SERVICE),
    ]);
    let (code, yaml, stderr) = kube(here.path(), &["build", "shop"]);
    assert_eq!((code, yaml.as_str()), (1, ""));
    for part in ["unknown field \"namePrefx\"", "shop/kustomization.yaml:2:1", "namePrefx: a-"] {
        assert!(stderr.contains(part), "{part} is not in {stderr}");
    }
    assert!(stderr.contains("did you mean \"namePrefix\"?"), "{stderr}");
}

#[test]
fn bases_come_out_of_git_at_their_revision() {
    let repository = folder(&[
        ("base/kustomization.yaml", "resources: [service.yaml]\n"),
        ("base/service.yaml", SERVICE),
    ]);
    let at = repository.path();
    git(at, &["init", "--quiet"]);
    git(at, &["add", "."]);
    git(at, &["commit", "--quiet", "-m", "one"]);
    git(at, &["tag", "v1"]);
    write(at, &[("base/service.yaml", &SERVICE.replace("web", "shop"))]);
    git(at, &["commit", "--quiet", "-am", "two"]);
    let url = format!("file://{}//base", at.display());
    let build = |url: &str| {
        let here = folder(&[("kustomization.yaml", &format!("resources: ['{url}']\n"))]);
        kube(here.path(), &["build"])
    };
    assert_eq!(build(&url), (0, SERVICE.replace("web", "shop"), String::new()));
    assert_eq!(build(&format!("{url}?ref=v1")), (0, SERVICE.to_owned(), String::new()));
    assert_eq!(kube(at, &["build", &format!("{url}?ref=v1&timeout=20s")]).1, SERVICE);
    let (code, _, stderr) = build(&format!("{url}?ref=v3"));
    assert_eq!(code, 1);
    assert!(stderr.contains("can't clone") && stderr.contains("v3"), "{stderr}");
    assert!(stderr.contains("kustomization.yaml:1:13"), "{stderr}");
}

/// Answers one request after the other on a port of its own; what isn't known is not found.
fn serve(path: &'static str, content: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or(0);
            let known = request[..length].starts_with(format!("GET {path} ").as_bytes());
            let (status, body) = if known { ("200 OK", content) } else { ("404 Not Found", "") };
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
            );
            // A client that has gone away needs no answer.
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    address
}

#[test]
fn files_are_loaded_over_http() {
    let address = serve("/v1/install.yaml", SERVICE);
    let build = |path: &str| {
        let text = format!("resources:\n- {address}{path}\nnamePrefix: a-\n");
        kube(folder(&[("kustomization.yaml", &text)]).path(), &["build"])
    };
    assert_eq!(build("/v1/install.yaml"), (0, SERVICE.replace("web", "a-web"), String::new()));
    let (code, _, stderr) = build("/v2/install.yaml");
    assert_eq!(code, 1);
    assert!(stderr.contains("/v2/install.yaml") && stderr.contains("404"), "{stderr}");
    assert!(stderr.contains("kustomization.yaml:2:3"), "{stderr}");
}

#[test]
fn a_repository_that_never_answers_is_given_up() {
    // Connections wait in the queue, and nobody takes them out.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let text = format!("resources: ['http://{address}/o/r.git?timeout=1s']\n");
    let (code, _, stderr) = kube(folder(&[("kustomization.yaml", &text)]).path(), &["build"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("it took too long"), "{stderr}");
}

/// A `helm` that prints what it was called with, as an object.
const HELM: &str = "#!/bin/sh
printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata:\\n  name: seen\\ndata:\\n  arguments: \"%s\"\\n' \"$*\"
";

#[test]
fn charts_are_inflated_by_the_helm_that_is_named_where_it_is_allowed() {
    let here = folder(&[
        (
            "kustomization.yaml",
            "helmCharts:\n- name: redis\n  releaseName: cache\n  namespace: shop\n  includeCRDs: true\n",
        ),
        ("charts/redis/values.yaml", "a: 1\n"),
        ("helm", HELM),
        ("broken", "#!/bin/sh\necho no such chart >&2\nexit 3\n"),
    ]);
    for program in ["helm", "broken"] {
        let path = here.path().join(program);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let (code, _, stderr) = kube(here.path(), &["build"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("--enable-helm"), "{stderr}");
    let program = |name: &str| format!("--helm-command={}", here.path().join(name).display());
    let (code, yaml, stderr) = kube(
        here.path(),
        &[
            "build",
            "--enable-helm",
            &program("helm"),
            "--helm-kube-version",
            "1.36",
            "--helm-api-versions",
            "a/v1",
            "--helm-api-versions=b/v1",
            "--helm-debug",
        ],
    );
    assert_eq!(code, 0, "{stderr}");
    for part in [
        "template cache",
        "charts/redis",
        "--namespace shop",
        "--include-crds",
        "--kube-version 1.36",
        "--api-versions a/v1",
        "--api-versions b/v1",
        "--debug",
    ] {
        // Long texts are folded.
        let text = yaml.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(part), "{part} is not in {yaml}");
    }
    let (code, _, stderr) = kube(here.path(), &["build", "--enable-helm", &program("broken")]);
    assert_eq!(code, 1);
    assert!(stderr.contains("no such chart"), "{stderr}");
    let (code, _, stderr) = kube(here.path(), &["build", "--enable-helm", &program("missing")]);
    assert_eq!(code, 1);
    assert!(stderr.contains("no such program"), "{stderr}");
}

fn shop() -> TempDir {
    folder(&[
        (
            "base/kustomization.yaml",
            "resources: [deployment.yaml]\nconfigMapGenerator:\n- name: settings\n  literals: [COLOUR=green]\n",
        ),
        (
            "base/deployment.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 1\n  template:\n    \
             spec:\n      containers:\n      - {name: main, image: 'shop/web:1'}\n",
        ),
        ("staging/kustomization.yaml", "resources: [../base]\n"),
        (
            "production/kustomization.yaml",
            "resources: [../base, service.yaml]\nreplicas: [{name: web, count: 3}]\nsecretGenerator:\n- name: key\n  \
             literals: [KEY=very-secret]\nconfigMapGenerator:\n- name: settings\n  behavior: merge\n  literals: \
             [COLOUR=blue]\n",
        ),
        ("production/service.yaml", SERVICE),
    ])
}

#[test]
fn overlays_are_compared_field_by_field() {
    let here = shop();
    let (code, text, stderr) = kube(here.path(), &["diff", "staging", "staging"]);
    assert_eq!((code, text.as_str()), (0, "staging and staging build the same\n"), "{stderr}");
    let (code, text, stderr) = kube(here.path(), &["diff", "staging", "production"]);
    assert_eq!(code, 2, "{stderr}");
    for line in [
        "~ Deployment web (apps/v1)\n    ~ spec.replicas: 1 -> 3\n",
        "    ~ data.COLOUR: \"green\" -> \"blue\"\n    ~ metadata.name: \"settings-",
        "+ Service web (v1)\n",
        "+ Secret key-",
        "staging -> production: 2 changed, 0 only in the first, 2 only in the second\n",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    let (code, text, _) = kube(here.path(), &["diff", "--json", "staging", "production"]);
    assert_eq!(code, 2);
    let json: Value = serde_json::from_str(&text).unwrap();
    let mut objects = json["objects"].as_array().unwrap().iter();
    let deployment = objects.rfind(|object| object["kind"] == "Deployment");
    assert_eq!(
        deployment.unwrap()["changes"],
        json!([{"path": ["spec", "replicas"], "before": 1, "after": 3}])
    );
    let (code, _, stderr) = kube(here.path(), &["diff", "staging", "prod"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("prod"), "{stderr}");
    assert_eq!(kube(here.path(), &["diff", "staging"]).0, 1);
}

#[test]
fn a_secret_differs_without_being_shown() {
    let secret = |value: &str| {
        format!("secretGenerator:\n- name: key\n  literals: [KEY={value}, SAME=same-text]\n")
    };
    let (one, two) = (secret("first-text"), secret("second-text"));
    let here = folder(&[("a/kustomization.yaml", &one), ("b/kustomization.yaml", &two)]);
    // What the texts are in base64.
    let encoded = ["Zmlyc3QtdGV4dA", "c2Vjb25kLXRleHQ", "c2FtZS10ZXh0"];
    for json in [&["diff", "a", "b"][..], &["diff", "a", "b", "--json"]] {
        let (code, text, _) = kube(here.path(), json);
        assert_eq!(code, 2);
        assert!(text.contains("KEY") && !text.contains("SAME"), "{text}");
        assert!(!encoded.iter().any(|secret| text.contains(secret)), "{text}");
    }
}

#[test]
fn an_overlay_is_compared_with_itself_at_a_revision() {
    let here = shop();
    let at = here.path();
    git(at, &["init", "--quiet"]);
    git(at, &["add", "."]);
    git(at, &["commit", "--quiet", "-m", "one"]);
    git(at, &["tag", "v1"]);
    write(at, &[("production/service.yaml", &SERVICE.replace("web", "shop"))]);
    git(at, &["commit", "--quiet", "-am", "two"]);
    write(at, &[("production/service.yaml", &SERVICE.replace("web", "now"))]);
    let compare = |arguments: &[&str]| {
        let (code, text, stderr) = kube(at, &[&["diff"], arguments].concat());
        let lines = text.lines().filter(|line| !line.starts_with("production"));
        (code, lines.collect::<Vec<_>>().join(" "), stderr)
    };
    let (now, shop, web) = ("Service now (v1)", "Service shop (v1)", "Service web (v1)");
    for (arguments, expected) in [
        (&["production", "--rev", "v1..main"][..], format!("+ {shop} - {web}")),
        (&["production", "--rev", "v1"], format!("+ {now} - {web}")),
        (&["production@HEAD", "production"], format!("+ {now} - {shop}")),
        (&["production@main", "production@v1"], format!("- {shop} + {web}")),
    ] {
        let (code, text, stderr) = compare(arguments);
        assert_eq!((code, text), (2, expected), "{arguments:?}: {stderr}");
    }
    assert_eq!(compare(&["production@main", "production@HEAD"]).0, 0);
    for (arguments, part) in [
        (&["production", "--rev", "v1..v9"][..], "there is no such revision"),
        (&["production@--all", "production"], "there is no such revision"),
        (&["staged@v1", "production"], "that revision has no such directory"),
        (&["production", "--rev", "..v1"], "write it as REV..REV"),
        (&["production", "staging", "--rev", "v1"], "cannot be used with"),
    ] {
        let (code, _, stderr) = compare(arguments);
        assert_eq!(code, 1, "{arguments:?}: {stderr}");
        assert!(stderr.contains(part), "{part:?} is not in {stderr}");
    }
    // Neither the index nor the files have changed by that.
    let status = Command::new("git").args(["status", "--short"]).current_dir(at).output().unwrap();
    assert_eq!(String::from_utf8(status.stdout).unwrap(), " M production/service.yaml\n");
}

/// What a person reads about a build that fails or warns.
fn said(files: &[(&str, &str)]) -> String {
    let here = folder(files);
    write(here.path(), &[("shop/service.yaml", SERVICE)]);
    kube(here.path(), &["build", "shop", "-o", "out.yaml"]).2
}

#[test]
fn messages_as_a_person_reads_them() {
    let nowhere = folder(&[("shops/kustomization.yaml", "namePrefix: a-\n")]);
    let patch = |name: &str| {
        format!(
            "resources: [service.yaml]\npatches:\n- target: {{kind: Service, name: {name}}}\n  patch: |-\n    - op: \
             remove\n      path: /spec/ports\n"
        )
    };
    insta::assert_snapshot!(
        "an_unknown_field",
        said(&[("shop/kustomization.yaml", "resources: [service.yaml]\nnamePrefx: demo-\n")])
    );
    insta::assert_snapshot!(
        "a_missing_file_of_a_base",
        said(&[
            ("shop/kustomization.yaml", "resources:\n- ../base\n"),
            ("base/kustomization.yaml", "resources:\n- servise.yaml\n"),
            ("base/service.yaml", SERVICE),
        ])
    );
    insta::assert_snapshot!(
        "an_object_that_is_there_twice",
        said(&[
            ("shop/kustomization.yaml", "resources: [service.yaml, again.yaml]\n"),
            ("shop/again.yaml", SERVICE),
        ])
    );
    insta::assert_snapshot!(
        "a_place_in_an_inline_patch",
        said(&[("shop/kustomization.yaml", &patch("web"))])
    );
    insta::assert_snapshot!("a_warning", said(&[("shop/kustomization.yaml", &patch("wep"))]));
    insta::assert_snapshot!(
        "a_directory_without_lines_to_show",
        said(&[
            ("shop/kustomization.yaml", "resources: [service.yaml]\n"),
            ("shop/kustomization.yml", "resources: [service.yaml]\n"),
        ])
    );
    insta::assert_snapshot!("no_such_directory", kube(nowhere.path(), &["build", "shop"]).2);
}
