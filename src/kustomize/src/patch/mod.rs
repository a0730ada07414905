//! The two kinds of patches.

pub mod json6902;
mod list;
pub mod strategic;
mod tree;
