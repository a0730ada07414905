//! What the emulator can't show, with answers in the shapes of AWS's documentation.

mod cache;
mod database;
mod identity;
#[path = "../replay/mod.rs"]
mod replay;
#[path = "../support/mod.rs"]
mod support;
