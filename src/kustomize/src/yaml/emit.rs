//! The two layouts: objects as kustomize prints them, and documents as they were written.

use super::mapping::Mapping;
use super::node::{Node, Scalar, Style, Tag, Value};
use super::number::go_shortest;
use super::options::Dialect;
use super::resolve::{Resolved, is_yaml11_string, resolve};
use super::typed::{TypeError, Typed, typed};
use super::write::{INDENT, Place, Writer};
use std::cmp::Ordering;

/// The column after which go-yaml v2 folds.
const WIDTH: usize = 80;

/// What stands between two documents.
pub const SEPARATOR: &str = "---\n";

/// Prints objects as `kustomize build` does: keys in natural order, go-yaml v2's quoting, `---` between.
pub fn to_yaml<'a>(objects: impl IntoIterator<Item = &'a Node>) -> Result<String, TypeError> {
    let mut writer = Writer::new(WIDTH, false);
    for (index, object) in objects.into_iter().enumerate() {
        if index > 0 {
            writer.out.push_str(SEPARATOR);
        }
        writer.restart();
        object_node(&mut writer, object, Context::root())?;
        writer.finish_document();
    }
    Ok(writer.out)
}

/// Prints a document with the styles it was read with, as go-yaml v3 would after an edit.
pub fn to_document(node: &Node) -> String {
    let mut writer = Writer::new(usize::MAX, true);
    document_node(&mut writer, node, Context::root());
    writer.finish_document();
    writer.out
}

/// Where a node is written: at which indentation, and inside of what.
#[derive(Clone, Copy)]
struct Context {
    /// The indentation of the collection around the node; `None` at the root.
    indent: Option<usize>,
    in_mapping: bool,
    in_flow: bool,
}

impl Context {
    fn root() -> Self {
        Self { indent: None, in_mapping: false, in_flow: false }
    }

    /// The indentation of a block collection that starts here.
    fn deeper(self) -> usize {
        self.indent.map_or(0, |indent| indent + INDENT)
    }

    /// A list directly under a key isn't indented further than the key.
    fn list_indent(self) -> usize {
        match self.indent {
            Some(indent) if self.in_mapping => indent,
            _ => self.deeper(),
        }
    }

    fn scalar_place(self, simple_key: bool) -> Place {
        let indent = self.indent.map_or(INDENT, |indent| indent + INDENT);
        Place { indent, simple_key, in_flow: self.in_flow }
    }
}

fn object_node(writer: &mut Writer, node: &Node, context: Context) -> Result<(), TypeError> {
    match &node.value {
        Value::Scalar(scalar) => object_scalar(writer, scalar, node, context),
        Value::Sequence(sequence) if sequence.items.is_empty() => {
            writer.indicator("[]", true, false, false);
            Ok(())
        }
        Value::Mapping(mapping) if mapping.is_empty() => {
            writer.indicator("{}", true, false, false);
            Ok(())
        }
        Value::Sequence(sequence) => {
            let indent = context.list_indent();
            for item in &sequence.items {
                writer.indent(indent);
                writer.indicator("-", true, false, true);
                object_node(
                    writer,
                    item,
                    Context { indent: Some(indent), in_mapping: false, in_flow: false },
                )?;
            }
            Ok(())
        }
        Value::Mapping(mapping) => {
            let indent = context.deeper();
            let inner = Context { indent: Some(indent), in_mapping: true, in_flow: false };
            for (key, value) in sorted(mapping) {
                writer.indent(indent);
                object_key(writer, key, inner);
                object_node(writer, value, inner)?;
            }
            Ok(())
        }
    }
}

fn object_key(writer: &mut Writer, key: &str, context: Context) {
    let style = string_style(key);
    if Writer::is_simple_key(key) {
        writer.scalar(key, style, context.scalar_place(true));
        writer.indicator(":", false, false, false);
    } else {
        writer.indicator("?", true, false, true);
        writer.scalar(key, style, context.scalar_place(false));
        writer.indent(context.indent.unwrap_or(0));
        writer.indicator(":", true, false, true);
    }
}

fn object_scalar(
    writer: &mut Writer,
    scalar: &Scalar,
    node: &Node,
    context: Context,
) -> Result<(), TypeError> {
    let place = context.scalar_place(false);
    match typed(scalar, node.at, Dialect::V3)? {
        Typed::Null => writer.scalar("null", Style::Plain, place),
        Typed::Bool(value) => {
            writer.scalar(if value { "true" } else { "false" }, Style::Plain, place)
        }
        Typed::Int(value) => writer.scalar(&value.to_string(), Style::Plain, place),
        Typed::Uint(value) => writer.scalar(&value.to_string(), Style::Plain, place),
        Typed::Float(value) => writer.scalar(&go_shortest(value), Style::Plain, place),
        Typed::Str(text) => writer.scalar(&text, string_style(&text), place),
    }
    Ok(())
}

/// The style go-yaml wishes for a string: literal with line breaks, quoted where it would be retyped.
fn string_style(text: &str) -> Style {
    if text.contains('\n') {
        Style::Literal
    } else if is_yaml11_string(text) {
        Style::Plain
    } else {
        Style::Double
    }
}

fn sorted(mapping: &Mapping) -> Vec<(&str, &Node)> {
    let mut entries: Vec<_> = mapping.iter().map(|(key, node)| (key.text.as_str(), node)).collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    merge_sort(entries)
}

/// Sorts by [`natural`], which is no total order (`a2` < `a10` < `a1b` < `a2`): the standard library may panic on it.
fn merge_sort<'a>(mut entries: Vec<(&'a str, &'a Node)>) -> Vec<(&'a str, &'a Node)> {
    if entries.is_sorted_by(|(a, _), (b, _)| natural(a, b) != Ordering::Greater) {
        return entries;
    }
    let right = merge_sort(entries.split_off(entries.len() / 2));
    let left = merge_sort(entries);
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some((a, _)), Some((b, _))) = (left.peek(), right.peek()) {
        let next = if natural(a, b) == Ordering::Greater { right.next() } else { left.next() };
        merged.extend(next);
    }
    merged.extend(left);
    merged.extend(right);
    merged
}

/// go-yaml's order of keys: letters after everything else, digits by their value.
fn natural(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() && !a.bytes().chain(b.bytes()).any(|byte| byte.is_ascii_digit())
    {
        return natural_ascii(a.as_bytes(), b.as_bytes());
    }
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(at) = a.iter().zip(&b).position(|(x, y)| x != y) else { return a.len().cmp(&b.len()) };
    let (x, y) = (a[at], b[at]);
    match (x.is_alphabetic(), y.is_alphabetic()) {
        (true, true) => return x.cmp(&y),
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    // A zero counts when digits that aren't zero stand before it: then both numbers go on.
    let mut carry = 0u64;
    if x == '0' || y == '0' {
        let before = a[..at].iter().rev().take_while(|c| c.is_numeric());
        if before.into_iter().any(|c| *c != '0') {
            carry = 1;
        }
    }
    let value = |text: &[char]| {
        let digits = text[at..].iter().take_while(|c| c.is_numeric());
        digits.fold((carry, 0), |(value, count), c| {
            let digit = u64::from(u32::from(*c).wrapping_sub(u32::from('0')));
            (value.wrapping_mul(10).wrapping_add(digit), count + 1)
        })
    };
    let (left, right) = (value(&a), value(&b));
    left.cmp(&right).then(x.cmp(&y))
}

fn natural_ascii(a: &[u8], b: &[u8]) -> Ordering {
    let Some(at) = a.iter().zip(b).position(|(x, y)| x != y) else { return a.len().cmp(&b.len()) };
    let (x, y) = (a[at], b[at]);
    (x.is_ascii_alphabetic(), x).cmp(&(y.is_ascii_alphabetic(), y))
}

fn document_node(writer: &mut Writer, node: &Node, context: Context) {
    match &node.value {
        Value::Scalar(scalar) => document_scalar(writer, scalar, context, false),
        Value::Sequence(sequence) if sequence.items.is_empty() => {
            writer.indicator("[]", true, false, false)
        }
        Value::Mapping(mapping) if mapping.is_empty() => writer.indicator("{}", true, false, false),
        Value::Sequence(sequence) if sequence.flow || context.in_flow => {
            writer.indicator("[", true, true, false);
            for (index, item) in sequence.items.iter().enumerate() {
                if index > 0 {
                    writer.indicator(",", false, false, false);
                }
                document_node(
                    writer,
                    item,
                    Context { in_flow: true, in_mapping: false, ..context },
                );
            }
            writer.indicator("]", false, false, false);
        }
        Value::Mapping(mapping) if mapping.flow || context.in_flow => {
            writer.indicator("{", true, true, false);
            for (index, (key, value)) in mapping.iter().enumerate() {
                if index > 0 {
                    writer.indicator(",", false, false, false);
                }
                let inner = Context { in_flow: true, in_mapping: true, ..context };
                document_scalar(writer, &key_scalar(key), inner, true);
                writer.indicator(":", false, false, false);
                document_node(writer, value, inner);
            }
            writer.indicator("}", false, false, false);
        }
        Value::Sequence(sequence) => {
            let indent = context.list_indent();
            for item in &sequence.items {
                writer.indent(indent);
                writer.indicator("-", true, false, true);
                document_node(
                    writer,
                    item,
                    Context { indent: Some(indent), in_mapping: false, in_flow: false },
                );
            }
        }
        Value::Mapping(mapping) => {
            let indent = context.deeper();
            let inner = Context { indent: Some(indent), in_mapping: true, in_flow: false };
            for (key, value) in mapping.iter() {
                writer.indent(indent);
                document_scalar(writer, &key_scalar(key), inner, true);
                writer.indicator(":", false, false, false);
                document_node(writer, value, inner);
            }
        }
    }
}

fn key_scalar(key: &super::node::Key) -> Scalar {
    Scalar { tag: key.tag, style: key.style, ..Scalar::untyped(key.text.as_str()) }
}

fn document_scalar(writer: &mut Writer, scalar: &Scalar, context: Context, simple_key: bool) {
    let mut style = scalar.style;
    if style == Style::Plain {
        let reads_as_string = matches!(resolve(Dialect::V3, &scalar.text), Resolved::Str);
        if scalar.text.contains('\n') {
            style = Style::Literal;
        } else if scalar.tag == Tag::Str && !reads_as_string {
            style = Style::Double;
        }
    }
    writer.scalar(&scalar.text, style, context.scalar_place(simple_key));
}

/// The style in which go-yaml v3 would write a string of its own.
pub(super) fn embedded_style(text: &str) -> Style {
    let writer = Writer::new(usize::MAX, true);
    writer.choose(text, string_style(text), Context::root().scalar_place(false))
}
