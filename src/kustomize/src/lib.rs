//! A kustomize build as a pure function: files in, objects out.
//!
//! ```
//! use formwork_kustomize::{Memory, Options, build};
//! use std::path::Path;
//!
//! let files = Memory::new()
//!     .with("/app/kustomization.yaml", "namePrefix: demo-\nresources: [service.yaml]\n")
//!     .with("/app/service.yaml", "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n");
//! let built = build(&files, Path::new("/app"), &Options::default())?;
//! assert_eq!(built.objects().next().map(|object| object.name()), Some("demo-web"));
//! # Ok::<(), formwork_kustomize::Error>(())
//! ```
//!
//! [`inspect`] says of a build what a cluster would refuse, and what a team would regret.
//!
//! Invariant: nothing here reads the environment, the network or a terminal; files come from [`Files`], programs (`git`,
//! `helm`) only from [`Tools`].
//!
//! Invariant: the output equals that of `kustomize build` at [`KUSTOMIZE_VERSION`], byte for byte.
//!
//! Invariant: cost grows with the number of objects and fields, not with its square.

mod build;
mod built;
mod checks;
mod config;
mod decode;
mod error;
mod fieldpath;
mod files;
mod finding;
mod generate;
mod gojson;
mod id;
mod kustomization;
mod load;
mod objects;
mod options;
mod order;
mod origin;
mod patch;
mod refs;
mod remote;
mod resource;
mod resources;
mod schema;
mod selector;
mod sources;
mod suggest;
mod target;
mod tools;
mod transform;
mod validate;
mod warning;
mod yaml;

pub use build::{KUSTOMIZE_VERSION, build};
pub use built::{Built, Object};
pub use checks::{check, inspect, rules};
pub use error::{Error, ErrorKind, Place};
pub use files::{Disk, Files, Layered, Memory, clean};
pub use finding::{Finding, Rule, Severity};
pub use options::{LoadRestrictor, Options, Reorder};
pub use remote::Repository;
pub use tools::{NoTools, Tools};
pub use validate::{SchemaError, Schemas, validate};
pub use warning::{Warning, WarningKind};
pub use yaml::{TypeError, YamlError};
