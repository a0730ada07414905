//! Time and memory of whole processes: what the benchmarks measure with.

#![allow(clippy::unwrap_used, reason = "a benchmark that can't go on says so by panicking")]

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::fmt;
use std::process::{Command, Stdio};
use std::time::Instant;

/// The word by which this program, as a child of itself, measures one child of its own.
///
/// The system tells of all children together how much memory the largest took: so each is the only one of its parent.
pub const WORD: &str = "measure";

/// What one run took.
#[derive(Clone, Copy)]
pub struct Cost {
    /// Seconds by the clock.
    pub time: f64,
    /// Seconds of all cores, which other programs on the machine don't add to.
    pub cpu: f64,
    /// Megabytes at most.
    pub memory: f64,
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.4} s ({:.4} s of CPU), {:.1} MB", self.time, self.cpu, self.memory)
    }
}

/// Measures a command, its output thrown away.
pub fn run(command: &[&str]) -> Cost {
    let output = Command::new(program()).arg(WORD).args(command).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut numbers = text.split_whitespace().map(|number| number.parse().unwrap());
    let mut next = || numbers.next().unwrap();
    Cost { time: next(), cpu: next(), memory: next() }
}

/// Runs the command as the only child, and prints what it took.
pub fn child(command: &[&str]) {
    let start = Instant::now();
    let status =
        Command::new(command[0]).args(&command[1..]).stdout(Stdio::null()).status().unwrap();
    let time = start.elapsed().as_secs_f64();
    assert!(status.success());
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let seconds = |time: nix::sys::time::TimeVal| time.num_microseconds() as f64 / 1e6;
    let cpu = seconds(usage.user_time()) + seconds(usage.system_time());
    println!("{time} {cpu} {}", usage.max_rss() as f64 / 1024.0);
}

/// What a command writes.
pub fn output(command: &[&str]) -> Vec<u8> {
    let output = Command::new(command[0]).args(&command[1..]).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The medians, each for itself.
pub fn median(costs: Vec<Cost>) -> Cost {
    let of = |part: fn(&Cost) -> f64| {
        let mut values: Vec<f64> = costs.iter().map(part).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Cost { time: of(|cost| cost.time), cpu: of(|cost| cost.cpu), memory: of(|cost| cost.memory) }
}

/// This program.
pub fn program() -> String {
    std::env::current_exe().unwrap().to_str().unwrap().to_owned()
}

/// The processor and how many cores of it.
pub fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{cores} cores of {}", model.map_or("an unknown processor", |(_, model)| model))
}

/// How busy the machine has been in the last minute.
pub fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or("unknown").to_owned()
}
