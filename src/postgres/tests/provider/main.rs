//! The kinds through the engine's provider trait, against real servers that the tests start.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod database;
mod grants;
mod role;
mod server;
mod stack;
mod support;
