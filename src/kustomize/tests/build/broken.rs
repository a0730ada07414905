//! Broken kustomizations and what is said about them, as data in `tests/broken`.
//!
//! Each file holds cases. A case is a title after `###`, files each under a line `--- path`, and what is said after a line
//! `>>>`. Every case has `service.yaml` and `deployment.yaml` besides. The overlay is built where there is one, else `/`.
//! With `FORMWORK_BLESS=1` the expectations are written instead of compared; read the difference before committing it.

use crate::check::{files, in_order};
use formwork_kustomize::{Files, Memory, Place, build};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const OBJECTS: &str = "--- service.yaml
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector: {app: web}
--- deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 2
  template:
    spec:
      containers:
      - name: main
        image: registry.example/shop/web:1
";

#[test]
fn every_message_names_the_place_and_helps() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken");
    let entries = std::fs::read_dir(&folder).expect("the folder of cases");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let (mut count, mut wrong) = (0, String::new());
    for path in paths {
        let text = std::fs::read_to_string(&path).expect("a file of cases");
        let mut blessed = String::new();
        for case in text.split_inclusive("\n### ").map(|case| case.trim_end_matches("### ")) {
            let case = case.trim_start_matches("### ").trim_end();
            if case.is_empty() {
                continue;
            }
            let (title, body) = case.split_once('\n').expect("a title ends its line");
            let (input, expected) = body.split_once("\n>>>").unwrap_or((body, ""));
            let said = say(input);
            let _ = write!(blessed, "### {title}\n{input}\n>>>\n{said}\n\n");
            if said != expected.trim() {
                let _ =
                    write!(wrong, "{}: {title}\n{said}\nexpected:\n{expected}\n\n", path.display());
            }
            assert!(said.contains("\n --> /"), "{title}: no place in\n{said}");
            count += 1;
        }
        if std::env::var_os("FORMWORK_BLESS").is_some() {
            std::fs::write(&path, format!("{}\n", blessed.trim_end())).expect("a file of cases");
            wrong.clear();
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(count >= 50, "only {count} cases were found");
}

/// What is said about a build: its error, or its warnings.
fn say(input: &str) -> String {
    let mut memory = files(OBJECTS);
    for part in format!("\n{input}\n").split("\n--- ").skip(1) {
        let (path, content) = part.split_once('\n').expect("a path ends its line");
        memory.insert(format!("/{}", path.trim()), format!("{content}\n"));
    }
    let root = match memory.is_dir(Path::new("/overlay")) {
        true => "/overlay",
        false => "/",
    };
    let mut said = String::new();
    match build(&memory, Path::new(root), &in_order()) {
        Ok(built) => {
            for warning in built.warnings() {
                let _ = writeln!(said, "warning: {}", warning.kind);
                excerpt(&mut said, &memory, warning.place.as_ref());
                if let Some(help) = warning.help() {
                    let _ = writeln!(said, "  = help: {help}");
                }
            }
        }
        Err(error) => {
            let _ = writeln!(said, "error: {}", error.kind);
            excerpt(&mut said, &memory, error.place.as_ref());
            for (place, what) in error.related() {
                let _ = writeln!(said, "  = {place}: {what}");
            }
            for what in &error.while_doing {
                let _ = writeln!(said, "  = while {what}");
            }
            if let Some(help) = error.help() {
                let _ = writeln!(said, "  = help: {help}");
            }
        }
    }
    said.trim_end().to_owned()
}

/// The place and its line, with a caret under the column.
fn excerpt(said: &mut String, memory: &Memory, place: Option<&Place>) {
    let Some(place) = place else { return };
    let _ = writeln!(said, " --> {place}");
    let text = memory.read(&place.file).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let line = usize::try_from(place.line).ok().and_then(|line| line.checked_sub(1));
    if let Some(line) = line.and_then(|line| text.lines().nth(line)) {
        let column = usize::try_from(place.column).unwrap_or_default();
        let _ = writeln!(said, "  | {line}\n  | {:>column$}", "^");
    }
}
