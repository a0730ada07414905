//! Data: what an expression is worth at a moment, with unknowns and secrets as values of their own.

use crate::{Address, Secret, Symbol};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Number, Value as Json, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// A JSON value that may hold unknowns and secrets.
///
/// In JSON an unknown is `{"$unknown": ["stack/name.output", ...]}` and a secret
/// `{"$secret": [...]}`; a key of a map that starts with `$` is written with a second `$`.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Data>),
    Map(BTreeMap<String, Data>),
    Unknown(Unknown),
    Secret(Secret),
}

/// A value that isn't known yet, with the outputs it waits for. Shown as such, equal to nothing known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unknown(BTreeSet<(Address, Symbol)>);

impl Unknown {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn waits_for(&self) -> impl Iterator<Item = (Address, Symbol)> {
        self.0.iter().copied()
    }

    pub(crate) fn extend(&mut self, other: Unknown) {
        self.0.extend(other.0);
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(known after apply")?;
        for (i, (node, output)) in self.0.iter().enumerate() {
            write!(f, "{} {node}.{output}", if i == 0 { ":" } else { "," })?;
        }
        f.write_str(")")
    }
}

const UNKNOWN: &str = "$unknown";
const SECRET: &str = "$secret";

impl Data {
    pub fn unknown(node: Address, output: Symbol) -> Self {
        Data::Unknown(Unknown(BTreeSet::from([(node, output)])))
    }

    pub fn empty_map() -> Self {
        Data::Map(BTreeMap::new())
    }

    pub fn from_json(json: &Json) -> Self {
        match json {
            Json::Null => Data::Null,
            Json::Bool(value) => Data::Bool(*value),
            Json::Number(value) => Data::Number(value.clone()),
            Json::String(value) => Data::Text(value.clone()),
            Json::Array(items) => Data::List(items.iter().map(Data::from_json).collect()),
            Json::Object(object) => marked(object).unwrap_or_else(|| {
                let unescape = |key: &String| match key.strip_prefix("$$") {
                    Some(rest) => format!("${rest}"),
                    None => key.clone(),
                };
                Data::Map(object.iter().map(|(k, v)| (unescape(k), Data::from_json(v))).collect())
            }),
        }
    }

    /// A literal as data: no key of it is a mark.
    pub fn literal(json: &Json) -> Self {
        match json {
            Json::Array(items) => Data::List(items.iter().map(Data::literal).collect()),
            Json::Object(object) => {
                Data::Map(object.iter().map(|(k, v)| (k.clone(), Data::literal(v))).collect())
            }
            scalar => Data::from_json(scalar),
        }
    }

    pub fn to_json(&self) -> Json {
        self.write(&|key| match key.starts_with('$') {
            true => format!("${key}"),
            false => key.to_owned(),
        })
    }

    fn write(&self, key_as: &impl Fn(&str) -> String) -> Json {
        match self {
            Data::Null => Json::Null,
            Data::Bool(value) => Json::Bool(*value),
            Data::Number(value) => Json::Number(value.clone()),
            Data::Text(value) => Json::String(value.clone()),
            Data::List(items) => Json::Array(items.iter().map(|i| i.write(key_as)).collect()),
            Data::Map(map) => {
                Json::Object(map.iter().map(|(k, v)| (key_as(k), v.write(key_as))).collect())
            }
            Data::Unknown(unknown) => {
                let waits: Vec<String> =
                    unknown.0.iter().map(|(node, output)| format!("{node}.{output}")).collect();
                json!({ UNKNOWN: waits })
            }
            Data::Secret(secret) => json!({ SECRET: secret.parts() }),
        }
    }

    /// Any serialisable value as data.
    pub fn of<T: Serialize>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::to_value(value).map(|json| Data::from_json(&json))
    }

    /// Reads a typed value out of data. An unknown in it is an error of the caller.
    pub fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_value(self.write(&str::to_owned))
    }

    /// Everything unknown in this value, at any depth.
    pub fn unknowns(&self) -> Unknown {
        let mut found = Unknown::default();
        self.visit(&mut |data| {
            if let Data::Unknown(unknown) = data {
                found.extend(unknown.clone());
            }
        });
        found
    }

    pub fn is_known(&self) -> bool {
        self.unknowns().is_empty()
    }

    /// Whether a text in it, at any depth, holds this one.
    pub fn mentions(&self, part: &str) -> bool {
        let mut found = false;
        self.visit(&mut |data| found |= data.as_str().is_some_and(|text| text.contains(part)));
        found
    }

    fn visit(&self, see: &mut impl FnMut(&Data)) {
        see(self);
        match self {
            Data::List(items) => items.iter().for_each(|item| item.visit(see)),
            Data::Map(map) => map.values().for_each(|value| value.visit(see)),
            _ => {}
        }
    }

    pub fn get(&self, key: &str) -> Option<&Data> {
        match self {
            Data::Map(map) => map.get(key),
            _ => None,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_map(&self) -> Option<&BTreeMap<String, Data>> {
        match self {
            Data::Map(map) => Some(map),
            _ => None,
        }
    }

    pub fn into_map(self) -> BTreeMap<String, Data> {
        match self {
            Data::Map(map) => map,
            _ => BTreeMap::new(),
        }
    }

    /// A scalar as it reads inside a text; structure as compact JSON.
    pub fn plain_text(&self) -> String {
        match self {
            Data::Text(text) => text.clone(),
            other => other.plain_json(),
        }
    }

    /// Compact JSON as the world outside writes it: no key escaped.
    pub fn plain_json(&self) -> String {
        self.write(&str::to_owned).to_string()
    }

    /// SHA-256 of the compact JSON, in hexadecimal: equal data, equal digest.
    pub fn digest(&self) -> String {
        use sha2::{Digest as _, Sha256};
        hex::encode(Sha256::digest(self.to_json().to_string().as_bytes()))
    }
}

fn marked(object: &serde_json::Map<String, Json>) -> Option<Data> {
    if object.len() != 1 {
        return None;
    }
    if let Some(Json::Array(waits)) = object.get(UNKNOWN) {
        let waits = waits.iter().map(|wait| {
            let (node, output) = wait.as_str()?.rsplit_once('.')?;
            Some((node.parse().ok()?, Symbol::new(output)))
        });
        return waits.collect::<Option<_>>().map(|set| Data::Unknown(Unknown(set)));
    }
    object.get(SECRET)?;
    Secret::from_json(&Json::Object(object.clone())).map(Data::Secret)
}

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(s)
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Json::deserialize(d).map(|json| Data::from_json(&json))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_survive_json_and_can_not_be_forged_by_keys() {
        let unknown = Data::unknown("s/a".parse().unwrap(), Symbol::new("id"));
        let map = Data::Map(BTreeMap::from([(
            "$unknown".to_owned(),
            Data::List(vec![Data::Text("s/a.id".into())]),
        )]));
        for data in [unknown.clone(), map.clone()] {
            assert_eq!(Data::from_json(&data.to_json()), data);
        }
        assert_ne!(map, unknown);
        assert!(map.is_known());
    }
}
