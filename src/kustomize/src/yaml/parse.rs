//! From text to tree: anchors expanded, merge keys applied, sizes bounded.

use super::explain::explain;
use super::mapping::{Mapping, shrink};
use super::node::{Key, Mark, Node, Scalar, Sequence, Style, Tag, Value};
use super::options::{Options, Twice};
use super::resolve::{Resolved, resolve};
use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// How deep a document may nest.
const MAX_DEPTH: usize = 200;
/// How many nodes one document may hold once its aliases are expanded (a bomb has billions).
const MAX_NODES: usize = 4_000_000;

/// What a comment has in it that says how to merge a list.
const SCHEMA_COMMENT: &str = "x-kubernetes-patch-strategy";

/// Text that isn't YAML, or more of it than is let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct YamlError {
    pub message: String,
    pub at: Mark,
    /// What to do about it, where the message doesn't say it.
    pub help: Option<String>,
}

/// A key that stands twice in one map, where only the last one counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeated {
    pub key: String,
    pub at: Mark,
    /// The line of the first one.
    pub first: u32,
}

/// Reads the first document of a text; `None` where there is none.
pub fn parse_document(text: &str, options: Options) -> Result<Option<Node>, YamlError> {
    parse_noting(text, options, &mut Vec::new())
}

/// The same; notes the keys that stand twice in a map.
pub fn parse_noting(
    text: &str,
    options: Options,
    repeated: &mut Vec<Repeated>,
) -> Result<Option<Node>, YamlError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        text,
        open_end: (!text.ends_with('\n')).then(|| text.chars().count()),
        lines: text.lines().filter(|_| options.flow).collect(),
        options,
        anchors: HashMap::new(),
        repeated: Vec::new(),
        nodes: 0,
        brackets: 0,
        has_schemas: options.flow && text.contains(SCHEMA_COMMENT),
    };
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamEnd => return Ok(None),
            Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
            event => {
                let node = reader.node(event, span, 0)?;
                reader.expect_document_end()?;
                *repeated = reader.repeated;
                return Ok(Some(node));
            }
        }
    }
}

struct Reader<'input> {
    parser: Parser<'input, saphyr_parser::StrInput<'input>>,
    text: &'input str,
    /// The number of characters of a text that ends without a line break.
    open_end: Option<usize>,
    /// The text by lines, where brackets are asked about.
    lines: Vec<&'input str>,
    options: Options,
    anchors: HashMap<usize, Anchored>,
    repeated: Vec<Repeated>,
    nodes: usize,
    /// How many brackets are open.
    brackets: usize,
    /// Somewhere a comment gives a list its merge key.
    has_schemas: bool,
}

struct Anchored {
    node: Node,
    size: usize,
}

impl<'input> Reader<'input> {
    fn next(&mut self) -> Result<(Event<'input>, Span), YamlError> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let mark = error.marker();
                // What is missing at the end is missed on the last line that has something.
                let lines = self.text.trim_end().lines();
                let at = match (lines.clone().count(), lines.last()) {
                    (count, Some(last)) if mark.line() > count => {
                        self.mark(count, last.chars().count())
                    }
                    _ => self.mark(mark.line(), mark.col()),
                };
                Err(explain(error.info(), at))
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    /// Whatever follows on the same document is a mistake; a second document is not looked at.
    fn expect_document_end(&mut self) -> Result<(), YamlError> {
        match self.next()? {
            (Event::DocumentEnd | Event::StreamEnd, _) => Ok(()),
            (_, span) => Err(self.fail("text after the end of the document", span)),
        }
    }

    fn mark(&self, line: usize, column: usize) -> Mark {
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        let column = u16::try_from(column).unwrap_or(u16::MAX);
        let before = self.options.before;
        Mark {
            line: line.saturating_add(before.line),
            column: column.saturating_add(1).saturating_add(before.column),
            file: before.file,
        }
    }

    fn at(&self, span: Span) -> Mark {
        self.mark(span.start.line(), span.start.col())
    }

    fn fail(&self, message: impl Into<String>, span: Span) -> YamlError {
        YamlError { message: message.into(), at: self.at(span), help: None }
    }

    /// Notes that a collection begins; says whether it does with a bracket.
    fn enter(&mut self, bracket: char, span: Span) -> bool {
        let line = span.start.line().checked_sub(1).and_then(|line| self.lines.get(line));
        let flow = line.and_then(|line| line.chars().nth(span.start.col())) == Some(bracket);
        self.brackets += usize::from(flow);
        flow
    }

    fn leave(&mut self, flow: bool) {
        self.brackets -= usize::from(flow);
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), YamlError> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES {
            return Err(
                self.fail(format!("more than {MAX_NODES} values once aliases are expanded"), span)
            );
        }
        Ok(())
    }

    fn node(&mut self, event: Event<'input>, span: Span, depth: usize) -> Result<Node, YamlError> {
        if depth > MAX_DEPTH {
            return Err(self.fail(format!("nested deeper than {MAX_DEPTH} levels"), span));
        }
        let before = self.nodes;
        self.count(1, span)?;
        let at = self.at(span);
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.as_ref().map(|tag| tag_name(tag));
                let text = self.without_added_break(text, style, span);
                (Value::Scalar(self.scalar(text, style, tag.as_deref())), anchor)
            }
            Event::SequenceStart(anchor, _) => {
                let flow = self.enter('[', span);
                let mut items = self.sequence(depth)?;
                shrink(&mut items);
                self.leave(flow);
                (Value::Sequence(Sequence { items, flow }), anchor)
            }
            Event::MappingStart(anchor, _) => {
                let flow = self.enter('{', span);
                let mut mapping = self.mapping(depth)?;
                mapping.shrink();
                self.leave(flow);
                (Value::Mapping(mapping.in_brackets(flow)), anchor)
            }
            Event::Alias(anchor) => return self.alias(anchor, span),
            _ => return Err(self.fail("unexpected end of the document", span)),
        };
        let node = Node { value, at };
        if anchor != 0 {
            self.anchors.insert(anchor, Anchored { node: node.clone(), size: self.nodes - before });
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<Node, YamlError> {
        let size = match self.anchors.get(&anchor) {
            Some(anchored) => anchored.size,
            None => return Err(self.fail("an anchor that contains itself", span)),
        };
        self.count(size, span)?;
        match self.anchors.get(&anchor) {
            Some(anchored) => Ok(anchored.node.clone()),
            None => Err(self.fail("an anchor that contains itself", span)),
        }
    }

    /// A block that ends with the file, which ends without a line break, has none at its end either.
    fn without_added_break(
        &self,
        mut text: Cow<'input, str>,
        style: ScalarStyle,
        span: Span,
    ) -> Cow<'input, str> {
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        if !is_block || self.open_end.is_none() || !text.ends_with('\n') {
            return text;
        }
        let last_line = self.text.rsplit('\n').next().unwrap_or_default();
        // What is indented less than the block isn't a part of it.
        let inside = last_line
            .split_at_checked(span.start.col())
            .is_some_and(|(indent, rest)| indent.trim_matches(' ').is_empty() && !rest.is_empty());
        if inside && self.open_end.is_some_and(|end| end <= span.end.index()) {
            text.to_mut().pop();
        }
        text
    }

    fn scalar(&self, text: Cow<'input, str>, style: ScalarStyle, tag: Option<&str>) -> Scalar {
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::Single,
            ScalarStyle::DoubleQuoted => Style::Double,
            ScalarStyle::Literal => Style::Literal,
            ScalarStyle::Folded => Style::Folded,
        };
        // Between brackets go-yaml writes a null that was left out as '', and so it comes back as a string.
        let left_out =
            self.brackets > 0 && text.is_empty() && style == Style::Plain && tag.is_none();
        let style = if left_out { Style::Single } else { style };
        let written = tag.and_then(|tag| match tag {
            "!" => None,
            "!!str" => Some(Tag::Str),
            "!!int" => Some(Tag::Int),
            "!!float" => Some(Tag::Float),
            "!!bool" => Some(Tag::Bool),
            "!!null" => Some(Tag::Null),
            "!!timestamp" => Some(Tag::Timestamp),
            "!!binary" => Some(Tag::Binary),
            _ => Some(Tag::Other),
        });
        let read = || match style {
            Style::Plain if text == "<<" => Tag::Merge,
            Style::Single if text.is_empty() && left_out => Tag::Null,
            Style::Plain => tag_of(&resolve(self.options.dialect, &text)),
            _ => Tag::Str,
        };
        Scalar {
            tag: written.unwrap_or_else(read),
            style,
            tagged: written.is_some(),
            ..Scalar::untyped(text)
        }
    }

    fn sequence(&mut self, depth: usize) -> Result<Vec<Node>, YamlError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Mapping, YamlError> {
        let mut mapping = Mapping::default();
        let mut merged = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let key = self.key(event, span, depth)?;
            let (event, span) = self.next()?;
            let node = self.node(event, span, depth + 1)?;
            if key.tag == Tag::Merge {
                self.collect_merged(node, span, &mut merged)?;
                continue;
            }
            if let Some(first) = mapping.key(&key.text).map(|key| key.at.line) {
                if self.options.twice == Twice::Refused {
                    return Err(YamlError {
                        message: format!("key {:?} stands twice in this map", key.text),
                        at: key.at,
                        help: Some(format!("the first one is in line {first}; keep one of them")),
                    });
                }
                self.repeated.push(Repeated { key: key.text.to_string(), at: key.at, first });
            }
            mapping.insert(key, node);
        }
        for source in merged {
            for (key, node) in source.into_entries() {
                if !mapping.contains(&key.text) {
                    mapping.insert(key, node);
                }
            }
        }
        Ok(mapping)
    }

    fn key(&mut self, event: Event<'input>, span: Span, depth: usize) -> Result<Key, YamlError> {
        let node = self.node(event, span, depth + 1)?;
        let at = node.at;
        let Value::Scalar(scalar) = node.value else {
            return Err(YamlError {
                message: "a key must be a string, not a list or a map".to_owned(),
                at,
                help: Some("text that begins with { or [ must stand in quotes".to_owned()),
            });
        };
        let schema = if self.has_schemas { self.schema_comment(span) } else { None };
        Ok(Key { text: scalar.text, tag: scalar.tag, style: scalar.style, at, schema })
    }

    /// The schema in a comment on a key's line.
    fn schema_comment(&self, span: Span) -> Option<Arc<serde_json::Value>> {
        let line = self.lines.get(span.start.line().checked_sub(1)?)?;
        let (_, comment) = line.split_once(" #")?;
        let schema: serde_json::Value = serde_json::from_str(comment.trim()).ok()?;
        schema.is_object().then(|| Arc::new(schema))
    }

    /// The maps that a `<<` key draws in, the ones that win first.
    fn collect_merged(
        &self,
        node: Node,
        span: Span,
        into: &mut Vec<Mapping>,
    ) -> Result<(), YamlError> {
        match node.value {
            Value::Mapping(mapping) => into.push(mapping),
            Value::Sequence(sequence) => {
                for item in sequence.items {
                    match item.value {
                        Value::Mapping(mapping) => into.push(mapping),
                        _ => return Err(self.fail("<< takes a map or a list of maps", span)),
                    }
                }
            }
            Value::Scalar(_) => return Err(self.fail("<< takes a map or a list of maps", span)),
        }
        Ok(())
    }
}

/// The type that a plain scalar is read as.
pub(super) fn tag_of(resolved: &Resolved) -> Tag {
    match resolved {
        Resolved::Null => Tag::Null,
        Resolved::Bool(_) => Tag::Bool,
        Resolved::Int(_) | Resolved::Uint(_) => Tag::Int,
        Resolved::Float(_) => Tag::Float,
        Resolved::Timestamp(_) => Tag::Timestamp,
        Resolved::Str => Tag::Str,
    }
}

/// The short name of a written tag: `!!int` for the core schema's, the tag itself for others.
fn tag_name(tag: &saphyr_parser::Tag) -> String {
    match (tag.handle.as_str(), tag.suffix.as_str()) {
        ("tag:yaml.org,2002:" | "!!", suffix) => format!("!!{suffix}"),
        ("" | "!", "") => "!".to_owned(),
        (handle, suffix) => match format!("{handle}{suffix}").strip_prefix("tag:yaml.org,2002:") {
            Some(suffix) => format!("!!{suffix}"),
            None => format!("{handle}{suffix}"),
        },
    }
}
