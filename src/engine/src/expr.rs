//! Expressions: what a field holds before anything exists. Data, never code.

use crate::{Address, Data, Secret, SecretPart, Symbol, data::Unknown};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// An expression: a literal, a reference to a node's output, or a combination from a closed set.
///
/// It can be printed, hashed, diffed and saved in a plan, and evaluated without the program that
/// wrote it. Constructors normalise, so that two ways of writing the same thing are equal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expr {
    Literal(Json),
    Ref {
        node: Address,
        output: Symbol,
    },
    /// Texts joined; a secret part makes the whole a secret.
    Text(Vec<Expr>),
    List(Vec<Expr>),
    /// Keys are expressions too: a trust policy's condition key holds the cluster's issuer.
    Map(Vec<(Expr, Expr)>),
    /// The inner value as compact JSON text, keys sorted.
    Json(Box<Expr>),
    /// What was known once, and is taken as it is, such as the inputs of a release that is gone back to.
    /// No stack can write it: it may hold secrets.
    Value(Data),
}

impl Expr {
    pub fn text(parts: Vec<Expr>) -> Self {
        let mut merged: Vec<Expr> = Vec::with_capacity(parts.len());
        for part in parts.into_iter().flat_map(|part| match part {
            Expr::Text(inner) => inner,
            other => vec![other],
        }) {
            match (merged.last_mut(), part) {
                (_, Expr::Literal(Json::String(text))) if text.is_empty() => {}
                (Some(Expr::Literal(Json::String(last))), Expr::Literal(Json::String(text))) => {
                    last.push_str(&text);
                }
                (_, part) => merged.push(part),
            }
        }
        match merged.as_slice() {
            [] => Expr::Literal(Json::String(String::new())),
            [Expr::Literal(Json::String(_))] => merged.remove(0),
            _ => Expr::Text(merged),
        }
    }

    pub fn list(items: Vec<Expr>) -> Self {
        match items.iter().map(Expr::literal).collect::<Option<Vec<_>>>() {
            Some(literals) => Expr::Literal(Json::Array(literals.into_iter().cloned().collect())),
            None => Expr::List(items),
        }
    }

    pub fn map(mut entries: Vec<(Expr, Expr)>) -> Self {
        let literals: Option<serde_json::Map<String, Json>> = entries
            .iter()
            .map(|(key, value)| {
                Some((key.literal()?.as_str()?.to_owned(), value.literal()?.clone()))
            })
            .collect();
        match literals {
            // A repeated key is kept as written, for the evaluation to refuse.
            Some(object) if object.len() == entries.len() => Expr::Literal(Json::Object(object)),
            _ => {
                entries.sort_by_key(|(key, _)| key.literal().map(Json::to_string));
                Expr::Map(entries)
            }
        }
    }

    pub fn json(inner: Expr) -> Self {
        match inner.literal() {
            // Through `Data`, whose keys are sorted: whether JSON's own are is up to a feature.
            Some(json) => Expr::Literal(Json::String(Data::literal(json).plain_json())),
            None => Expr::Json(Box::new(inner)),
        }
    }

    fn literal(&self) -> Option<&Json> {
        match self {
            Expr::Literal(json) => Some(json),
            _ => None,
        }
    }

    /// Every node and output that this expression refers to.
    pub fn refs(&self) -> BTreeSet<(Address, Symbol)> {
        let mut found = BTreeSet::new();
        self.collect_refs(&mut found);
        found
    }

    fn collect_refs(&self, found: &mut BTreeSet<(Address, Symbol)>) {
        match self {
            Expr::Literal(_) | Expr::Value(_) => {}
            Expr::Ref { node, output } => {
                found.insert((*node, *output));
            }
            Expr::Text(items) | Expr::List(items) => {
                items.iter().for_each(|item| item.collect_refs(found));
            }
            Expr::Map(entries) => entries.iter().for_each(|(key, value)| {
                key.collect_refs(found);
                value.collect_refs(found);
            }),
            Expr::Json(inner) => inner.collect_refs(found),
        }
    }

    /// The value of this expression, given what is known of outputs.
    pub fn eval(&self, outputs: &impl Outputs) -> Data {
        match self {
            Expr::Literal(json) => Data::literal(json),
            Expr::Value(data) => data.clone(),
            Expr::Ref { node, output } => outputs.output(*node, *output),
            Expr::Text(parts) => eval_text(parts, outputs),
            Expr::List(items) => Data::List(items.iter().map(|i| i.eval(outputs)).collect()),
            Expr::Map(entries) => eval_map(entries, outputs),
            Expr::Json(inner) => {
                let value = inner.eval(outputs);
                match value.unknowns() {
                    unknown if !unknown.is_empty() => Data::Unknown(unknown),
                    _ => Data::Text(value.plain_json()),
                }
            }
        }
    }
}

/// What is known of the outputs of nodes, for evaluating expressions.
pub trait Outputs {
    /// The value of an output, `Data::Unknown` where it isn't known yet.
    fn output(&self, node: Address, output: Symbol) -> Data;
}

fn eval_text(parts: &[Expr], outputs: &impl Outputs) -> Data {
    let values: Vec<Data> = parts.iter().map(|part| part.eval(outputs)).collect();
    let mut unknown = Unknown::default();
    values.iter().for_each(|value| unknown.extend(value.unknowns()));
    if !unknown.is_empty() {
        return Data::Unknown(unknown);
    }
    if values.iter().any(|value| matches!(value, Data::Secret(_))) {
        let parts = values.into_iter().flat_map(|value| match value {
            Data::Secret(secret) => secret.parts().to_vec(),
            other => vec![SecretPart::Text(other.plain_text())],
        });
        return Data::Secret(Secret::joined(parts.collect()));
    }
    Data::Text(values.iter().map(Data::plain_text).collect())
}

fn eval_map(entries: &[(Expr, Expr)], outputs: &impl Outputs) -> Data {
    let mut map = BTreeMap::new();
    for (key, value) in entries {
        match key.eval(outputs) {
            Data::Unknown(unknown) => return Data::Unknown(unknown),
            key => map.insert(key.plain_text(), value.eval(outputs)),
        };
    }
    Data::Map(map)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn reference() -> Expr {
        Expr::Ref { node: "s/a".parse().unwrap(), output: Symbol::new("id") }
    }

    struct Known(Data);
    impl Outputs for Known {
        fn output(&self, _: Address, _: Symbol) -> Data {
            self.0.clone()
        }
    }

    #[test]
    fn constructors_normalise() {
        let lit = |j: Json| Expr::Literal(j);
        assert_eq!(Expr::list(vec![lit(json!("a")), lit(json!("b"))]), lit(json!(["a", "b"])));
        assert_eq!(
            Expr::text(vec![lit(json!("a")), Expr::text(vec![lit(json!("")), lit(json!("b"))])]),
            lit(json!("ab"))
        );
        assert_eq!(Expr::text(vec![]), lit(json!("")));
        assert_eq!(
            Expr::map(vec![(lit(json!("b")), lit(json!(1))), (lit(json!("a")), lit(json!(2)))]),
            lit(json!({"a": 2, "b": 1}))
        );
        assert_eq!(Expr::json(lit(json!({"b": 2, "a": 1}))), lit(json!(r#"{"a":1,"b":2}"#)));
    }

    #[test]
    fn unknown_spreads_through_text_and_json_but_not_through_lists() {
        let unknown = Data::unknown("s/a".parse().unwrap(), Symbol::new("id"));
        let known = Known(unknown.clone());
        let text = Expr::text(vec![Expr::Literal(json!("x-")), reference()]);
        assert_eq!(text.eval(&known), unknown);
        assert_eq!(Expr::json(Expr::list(vec![reference()])).eval(&known), unknown);
        let list = Expr::list(vec![Expr::Literal(json!("x")), reference()]);
        assert_eq!(list.eval(&known), Data::List(vec![Data::Text("x".into()), unknown]));
    }

    #[test]
    fn keys_are_expressions() {
        let map = Expr::map(vec![(
            Expr::text(vec![reference(), Expr::Literal(json!(":sub"))]),
            Expr::Literal(json!("x")),
        )]);
        let value = map.eval(&Known(Data::Text("issuer".into())));
        assert_eq!(value.to_json(), json!({"issuer:sub": "x"}));
    }

    #[test]
    fn a_secret_part_makes_the_whole_text_secret() {
        let secret = Secret::stored(crate::SecretRef {
            store: "test".into(),
            at: String::new(),
            key: "k".into(),
            version: "1".into(),
        });
        let text = Expr::text(vec![Expr::Literal(json!("postgres://")), reference()]);
        let value = text.eval(&Known(Data::Secret(secret)));
        let Data::Secret(joined) = &value else { panic!("{value:?}") };
        assert_eq!(joined.parts().len(), 2);
        assert_eq!(Data::from_json(&value.to_json()), value);
    }
}
