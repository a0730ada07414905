//! Derives for formwork resources: `Resource`, `Nested`, `Outputs`.
//!
//! A resource is declared once, as a plain struct. From it come the draft that a stack's author fills
//! (a builder whose missing fields the compiler names), the struct of observed properties that a
//! provider fills, and the schema that the engine compares by.

mod attributes;
mod outputs;
mod resource;

use proc_macro::TokenStream;
use syn::{DeriveInput, Error, parse_macro_input};

/// Declares a kind of resource.
///
/// On the struct: `#[resource(kind = "aws.ec2.Vpc", outputs = VpcOutputs, identity = tag)]`, where
/// identity is `token`, `name(MAX)`, `tag` or `key`; `stateful` for what holds data; `hosts` for what others
/// live in and are gone with, such as a cluster.
/// On fields: `#[replace]`, `#[outage]`, `#[secret]`, `#[write_only]`, `#[unordered]`, `#[binding]`,
/// `#[source]`, `#[default(expr)]`.
#[proc_macro_derive(
    Resource,
    attributes(
        resource, replace, outage, secret, write_only, unordered, binding, source, late, default
    )
)]
pub fn derive_resource(input: TokenStream) -> TokenStream {
    expand(parse_macro_input!(input as DeriveInput), resource::resource)
}

/// Declares a struct that fields of resources hold, with the same field attributes.
#[proc_macro_derive(
    Nested,
    attributes(replace, outage, secret, write_only, unordered, binding, source, late, default)
)]
pub fn derive_nested(input: TokenStream) -> TokenStream {
    expand(parse_macro_input!(input as DeriveInput), resource::nested)
}

/// Declares the outputs of a resource.
///
/// On fields: `#[predicted]`, `#[ready]`, `#[secret]`, `#[changes_with(field, ..)]`. An `Option<T>` is an
/// output of type `T` that some resources of the kind don't have.
#[proc_macro_derive(Outputs, attributes(predicted, ready, secret, changes_with))]
pub fn derive_outputs(input: TokenStream) -> TokenStream {
    expand(parse_macro_input!(input as DeriveInput), outputs::outputs)
}

fn expand(
    input: DeriveInput,
    with: fn(&DeriveInput) -> Result<proc_macro2::TokenStream, Error>,
) -> TokenStream {
    with(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}
