//! The part of a file that a place means.

use formwork_kustomize::Place;
use std::ops::Range;

/// The bytes of what stands at a place, in the file's text: a word, a quoted text, a bracket; `None` where nothing does.
pub(super) fn span(text: &str, place: &Place) -> Option<Range<usize>> {
    let line = usize::try_from(place.line).ok()?.checked_sub(1)?;
    let column = usize::try_from(place.column).ok()?.checked_sub(1)?;
    let start_of_line = match line {
        0 => 0,
        line => text.match_indices('\n').nth(line - 1)?.0 + 1,
    };
    let line = text[start_of_line..].lines().next().unwrap_or("");
    let offset = line.char_indices().nth(column).map_or(line.trim_end().len(), |(at, _)| at);
    let rest = &line[offset..];
    let length = token(rest);
    let start = start_of_line + offset;
    Some(start..start + length)
}

/// Where the bracket that a text begins with is closed in the same line.
fn closing(text: &str) -> Option<usize> {
    let mut open = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '[' | '{' => open += 1,
            ']' | '}' => open = open.saturating_sub(1),
            _ => {}
        }
        if open == 0 {
            return Some(at + c.len_utf8());
        }
    }
    None
}

/// How long the first token of a piece of YAML is, in bytes.
fn token(text: &str) -> usize {
    let mut chars = text.char_indices();
    match chars.next() {
        None => 0,
        Some((_, quote @ ('"' | '\''))) => {
            let closing = chars.find(|(_, c)| *c == quote);
            closing.map_or(text.trim_end().len(), |(at, quote)| at + quote.len_utf8())
        }
        Some((_, first @ ('[' | '{'))) => closing(text).unwrap_or(first.len_utf8()),
        Some((_, first @ (']' | '}' | ','))) => first.len_utf8(),
        Some(_) => {
            let end = text.char_indices().find(|(at, c)| match c {
                ',' | ']' | '}' => true,
                ':' | ' ' | '\t' => {
                    let next = text[at + c.len_utf8()..].chars().next();
                    *c != ':' || next.is_none_or(char::is_whitespace)
                }
                _ => false,
            });
            end.map_or(text.len(), |(at, _)| at).max(1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::span;
    use formwork_kustomize::Place;

    fn at(text: &str, line: u32, column: u32) -> Option<&str> {
        let place = Place { file: "f".into(), line, column };
        span(text, &place).map(|span| &text[span])
    }

    #[test]
    fn a_place_covers_the_token_that_stands_there() {
        let text =
            "resources: [a.yaml, 'b c.yaml']\nnamePrefx: a-\nimages:\n- name: héé:1 # x\n  é: {}\n";
        assert_eq!(at(text, 1, 1), Some("resources"));
        assert_eq!(at(text, 1, 12), Some("[a.yaml, 'b c.yaml']"));
        assert_eq!(at("a: [b,", 1, 4), Some("["));
        assert_eq!(at(text, 1, 13), Some("a.yaml"));
        assert_eq!(at(text, 1, 21), Some("'b c.yaml'"));
        assert_eq!(at(text, 2, 1), Some("namePrefx"));
        assert_eq!(at(text, 4, 9), Some("héé:1"));
        assert_eq!(at(text, 5, 3), Some("é"));
        assert_eq!(at(text, 5, 99), Some(""));
        assert_eq!(at(text, 6, 1), Some(""));
        assert_eq!(at(text, 9, 1), None);
        assert_eq!(at(text, 0, 0), None);
    }
}
