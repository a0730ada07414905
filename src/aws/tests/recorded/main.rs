//! What the emulator can't show, with answers in the shapes of AWS's documentation.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod cache;
mod cluster;
mod database;
mod identity;
mod network;
#[path = "../replay/mod.rs"]
mod replay;
#[path = "../support/mod.rs"]
mod support;
