//! The kinds of the random cloud: one for each way in which a creation is found again, and some that live
//! on another.

use formwork_engine::*;

const LEAF: Field =
    Field { name: "", required: false, shape: Shape::Leaf, flags: Flags::NONE, default: None };
const FIXED: Flags = Flags { replace: true, ..Flags::NONE };

/// A number that can't be changed in place.
const fn fixed() -> Field {
    Field { name: "fixed", required: true, flags: FIXED, ..LEAF }
}
/// A number that can.
const fn value() -> Field {
    Field { name: "value", required: true, ..LEAF }
}
/// What another one shows: it follows that one's value.
const fn note() -> Field {
    Field { name: "note", ..LEAF }
}
/// Identifiers of others, which can't be deleted meanwhile. One that could be changed in place would keep
/// what it uses from being replaced, unless that is created first: the stack has to say so.
const fn uses() -> Field {
    Field { name: "uses", default: Some(|| serde_json::json!([])), flags: FIXED, ..LEAF }
}
/// The host that it lives on.
const fn on() -> Field {
    Field { name: "on", required: true, flags: Flags { binding: true, ..Flags::NONE }, ..LEAF }
}

const ID: OutputField =
    OutputField { name: "id", nature: Nature::Stable, ready: false, secret: false };
const NAME: OutputField = OutputField { name: "name", nature: Nature::Predicted, ..ID };
const BANNER: OutputField =
    OutputField { name: "banner", nature: Nature::ChangesWith(&["value"]), ..ID };
const ENDPOINT: OutputField = OutputField { name: "endpoint", ready: true, ..ID };

macro_rules! schemas {
    ($($name:ident = $kind:literal, $identity:expr, [$($field:expr),*], [$($output:expr),*] $(, $flag:ident)*;)*) => {
        $(pub static $name: Schema = Schema {
            kind: $kind,
            fields: const { &[$($field),*] },
            outputs: &[$($output),*],
            identity: $identity,
            $($flag: true,)*
            ..BASE
        };)*
        pub static ALL: &[&Schema] = &[$(&$name),*];
    };
}

const BASE: Schema = Schema {
    kind: "",
    fields: &[],
    outputs: &[],
    identity: Identity::Tag,
    stateful: false,
    hosts: false,
};

schemas! {
    NET = "mem.Net", Identity::Tag, [fixed(), value(), note(), uses()], [ID, NAME, BANNER];
    GATE = "mem.Gate", Identity::Token, [fixed(), value(), note(), uses()], [ID, BANNER];
    STORE = "mem.Store", Identity::Name(40), [fixed(), value(), note(), uses()], [ID, NAME, BANNER, ENDPOINT], stateful;
    CLUSTER = "mem.Cluster", Identity::Name(40), [fixed(), value(), note(), uses()], [ID, NAME, BANNER, ENDPOINT], hosts;
    APP = "mem.App", Identity::Key, [fixed(), value(), note(), uses(), on()], [ID];
    DATABASE = "mem.Database", Identity::Name(63), [fixed(), value(), note(), uses(), on()], [ID], stateful;
}
