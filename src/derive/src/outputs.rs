//! `#[derive(Outputs)]`: references to outputs, and their schema.

use crate::attributes::{docs, named_fields, optional};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Attribute, DeriveInput, Ident, Result, Token, punctuated::Punctuated};

pub fn outputs(input: &DeriveInput) -> Result<TokenStream> {
    let (vis, name) = (&input.vis, &input.ident);
    let refs = format_ident!("{name}Refs");
    let refs_doc = format!("References to the outputs of a resource, see [`{name}`].");
    let (mut declared, mut made, mut schema) = (vec![], vec![], vec![]);
    for (ident, field) in named_fields(input, "outputs")? {
        // One that isn't always there is referred to as if it were: who needs it is told when it isn't.
        let (ty, docs) = (optional(&field.ty).unwrap_or(&field.ty), docs(field));
        declared.push(quote!(#(#docs)* pub #ident: ::formwork_engine::Output<#ty>));
        made.push(quote!(#ident: ::formwork_engine::Output::new(node, stringify!(#ident))));
        let has = |flag: &str| field.attrs.iter().any(|a| a.path().is_ident(flag));
        let changes = field.attrs.iter().find(|a| a.path().is_ident("changes_with"));
        let nature = match changes {
            Some(attribute) => {
                let fields = field_names(attribute)?;
                quote!(::formwork_engine::Nature::ChangesWith(&[#(stringify!(#fields)),*]))
            }
            None if has("predicted") => quote!(::formwork_engine::Nature::Predicted),
            None => quote!(::formwork_engine::Nature::Stable),
        };
        let (ready, secret) = (has("ready"), has("secret"));
        schema.push(quote!(::formwork_engine::OutputField {
            name: stringify!(#ident), nature: #nature, ready: #ready, secret: #secret,
        }));
    }
    Ok(quote! {
        #[doc = #refs_doc]
        #[derive(Clone, Copy)]
        #vis struct #refs { #(#declared),* }
        impl ::formwork_engine::ResourceOutputs for #name {
            const OUTPUTS: &'static [::formwork_engine::OutputField] = &[#(#schema),*];
            type Refs = #refs;
            fn refs(node: ::formwork_engine::Address) -> #refs { #refs { #(#made),* } }
        }
    })
}

fn field_names(attribute: &Attribute) -> Result<Vec<Ident>> {
    let names: Punctuated<Ident, Token![,]> =
        attribute.parse_args_with(Punctuated::parse_terminated)?;
    Ok(names.into_iter().collect())
}
