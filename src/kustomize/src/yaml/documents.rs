//! A file of several documents, cut at its separators the way kustomize cuts it.

use super::node::{Mark, Node};
use super::options::Options;
use super::parse::{YamlError, parse_document};
use std::borrow::Cow;

/// One document's text and the number of lines before it.
#[derive(Debug)]
pub struct Document<'a> {
    pub text: &'a str,
    pub line_offset: u32,
}

/// Reads every document of a file, leaving out empty ones.
pub fn parse_documents(text: &str, options: Options) -> Result<Vec<Node>, YamlError> {
    let text = if text.contains("\r\n") {
        Cow::Owned(text.replace("\r\n", "\n"))
    } else {
        Cow::Borrowed(text)
    };
    let mut nodes = Vec::new();
    for document in split_documents(&text)? {
        let line = options.before.line.saturating_add(document.line_offset);
        let options = Options { before: Mark { line, ..options.before }, ..options };
        match parse_document(document.text, options)? {
            Some(node) if !node.is_null() => nodes.push(node),
            _ => {}
        }
    }
    Ok(nodes)
}

/// Cuts at lines that begin with `---`; a line with anything but a comment after the dashes is refused.
///
/// The first line of the file doesn't separate anything, and neither does a last one without a line break.
pub fn split_documents(text: &str) -> Result<Vec<Document<'_>>, YamlError> {
    let mut documents = Vec::new();
    let (mut start, mut start_line, mut line) = (0, 0, 0);
    let mut position = 0;
    // A separator takes the line breaks on both sides of it, so two in a row can't share one.
    let mut previous_was_separator = true;
    while let Some(length) = text[position..].find('\n') {
        let next = position + length + 1;
        let content = &text[position..position + length];
        line += 1;
        if content.starts_with("---") && !previous_was_separator {
            let rest = content[3..].trim();
            if !rest.is_empty() && !rest.starts_with('#') {
                let at = Mark { line, column: 1, file: 0 };
                return Err(YamlError {
                    message: format!("invalid document separator: {}", content.trim()),
                    at,
                    help: Some("a line that begins with --- has nothing else in it".to_owned()),
                });
            }
            documents.push(Document { text: &text[start..position], line_offset: start_line });
            (start, start_line) = (next, line);
            previous_was_separator = true;
        } else {
            previous_was_separator = false;
        }
        position = next;
    }
    documents.push(Document { text: &text[start..], line_offset: start_line });
    Ok(documents)
}
