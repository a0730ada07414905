//! Where the fields of a tree were written.

use super::node::{Mark, Node, Value};
use smol_str::SmolStr;
use std::borrow::Cow;

impl Mark {
    /// Whether it is a place in a file that is known.
    fn is_known(self) -> bool {
        self.line > 0 && self.file > 0
    }
}

/// One step on the way to a field.
enum Step<'a> {
    Field(Cow<'a, str>),
    Item(usize),
}

/// What of a field is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Name,
    Value,
}

/// Fields that an object keeps under any patch that may not rename it.
const IDENTITY: [&[&str]; 4] =
    [&["apiVersion"], &["kind"], &["metadata", "name"], &["metadata", "namespace"]];

/// Where an object's identity was written: of each field the text, the key and the value.
pub struct Identity([Option<(SmolStr, Mark, Mark)>; IDENTITY.len()]);

impl Node {
    /// Where a field was written (`spec.containers[0].image`, `metadata.annotations["a/b"]`), or its name was; for one
    /// that isn't there or that the build made, the nearest of what it is in. `None` where that is the tree as a whole.
    pub fn place_of(&self, field: &str, part: Part) -> Option<Mark> {
        let (mut node, mut place, mut rest) = (self, None, field);
        while let Some((step, left)) = first(rest) {
            rest = left;
            let (key, child) = match (&node.value, step) {
                (Value::Mapping(map), Step::Field(name)) => {
                    let Some(child) = map.get(&name) else { break };
                    (map.key(&name).map(|key| key.at), child)
                }
                (Value::Sequence(list), Step::Item(position)) => {
                    let Some(child) = list.items.get(position) else { break };
                    (None, child)
                }
                _ => break,
            };
            // A map or list begins below its key; a value may be from another file than its key.
            let own = Some(child.at);
            let by_value = child.as_scalar().is_some() && (part == Part::Value || !rest.is_empty());
            let nearest = if by_value { [own, key] } else { [key, own] };
            let known = nearest.into_iter().flatten().find(|mark| mark.is_known());
            place = known.or(place);
            node = child;
        }
        place
    }

    /// Where the object's identity was written, to be given back to it with [`Node::stand_as`].
    pub fn identity(&self) -> Identity {
        Identity(IDENTITY.map(|path| {
            let (name, parents) = path.split_last()?;
            let parent = parents.iter().try_fold(self, |node, key| node.get(key))?;
            let map = parent.as_mapping()?;
            let (key, node) = (map.key(name)?, map.get(name)?);
            Some((node.as_scalar()?.text.clone(), key.at, node.at))
        }))
    }

    /// What of its identity is as it was stands where it did.
    pub fn stand_as(&mut self, identity: Identity) {
        for (path, was) in IDENTITY.into_iter().zip(identity.0) {
            let (Some((name, parents)), Some((text, key_at, at))) = (path.split_last(), was) else {
                continue;
            };
            let parent = parents.iter().try_fold(&mut *self, |node, key| node.get_mut(key));
            let Some(map) = parent.and_then(Node::as_mapping_mut) else { continue };
            let same = map.get(name).and_then(Node::as_scalar).is_some_and(|s| s.text == text);
            if same {
                map.stand(name, key_at, at);
            }
        }
    }

    /// Gives a tree the places of another one that it was made of, by keys and positions.
    pub fn stand_like(&mut self, other: &Self) {
        self.at = other.at;
        match (&mut self.value, &other.value) {
            (Value::Mapping(map), Value::Mapping(other)) => {
                for (key, node) in map.iter_mut_with_keys() {
                    let Some(like) = other.get(&key.text) else { continue };
                    key.at = other.key(&key.text).map_or(key.at, |key| key.at);
                    node.stand_like(like);
                }
            }
            (Value::Sequence(list), Value::Sequence(other))
                if list.items.len() == other.items.len() =>
            {
                for (node, like) in list.items.iter_mut().zip(&other.items) {
                    node.stand_like(like);
                }
            }
            _ => {}
        }
    }
}

/// Writes one more step of a way, in quotes where its name would be read otherwise.
pub fn write_field(way: &mut String, name: &str) {
    if name.is_empty() || name.contains(['.', '/', '[', ']', '"', '\\']) {
        let name = name.replace('\\', "\\\\").replace('"', "\\\"");
        way.extend(["[\"", &name, "\"]"]);
        return;
    }
    let dot = if way.is_empty() { "" } else { "." };
    way.extend([dot, name]);
}

/// A name in quotes, from behind the first of them, and what comes after it.
fn unquoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut escaped = false;
    let end = text.find(|c: char| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })?;
    let (name, rest) = (&text[..end], text[end..].strip_prefix("\"]")?);
    if !name.contains('\\') {
        return Some((name.into(), rest));
    }
    let mut plain = String::with_capacity(name.len());
    let mut escaped = false;
    for c in name.chars() {
        escaped = c == '\\' && !escaped;
        if !escaped {
            plain.push(c);
        }
    }
    Some((plain.into(), rest))
}

/// The first step of a way, and the rest of it.
fn first(way: &str) -> Option<(Step<'_>, &str)> {
    if let Some(quoted) = way.strip_prefix("[\"") {
        let (name, rest) = unquoted(quoted)?;
        return Some((Step::Field(name), rest));
    }
    if let Some(numbered) = way.strip_prefix('[') {
        let (number, rest) = numbered.split_once(']')?;
        return Some((Step::Item(number.parse().ok()?), rest));
    }
    let way = way.strip_prefix('.').unwrap_or(way);
    let end = way.find(['.', '[']).unwrap_or(way.len());
    (end > 0).then(|| (Step::Field(way[..end].into()), &way[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_of_a_field_is_found_again() {
        let names = ["image", "a/b", "a.b", "a[0]", "q\"x", "b\\", "\\\"]", "", "ü", "\"]"];
        for name in names {
            let mut way = "data".to_owned();
            write_field(&mut way, name);
            let (_, rest) = first(&way).unwrap();
            let Some((Step::Field(found), "")) = first(rest) else { panic!("{way}") };
            assert_eq!(found, name, "{way}");
        }
    }
}
