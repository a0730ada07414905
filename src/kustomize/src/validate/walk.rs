//! One object held against its type, field by field.

use super::formats::{is_base64, is_date_time, is_quantity};
use super::schemas::Schemas;
use super::types::{ListType, Shape, Type};
use super::{DUPLICATE, MISSING, UNKNOWN_FIELD, VALUE, WRONG_TYPE};
use crate::built::Object;
use crate::finding::{Finding, Rule};
use crate::suggest::nearest;
use crate::yaml::{Dialect, Mapping, Node, Sequence, Typed, Value, typed, write_field};
use std::collections::BTreeSet;

const QUANTITY: &str = "io.k8s.apimachinery.pkg.api.resource.Quantity";
const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
/// Fields that every object has, whether its type says so or not.
const OBJECT_FIELDS: &[&str] = &["apiVersion", "kind", "metadata"];
/// Deeper than this, nothing is looked at; types of custom resources could nest without end.
const MAX_DEPTH: usize = 128;
/// Values longer than this are cut in messages.
const MAX_SHOWN: usize = 60;

/// Holds an object against its type.
pub fn walk(object: &Object, kind: &Type, schemas: &Schemas, findings: &mut Vec<Finding>) {
    let mut walk = Walk { object, schemas, path: Vec::new(), findings };
    walk.value(object.node(), kind, true);
}

struct Walk<'a> {
    object: &'a Object,
    schemas: &'a Schemas,
    path: Vec<Step<'a>>,
    findings: &'a mut Vec<Finding>,
}

/// One step into an object.
#[derive(Clone, Copy)]
enum Step<'a> {
    Field(&'a str),
    Item(usize),
}

impl<'a> Walk<'a> {
    /// An object's root, and what embeds an object, has fields that custom types don't name.
    fn value(&mut self, node: &'a Node, kind: &'a Type, is_object: bool) {
        let quantity = kind.reference.as_deref() == Some(QUANTITY);
        let Some(kind) = self.schemas.follow(kind) else { return };
        if node.is_null() || self.path.len() > MAX_DEPTH {
            return;
        }
        if kind.int_or_string || kind.format.as_deref() == Some("int-or-string") {
            return self.int_or_string(node);
        }
        match (&node.value, kind.shape) {
            (Value::Mapping(map), None | Some(Shape::Object)) => {
                self.map(map, kind, is_object || kind.embedded);
            }
            (Value::Sequence(list), None | Some(Shape::Array)) => self.list(list, kind),
            (Value::Scalar(_), Some(Shape::Object | Shape::Array))
            | (Value::Mapping(_) | Value::Sequence(_), _) => self.wrong_type(node, kind.shape),
            (Value::Scalar(_), _) if quantity => self.quantity(node),
            (Value::Scalar(_), shape) => self.scalar(node, kind, shape),
        }
    }

    fn map(&mut self, map: &'a Mapping, kind: &'a Type, is_object: bool) {
        for name in &kind.required {
            if map.get(name).is_none_or(Node::is_null) {
                self.path.push(Step::Field(name));
                self.report(&MISSING, "this field is required".to_owned(), None);
                self.path.pop();
            }
        }
        for (key, child) in map.iter() {
            let name = key.text.as_str();
            self.path.push(Step::Field(name));
            match kind.field(name) {
                // Custom types say no more of metadata than that it is there.
                Some(_) | None if is_object && name == "metadata" => {
                    if let Some(metadata) = self.schemas.definition(OBJECT_META) {
                        self.value(child, metadata, false);
                    }
                }
                Some(field) => self.value(child, field, false),
                None if kind.allows_any_field() => {}
                None if is_object && OBJECT_FIELDS.contains(&name) => {}
                None => self.unknown(name, kind, map),
            }
            self.path.pop();
        }
    }

    /// What was probably meant is a field that isn't there yet.
    fn unknown(&mut self, name: &str, kind: &Type, map: &Mapping) {
        let free = kind.properties.keys().map(String::as_str).filter(|known| !map.contains(known));
        let help = match nearest(name, free) {
            Some(near) => Some(format!("did you mean `{near}`?")),
            None if kind.properties.len() <= 12 => {
                let known: Vec<&str> = kind.properties.keys().map(String::as_str).collect();
                Some(format!("the fields here are: {}", known.join(", ")))
            }
            None => None,
        };
        self.report(&UNKNOWN_FIELD, "there is no such field".to_owned(), help);
    }

    fn list(&mut self, list: &'a Sequence, kind: &'a Type) {
        let count = list.items.len();
        if kind.min_items.is_some_and(|least| count < least) {
            let least = kind.min_items.unwrap_or_default();
            self.report(&VALUE, format!("{count} items; at least {least} are needed"), None);
        }
        if kind.max_items.is_some_and(|most| count > most) {
            let most = kind.max_items.unwrap_or_default();
            self.report(&VALUE, format!("{count} items; at most {most} are allowed"), None);
        }
        self.duplicates(list, kind);
        let Some(items) = &kind.items else { return };
        for (position, item) in list.items.iter().enumerate() {
            self.path.push(Step::Item(position));
            if item.is_null() {
                self.report(&WRONG_TYPE, "an item is expected here, not null".to_owned(), None);
            }
            self.value(item, items, false);
            self.path.pop();
        }
    }

    /// Items of a map in the form of a list are told apart by keys, those of a set by their values.
    fn duplicates(&mut self, list: &'a Sequence, kind: &Type) {
        let mut seen = BTreeSet::new();
        for (position, item) in list.items.iter().enumerate() {
            let key = match kind.list {
                Some(ListType::Map) => identity(item, &kind.list_keys),
                Some(ListType::Set) => item.as_scalar().map(|scalar| scalar.text.to_string()),
                _ => return,
            };
            if let Some(key) = key
                && !seen.insert(key.clone())
            {
                self.path.push(Step::Item(position));
                self.report(&DUPLICATE, format!("{key} is in this list already"), None);
                self.path.pop();
            }
        }
    }

    fn scalar(&mut self, node: &Node, kind: &Type, shape: Option<Shape>) {
        let Some(value) = value_of(node) else { return };
        let fits = matches!(
            (&value, shape),
            (_, None)
                | (Typed::Str(_), Some(Shape::String))
                | (Typed::Bool(_), Some(Shape::Boolean))
                | (Typed::Int(_) | Typed::Uint(_), Some(Shape::Integer | Shape::Number))
                | (Typed::Float(_), Some(Shape::Number))
        );
        if !fits {
            return self.wrong_type(node, shape);
        }
        let problem = match &value {
            Typed::Str(text) => bad_text(text, kind),
            Typed::Int(number) => bad_integer(i128::from(*number), kind),
            Typed::Uint(number) => bad_integer(i128::from(*number), kind),
            Typed::Float(number) => out_of_range(*number, kind),
            Typed::Bool(_) | Typed::Null => None,
        };
        let problem = problem.or_else(|| not_listed(&value, kind));
        if let Some((message, help)) = problem {
            self.report(&VALUE, message, help);
        }
    }

    /// The API server takes a quantity without quotes, too.
    fn quantity(&mut self, node: &Node) {
        let is_one = match value_of(node) {
            Some(Typed::Str(text)) => is_quantity(&text),
            Some(Typed::Int(_) | Typed::Uint(_) | Typed::Float(_)) | None => true,
            Some(Typed::Bool(_) | Typed::Null) => false,
        };
        if !is_one {
            let message = format!("{} is not a quantity", shown(node.text()));
            let help = "quantities look like `500m`, `2`, `1.5Gi`".to_owned();
            self.report(&VALUE, message, Some(help));
        }
    }

    fn int_or_string(&mut self, node: &Node) {
        let fits = matches!(value_of(node), Some(Typed::Int(_) | Typed::Uint(_) | Typed::Str(_)));
        if !fits {
            let message = format!("an integer or a string is expected, not {}", described(node));
            self.report(&WRONG_TYPE, message, None);
        }
    }

    fn wrong_type(&mut self, node: &Node, shape: Option<Shape>) {
        let expected = shape.map_or("something else", Shape::described);
        let help = match (value_of(node), shape) {
            (Some(Typed::Int(_) | Typed::Float(_) | Typed::Bool(_)), Some(Shape::String)) => {
                Some(format!("put it in quotes: \"{}\"", node.text()))
            }
            (Some(Typed::Str(_)), Some(Shape::Integer | Shape::Number | Shape::Boolean)) => {
                Some("take the quotes away, if there are any".to_owned())
            }
            _ => None,
        };
        let message = format!("{expected} is expected, not {}", described(node));
        self.report(&WRONG_TYPE, message, help);
    }

    fn report(&mut self, rule: &Rule, message: String, help: Option<String>) {
        let mut field = String::new();
        for step in &self.path {
            match step {
                Step::Field(name) => write_field(&mut field, name),
                Step::Item(position) => field.extend(["[", &position.to_string(), "]"]),
            }
        }
        self.findings.push(Finding { help, ..Finding::new(rule, self.object, message) }.at(field));
    }
}

/// A scalar's value; `None` for lists and maps. Every scalar was found to fit its tag when the object was built.
fn value_of(node: &Node) -> Option<Typed<'_>> {
    node.as_scalar().and_then(|scalar| typed(scalar, node.at, Dialect::V3).ok())
}

fn described(node: &Node) -> String {
    match value_of(node) {
        Some(Typed::Str(text)) => format!("the string {}", shown(&text)),
        Some(Typed::Null) => "null".to_owned(),
        Some(_) => format!("`{}`", node.text()),
        None => format!("a {}", node.shape()),
    }
}

fn shown(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// The values of an item's keys; `None` where one is missing that has no default.
fn identity(item: &Node, keys: &[String]) -> Option<String> {
    let mut identity = Vec::with_capacity(keys.len());
    for key in keys {
        let value = match item.get(key).and_then(Node::as_scalar) {
            Some(scalar) => scalar.text.as_str(),
            // The one key with a default.
            None if key == "protocol" => "TCP",
            None => return None,
        };
        identity.push(format!("{key}: {value}"));
    }
    (!identity.is_empty()).then(|| identity.join(", "))
}

type Problem = Option<(String, Option<String>)>;

fn bad_text(text: &str, kind: &Type) -> Problem {
    let not = |what: &str| Some((format!("{} is not {what}", shown(text)), None));
    match kind.format.as_deref() {
        Some("date-time") if !is_date_time(text) => {
            return not("a date and time such as 2030-01-31T12:00:00Z");
        }
        Some("byte") if !is_base64(text) => return not("Base64"),
        _ => {}
    }
    let length = text.chars().count();
    if let Some(least) = kind.min_length.filter(|least| length < *least) {
        return Some((format!("{} is shorter than {least} characters", shown(text)), None));
    }
    if let Some(most) = kind.max_length.filter(|most| length > *most) {
        return Some((format!("{} is longer than {most} characters", shown(text)), None));
    }
    let pattern = kind.pattern.as_deref()?;
    // A pattern that Go reads and we don't is left to the API server.
    let matches = regex::Regex::new(pattern).is_ok_and(|regex| !regex.is_match(text));
    matches.then(|| (format!("{} doesn't match {pattern}", shown(text)), None))
}

fn bad_integer(number: i128, kind: &Type) -> Problem {
    let fits = match kind.format.as_deref() {
        Some("int32") => i32::try_from(number).is_ok(),
        _ => i64::try_from(number).is_ok(),
    };
    if !fits {
        let bits = if kind.format.as_deref() == Some("int32") { 32 } else { 64 };
        return Some((format!("{number} doesn't fit into {bits} bits"), None));
    }
    // Limits of types are far from where integers and floats differ.
    out_of_range(number as f64, kind)
}

fn out_of_range(number: f64, kind: &Type) -> Problem {
    match (kind.minimum, kind.maximum) {
        (Some(least), _) if number < least => {
            Some((format!("{number} is less than {least}"), None))
        }
        (_, Some(most)) if number > most => Some((format!("{number} is more than {most}"), None)),
        _ => None,
    }
}

fn not_listed(value: &Typed<'_>, kind: &Type) -> Problem {
    let is = |known: &serde_json::Value| match value {
        Typed::Str(text) => known.as_str() == Some(text),
        Typed::Int(number) => known.as_i64() == Some(*number),
        Typed::Uint(number) => known.as_u64() == Some(*number),
        Typed::Float(number) => known.as_f64() == Some(*number),
        Typed::Bool(bool) => known.as_bool() == Some(*bool),
        Typed::Null => known.is_null(),
    };
    if kind.values.is_empty() || kind.values.iter().any(is) {
        return None;
    }
    let texts = kind.values.iter().filter_map(serde_json::Value::as_str);
    let (text, near) = match value {
        Typed::Str(text) => (shown(text), nearest(text, texts)),
        other => (format!("{other:?}"), None),
    };
    let known: Vec<String> = kind.values.iter().map(ToString::to_string).collect();
    let help = near.map(|near| format!("did you mean {near:?}?"));
    Some((format!("{text} is none of {}", known.join(", ")), help))
}
