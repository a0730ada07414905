//! The kustomization file: its fields as types, read with their places.

mod generators;
mod helm;
mod read;
mod replacements;
mod transformers;

pub use generators::{BEHAVIORS, GeneratorArgs, GeneratorOptions, KeyValueSources, read_generator};
pub use helm::{HelmChart, HelmGlobals, read_chart};
pub use read::{Kustomization, Order, SortOptions, Variable, file_names, read_kustomization};
pub use replacements::{
    FieldOptions, Replacement, ReplacementField, Source, Target, read_replacement_field,
    read_replacements,
};
pub use transformers::{
    Image, Label, PatchEntry, PatchOptions, Replica, read_image, read_patch, read_replica,
    read_selector,
};
