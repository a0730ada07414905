//! A stack being written: resources added one by one, exports, imports, and the bindings of providers.

use crate::{
    Address, Draft, Expr, Graph, GraphError, Handle, IntoValue, Node, Resource, Source,
    graph::GRAPH_FORMAT,
};
use std::{collections::BTreeMap, panic::Location};

/// A stack under construction. A stack function fills it; [`Stack::finish`] makes the graph of it.
pub struct Stack {
    name: String,
    nodes: Vec<Node>,
    bindings: BTreeMap<String, Expr>,
    exports: BTreeMap<String, Expr>,
}

impl Stack {
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            nodes: vec![],
            bindings: BTreeMap::new(),
            exports: BTreeMap::new(),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Adds a resource under a name that is its own in this stack.
    #[track_caller]
    pub fn add<D: Draft>(&mut self, name: impl AsRef<str>, draft: D) -> Handle<D::Resource> {
        let (fields, options) = draft.into_parts();
        let address = Address::unchecked(&self.name, name.as_ref());
        self.nodes.push(Node {
            address,
            kind: D::Resource::SCHEMA.kind.to_owned(),
            fields,
            options,
            source: Some(Source::of(Location::caller())),
        });
        Handle::new(address)
    }

    /// Says what a provider's resources are reached through, such as the account and region of `aws`.
    pub fn bind<B>(&mut self, provider: &str, binding: impl IntoValue<B>) {
        self.bindings.insert(provider.to_owned(), binding.into_value().into_expr());
    }

    /// Gives outputs to other stacks, as declared with [`exports!`](crate::exports).
    pub fn export<E: Exports>(&mut self, exports: E) {
        self.exports.extend(exports.entries());
    }

    /// What another stack exports. Its state is read when this stack is planned.
    pub fn import<E: Exports>(&self, from: &str) -> E {
        E::imported(Address::exports_of(from))
    }

    /// The graph, or everything that is wrong with it.
    pub fn finish(self) -> Result<Graph, GraphError> {
        let graph = Graph {
            format: GRAPH_FORMAT,
            stack: self.name,
            bindings: self.bindings,
            nodes: self.nodes,
            exports: self.exports,
        };
        graph.check()?;
        Ok(graph)
    }
}

/// What a stack gives to others, declared with [`exports!`](crate::exports).
pub trait Exports: Copy {
    #[doc(hidden)]
    fn entries(self) -> Vec<(String, Expr)>;
    #[doc(hidden)]
    fn imported(from: Address) -> Self;
}

/// Declares what a stack gives to others: typed on both sides.
///
/// ```
/// formwork_engine::exports! {
///     /// What previews need of the platform.
///     pub struct Platform { cluster: String, password: formwork_engine::Secret }
/// }
/// ```
#[macro_export]
macro_rules! exports {
    ($(#[$doc:meta])* pub struct $Name:ident { $( $(#[$fdoc:meta])* $field:ident : $T:ty ),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $Name { $( $(#[$fdoc])* pub $field: $crate::Output<$T>, )* }
        impl $crate::Exports for $Name {
            fn entries(self) -> Vec<(String, $crate::Expr)> {
                vec![$((
                    stringify!($field).to_owned(),
                    $crate::IntoValue::<$T>::into_value(self.$field).into_expr(),
                )),*]
            }
            fn imported(from: $crate::Address) -> Self {
                Self { $( $field: $crate::Output::new(from, stringify!($field)), )* }
            }
        }
    };
}
