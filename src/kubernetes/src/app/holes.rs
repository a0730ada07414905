//! Holes in a build: what isn't known yet, and secrets, stand in it as marks and are put back after.

use super::key;
use crate::api::{name, text, title};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use formwork_engine::{Data, Failure};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// What a mark starts with; the digest of what it stands for follows.
///
/// So a hash over a mark follows the reference and version of a secret, never its text: a new version gives
/// the Secret a new name, and pods that use it are rolled.
pub const MARK: &str = "formwork-hole-";
/// Characters of the digest in a mark.
const DIGEST: usize = 24;

/// The holes of one build.
#[derive(Default)]
pub struct Holes {
    values: BTreeMap<String, Data>,
    /// Generated names whose hash follows from an unknown: unknown themselves.
    names: BTreeMap<String, Data>,
}

impl Holes {
    /// The text of a value, or a mark that stands for it.
    pub fn text(&mut self, value: &Data) -> String {
        match value {
            Data::Unknown(_) | Data::Secret(_) => {
                let mark = format!("{MARK}{}", &value.digest()[..DIGEST]);
                self.values.insert(mark.clone(), value.clone());
                mark
            }
            known => known.plain_text(),
        }
    }

    /// Finds generated objects whose name isn't known yet, before any object is filled.
    pub fn find_names(&mut self, objects: &[Json]) {
        for object in objects {
            if key::stem(object) == name(object) {
                continue;
            }
            let content = [object.get("data"), object.get("binaryData"), object.get("stringData")];
            let unknowns = content.into_iter().flatten().flat_map(|data| self.unknowns_in(data));
            if let Some(unknown) = join(unknowns.collect()) {
                self.names.insert(name(object).to_owned(), unknown);
            }
        }
    }

    /// An object as data, each hole as what it stands for.
    pub fn fill(&self, object: &Json) -> Result<Data, Failure> {
        let is_secret = text(object, &["kind"]) == "Secret";
        let filled = match object {
            Json::Object(map) => map.iter().map(|(key, value)| {
                let value = match (is_secret && key == "data", value) {
                    (true, Json::Object(data)) => Data::Map(
                        data.iter()
                            .map(|(key, value)| Ok((key.clone(), self.secret_value(value)?)))
                            .collect::<Result<_, Failure>>()?,
                    ),
                    (_, value) => self.value(value)?,
                };
                Ok((key.clone(), value))
            }),
            _ => return Err(Failure::invalid("an object that is no map")),
        };
        let filled: Result<BTreeMap<String, Data>, Failure> = filled.collect();
        filled.map(Data::Map).map_err(|failure| failure.context(title(object)))
    }

    /// A value of a Secret's `data`, which is base64.
    fn secret_value(&self, value: &Json) -> Result<Data, Failure> {
        let decoded = value.as_str().and_then(|text| BASE64_STANDARD.decode(text).ok());
        let Some(text) = decoded.and_then(|bytes| String::from_utf8(bytes).ok()) else {
            return self.value(value);
        };
        match (self.values.get(&text), self.marks_in(&text)) {
            (Some(whole), _) => Ok(whole.clone()),
            (None, marks) if marks.is_empty() => Ok(Data::literal(value)),
            (None, marks) => unknown(marks),
        }
    }

    fn value(&self, value: &Json) -> Result<Data, Failure> {
        Ok(match value {
            Json::Object(map) => {
                let mut out = BTreeMap::new();
                for (key, value) in map {
                    if !self.marks_in(key).is_empty() {
                        return Err(Failure::invalid(format!(
                            "what isn't known yet can't be part of the key `{}`",
                            key.split(MARK).next().unwrap_or_default()
                        )));
                    }
                    out.insert(key.clone(), self.value(value)?);
                }
                Data::Map(out)
            }
            Json::Array(items) => {
                Data::List(items.iter().map(|item| self.value(item)).collect::<Result<_, _>>()?)
            }
            Json::String(text) => match (self.names.get(text), self.marks_in(text)) {
                (Some(name), _) => name.clone(),
                (None, marks) if marks.is_empty() => Data::Text(text.clone()),
                (None, marks) => unknown(marks)?,
            },
            scalar => Data::literal(scalar),
        })
    }

    fn marks_in(&self, text: &str) -> Vec<&Data> {
        let marks = self.values.iter().filter(|(mark, _)| text.contains(mark.as_str()));
        marks.map(|(_, value)| value).collect()
    }

    fn unknowns_in(&self, value: &Json) -> Vec<&Data> {
        let marks = match value {
            Json::Object(map) => return map.values().flat_map(|v| self.unknowns_in(v)).collect(),
            Json::String(text) => {
                let decoded = BASE64_STANDARD.decode(text).ok();
                let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
                let mut marks = self.marks_in(text);
                marks.extend(decoded.into_iter().flat_map(|text| self.marks_in(&text)));
                marks
            }
            _ => vec![],
        };
        marks.into_iter().filter(|value| matches!(value, Data::Unknown(_))).collect()
    }
}

/// One unknown for several; a secret among them has nothing to do in a plain place.
fn unknown(values: Vec<&Data>) -> Result<Data, Failure> {
    if let Some(Data::Secret(secret)) = values.iter().find(|v| matches!(v, Data::Secret(_))) {
        return Err(Failure::invalid(format!("{secret} would stand in a plain field"))
            .hint("only the data of a Secret may hold one: take out the patch or replacement that copies it"));
    }
    Ok(join(values).unwrap_or(Data::Null))
}

/// Unknowns as one that waits for all of them.
fn join(values: Vec<&Data>) -> Option<Data> {
    let waits: Vec<Json> = values
        .iter()
        .filter_map(|value| value.to_json().get("$unknown")?.as_array().cloned())
        .flatten()
        .collect();
    (!values.is_empty()).then(|| Data::from_json(&serde_json::json!({ "$unknown": waits })))
}
