//! Which versions of a database's schema a release works with.

use formwork_engine::Nested;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// The database schema that a release tolerates, in the author's own words for its versions.
///
/// Versions are ordered as people do it, digits by their value: `9` before `10`, `0012-users` before
/// `0013-orders`. An end that isn't given is open.
#[derive(Nested, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaRange {
    /// The oldest version that it needs: what the release's own migrations lead to.
    pub oldest: Option<String>,
    /// The newest version that it still works with.
    pub newest: Option<String>,
}

impl SchemaRange {
    /// Whether a release works with a schema of this version.
    pub fn tolerates(&self, version: &str) -> bool {
        self.oldest.as_ref().is_none_or(|oldest| order(oldest, version).is_le())
            && self.newest.as_ref().is_none_or(|newest| order(version, newest).is_le())
    }
}

/// Compares runs of digits by value and everything else by its characters.
fn order(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    while !a.is_empty() && !b.is_empty() {
        let ((run_a, rest_a), (run_b, rest_b)) = (run(a), run(b));
        let (digits_a, digits_b) = (run_a.trim_start_matches('0'), run_b.trim_start_matches('0'));
        let numbers = is_digit(run_a) && is_digit(run_b);
        let ordered = match numbers {
            true => digits_a.len().cmp(&digits_b.len()).then_with(|| digits_a.cmp(digits_b)),
            false => run_a.cmp(run_b),
        };
        if ordered.is_ne() {
            return ordered;
        }
        (a, b) = (rest_a, rest_b);
    }
    a.len().cmp(&b.len())
}

fn is_digit(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

/// The first run of digits, or of everything else, and what comes after.
fn run(text: &str) -> (&str, &str) {
    let digits = is_digit(text);
    let end = text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_people_do_it() {
        let check = |a: &str, b: &str, expected: Ordering| {
            assert_eq!(order(a, b), expected, "{a} {b}");
            assert_eq!(order(b, a), expected.reverse(), "{b} {a}");
        };
        check("9", "10", Ordering::Less);
        check("0009", "10", Ordering::Less);
        check("0012-users", "0013-orders", Ordering::Less);
        check("v1.9.0", "v1.10.0", Ordering::Less);
        check("20260101_a", "20260101_b", Ordering::Less);
        check("1", "1-fix", Ordering::Less);
        check("", "1", Ordering::Less);
        check("007", "7", Ordering::Equal);
        check(&"9".repeat(60), &format!("1{}", "0".repeat(60)), Ordering::Less);
    }

    #[test]
    fn an_end_that_is_not_given_is_open() {
        let check = |oldest: Option<&str>, newest: Option<&str>, version: &str, expected: bool| {
            let range = SchemaRange {
                oldest: oldest.map(str::to_owned),
                newest: newest.map(str::to_owned),
            };
            assert_eq!(range.tolerates(version), expected, "{range:?} {version}");
        };
        check(None, None, "7", true);
        check(Some("3"), None, "2", false);
        check(Some("3"), None, "30", true);
        check(None, Some("9"), "10", false);
        check(Some("3"), Some("9"), "3", true);
        check(Some("3"), Some("9"), "9", true);
    }
}
