//! OpenTofu or Terraform on the graph: `terraform_data`, which does nothing and needs no plugin.

use formwork_measure::{self as measure, Cost, median};
use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

pub struct Theirs {
    pub name: &'static str,
    program: String,
    folder: PathBuf,
}

impl Theirs {
    /// The graph as they write it, initialized.
    pub fn new(name: &'static str, program: &str, folder: &Path, count: usize) -> Self {
        let folder = folder.join(name);
        fs::create_dir_all(&folder).unwrap();
        let mut text = String::new();
        for number in 0..count {
            let input = match number {
                0 => "\"root\"".to_owned(),
                _ => format!("terraform_data.node{}.id", (number - 1) / 2),
            };
            writeln!(
                text,
                "resource \"terraform_data\" \"node{number}\" {{\n  input = {input}\n}}"
            )
            .unwrap();
        }
        fs::write(folder.join("main.tf"), text).unwrap();
        let theirs = Self { name, program: program.to_owned(), folder };
        let mut init = Command::new(program);
        let init = init.current_dir(&theirs.folder).args(["init", "-no-color"]).output().unwrap();
        assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
        theirs
    }

    pub fn apply(&self, runs: usize) -> Cost {
        let run = |_| {
            for state in ["terraform.tfstate", "terraform.tfstate.backup"] {
                // The first run finds none.
                let _ = fs::remove_file(self.folder.join(state));
            }
            self.run(&["apply", "-auto-approve", "-no-color"])
        };
        median((0..runs).map(run).collect())
    }

    pub fn plan(&self, runs: usize) -> Cost {
        median((0..runs).map(|_| self.run(&["plan", "-no-color"])).collect())
    }

    fn run(&self, words: &[&str]) -> Cost {
        let at = format!("-chdir={}", self.folder.display());
        let command: Vec<&str> =
            [self.program.as_str(), &at].into_iter().chain(words.iter().copied()).collect();
        measure::run(&command)
    }
}
