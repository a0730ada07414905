//! The plan and apply engine: values, graph, plan, apply, state, journal. No cloud, no terminal.
//!
//! Data flows one way. A stack function fills a [`Stack`]; [`Stack::finish`] makes a [`Graph`] of it,
//! which is plain data; [`refresh`] reads what exists; [`plan`] compares desired, recorded and observed
//! without any I/O; [`apply`] carries a [`Plan`] out, journaling each changing call before it is sent;
//! [`state`] keeps what is known after.

// The derives name this crate; so do its own tests.
extern crate self as formwork_engine;

mod address;
pub mod apply;
mod canary;
mod data;
pub mod drift;
mod expr;
mod graph;
pub mod plan;
mod provider;
pub mod rebuild;
pub mod refresh;
mod resource;
pub mod rollback;
mod schema;
mod secret;
pub mod session;
pub mod settle;
mod stack;
pub mod state;
mod value;

pub use address::{Address, AddressError, EXPORTS, MAX_NAME, Symbol, is_name};
pub use data::{Data, Unknown};
pub use expr::{Expr, Outputs as KnownOutputs};
pub use formwork_derive::{Nested, Outputs, Resource};
pub use graph::{GRAPH_FORMAT, Graph, GraphError, Indexed, Node, Source};
pub use provider::*;
pub use resource::{Draft, Handle, Lifecycle, Options, Refs, Resource, ResourceOutputs, With};
pub use schema::{Field, Flags, Identity, Nature, Nested, OutputField, Schema, Shape, Shaped};
pub use secret::{Secret, SecretPart, SecretRef, SecretStore, Secrets};
pub use stack::{Exports, Stack};
pub use state::{Record, State, StateError};
pub use value::{
    Arn, Cons, Each, Entries, Fields, Id, IntoSecretText, IntoText, IntoValue, Items, Nil, Output,
    Value, each, json_text, secret_of, text_of,
};

#[doc(hidden)]
pub use {bon, serde_json};
