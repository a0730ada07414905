//! Content hashes in the names of generated ConfigMaps and Secrets.

use crate::error::{ErrorKind, Result};
use crate::gojson;
use crate::resource::Resource;
use crate::resources::Resources;
use crate::yaml::{Dialect, Node, to_json};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// How many characters of the hash go into a name.
const HASH_LENGTH: usize = 10;

/// Adds the hash of its content to the name of every object that asks for it.
pub fn add_hashes(resources: &mut Resources) -> Result<()> {
    for resource in resources.all_mut() {
        if resource.wants_hash {
            let hash = hash(resource)?;
            resource.store_previous();
            resource.set_name(&format!("{}-{hash}", resource.name()))?;
        }
    }
    Ok(())
}

/// The hash of a ConfigMap's or Secret's content.
fn hash(resource: &Resource) -> Result<String> {
    let secret = resource.kind() == "Secret";
    let field = |name: &str| field(&resource.node, name);
    let mut content = serde_json::Map::new();
    content.insert("kind".to_owned(), resource.kind().into());
    // kustomize looks for a field called "metadata/name", which nothing has.
    content.insert("name".to_owned(), "".into());
    content.insert("data".to_owned(), field("data")?);
    if secret {
        content.insert("type".to_owned(), field("type")?);
    }
    let optional = if secret { "stringData" } else { "binaryData" };
    let value = field(optional)?;
    if value.is_object() {
        content.insert(optional.to_owned(), value);
    }
    let text = gojson::to_string(&as_floats(Value::Object(content)), false);
    let digest = hex::encode(Sha256::digest(text.as_bytes()));
    Ok(digest.chars().take(HASH_LENGTH).map(disguise).collect())
}

fn field(root: &Node, name: &str) -> Result<Value> {
    match root.get(name) {
        None => Ok("".into()),
        Some(node) if node.as_scalar().is_some() => Ok(node.text().into()),
        Some(node) => to_json(node, Dialect::V3).map_err(|error| ErrorKind::from(error).into()),
    }
}

/// Vowels and digits that look like them are exchanged, so that no words come out.
fn disguise(c: char) -> char {
    match c {
        '0' => 'g',
        '1' => 'h',
        '3' => 'k',
        'a' => 'm',
        'e' => 't',
        c => c,
    }
}

/// Go reads the data's numbers as floats before it writes them again.
fn as_floats(value: Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().map_or(Value::Number(number), Value::from),
        Value::Array(items) => Value::Array(items.into_iter().map(as_floats).collect()),
        Value::Object(object) => {
            Value::Object(object.into_iter().map(|(key, value)| (key, as_floats(value))).collect())
        }
        value => value,
    }
}
