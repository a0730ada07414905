//! Our build beside Go's: whole processes on the same trees in one run, with the memory that each took at most.
//!
//! `./dev bench kustomize` builds and runs it. Of each figure that somebody may want to hold us to there is a line
//! `ratio NAME: X`.

#![allow(clippy::unwrap_used, reason = "a benchmark that can't go on says so by panicking")]

mod trees;

use formwork_kustomize::{Disk, Options, Schemas, build, inspect};
use formwork_measure::{self as measure, Cost, median, program};
use std::io::{BufWriter, Write};
use std::path::Path;

/// Runs of each program on a small tree, and on a large one.
const MANY: usize = 21;
const FEW: usize = 3;

/// Deployments, and as many Services, of the large tree and of the one that shows how cost grows.
const LARGE: usize = 1_000;
const LARGER: usize = 10_000;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        // The two programs that this one measures, as itself.
        ["build", root] => write(root),
        ["check", root] => check(root),
        [measure::WORD, ref command @ ..] => measure::child(command),
        ["--kustomize", theirs] => compare(Path::new(theirs)),
        _ => eprintln!("usage: kustomize --kustomize PATH-OF-KUSTOMIZE (./dev bench kustomize)"),
    }
}

/// What `formwork kube build` does.
fn write(root: &str) {
    let built = build(&Disk, Path::new(root), &Options::default()).unwrap();
    let mut out = BufWriter::new(std::io::stdout().lock());
    built.write_yaml(&mut out).unwrap();
    out.flush().unwrap();
    std::mem::forget(built);
}

/// What `formwork kube check` does.
fn check(root: &str) {
    let built = build(&Disk, Path::new(root), &Options::default()).unwrap();
    println!("{} findings", inspect(&built, Schemas::stored()).len());
}

fn compare(theirs: &Path) {
    println!("{}, load {}", measure::machine(), measure::load());
    let folder = std::env::temp_dir().join(format!("formwork-bench-{}", std::process::id()));
    let small = trees::small(&folder.join("small"));
    let large = trees::large(&folder.join("large"), LARGE);
    let larger = trees::large(&folder.join("larger"), LARGER);

    beside("small", "4 bases, 1 overlay", theirs, &small, MANY);
    let ours = beside("1000", "1,000 Deployments, 1,000 Services", theirs, &large, FEW);

    let grown = costs(&["build", &larger], FEW);
    println!("10,000 of each: {grown}");
    println!("ratio kustomize-growth-10x-time: {:.1}", grown.cpu / ours.cpu);
    println!("ratio kustomize-growth-10x-memory: {:.1}", grown.memory / ours.memory);

    let checked = costs(&["check", &large], FEW);
    println!("1,000 of each built, validated and checked, not written: {checked}");
    println!("ratio kustomize-check-to-build: {:.2}", checked.cpu / ours.cpu);
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Both programs on one tree, in turns; the outputs must be equal.
fn beside(name: &str, what: &str, theirs: &Path, root: &str, runs: usize) -> Cost {
    let theirs = [theirs.to_str().unwrap(), "build", root];
    let ours = program();
    let ours = [ours.as_str(), "build", root];
    assert!(measure::output(&ours) == measure::output(&theirs), "{what}: the outputs differ");
    let (mut of_ours, mut of_theirs) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        of_theirs.push(measure::run(&theirs));
        of_ours.push(measure::run(&ours));
    }
    let (of_ours, of_theirs) = (median(of_ours), median(of_theirs));
    println!("{what}, median of {runs}: ours {of_ours}; kustomize {of_theirs}");
    println!("ratio kustomize-{name}: {:.1}", of_theirs.time / of_ours.time);
    println!("ratio kustomize-{name}-memory: {:.1}", of_theirs.memory / of_ours.memory);
    of_ours
}

fn costs(words: &[&str], runs: usize) -> Cost {
    let program = program();
    let command: Vec<&str> = [program.as_str()].into_iter().chain(words.iter().copied()).collect();
    median((0..runs).map(|_| measure::run(&command)).collect())
}
