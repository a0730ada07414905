//! What a stack's author writes becomes the graph that is meant.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use formwork_engine::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// A network.
#[derive(Resource, Deserialize)]
#[resource(kind = "test.Network", outputs = NetworkOutputs, identity = tag)]
pub struct Network {
    /// Its address range.
    #[replace]
    pub cidr: String,
    pub zones: Option<u8>,
}

#[derive(Outputs, Serialize)]
pub struct NetworkOutputs {
    pub id: Id<Network>,
}

/// A rule.
#[derive(Nested, Serialize, Deserialize)]
pub struct Rule {
    pub port: u16,
    pub from: String,
    pub note: Option<String>,
}

/// A firewall.
#[derive(Resource, Deserialize)]
#[resource(kind = "test.Firewall", outputs = FirewallOutputs, identity = name(40))]
pub struct Firewall {
    #[replace]
    pub network: Id<Network>,
    #[unordered]
    pub rules: Vec<Rule>,
    #[secret]
    pub token: Option<Secret>,
    #[default(false)]
    pub strict: Option<bool>,
}

#[derive(Outputs, Serialize)]
pub struct FirewallOutputs {
    pub id: Id<Firewall>,
    #[secret]
    pub key: Secret,
    /// An output may be called what it likes.
    pub node: String,
}

exports! {
    /// What others may use.
    pub struct Shared { network: Id<Network>, key: Secret }
}

fn stack() -> Stack {
    let mut s = Stack::new("prod");
    let net = s.add("net", Network::new().cidr("10.0.0.0/16").zones(3));
    let wall = s.add(
        "wall",
        Firewall::new()
            .network(net.id)
            .rules(list![
                Rule::new().port(5432).from("10.0.0.0/16"),
                Rule::new().from(text!["net:", net.id]).port(443).note("n"),
            ])
            .protect(true),
    );
    s.add(
        "other",
        Firewall::new()
            .network(Id::existing("n-1"))
            .rules([Rule::new().port(1).from("x")])
            .token(secret_text!["k=", wall.key])
            .maybe_strict(Some(true)),
    );
    s.export(Shared { network: net.id, key: wall.key });
    s
}

#[test]
fn a_stack_becomes_its_graph() {
    let graph = stack().finish().unwrap();
    let wall = &graph.nodes[1];
    assert_eq!(wall.address.to_string(), "prod/wall");
    assert!(wall.options.protect);
    let source = wall.source.as_ref().unwrap();
    assert!(source.file.ends_with("authoring.rs") && source.line > 60, "{source}");
    assert_eq!(
        serde_json::to_value(&wall.fields["rules"]).unwrap(),
        json!({"list": [
            {"literal": {"from": "10.0.0.0/16", "port": 5432}},
            {"map": [
                [{"literal": "from"}, {"text": [{"literal": "net:"}, {"ref": {"node": "prod/net", "output": "id"}}]}],
                [{"literal": "note"}, {"literal": "n"}],
                [{"literal": "port"}, {"literal": 443}],
            ]},
        ]})
    );
    assert_eq!(graph.nodes[2].dependencies(), [wall.address].into());
    assert_eq!(graph.exports.len(), 2);
    assert!(graph.imports().is_empty());
}

#[test]
fn imports_refer_to_the_other_stack_and_never_to_a_node_of_this_one() {
    let mut s = Stack::new("preview");
    let shared: Shared = s.import("prod");
    s.add("net", Network::new().cidr("10.1.0.0/16"));
    s.add("wall", Firewall::new().network(shared.network).rules([] as [Value<Rule>; 0]));
    let graph = s.finish().unwrap();
    assert_eq!(graph.nodes[1].dependencies(), [Address::exports_of("prod")].into());
    assert_eq!(graph.imports(), ["prod".to_owned()].into());
}

#[test]
fn ways_of_writing_a_list_are_equal() {
    let of = |value: Value<Vec<String>>| value.into_expr();
    let array = of(["a", "b"].into_value());
    assert_eq!(array, of(vec!["a".to_owned(), "b".to_owned()].into_value()));
    assert_eq!(array, of(list!["a", "b".to_owned()].into_value()));
    assert_eq!(array, of(each(["a", "b"]).into_value()));
}

#[test]
fn bad_names_and_duplicates_are_refused_with_their_lines() {
    let mut s = Stack::new("prod");
    s.add("net", Network::new().cidr("a"));
    s.add("net", Network::new().cidr("b"));
    let error = s.finish().unwrap_err().to_string();
    assert!(error.starts_with("`prod/net` is added twice: at "), "{error}");

    let mut s = Stack::new("prod");
    s.add("Net", Network::new().cidr("a"));
    assert!(matches!(s.finish(), Err(GraphError::NodeName { .. })));
}

#[test]
fn a_graph_from_a_file_is_held_to_the_schemas() {
    let schema = |kind: &str| match kind {
        "test.Network" => Some(Network::SCHEMA),
        "test.Firewall" => Some(Firewall::SCHEMA),
        _ => None,
    };
    let mut good = stack().finish().unwrap();
    good.bindings.insert("test".into(), Expr::Literal(json!({})));
    good.check_kinds(schema).unwrap();

    let broken = |change: &dyn Fn(&mut Node)| {
        let mut graph = good.clone();
        change(&mut graph.nodes[1]);
        graph.check_kinds(schema).unwrap_err()
    };
    let refer = |output: &str| Expr::Ref {
        node: "prod/wall".parse().unwrap(),
        output: Symbol::new(output),
    };
    let error = broken(&|n| n.kind = "test.Door".into());
    assert!(matches!(error, GraphError::UnknownKind { .. }));
    let error = broken(&|n| drop(n.fields.remove("network")));
    assert!(matches!(error, GraphError::MissingField { .. }));
    let error = broken(&|n| drop(n.fields.insert("colour".into(), Expr::Literal(json!(1)))));
    assert!(matches!(error, GraphError::UnknownField { .. }));
    let error = broken(&|n| drop(n.fields.insert("strict".into(), refer("nothing"))));
    assert!(matches!(error, GraphError::UnknownOutput { .. }));
    let error = broken(&|n| drop(n.fields.insert("strict".into(), refer("key"))));
    assert!(matches!(error, GraphError::SecretInPlain { .. }));
}
