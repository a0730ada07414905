//! Quoting of names and texts that stand in statements, in one place.
//!
//! Statements that define things take no parameters, so what comes from a stack is quoted. Nothing else
//! in this crate puts a text into a statement.
//! <https://www.postgresql.org/docs/current/sql-syntax-lexical.html>

use formwork_engine::Failure;

/// The longest name, in bytes: PostgreSQL cuts longer ones off silently (`NAMEDATALEN - 1`).
pub const LONGEST_NAME: usize = 63;

/// A name as an identifier that means exactly this name: `a"b` gives `"a""b"`.
pub fn ident(name: &str) -> Result<String, Failure> {
    let why = match name {
        "" => "it is empty",
        _ if name.len() > LONGEST_NAME => "PostgreSQL's names have at most 63 bytes",
        _ if name.contains('\0') => "it holds a zero byte",
        _ => return Ok(format!("\"{}\"", name.replace('"', "\"\""))),
    };
    Err(Failure::invalid(format!("{name:?} can't be a name in PostgreSQL: {why}")))
}

/// A text as a literal that means exactly this text, whatever `standard_conforming_strings` says.
pub fn literal(text: &str) -> Result<String, Failure> {
    if text.contains('\0') {
        return Err(Failure::invalid(format!("{text:?} holds a zero byte, which no text may")));
    }
    let quotes_doubled = text.replace('\'', "''");
    Ok(match text.contains('\\') {
        true => format!("E'{}'", quotes_doubled.replace('\\', "\\\\")),
        false => format!("'{quotes_doubled}'"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads one quoted token as PostgreSQL's scanner does, and answers it with what is left.
    fn scan(sql: &str) -> (String, &str) {
        let (escapes, rest) = match sql.strip_prefix('E') {
            Some(rest) => (true, rest),
            None => (false, sql),
        };
        let quote = rest.chars().next().unwrap();
        let mut text = String::new();
        let mut chars = rest[1..].char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' if escapes => text.push(chars.next().unwrap().1),
                c if c == quote => match chars.peek() {
                    Some((_, next)) if *next == quote => {
                        text.push(c);
                        chars.next();
                    }
                    _ => return (text, &rest[at + 2..]),
                },
                c => text.push(c),
            }
        }
        panic!("{sql} doesn't end");
    }

    proptest! {
        #[test]
        fn a_literal_is_one_token_with_the_same_text(text in r#"[^\x00]{0,40}|['"\\]{1,6}"#) {
            let sql = literal(&text).unwrap();
            let statement = format!("{sql}; rest");
            prop_assert_eq!(scan(&statement), (text, "; rest"));
        }

        #[test]
        fn an_identifier_is_one_token_with_the_same_name(name in r#"[^\x00]{1,15}|['"\\ ;-]{1,15}"#) {
            let sql = ident(&name).unwrap();
            let statement = format!("{sql}; rest");
            prop_assert_eq!(scan(&statement), (name, "; rest"));
        }
    }

    #[test]
    fn what_postgresql_would_change_is_refused() {
        for bad in ["", "a\0b", &"x".repeat(64), &"ä".repeat(32)] {
            assert!(ident(bad).is_err(), "{bad:?}");
        }
        assert!(ident(&"x".repeat(63)).is_ok());
        assert!(literal("a\0b").is_err());
    }
}
