//! `#[derive(Resource)]` and `#[derive(Nested)]`: draft, observed properties, schema.

use crate::attributes::{Flags, Kind, docs, named_fields, optional};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{DeriveInput, Result};

/// What both derives make of the fields.
struct Parts {
    /// The draft struct, its builder, and `new()`.
    draft: TokenStream,
    /// Statements that put the draft's fields into `fields`.
    puts: Vec<TokenStream>,
    /// The schema's fields.
    schema: Vec<TokenStream>,
    /// The fields of the observed struct.
    observed: Vec<TokenStream>,
}

fn parts(input: &DeriveInput, what: &str) -> Result<Parts> {
    let (vis, name) = (&input.vis, &input.ident);
    let draft = format_ident!("{name}Draft");
    let builder = format_ident!("{name}DraftBuilder");
    let states = format_ident!("{}_draft", snake(&name.to_string()));
    let (mut members, mut puts, mut schema, mut observed) = (vec![], vec![], vec![], vec![]);
    for (ident, field) in named_fields(input, what)? {
        let (docs, flags) = (docs(field), Flags::of(field)?);
        let required = optional(&field.ty).is_none();
        let ty = optional(&field.ty).unwrap_or(&field.ty);
        let setter = quote! {
            #[builder(with = |value: impl ::formwork_engine::IntoValue<#ty>| ::formwork_engine::IntoValue::<#ty>::into_value(value))]
        };
        if required {
            members.push(quote!(#(#docs)* #setter #ident: ::formwork_engine::Value<#ty>));
            puts.push(quote!(fields.put(stringify!(#ident), draft.#ident);));
        } else {
            members.push(quote!(#(#docs)* #setter #ident: Option<::formwork_engine::Value<#ty>>));
            puts.push(quote!(if let Some(value) = draft.#ident { fields.put(stringify!(#ident), value); }));
        }
        if flags.observable() {
            observed.push(quote!(#(#docs)* pub #ident: Option<#ty>));
        }
        let flag_tokens = flags.tokens();
        let default = match &flags.default {
            Some(value) => quote!(Some(|| ::formwork_engine::serde_json::json!(#value))),
            None => quote!(None),
        };
        schema.push(quote!(::formwork_engine::Field {
            name: stringify!(#ident),
            required: #required,
            shape: <#ty as ::formwork_engine::Shaped>::SHAPE,
            flags: #flag_tokens,
            default: #default,
        }));
    }
    let draft_doc = format!("A [`{name}`] being written.");
    let draft = quote! {
        #[doc = #draft_doc]
        #[derive(::formwork_engine::bon::Builder)]
        #[builder(
            crate = ::formwork_engine::bon,
            start_fn(vis = ""),
            builder_type(vis = "pub"),
            state_mod(name = #states, vis = "pub"),
        )]
        #vis struct #draft { #(#members),* }
        impl #name {
            /// A draft, to be filled field by field.
            #[allow(clippy::new_ret_no_self)]
            pub fn new() -> #builder { #draft::builder() }
        }
    };
    Ok(Parts { draft, puts, schema, observed })
}

pub fn resource(input: &DeriveInput) -> Result<TokenStream> {
    let (vis, name) = (&input.vis, &input.ident);
    let Kind { kind, outputs, identity, stateful, hosts } = Kind::of(input)?;
    let Parts { draft, puts, schema, observed } = parts(input, "a resource")?;
    let observed_name = format_ident!("{name}Observed");
    let observed_doc = format!(
        "The properties of a [`{name}`] as the service tells them, `None` where it doesn't."
    );
    let builder = format_ident!("{name}DraftBuilder");
    let states = format_ident!("{}_draft", snake(&name.to_string()));
    Ok(quote! {
        #draft
        #[doc = #observed_doc]
        #[derive(Default, ::serde::Serialize)]
        #vis struct #observed_name { #(#observed),* }
        impl ::formwork_engine::Resource for #name {
            const SCHEMA: &'static ::formwork_engine::Schema = &::formwork_engine::Schema {
                kind: #kind,
                fields: &[#(#schema),*],
                outputs: <#outputs as ::formwork_engine::ResourceOutputs>::OUTPUTS,
                identity: #identity,
                stateful: #stateful,
                hosts: #hosts,
            };
            type Outputs = #outputs;
            type Observed = #observed_name;
        }
        impl<S: #states::State> ::formwork_engine::Lifecycle for #builder<S> {}
        impl<S: #states::IsComplete> ::formwork_engine::Draft for #builder<S> {
            type Resource = #name;
            fn into_parts(self) -> (
                ::std::collections::BTreeMap<String, ::formwork_engine::Expr>,
                ::formwork_engine::Options,
            ) {
                let draft = self.build();
                let mut fields = ::formwork_engine::Fields::default();
                #(#puts)*
                (fields.into_map(), ::formwork_engine::Options::default())
            }
        }
    })
}

pub fn nested(input: &DeriveInput) -> Result<TokenStream> {
    let name = &input.ident;
    let Parts { draft, puts, schema, .. } = parts(input, "a nested value")?;
    let builder = format_ident!("{name}DraftBuilder");
    let states = format_ident!("{}_draft", snake(&name.to_string()));
    Ok(quote! {
        #draft
        impl ::formwork_engine::Shaped for #name {
            const SHAPE: ::formwork_engine::Shape = ::formwork_engine::Shape::Nested(&[#(#schema),*]);
        }
        impl ::formwork_engine::Nested for #name {}
        impl<S: #states::IsComplete> ::formwork_engine::IntoValue<#name> for #builder<S> {
            fn into_value(self) -> ::formwork_engine::Value<#name> {
                let draft = self.build();
                let mut fields = ::formwork_engine::Fields::default();
                #(#puts)*
                fields.into_nested()
            }
        }
    })
}

fn snake(name: &str) -> String {
    let mut out = String::new();
    for (i, c) in name.char_indices() {
        if c.is_uppercase() && i > 0 {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}
