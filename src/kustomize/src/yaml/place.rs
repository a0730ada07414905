//! Where the fields of a tree were written.

use super::node::{Mark, Node, Value};

impl Mark {
    /// Whether it is a place in a file that is known.
    fn is_known(self) -> bool {
        self.line > 0 && self.file > 0
    }
}

/// One step on the way to a field.
enum Step<'a> {
    Field(&'a str),
    Item(usize),
}

impl Node {
    /// Where a field was written (`spec.containers[0].image`, `metadata.annotations["a/b"]`); for one that isn't
    /// there or that the build made, the nearest of what it is in. `None` where that is the tree as a whole.
    pub fn place_of(&self, field: &str) -> Option<Mark> {
        let (mut node, mut place, mut rest) = (self, None, field);
        while let Some((step, left)) = first(rest) {
            rest = left;
            let (key, child) = match (&node.value, step) {
                (Value::Mapping(map), Step::Field(name)) => {
                    let Some(child) = map.get(name) else { break };
                    (map.key(name).map(|key| key.at), child)
                }
                (Value::Sequence(list), Step::Item(position)) => {
                    let Some(child) = list.items.get(position) else { break };
                    (None, child)
                }
                _ => break,
            };
            // A map or list begins below its key; a value may be from another file than its key.
            let own = Some(child.at);
            let nearest = if child.as_scalar().is_some() { [own, key] } else { [key, own] };
            let known = nearest.into_iter().flatten().find(|mark| mark.is_known());
            place = known.or(place);
            node = child;
        }
        place
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

/// The first step of a way, and the rest of it.
fn first(way: &str) -> Option<(Step<'_>, &str)> {
    if let Some(quoted) = way.strip_prefix("[\"") {
        let (name, rest) = quoted.split_once("\"]")?;
        return Some((Step::Field(name), rest));
    }
    if let Some(numbered) = way.strip_prefix('[') {
        let (number, rest) = numbered.split_once(']')?;
        return Some((Step::Item(number.parse().ok()?), rest));
    }
    let way = way.strip_prefix('.').unwrap_or(way);
    let end = way.find(['.', '[']).unwrap_or(way.len());
    (end > 0).then(|| (Step::Field(&way[..end]), &way[end..]))
}
