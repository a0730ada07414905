//! The typed mould that an application's infrastructure is poured into: prelude, command line, rendering.
//!
//! A team's own binary hands its stacks to [`Program`], and that is its whole `main`:
//!
//! ```no_run
//! use formwork::prelude::*;
//!
//! /// A network and nothing else.
//! #[derive(clap::Args)]
//! struct Example {
//!     /// The account to build it in.
//!     #[arg(long)]
//!     account: String,
//! }
//!
//! impl StackDefinition for Example {
//!     const NAME: &str = "example";
//!     fn define(&self, s: &mut Stack) -> Result<(), StackError> {
//!         s.bind("aws", aws::Target::new().account(self.account.as_str()).region("eu-central-1"));
//!         s.add("net", ec2::Vpc::new().cidr("10.0.0.0/16"));
//!         Ok(())
//!     }
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     formwork::Program::new("example").stack::<Example>().run()
//! }
//! ```

#![warn(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a pipe that is closed would stop a run: see `cli::out`"
)]

mod cli;
mod environment;
pub mod prelude;
mod program;
mod registry;
mod render;

pub use environment::{EnvironmentError, read_environment};
pub use formwork_engine::Draft;
pub use program::{Program, StackDefinition, StackError};
pub use registry::registry;
