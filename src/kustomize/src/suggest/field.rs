//! A path into an object that leads nowhere: where it ends, and what is there instead.

use super::near::{listed, nearest};
use crate::fieldpath::lookup;
use crate::yaml::{Mapping, Node};
use serde_json::Value;

/// What a path such as `spec.replicas` may have meant.
pub fn in_object(root: &Node, path: &[String]) -> Option<String> {
    let reaches = |length: usize| lookup(root, &path[..length]).ok().flatten();
    let length = (0..path.len()).rev().find(|length| reaches(*length).is_some())?;
    let (node, wanted) = (reaches(length)?, path.get(length)?);
    let place = path[..length].join(".");
    if let Some(sequence) = node.as_sequence() {
        let place = if place.is_empty() { "it".to_owned() } else { place };
        return Some(format!("{place} is a list of {}", sequence.items.len()));
    }
    let keys: Vec<&str> = node
        .as_mapping()
        .into_iter()
        .flat_map(Mapping::iter)
        .map(|(key, _)| key.text.as_str())
        .collect();
    say(&place, ".", wanted, &path[length + 1..], &keys)
}

/// What a JSON pointer such as `/spec/replicas` may have meant.
pub fn in_json(root: &Value, pointer: &str) -> Option<String> {
    let parts: Vec<String> = pointer.split('/').skip(1).map(str::to_owned).collect();
    let mut node = root;
    for (length, part) in parts.iter().enumerate() {
        let key = part.replace("~1", "/").replace("~0", "~");
        let next = match node {
            Value::Object(map) => map.get(&key),
            Value::Array(list) => key.parse::<usize>().ok().and_then(|index| list.get(index)),
            _ => None,
        };
        if let Some(next) = next {
            node = next;
            continue;
        }
        let place =
            if length == 0 { String::new() } else { format!("/{}", parts[..length].join("/")) };
        return match node {
            Value::Object(map) => {
                let keys: Vec<&str> = map.keys().map(String::as_str).collect();
                say(&place, "/", part, &parts[length + 1..], &keys)
            }
            Value::Array(list) => Some(format!("{place} is a list of {}", list.len())),
            _ => Some(format!("{place} is a plain value")),
        };
    }
    None
}

fn say(place: &str, dot: &str, wanted: &str, rest: &[String], keys: &[&str]) -> Option<String> {
    if let Some(near) = nearest(wanted, keys.iter().copied()) {
        let whole = std::iter::once(near).chain(rest.iter().map(String::as_str));
        let whole: Vec<&str> = whole.collect();
        let start = if place.is_empty() && dot == "." { "" } else { dot };
        return Some(format!("did you mean {place}{start}{}?", whole.join(dot)));
    }
    let place = if place.is_empty() { "the object" } else { place };
    Some(match listed(keys.iter().copied()) {
        Some(keys) => format!("{place} has: {keys}"),
        None => format!("{place} is empty"),
    })
}
