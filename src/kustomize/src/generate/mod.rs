//! Objects that a kustomization makes instead of reading them.

mod absorb;
mod gke;
mod hash;
mod helm;
mod keyvalue;
mod make;

pub use absorb::absorb;
pub use gke::generate_gke;
pub use hash::add_hashes;
pub use helm::inflate;
pub use make::{config_map, secret};
