//! Reading the attributes and fields of a declaration.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, Field, Fields, GenericArgument, Ident, LitInt,
    LitStr, Path, PathArguments, Result, Type, parenthesized,
};

/// The named fields of a struct; anything else is an error that says so.
pub fn named_fields<'i>(input: &'i DeriveInput, what: &str) -> Result<Vec<(&'i Ident, &'i Field)>> {
    let refuse =
        || Error::new_spanned(&input.ident, format!("{what} is a struct with named fields"));
    let Data::Struct(data) = &input.data else { return Err(refuse()) };
    let Fields::Named(fields) = &data.fields else { return Err(refuse()) };
    fields
        .named
        .iter()
        .map(|field| field.ident.as_ref().map(|ident| (ident, field)).ok_or_else(refuse))
        .collect()
}

/// The doc comment of a field, to be repeated where the field stands again.
pub fn docs(field: &Field) -> Vec<&Attribute> {
    field.attrs.iter().filter(|attribute| attribute.path().is_ident("doc")).collect()
}

/// The `T` of an `Option<T>`.
pub fn optional(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first()? {
        GenericArgument::Type(inner) if last.ident == "Option" => Some(inner),
        _ => None,
    }
}

fn has(field: &Field, name: &str) -> bool {
    field.attrs.iter().any(|attribute| attribute.path().is_ident(name))
}

/// What the attributes of one field say.
pub struct Flags {
    set: Vec<Ident>,
    pub default: Option<Expr>,
}

const FLAGS: [&str; 8] =
    ["replace", "outage", "secret", "write_only", "unordered", "binding", "source", "late"];

impl Flags {
    pub fn of(field: &Field) -> Result<Self> {
        let set = FLAGS.iter().filter(|name| has(field, name));
        let set = set.map(|name| Ident::new(name, proc_macro2::Span::call_site())).collect();
        let default = field.attrs.iter().find(|attribute| attribute.path().is_ident("default"));
        Ok(Self { set, default: default.map(Attribute::parse_args).transpose()? })
    }

    pub fn has(&self, name: &str) -> bool {
        self.set.iter().any(|flag| flag == name)
    }

    pub fn tokens(&self) -> TokenStream {
        let set = &self.set;
        quote!(::formwork_engine::Flags { #(#set: true,)* ..::formwork_engine::Flags::NONE })
    }

    /// Whether the service can tell the field at all, so that an observation has a place for it.
    pub fn observable(&self) -> bool {
        !["secret", "write_only", "binding", "source"].iter().any(|flag| self.has(flag))
    }
}

/// The `#[resource(..)]` attribute.
pub struct Kind {
    pub kind: LitStr,
    pub outputs: Path,
    pub identity: TokenStream,
    pub stateful: bool,
    pub hosts: bool,
}

impl Kind {
    pub fn of(input: &DeriveInput) -> Result<Self> {
        let (mut kind, mut outputs, mut identity) = (None, None, None);
        let (mut stateful, mut hosts) = (false, false);
        for attribute in input.attrs.iter().filter(|a| a.path().is_ident("resource")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("kind") {
                    kind = Some(meta.value()?.parse::<LitStr>()?);
                } else if meta.path.is_ident("outputs") {
                    outputs = Some(meta.value()?.parse::<Path>()?);
                } else if meta.path.is_ident("stateful") {
                    stateful = true;
                } else if meta.path.is_ident("hosts") {
                    hosts = true;
                } else if meta.path.is_ident("identity") {
                    identity = Some(parse_identity(meta.value()?)?);
                } else {
                    return Err(meta.error("known here: kind, outputs, identity, stateful, hosts"));
                }
                Ok(())
            })?;
        }
        let missing = |what: &str| {
            let example = r#"#[resource(kind = "cloud.service.Thing", outputs = ThingOutputs, identity = name(63))]"#;
            Error::new_spanned(&input.ident, format!("say the {what}: {example}"))
        };
        Ok(Self {
            kind: kind.ok_or_else(|| missing("kind"))?,
            outputs: outputs.ok_or_else(|| missing("outputs"))?,
            identity: identity.ok_or_else(|| missing("identity"))?,
            stateful,
            hosts,
        })
    }
}

fn parse_identity(input: syn::parse::ParseStream<'_>) -> Result<TokenStream> {
    let word: Ident = input.parse()?;
    match word.to_string().as_str() {
        "token" => Ok(quote!(::formwork_engine::Identity::Token)),
        "tag" => Ok(quote!(::formwork_engine::Identity::Tag)),
        "key" => Ok(quote!(::formwork_engine::Identity::Key)),
        "name" => {
            let inside;
            parenthesized!(inside in input);
            let longest: LitInt = inside.parse()?;
            Ok(quote!(::formwork_engine::Identity::Name(#longest)))
        }
        _ => Err(Error::new_spanned(word, "an identity is token, name(MAX), tag or key")),
    }
}
