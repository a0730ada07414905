//! Typed values: what a field of a resource accepts while a stack is being written.

use crate::{Address, Expr, Secret, Symbol};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;
use std::{collections::BTreeMap, fmt, marker::PhantomData};

/// What a field of type `T` holds in a stack: an expression that will be a `T`.
///
/// Only conversions of this crate make one, so an expression can't be passed off as another type
/// and a secret can't end up in a plain field.
pub struct Value<T> {
    expr: Expr,
    of: PhantomData<fn() -> T>,
}

impl<T> Value<T> {
    pub(crate) fn new(expr: Expr) -> Self {
        Self { expr, of: PhantomData }
    }

    pub fn expr(&self) -> &Expr {
        &self.expr
    }

    pub fn into_expr(self) -> Expr {
        self.expr
    }
}

impl<T> Clone for Value<T> {
    fn clone(&self) -> Self {
        Self::new(self.expr.clone())
    }
}

/// An attribute of a resource, known once the resource exists. `Copy`, so it is passed around freely.
pub struct Output<T> {
    node: Address,
    name: Symbol,
    of: PhantomData<fn() -> T>,
}

impl<T> Output<T> {
    /// For the derives: the output `name` of `node`.
    #[doc(hidden)]
    pub fn new(node: Address, name: &'static str) -> Self {
        Self { node, name: Symbol::new(name), of: PhantomData }
    }

    fn expr(self) -> Expr {
        Expr::Ref { node: self.node, output: self.name }
    }
}

impl<T> Clone for Output<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Output<T> {}

/// The identifier of a thing of kind `K`, such as `Id<Subnet>`: an id of another kind doesn't fit.
pub struct Id<K> {
    text: String,
    of: PhantomData<fn() -> K>,
}

impl<K> Id<K> {
    /// The id of something that exists outside of this program.
    pub fn existing(text: impl Into<String>) -> Self {
        Self { text: text.into(), of: PhantomData }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        Self::existing(self.text.clone())
    }
}

impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<K> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.text)
    }
}

impl<'de, K> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d).map(Self::existing)
    }
}

/// An Amazon Resource Name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Arn(String);

impl Arn {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What may be given for a field of type `T`: a literal `T`, an output of that type, or an expression.
#[diagnostic::on_unimplemented(
    message = "`{Self}` doesn't fit a field of type `{T}`",
    label = "this field takes a literal `{T}`, an `Output<{T}>` or a `Value<{T}>`",
    note = "an `Id<..>` names its kind: give the id of the kind that the field asks for",
    note = "a secret only fits a secret field, and no literal is a secret: generate it with `secretsmanager::Secret`, or join secrets with `secret_text!`"
)]
pub trait IntoValue<T> {
    fn into_value(self) -> Value<T>;
}

impl<T: Serialize> IntoValue<T> for T {
    fn into_value(self) -> Value<T> {
        // Fields are plain structs, enums, texts and numbers, whose serialisation has no way to fail.
        Value::new(Expr::Literal(serde_json::to_value(self).unwrap_or(Json::Null)))
    }
}

impl<T> IntoValue<T> for Output<T> {
    fn into_value(self) -> Value<T> {
        Value::new(self.expr())
    }
}

impl<T> IntoValue<T> for Value<T> {
    fn into_value(self) -> Value<T> {
        self
    }
}

impl IntoValue<String> for &str {
    fn into_value(self) -> Value<String> {
        self.to_owned().into_value()
    }
}

impl<T, V: IntoValue<T>, const N: usize> IntoValue<Vec<T>> for [V; N] {
    fn into_value(self) -> Value<Vec<T>> {
        each(self).into_value()
    }
}

/// A list from any iterator: `each(subnets.iter().map(|s| s.id))`.
pub fn each<T, V: IntoValue<T>, I: IntoIterator<Item = V>>(items: I) -> Each<T> {
    Each(items.into_iter().map(IntoValue::into_value).collect())
}

/// The values that [`each`] collected.
pub struct Each<T>(Vec<Value<T>>);

impl<T> IntoValue<Vec<T>> for Each<T> {
    fn into_value(self) -> Value<Vec<T>> {
        Value::new(Expr::list(self.0.into_iter().map(Value::into_expr).collect()))
    }
}

/// The end of a [`list!`](crate::list).
pub struct Nil;
/// One item of a [`list!`](crate::list), and the rest of it.
pub struct Cons<A, B>(pub A, pub B);

/// What a [`list!`](crate::list) of `T` is made of.
#[diagnostic::on_unimplemented(
    message = "an item of this list doesn't fit a list of `{T}`",
    note = "each item is a literal `{T}`, an `Output<{T}>` or a `Value<{T}>`"
)]
pub trait Items<T> {
    #[doc(hidden)]
    fn push_to(self, items: &mut Vec<Expr>);
}

impl<T> Items<T> for Nil {
    fn push_to(self, _: &mut Vec<Expr>) {}
}

impl<T, A: IntoValue<T>, B: Items<T>> Items<T> for Cons<A, B> {
    fn push_to(self, items: &mut Vec<Expr>) {
        items.push(self.0.into_value().into_expr());
        self.1.push_to(items);
    }
}

impl<T, A: IntoValue<T>, B: Items<T>> IntoValue<Vec<T>> for Cons<A, B> {
    fn into_value(self) -> Value<Vec<T>> {
        let mut items = vec![];
        self.push_to(&mut items);
        Value::new(Expr::list(items))
    }
}

impl<T> IntoValue<Vec<T>> for Nil {
    fn into_value(self) -> Value<Vec<T>> {
        Value::new(Expr::list(vec![]))
    }
}

/// A list that mixes literals and outputs: `list!["10.0.0.0/16", net.cidr]`.
#[macro_export]
macro_rules! list {
    () => { $crate::Nil };
    ($first:expr $(, $rest:expr)* $(,)?) => { $crate::Cons($first, $crate::list!($($rest),*)) };
}

/// What may stand in a text: literals, and outputs that are no secrets.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be part of a plain text",
    label = "not a text",
    note = "if this is a secret, write `secret_text![..]` and give it to a secret field"
)]
pub trait IntoText {
    #[doc(hidden)]
    fn text_part(self) -> Expr;
}

/// What may stand in a secret text: whatever may stand in a text, and secrets.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be part of a secret text",
    label = "not a text and not a secret"
)]
pub trait IntoSecretText {
    #[doc(hidden)]
    fn secret_part(self) -> Expr;
}

macro_rules! text_parts {
    ($(<$($g:ident),*> $T:ty, $self:ident => $expr:expr;)*) => { $(
        impl<$($g),*> IntoText for $T { fn text_part($self) -> Expr { $expr } }
        impl<$($g),*> IntoSecretText for $T { fn secret_part($self) -> Expr { $expr } }
    )* };
}
text_parts! {
    <> &str, self => Expr::Literal(self.into());
    <> String, self => Expr::Literal(self.into());
    <> &String, self => Expr::Literal(self.as_str().into());
    <> u16, self => Expr::Literal(self.to_string().into());
    <> u32, self => Expr::Literal(self.to_string().into());
    <> Arn, self => Expr::Literal(self.0.into());
    <K> Id<K>, self => Expr::Literal(self.text.into());
    <> Value<String>, self => self.into_expr();
    <> Value<Arn>, self => self.into_expr();
    <> Output<String>, self => self.expr();
    <> Output<u16>, self => self.expr();
    <> Output<Arn>, self => self.expr();
    <K> Output<Id<K>>, self => self.expr();
}
impl IntoSecretText for Output<Secret> {
    fn secret_part(self) -> Expr {
        self.expr()
    }
}
impl IntoSecretText for Value<Secret> {
    fn secret_part(self) -> Expr {
        self.into_expr()
    }
}

/// A plain text from parts: `text!["postgres://", db.host, ":5432/", name]`. A secret doesn't fit in it.
#[macro_export]
macro_rules! text {
    ($($part:expr),* $(,)?) => { $crate::text_of(vec![$($crate::IntoText::text_part($part)),*]) };
}

/// A secret text from parts, some of them secrets; it only fits a secret field.
#[macro_export]
macro_rules! secret_text {
    ($($part:expr),* $(,)?) => { $crate::secret_of(vec![$($crate::IntoSecretText::secret_part($part)),*]) };
}

#[doc(hidden)]
pub fn text_of(parts: Vec<Expr>) -> Value<String> {
    Value::new(Expr::text(parts))
}

#[doc(hidden)]
pub fn secret_of(parts: Vec<Expr>) -> Value<Secret> {
    Value::new(Expr::text(parts))
}

/// A map under construction; [`map!`](crate::map) writes one in place.
pub struct Entries<T> {
    entries: Vec<(Expr, Expr)>,
    of: PhantomData<fn() -> T>,
}

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self { entries: vec![], of: PhantomData }
    }
}

impl<T> Entries<T> {
    pub fn with(mut self, key: impl IntoText, value: impl IntoValue<T>) -> Self {
        self.entries.push((key.text_part(), value.into_value().into_expr()));
        self
    }
}

impl<T> IntoValue<BTreeMap<String, T>> for Entries<T> {
    fn into_value(self) -> Value<BTreeMap<String, T>> {
        Value::new(Expr::map(self.entries))
    }
}

/// A map whose keys and values may be outputs: `map! { "REDIS": cache.host }`.
#[macro_export]
macro_rules! map {
    ($($key:tt : $value:expr),* $(,)?) => { $crate::Entries::default()$(.with($key, $value))* };
}

/// A JSON document that may hold outputs, as a text: for policies and the like.
pub fn json_text<T>(document: impl IntoValue<T>) -> Value<String> {
    Value::new(Expr::json(document.into_value().into_expr()))
}

/// The fields of a nested struct, as its derive collects them.
#[doc(hidden)]
#[derive(Default)]
pub struct Fields(pub(crate) BTreeMap<String, Expr>);

impl Fields {
    #[doc(hidden)]
    pub fn put<T>(&mut self, name: &str, value: Value<T>) {
        self.0.insert(name.to_owned(), value.into_expr());
    }

    #[doc(hidden)]
    pub fn into_map(self) -> BTreeMap<String, Expr> {
        self.0
    }

    /// The fields as the value of a nested struct, which the derive names.
    #[doc(hidden)]
    pub fn into_nested<T: crate::Nested>(self) -> Value<T> {
        let entries = self.0.into_iter().map(|(k, v)| (Expr::Literal(Json::String(k)), v));
        Value::new(Expr::map(entries.collect()))
    }
}
