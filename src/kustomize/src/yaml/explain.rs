//! What the parser complains about, in plain words, and what to do about it.

use super::node::Mark;
use super::parse::YamlError;

/// Parts of the parser's messages; what they mean; what to do.
const WORDS: &[(&str, &str, &str)] = &[
    ("tab", "a tab stands where spaces are expected", "indent by spaces; YAML takes no tabs"),
    (
        "mapping values are not allowed",
        "a colon isn't allowed here",
        "put text that has a colon in it in quotes, or check this line's indentation",
    ),
    (
        "illegal placement of ':'",
        "a colon isn't allowed here",
        "a bracket that is opened above isn't closed, or text with a colon isn't in quotes",
    ),
    (
        "did not find expected key",
        "a key is expected here",
        "check the indentation: the keys of one map begin in the same column",
    ),
    (
        "expected '-' indicator",
        "an element of the list (-) is expected here",
        "check this line's indentation against the lines above it",
    ),
    ("simple key", "there is no colon after this key", "write `key: value`"),
    ("flow sequence", "a list in brackets isn't closed", "a comma or ] is missing before here"),
    ("flow mapping", "a map in braces isn't closed", "a comma or } is missing before here"),
    ("flow construct", "a list or map in brackets isn't closed", "a ] or } is missing before here"),
    ("quoted scalar, found unexpected", "a text in quotes isn't closed", "close the quotes"),
    (
        "invalid trailing content",
        "text follows after closing quotes",
        "put the quotes around all of it, or a backslash before those inside",
    ),
    (
        "unknown escape",
        "a backslash before a character that it doesn't go with",
        "double the backslash, or use single quotes",
    ),
    (
        "unknown anchor",
        "an alias of an anchor that isn't defined above it",
        "an anchor holds within its own document; text that begins with * must stand in quotes",
    ),
    (
        "expected alphabetic or numeric",
        "an anchor or alias without a name",
        "text that begins with & or * must stand in quotes",
    ),
    ("unexpected character", "text can't begin with this character", "put the text in quotes"),
    (
        "wrongly indented line in block",
        "this line is indented less than its block",
        "indent all lines of a block (| or >) alike",
    ),
];

/// The parser's complaint in plain words.
pub fn explain(info: &str, at: Mark) -> YamlError {
    let known = WORDS.iter().find(|(part, _, _)| info.contains(part));
    let (message, help) = match known {
        Some((_, message, help)) => ((*message).to_owned(), Some((*help).to_owned())),
        None => (info.to_owned(), None),
    };
    YamlError { message, at, help }
}
