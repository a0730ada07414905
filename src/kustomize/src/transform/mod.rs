//! What changes objects: one file per transformer.

pub mod images;
pub mod metadata;
pub mod namespace;
pub mod patches;
pub mod plugin;
pub mod prefix;
pub mod replacements;
pub mod replicas;
pub mod value_add;
