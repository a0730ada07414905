//! Random trees, and trees in the shapes that public projects have, built by this crate and by kustomize itself: what both
//! print must be the same byte for byte.
//!
//! `FORMWORK_KUSTOMIZE` names the program, as `local-cloud path kustomize` prints it; `./dev test` sets it. Without it the
//! test says that it didn't run. `FORMWORK_TREES` sets how many trees are tried, `FORMWORK_SEED` the first seed.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod kustomizations;
mod objects;
mod random;
mod shapes;
mod tree;

use formwork_kustomize::{Disk, Options, build};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use tree::Tree;

/// How many trees are tried where nothing else is said; kustomize takes a tenth of a second for each.
const TREES: u64 = 200;
/// How many differences are shown.
const MAX_SHOWN: usize = 3;

/// kustomize itself; where it isn't named, that is said loudly.
fn kustomize() -> Option<PathBuf> {
    let program = std::env::var_os("FORMWORK_KUSTOMIZE").map(PathBuf::from);
    if program.is_none() {
        eprintln!(
            "NOT RUN: FORMWORK_KUSTOMIZE doesn't name kustomize, which trees are compared with"
        );
    }
    program
}

#[test]
fn trees_as_projects_write_them_are_built_as_kustomize_builds_them() {
    let Some(program) = kustomize() else { return };
    for (name, tree) in shapes::all() {
        match compare(&program, &name, &tree) {
            Compared::Built => {}
            Compared::Refused => panic!("{name}: refused by both"),
            Compared::Different(text) => panic!("{name}: {text}"),
        }
    }
}

#[test]
fn random_trees_are_built_as_kustomize_builds_them() {
    let Some(program) = kustomize() else { return };
    let number = |name: &str, default| {
        std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
    };
    let (first, count) = (number("FORMWORK_SEED", 1), number("FORMWORK_TREES", TREES));
    let next = AtomicU64::new(first);
    let outcome = Mutex::new(Outcome::default());
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return;
                    }
                    let compared = compare(&program, &seed.to_string(), &Tree::random(seed));
                    outcome.lock().unwrap().add(seed, compared);
                }
            });
        }
    });
    let outcome = outcome.into_inner().unwrap();
    eprintln!("{} trees built alike, {} refused by both", outcome.built, outcome.refused);
    assert!(outcome.different.is_empty(), "{}", outcome.text());
    // A generator that makes nothing but mistakes would prove nothing.
    assert!(outcome.built * 2 > count, "only {} of {count} trees were built", outcome.built);
}

#[derive(Default)]
struct Outcome {
    built: u64,
    refused: u64,
    different: Vec<(u64, String)>,
}

impl Outcome {
    fn add(&mut self, seed: u64, compared: Compared) {
        match compared {
            Compared::Built => self.built += 1,
            Compared::Refused => self.refused += 1,
            Compared::Different(text) => self.different.push((seed, text)),
        }
    }

    fn text(&self) -> String {
        let shown = self.different.iter().take(MAX_SHOWN);
        let shown: String = shown.map(|(seed, text)| format!("seed {seed}: {text}\n")).collect();
        let seeds: Vec<u64> = self.different.iter().map(|(seed, _)| *seed).collect();
        format!("{shown}{} trees differ, of seeds {seeds:?}", seeds.len())
    }
}

enum Compared {
    Built,
    Refused,
    Different(String),
}

fn compare(program: &Path, name: &str, tree: &Tree) -> Compared {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in tree.files() {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let root = folder.path().join(tree.root());
    let theirs = Command::new(program).arg("build").arg(&root).output().unwrap();
    let ours = build(&Disk, &root, &Options::default());
    let problem = match (theirs.status.success(), &ours) {
        (false, Err(error)) => {
            if std::env::var_os("FORMWORK_SHOW_REFUSED").is_some() {
                eprintln!("{name}: {}", error.kind);
            }
            return Compared::Refused;
        }
        (true, Ok(ours)) => {
            let (ours, theirs) = (ours.to_yaml(), String::from_utf8_lossy(&theirs.stdout));
            if ours == theirs {
                return Compared::Built;
            }
            first_difference(&ours, &theirs)
        }
        (true, Err(error)) => format!("refused here only: {error}"),
        (false, Ok(_)) => {
            format!("refused there only: {}", String::from_utf8_lossy(&theirs.stderr).trim())
        }
    };
    Compared::Different(format!("{problem}\n  the tree is in {}", keep(folder, name).display()))
}

/// Leaves the tree for whoever looks into it.
fn keep(folder: tempfile::TempDir, name: &str) -> PathBuf {
    let kept = std::env::temp_dir().join(format!("formwork-tree-{name}"));
    let _ = fs::remove_dir_all(&kept);
    let path = folder.keep();
    match fs::rename(&path, &kept) {
        Ok(()) => kept,
        Err(_) => path,
    }
}

fn first_difference(ours: &str, theirs: &str) -> String {
    let pairs = ours.lines().zip(theirs.lines()).enumerate();
    match pairs.into_iter().find(|(_, (ours, theirs))| ours != theirs) {
        Some((line, (ours, theirs))) => {
            format!("line {}:\n  ours:   {ours}\n  theirs: {theirs}", line + 1)
        }
        None => format!("{} lines against {}", ours.lines().count(), theirs.lines().count()),
    }
}
