//! Resources as an author writes them: drafts, lifecycle options, handles.

use crate::{Address, Expr, Schema, Symbol};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, ops::Deref};

/// A kind of thing that formwork keeps as the stack says, derived with `#[derive(Resource)]`.
///
/// The struct itself holds the plain, resolved properties: what a provider gets to create one.
pub trait Resource: Sized + Send + Sync + DeserializeOwned + 'static {
    const SCHEMA: &'static Schema;
    /// What is known of one that exists.
    type Outputs: ResourceOutputs;
    /// The properties as read back from the service, each absent where the service doesn't tell.
    type Observed: Serialize + Default + Send;
}

/// The outputs of a kind, derived with `#[derive(Outputs)]`.
pub trait ResourceOutputs: Serialize + Send {
    const OUTPUTS: &'static [crate::OutputField];
    /// The same outputs as references, for the fields of other resources.
    type Refs: Copy;
    #[doc(hidden)]
    fn refs(node: Address) -> Self::Refs;
}

/// The references that a handle to an `R` gives.
pub type Refs<R> = <<R as Resource>::Outputs as ResourceOutputs>::Refs;

/// A complete draft of a resource: it can be added to a stack.
#[diagnostic::on_unimplemented(
    message = "this resource misses a required field",
    label = "set every required field before adding it to a stack",
    note = "the field is named in `Unset<..>` below"
)]
pub trait Draft: Sized {
    type Resource: Resource;
    #[doc(hidden)]
    fn into_parts(self) -> (BTreeMap<String, Expr>, Options);
}

/// What the author wants of a resource's life, beside its properties.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Never deleted or replaced while this stands; taking it off is its own earlier apply.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub protect: bool,
    /// Forgotten, not deleted, when it leaves the stack.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub retain: bool,
    /// Fields that others may change: set at creation, never compared after.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<Symbol>,
    /// Nodes that come first although no field refers to them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Address>,
    /// A replacement makes the new one first, under a name of its own, and deletes the old one last.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub create_before_destroy: bool,
    /// Replaced whenever one of these changes or is replaced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replace_triggered_by: Vec<Address>,
    /// The name that it had in the stack before; what the state has of that moves here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<Symbol>,
    /// The identifier of an existing thing to take over where the state has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adopt: Option<String>,
    /// What it tries out: it is there only in a run with canaries, which changes the other one once this one is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary_of: Option<Address>,
}

/// Lifecycle options on any draft, in the manner of iterator adapters; all give the same type.
pub trait Lifecycle: Sized {
    fn options(self) -> With<Self> {
        With { draft: self, options: Options::default() }
    }
    /// Refuse to delete or replace it.
    fn protect(self, on: bool) -> With<Self> {
        self.options().protect(on)
    }
    /// Leave it in place when it is taken out of the stack.
    fn retain(self, on: bool) -> With<Self> {
        self.options().retain(on)
    }
    /// Set this field at creation, and leave it to others after that.
    fn ignore(self, field: &str) -> With<Self> {
        self.options().ignore(field)
    }
    /// Come after another resource that no field refers to.
    fn after<R: Resource>(self, other: Handle<R>) -> With<Self> {
        self.options().after(other)
    }
    /// Where it is replaced, make the new one first, and delete the old one when nothing uses it any more.
    fn create_before_destroy(self, on: bool) -> With<Self> {
        self.options().create_before_destroy(on)
    }
    /// Replace it whenever that other resource changes or is replaced.
    fn replace_triggered_by<R: Resource>(self, other: Handle<R>) -> With<Self> {
        self.options().replace_triggered_by(other)
    }
    /// It was called this in the stack before; nothing is replaced for a new name.
    fn renamed_from(self, name: &str) -> With<Self> {
        self.options().renamed_from(name)
    }
    /// Take over what exists under this identifier, instead of creating it.
    fn adopt(self, id: impl Into<String>) -> With<Self> {
        self.options().adopt(id)
    }
    /// Be there only while a run with canaries lasts, to try out what changes in the other one.
    fn canary_of<R: Resource>(self, other: Handle<R>) -> With<Self>
    where
        Self: Draft<Resource = R>,
    {
        self.options().canary_of(other)
    }
}

/// A draft with lifecycle options.
pub struct With<D> {
    draft: D,
    options: Options,
}

impl<D> With<D> {
    pub fn protect(mut self, on: bool) -> Self {
        self.options.protect = on;
        self
    }
    pub fn retain(mut self, on: bool) -> Self {
        self.options.retain = on;
        self
    }
    pub fn ignore(mut self, field: &str) -> Self {
        self.options.ignore.push(Symbol::new(field));
        self
    }
    pub fn after<R: Resource>(mut self, other: Handle<R>) -> Self {
        self.options.after.push(Handle::address(other));
        self
    }
    pub fn create_before_destroy(mut self, on: bool) -> Self {
        self.options.create_before_destroy = on;
        self
    }
    pub fn replace_triggered_by<R: Resource>(mut self, other: Handle<R>) -> Self {
        self.options.replace_triggered_by.push(Handle::address(other));
        self
    }
    pub fn renamed_from(mut self, name: &str) -> Self {
        self.options.renamed_from = Some(Symbol::new(name));
        self
    }
    pub fn adopt(mut self, id: impl Into<String>) -> Self {
        self.options.adopt = Some(id.into());
        self
    }
    pub fn canary_of<R: Resource>(mut self, other: Handle<R>) -> Self
    where
        D: Draft<Resource = R>,
    {
        self.options.canary_of = Some(Handle::address(other));
        self
    }
}

impl<D: Draft> Draft for With<D> {
    type Resource = D::Resource;
    fn into_parts(self) -> (BTreeMap<String, Expr>, Options) {
        let (fields, _) = self.draft.into_parts();
        (fields, self.options)
    }
}

/// A resource of a stack: dereferences to its outputs.
pub struct Handle<R: Resource> {
    node: Address,
    refs: Refs<R>,
}

impl<R: Resource> Handle<R> {
    pub(crate) fn new(node: Address) -> Self {
        Self { node, refs: <R::Outputs as ResourceOutputs>::refs(node) }
    }

    /// The node's address. Not a method, so that no output's name is shadowed.
    pub fn address(this: Self) -> Address {
        this.node
    }
}

impl<R: Resource> Clone for Handle<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R: Resource> Copy for Handle<R> {}

impl<R: Resource> Deref for Handle<R> {
    type Target = Refs<R>;
    fn deref(&self) -> &Refs<R> {
        &self.refs
    }
}
