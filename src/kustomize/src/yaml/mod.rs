//! YAML as kustomize reads and writes it: a tree with positions, the scalar rules of go-yaml, its two output styles.
//!
//! Reading is left to `saphyr-parser`, which knows the grammar; what a plain scalar *means* and how a document is laid
//! out are go-yaml's habits, and both are here because the output must equal kustomize's byte for byte.

mod analyse;
mod documents;
mod emit;
mod explain;
mod mapping;
mod node;
mod number;
mod options;
mod parse;
mod place;
mod resolve;
#[cfg(test)]
mod tests;
mod timestamp;
mod typed;
mod write;

pub use documents::parse_documents;
pub use emit::{SEPARATOR, to_document, to_yaml};
pub use mapping::Mapping;
pub use node::{Key, Mark, Node, Scalar, Sequence, Style, Tag, Value};
pub use number::{go_json as go_json_number, go_shortest};
pub use options::{Dialect, Options as ParseOptions};
pub use parse::{Repeated, YamlError, parse_document, parse_noting};
pub use place::{Part, write_field};
pub use resolve::{Resolved, resolve};
pub use timestamp::is_timestamp;
pub use typed::{TypeError, Typed, check, from_json, json_key, to_json, typed};
