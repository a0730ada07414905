//! A program: a team's stacks under their names, and the command line over them.

use crate::cli;
use formwork_engine::{Graph, Stack};
use std::{collections::BTreeMap, process::ExitCode};

/// Why a stack can't be defined, with the next step in its text.
pub type StackError = Box<dyn std::error::Error + Send + Sync>;

/// A stack that the command line can build: its arguments, its name, and what it is made of.
pub trait StackDefinition: clap::Args + 'static {
    /// The name on the command line.
    const NAME: &str;

    /// The name of the stack that these arguments mean, where there is one for each of something.
    fn instance(&self) -> String {
        Self::NAME.to_owned()
    }

    /// Fills the stack.
    fn define(&self, stack: &mut Stack) -> Result<(), StackError>;
}

type Define = fn(&clap::ArgMatches) -> Result<Graph, StackError>;

/// How the command line knows one stack.
pub(crate) struct Known {
    pub(crate) arguments: fn(clap::Command) -> clap::Command,
    pub(crate) define: Define,
}

/// The stacks of a team.
pub struct Program {
    pub(crate) name: &'static str,
    pub(crate) stacks: BTreeMap<&'static str, Known>,
}

impl Program {
    /// A program for an app of this name.
    pub fn new(name: &'static str) -> Self {
        Self { name, stacks: BTreeMap::new() }
    }

    /// Adds a stack.
    pub fn stack<D: StackDefinition>(mut self) -> Self {
        let known = Known { arguments: D::augment_args, define: define::<D> };
        self.stacks.insert(D::NAME, known);
        self
    }

    /// Runs the command line; the only place where exit codes are chosen is its end.
    pub fn run(self) -> ExitCode {
        cli::main(&self, std::env::args_os())
    }
}

fn define<D: StackDefinition>(matches: &clap::ArgMatches) -> Result<Graph, StackError> {
    let definition = D::from_arg_matches(matches)?;
    let mut stack = Stack::new(definition.instance());
    definition.define(&mut stack)?;
    Ok(stack.finish()?)
}
