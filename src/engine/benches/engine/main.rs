//! The engine beside OpenTofu, and Terraform where it is in PATH: whole processes, the same graph of resources that do
//! nothing, in one run.
//!
//! `./dev bench engine` builds and runs it. Of each figure that somebody may want to hold us to there is a line
//! `ratio NAME: X`. Our journal and state are durable, with fsync, before the next step is taken; theirs are written as
//! they write them.

#![allow(clippy::unwrap_used, reason = "a benchmark that can't go on says so by panicking")]

mod noop;
mod theirs;

use formwork_measure::{self as measure, Cost, median, program};
use std::path::{Path, PathBuf};
use theirs::Theirs;

/// Resources of the graph that both are measured on, and of the one that shows how cost grows.
const MANY: usize = 2_000;
const MORE: usize = 8_000;
/// Runs of which the median counts: of theirs, which take long, and of ours.
const FEW: usize = 3;
const SOME: usize = 5;
/// Terraform's time grows with the square: on the large graph it gets one run.
const ONCE: usize = 1;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        // The program that this one measures, as itself.
        ["apply", count, state] => noop::apply(count.parse().unwrap(), Path::new(state)),
        ["plan", count, state] => noop::plan(count.parse().unwrap(), Path::new(state)),
        [measure::WORD, ref command @ ..] => measure::child(command),
        ["--tofu", tofu] => compare(tofu, None),
        ["--tofu", tofu, "--terraform", terraform] => compare(tofu, Some(terraform)),
        _ => eprintln!("usage: engine --tofu FILE [--terraform FILE] (./dev bench engine)"),
    }
}

fn compare(tofu: &str, terraform: Option<&str>) {
    println!("{}, load {}", measure::machine(), measure::load());
    let folder = std::env::temp_dir().join(format!("formwork-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();

    let ours = Measured::of(&folder, MANY);
    let grown = Measured::of(&folder, MORE);
    let tofu = Theirs::new("opentofu", tofu, &folder, MANY);
    beside(&ours, &tofu, FEW);
    if let Some(terraform) = terraform {
        beside(&ours, &Theirs::new("terraform", terraform, &folder, MANY), ONCE);
    }
    println!("ratio engine-growth-apply-4x: {:.1}", grown.apply.time / ours.apply.time);
    println!("ratio engine-growth-plan-4x: {:.1}", grown.plan.time / ours.plan.time);
    println!("ratio engine-growth-memory-4x: {:.1}", grown.memory() / ours.memory());
    std::fs::remove_dir_all(&folder).unwrap();
}

/// What applying a graph from nothing takes, and planning it when nothing is to be done.
struct Measured {
    apply: Cost,
    plan: Cost,
}

impl Measured {
    fn of(folder: &Path, count: usize) -> Self {
        let states: Vec<PathBuf> =
            (0..SOME).map(|run| folder.join(format!("ours-{count}-{run}"))).collect();
        let (program, number) = (program(), count.to_string());
        let run = |action: &str, state: &Path| {
            measure::run(&[&program, action, &number, state.to_str().unwrap()])
        };
        let apply = median(states.iter().map(|state| run("apply", state)).collect());
        let plan = median(states.iter().map(|state| run("plan", state)).collect());
        println!("ours, {count} resources, median of {SOME}: apply {apply}; plan unchanged {plan}");
        Self { apply, plan }
    }

    fn memory(&self) -> f64 {
        self.apply.memory.max(self.plan.memory)
    }
}

fn beside(ours: &Measured, theirs: &Theirs, runs: usize) {
    let (name, applied) = (theirs.name, theirs.apply(runs));
    let planned = theirs.plan(runs.max(FEW));
    println!(
        "{name}, {MANY} resources, median of {runs}: apply {applied}; plan unchanged {planned}"
    );
    println!("ratio {name}-apply: {:.1}", applied.time / ours.apply.time);
    println!("ratio {name}-plan: {:.1}", planned.time / ours.plan.time);
    println!("ratio {name}-apply-memory: {:.1}", applied.memory / ours.apply.memory);
    println!("ratio {name}-plan-memory: {:.1}", planned.memory / ours.plan.memory);
}
