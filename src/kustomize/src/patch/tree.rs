//! What the operations of JSON patches work on: the object as JSON, and the tree that its places are taken from.

use crate::yaml::{self, Key, Mapping, Node};
use serde_json::{Map, Value};

/// A tree of maps and lists.
pub trait Tree: Sized {
    type Map;

    /// What is in it; `None` for a single value.
    fn open(&mut self) -> Option<Parent<'_, Self>>;

    fn field<'a>(map: &'a mut Self::Map, key: &str) -> Option<&'a mut Self>;

    fn set_field(map: &mut Self::Map, key: String, value: Self);

    fn remove_field(map: &mut Self::Map, key: &str) -> Option<Self>;
}

/// What has other values in it.
pub enum Parent<'a, T: Tree> {
    Map(&'a mut T::Map),
    List(&'a mut Vec<T>),
}

impl Tree for Value {
    type Map = Map<String, Self>;

    fn open(&mut self) -> Option<Parent<'_, Self>> {
        match self {
            Self::Object(map) => Some(Parent::Map(map)),
            Self::Array(list) => Some(Parent::List(list)),
            _ => None,
        }
    }

    fn field<'a>(map: &'a mut Self::Map, key: &str) -> Option<&'a mut Self> {
        map.get_mut(key)
    }

    fn set_field(map: &mut Self::Map, key: String, value: Self) {
        map.insert(key, value);
    }

    fn remove_field(map: &mut Self::Map, key: &str) -> Option<Self> {
        map.remove(key)
    }
}

impl Tree for Node {
    type Map = Mapping;

    fn open(&mut self) -> Option<Parent<'_, Self>> {
        match &mut self.value {
            yaml::Value::Mapping(map) => Some(Parent::Map(map)),
            yaml::Value::Sequence(list) => Some(Parent::List(&mut list.items)),
            yaml::Value::Scalar(_) => None,
        }
    }

    fn field<'a>(map: &'a mut Mapping, key: &str) -> Option<&'a mut Self> {
        map.get_mut(key)
    }

    /// The key stands where the value does, whoever had written it.
    fn set_field(map: &mut Mapping, key: String, value: Self) {
        map.remove(&key);
        map.insert(Key { at: value.at, ..Key::from(key) }, value);
    }

    fn remove_field(map: &mut Mapping, key: &str) -> Option<Self> {
        map.remove(key)
    }
}
