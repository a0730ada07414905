//! Tests of the whole build, through its public door.

mod broken;
mod check;
mod disk;
mod errors;
mod layers;
mod output;
