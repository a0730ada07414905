//! The lowest layer of output: libyaml's habits for scalars, indentation and line folding.
//!
//! go-yaml inherits them, and kustomize's output is go-yaml's. Columns count characters.

use super::analyse::{analyse, is_break, is_printable};
use super::node::Style;

/// How far one level is indented.
pub const INDENT: usize = 2;

/// Where a scalar stands, which decides how it may be written.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The indentation of lines that continue the scalar.
    pub indent: usize,
    /// The scalar is a key on one line.
    pub simple_key: bool,
    pub in_flow: bool,
}

impl Place {
    /// The value of a key of the outermost map.
    pub const ROOT: Self = Self { indent: INDENT, simple_key: false, in_flow: false };
}

/// Text under construction.
#[derive(Debug)]
pub struct Writer {
    pub out: String,
    column: usize,
    whitespace: bool,
    indention: bool,
    /// The column after which words are folded onto the next line.
    width: usize,
    /// go-yaml v3 allows tabs in places where v2 escapes them.
    tabs_allowed: bool,
}

impl Writer {
    pub fn new(width: usize, tabs_allowed: bool) -> Self {
        Self {
            out: String::new(),
            column: 0,
            whitespace: true,
            indention: true,
            width,
            tabs_allowed,
        }
    }

    /// Starts the next document.
    pub fn restart(&mut self) {
        (self.column, self.whitespace, self.indention) = (0, true, true);
    }

    fn put(&mut self, c: char) {
        self.out.push(c);
        self.column += 1;
    }

    fn line_break(&mut self) {
        self.out.push('\n');
        self.column = 0;
    }

    /// Copies a break character of the text.
    fn write_break(&mut self, c: char) {
        self.out.push(c);
        self.column = 0;
    }

    /// Moves to the start of a line at this indentation.
    pub fn indent(&mut self, indent: usize) {
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.line_break();
        }
        while self.column < indent {
            self.put(' ');
        }
        self.whitespace = true;
        self.indention = true;
    }

    /// Writes `-`, `?`, `:`, a quote or a bracket.
    pub fn indicator(
        &mut self,
        text: &str,
        needs_space: bool,
        is_whitespace: bool,
        is_indention: bool,
    ) {
        if needs_space && !self.whitespace {
            self.put(' ');
        }
        for c in text.chars() {
            self.put(c);
        }
        self.whitespace = is_whitespace;
        self.indention = self.indention && is_indention;
    }

    /// Ends the document on a fresh line.
    pub fn finish_document(&mut self) {
        if self.column > 0 || !self.out.ends_with('\n') {
            self.line_break();
        }
    }

    /// Whether a text can be a key on one line.
    pub fn is_simple_key(text: &str) -> bool {
        /// libyaml's limit for keys without `?`, in bytes.
        const MAX_SIMPLE_KEY: usize = 128;
        text.len() <= MAX_SIMPLE_KEY && !text.chars().any(is_break)
    }

    /// Writes a scalar in the style wished for, or in the nearest one that its text allows.
    pub fn scalar(&mut self, text: &str, wish: Style, place: Place) {
        let style = self.choose(text, wish, place);
        let may_break = !place.simple_key;
        match style {
            Style::Plain => self.plain(text, place, may_break),
            Style::Single => self.single(text, place, may_break),
            Style::Double => self.double(text, place, may_break),
            Style::Literal => self.literal(text, place),
            Style::Folded => self.folded(text, place),
        }
    }

    /// The style that a text gets, given what is wished for.
    pub fn choose(&self, text: &str, wish: Style, place: Place) -> Style {
        let allows = analyse(text, self.tabs_allowed);
        let mut style = wish;
        if place.simple_key && allows.multiline {
            style = Style::Double;
        }
        if style == Style::Plain {
            let plain = if place.in_flow { allows.flow_plain } else { allows.block_plain };
            if !plain || (text.is_empty() && (place.in_flow || place.simple_key)) {
                style = Style::Single;
            }
        }
        if style == Style::Single && !allows.single {
            style = Style::Double;
        }
        if matches!(style, Style::Literal | Style::Folded)
            && (!allows.block || place.in_flow || place.simple_key)
        {
            style = Style::Double;
        }
        style
    }

    fn plain(&mut self, text: &str, place: Place, may_break: bool) {
        if !self.whitespace && !text.is_empty() {
            self.put(' ');
        }
        self.running(text, place, may_break, false);
        self.whitespace = false;
        self.indention = false;
    }

    fn single(&mut self, text: &str, place: Place, may_break: bool) {
        self.indicator("'", true, false, false);
        self.running(text, place, may_break, true);
        self.indicator("'", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }

    /// Plain and single-quoted text: folded at spaces, its own line breaks doubled.
    fn running(&mut self, text: &str, place: Place, may_break: bool, quoted: bool) {
        let (mut spaces, mut breaks) = (false, false);
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if c == ' ' {
                let next_is_space = chars.peek().is_some_and(|(_, next)| *next == ' ');
                let inside = !quoted || (at > 0 && chars.peek().is_some());
                if may_break && !spaces && self.column > self.width && inside && !next_is_space {
                    self.indent(place.indent);
                } else {
                    self.put(c);
                }
                spaces = true;
            } else if is_break(c) {
                if !breaks && c == '\n' {
                    self.line_break();
                }
                self.write_break(c);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.indent(place.indent);
                }
                if quoted && c == '\'' {
                    self.put('\'');
                }
                self.put(c);
                self.indention = false;
                spaces = false;
                breaks = false;
            }
        }
    }

    fn double(&mut self, text: &str, place: Place, may_break: bool) {
        self.indicator("\"", true, false, false);
        // libyaml looks at the first character for its byte order mark, wherever it stands.
        let starts_with_mark = text.starts_with('\u{feff}');
        let mut spaces = false;
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if !is_printable(c) || starts_with_mark || is_break(c) || c == '"' || c == '\\' {
                self.escape(c);
                spaces = false;
            } else if c == ' ' {
                if may_break
                    && !spaces
                    && self.column > self.width
                    && at > 0
                    && chars.peek().is_some()
                {
                    self.indent(place.indent);
                    if chars.peek().is_some_and(|(_, next)| *next == ' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(c);
                }
                spaces = true;
            } else {
                self.put(c);
                spaces = false;
            }
        }
        self.indicator("\"", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }

    fn escape(&mut self, c: char) {
        self.put('\\');
        let short = match c {
            '\0' => '0',
            '\u{7}' => 'a',
            '\u{8}' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\u{b}' => 'v',
            '\u{c}' => 'f',
            '\r' => 'r',
            '\u{1b}' => 'e',
            '"' => '"',
            '\\' => '\\',
            '\u{85}' => 'N',
            '\u{a0}' => '_',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            _ => {
                let code = u32::from(c);
                let text = match code {
                    0..=0xff => format!("x{code:02X}"),
                    0x100..=0xffff => format!("u{code:04X}"),
                    _ => format!("U{code:08X}"),
                };
                text.chars().for_each(|c| self.put(c));
                return;
            }
        };
        self.put(short);
    }

    /// The hints after `|` or `>`: the indentation where it can't be seen, and what to do with the last break.
    fn block_hints(&mut self, text: &str) {
        if text.starts_with(|c| c == ' ' || is_break(c)) {
            self.indicator(&INDENT.to_string(), false, false, false);
        }
        let mut from_end = text.chars().rev();
        let hint = match (from_end.next(), from_end.next()) {
            (Some(last), _) if !is_break(last) => "-",
            (Some(_), None) => "+",
            (Some(_), Some(before)) if is_break(before) => "+",
            (None, _) => "-",
            _ => "",
        };
        if !hint.is_empty() {
            self.indicator(hint, false, false, false);
        }
    }

    fn literal(&mut self, text: &str, place: Place) {
        self.indicator("|", true, false, false);
        self.block_hints(text);
        self.line_break();
        self.indention = true;
        self.whitespace = true;
        let mut breaks = true;
        for c in text.chars() {
            if is_break(c) {
                self.write_break(c);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.indent(place.indent);
                }
                self.put(c);
                self.indention = false;
                breaks = false;
            }
        }
    }

    fn folded(&mut self, text: &str, place: Place) {
        self.indicator(">", true, false, false);
        self.block_hints(text);
        self.line_break();
        self.indention = true;
        self.whitespace = true;
        let (mut breaks, mut leading_spaces) = (true, true);
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            if is_break(c) {
                if !breaks && !leading_spaces && c == '\n' {
                    // libyaml looks at the start of the text here instead of at what follows the break.
                    let start = text.trim_start_matches(is_break);
                    if !start.is_empty() && !start.starts_with([' ', '\t']) {
                        self.line_break();
                    }
                }
                self.write_break(c);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.indent(place.indent);
                    leading_spaces = c == ' ' || c == '\t';
                }
                let next_is_space = chars.peek() == Some(&' ');
                if !breaks && c == ' ' && !next_is_space && self.column > self.width {
                    self.indent(place.indent);
                } else {
                    self.put(c);
                }
                self.indention = false;
                breaks = false;
            }
        }
    }
}
