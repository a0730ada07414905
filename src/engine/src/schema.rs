//! Schemas: what the engine knows of a kind, written by the derives.

use serde_json::Value as Json;

/// A kind of resource as the engine sees it.
#[derive(Debug)]
pub struct Schema {
    /// The kind's name, such as `aws.ec2.Vpc`.
    pub kind: &'static str,
    pub fields: &'static [Field],
    pub outputs: &'static [OutputField],
    pub identity: Identity,
    /// Whether deleting or replacing one loses data, so that it needs consent by address.
    pub stateful: bool,
    /// Whether others live in it and are gone with it: a cluster, a database server.
    pub hosts: bool,
}

impl Schema {
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    pub fn output(&self, name: &str) -> Option<&'static OutputField> {
        self.outputs.iter().find(|output| output.name == name)
    }

    /// The field that says what the resource is reached through, where it isn't the stack's own binding.
    pub fn binding(&self) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.flags.binding)
    }

    /// Everything that the schema says, as a text: the same for the same schema, in every run.
    pub fn describe(&self) -> String {
        let Self { kind, fields, outputs, identity, stateful, hosts } = self;
        let fields: Vec<String> = fields.iter().map(Field::describe).collect();
        format!("{kind} {fields:?} {outputs:?} {identity:?} {stateful} {hosts}\n")
    }

    /// The provider's name: the first part of the kind.
    pub fn provider(&self) -> &'static str {
        self.kind.split_once('.').map_or(self.kind, |(provider, _)| provider)
    }
}

/// One field of a resource or of a nested struct.
#[derive(Debug)]
pub struct Field {
    pub name: &'static str,
    pub required: bool,
    pub shape: Shape,
    pub flags: Flags,
    /// The value that a field takes again when it is taken out of the stack.
    pub default: Option<fn() -> Json>,
}

impl Field {
    fn describe(&self) -> String {
        let Self { name, required, shape, flags, default } = self;
        let default = default.map(|default| default());
        format!("{name} {required} {} {flags:?} {default:?}", shape.describe())
    }

    /// Whether a secret may be put into this field, at any depth.
    pub fn takes_secrets(&self) -> bool {
        self.flags.secret || self.shape.takes_secrets()
    }
}

impl Shape {
    fn describe(&self) -> String {
        match self {
            Shape::Leaf => "leaf".to_owned(),
            Shape::Partial => "partial".to_owned(),
            Shape::Exact => "exact".to_owned(),
            Shape::Nested(fields) => {
                format!("{:?}", fields.iter().map(Field::describe).collect::<Vec<_>>())
            }
            Shape::List(inner) => format!("list of {}", inner.describe()),
            Shape::Map(inner) => format!("map of {}", inner.describe()),
        }
    }

    fn takes_secrets(&self) -> bool {
        match self {
            Shape::Leaf | Shape::Partial | Shape::Exact => false,
            Shape::Nested(fields) => fields.iter().any(Field::takes_secrets),
            Shape::List(inner) | Shape::Map(inner) => inner.takes_secrets(),
        }
    }
}

/// What a field's attributes say of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Flags {
    /// `#[replace]`: a change makes a new resource.
    pub replace: bool,
    /// `#[outage]`: a change interrupts the service.
    pub outage: bool,
    /// `#[secret]`: holds a secret; compared by version, never by value.
    pub secret: bool,
    /// `#[write_only]`: the service never tells it; compared with what was last written.
    pub write_only: bool,
    /// `#[unordered]`: a list whose order says nothing.
    pub unordered: bool,
    /// `#[binding]`: how the resource is reached; not part of what it is.
    pub binding: bool,
    /// `#[source]`: other fields are made from it, and they are what is compared.
    pub source: bool,
    /// `#[late]`: bound at each run, such as an image; no part of what is approved.
    pub late: bool,
}

impl Flags {
    pub const NONE: Self = Self {
        replace: false,
        outage: false,
        secret: false,
        write_only: false,
        unordered: false,
        binding: false,
        source: false,
        late: false,
    };
}

/// How a value is built, as far as comparing it needs to know.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// Compared as a whole.
    Leaf,
    /// A struct with named fields.
    Nested(&'static [Field]),
    List(&'static Shape),
    /// Free keys.
    Map(&'static Shape),
    /// Free JSON, compared by the keys that are desired: what else the service holds is its own.
    Partial,
    /// Free JSON of which the provider tells only what is ours: what isn't desired any more goes.
    Exact,
}

/// One output of a resource.
#[derive(Debug)]
pub struct OutputField {
    pub name: &'static str,
    pub nature: Nature,
    /// `#[ready]`: only known, or only of use, once the resource is ready. A kind that marks any output so
    /// lets those go on early that use its others.
    pub ready: bool,
    /// `#[secret]`: a reference to a secret.
    pub secret: bool,
}

/// When an output changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// The default: survives updates; only replacement gives a new one.
    Stable,
    /// `#[predicted]`: known from the inputs, account and region before the resource exists.
    Predicted,
    /// `#[changes_with(field)]`: follows the named field.
    ChangesWith(&'static [&'static str]),
}

/// How a creation that was cut off half-way is found again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// By a client token: the same call with the same token gives the same thing.
    Token,
    /// By a name that is unique where it lives, at most this long.
    Name(usize),
    /// By the intent's id, which creation sets as a tag.
    Tag,
    /// By its key under a parent that is ours.
    Key,
}

/// A type that can be the type of a field.
pub trait Shaped {
    const SHAPE: Shape;
}

/// A struct that fields may hold, derived with `#[derive(Nested)]`.
pub trait Nested: Shaped {}

/// Says that fields of these types are compared as a whole.
#[macro_export]
macro_rules! leaf {
    ($($T:ty),* $(,)?) => { $(impl $crate::Shaped for $T { const SHAPE: $crate::Shape = $crate::Shape::Leaf; })* };
}

leaf!(String, bool, u8, u16, u32, u64, i32, i64, f64, crate::Arn, crate::Secret);

impl<K> Shaped for crate::Id<K> {
    const SHAPE: Shape = Shape::Leaf;
}
impl<T: Shaped> Shaped for Vec<T> {
    const SHAPE: Shape = Shape::List(&T::SHAPE);
}
impl<T: Shaped> Shaped for std::collections::BTreeMap<String, T> {
    const SHAPE: Shape = Shape::Map(&T::SHAPE);
}
impl<T: Shaped> Shaped for Option<T> {
    const SHAPE: Shape = T::SHAPE;
}
impl Shaped for Json {
    const SHAPE: Shape = Shape::Partial;
}
