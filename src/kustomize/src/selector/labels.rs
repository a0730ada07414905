//! Kubernetes' label selectors: `app=web,tier in (a,b),!old`.

use crate::error::{Result, fail};

/// Requirements that must all hold.
#[derive(Debug, Default)]
pub struct LabelSelector {
    requirements: Vec<Requirement>,
}

#[derive(Debug)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Debug)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Missing,
    Greater(i64),
    Less(i64),
}

impl LabelSelector {
    /// Reads a selector; an empty one takes everything.
    pub fn parse(field: &str, text: &str) -> Result<Self> {
        let requirements: Result<Vec<_>> = split(text)
            .into_iter()
            .map(|part| Requirement::parse(part).ok_or(part))
            .map(|parsed| {
                parsed.map_err(|part| {
                    let error = fail!(Field, "{field}: {part:?} is not a requirement on labels");
                    error.with_help("write it like: app=web,tier in (front,back),!old")
                })
            })
            .collect();
        Ok(Self { requirements: requirements? })
    }

    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    pub fn matches<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.requirements.iter().all(|requirement| requirement.holds(label(&requirement.key)))
    }
}

/// The parts between commas that aren't in parentheses.
fn split(text: &str) -> Vec<&str> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    let mut depth = 0usize;
    let comma = |c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    };
    text.split(comma).map(str::trim).collect()
}

impl Requirement {
    fn parse(text: &str) -> Option<Self> {
        if let Some(key) = text.strip_prefix('!') {
            return Some(Self { key: valid_key(key)?, test: Test::Missing });
        }
        if let Some(body) = text.strip_suffix(')') {
            let (head, values) = body.split_once('(')?;
            let mut words = head.split_whitespace();
            let (key, operator) = (words.next()?, words.next()?);
            let values = values.split(',').map(|value| value.trim().to_owned()).collect();
            let test = match operator {
                "in" => Test::In(values),
                "notin" => Test::NotIn(values),
                _ => return None,
            };
            return words.next().is_none().then_some(Self { key: valid_key(key)?, test });
        }
        for operator in ["!=", "==", "=", ">", "<"] {
            let Some((key, value)) = text.split_once(operator) else { continue };
            let value = value.trim().to_owned();
            let test = match operator {
                "!=" => Test::NotIn(vec![valid_value(value)?]),
                ">" => Test::Greater(value.parse().ok()?),
                "<" => Test::Less(value.parse().ok()?),
                _ => Test::In(vec![valid_value(value)?]),
            };
            return Some(Self { key: valid_key(key)?, test });
        }
        Some(Self { key: valid_key(text)?, test: Test::Exists })
    }

    fn holds(&self, label: Option<&str>) -> bool {
        let is = |values: &[String], label: &str| values.iter().any(|value| value == label);
        match (&self.test, label) {
            (Test::In(values), Some(label)) => is(values, label),
            (Test::NotIn(values), Some(label)) => !is(values, label),
            (Test::Exists, found) => found.is_some(),
            (Test::Missing, found) => found.is_none(),
            (Test::NotIn(_), None) => true,
            (Test::Greater(limit), Some(label)) => {
                label.parse::<i64>().is_ok_and(|value| value > *limit)
            }
            (Test::Less(limit), Some(label)) => {
                label.parse::<i64>().is_ok_and(|value| value < *limit)
            }
            (Test::In(_) | Test::Greater(_) | Test::Less(_), None) => false,
        }
    }
}

fn valid_key(key: &str) -> Option<String> {
    let key = key.trim();
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    (!key.is_empty() && key.chars().all(valid)).then(|| key.to_owned())
}

fn valid_value(value: String) -> Option<String> {
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    value.chars().all(valid).then_some(value)
}
