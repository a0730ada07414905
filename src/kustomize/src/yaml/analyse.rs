//! What a text allows: libyaml's rules for which scalars may be plain, quoted or blocks.

/// What a scalar's text allows.
#[derive(Debug)]
pub struct Analysis {
    pub multiline: bool,
    pub flow_plain: bool,
    pub block_plain: bool,
    pub single: bool,
    pub block: bool,
}

/// What libyaml calls a line break.
pub fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What go-yaml prints as it is; characters beyond the basic plane are escaped.
pub fn is_printable(c: char) -> bool {
    matches!(c,
        '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

/// Looks through a scalar once for everything that rules out a style.
pub fn analyse(text: &str, tabs_allowed: bool) -> Analysis {
    if text.is_empty() {
        return Analysis {
            multiline: false,
            flow_plain: false,
            block_plain: true,
            single: true,
            block: false,
        };
    }
    let (mut block_indicators, mut flow_indicators) = (false, false);
    let (mut line_breaks, mut special, mut tabs) = (false, false, false);
    let (mut leading_space, mut trailing_space) = (false, false);
    let (mut leading_break, mut trailing_break) = (false, false);
    let (mut break_space, mut space_break) = (false, false);
    let (mut after_space, mut after_break, mut after_blank) = (false, false, true);
    if text.starts_with("---") || text.starts_with("...") {
        block_indicators = true;
        flow_indicators = true;
    }
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        let before_blank = next.is_none_or(|next| next == ' ' || next == '\t');
        let first = at == 0;
        match c {
            '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
            | '@' | '`'
                if first =>
            {
                flow_indicators = true;
                block_indicators = true;
            }
            '?' | ':' if first => {
                flow_indicators = true;
                block_indicators |= before_blank;
            }
            '-' if first && before_blank => {
                flow_indicators = true;
                block_indicators = true;
            }
            ',' | '?' | '[' | ']' | '{' | '}' if !first => flow_indicators = true,
            ':' if !first => {
                flow_indicators = true;
                block_indicators |= before_blank;
            }
            '#' if !first && after_blank => {
                flow_indicators = true;
                block_indicators = true;
            }
            _ => {}
        }
        if c == '\t' && tabs_allowed {
            tabs = true;
        } else if !is_printable(c) {
            special = true;
        }
        if c == ' ' {
            leading_space |= first;
            trailing_space |= next.is_none();
            break_space |= after_break;
            (after_space, after_break) = (true, false);
        } else if is_break(c) {
            line_breaks = true;
            leading_break |= first;
            trailing_break |= next.is_none();
            space_break |= after_space;
            (after_space, after_break) = (false, true);
        } else {
            (after_space, after_break) = (false, false);
        }
        after_blank = c == ' ' || c == '\t' || c == '\0' || is_break(c);
    }
    let edges = leading_space || leading_break || trailing_space || trailing_break;
    let mut allows = Analysis {
        multiline: line_breaks,
        flow_plain: true,
        block_plain: true,
        single: true,
        block: true,
    };
    if edges || break_space || space_break || special || tabs || line_breaks {
        allows.flow_plain = false;
        allows.block_plain = false;
    }
    if trailing_space || space_break || special {
        allows.block = false;
    }
    if break_space || space_break || special || tabs {
        allows.single = false;
    }
    allows.flow_plain &= !flow_indicators;
    allows.block_plain &= !block_indicators;
    allows
}
