//! The kinds through the engine's provider trait, against real servers that the tests start.

mod database;
mod grants;
mod role;
mod server;
mod support;
