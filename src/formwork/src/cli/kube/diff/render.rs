//! Differences as text for people and as JSON for programs.

use super::{
    fields::{Change, Part},
    objects::{Difference, What},
};
use serde_json::{Value, json};
use similar::{ChangeTag, TextDiff};
use std::fmt::Write as _;

/// Characters of a value that are shown before it is cut.
const LONGEST_VALUE: usize = 160;
/// Unchanged lines around a changed one, in texts of several lines.
const CONTEXT: usize = 1;

pub(super) fn text(from: &str, to: &str, differences: &[Difference]) -> String {
    let mut out = String::new();
    let (mut removed, mut added, mut changed) = (0, 0, 0);
    for difference in differences {
        let (sign, count) = match difference.what {
            What::Removed => ("-", &mut removed),
            What::Added => ("+", &mut added),
            What::Changed(_) => ("~", &mut changed),
        };
        *count += 1;
        let namespace = difference.namespace.iter().map(|namespace| format!("{namespace}/"));
        // Writing to a string has no way to fail, here and below.
        let _ = writeln!(
            out,
            "{sign} {} {}{} ({})",
            difference.kind,
            namespace.collect::<String>(),
            difference.name,
            difference.api_version
        );
        if let What::Changed(changes) = &difference.what {
            changes.iter().for_each(|change| one(&mut out, change));
        }
    }
    if differences.is_empty() {
        let _ = writeln!(out, "{from} and {to} build the same");
    } else {
        let _ = writeln!(
            out,
            "{from} -> {to}: {changed} changed, {removed} only in the first, {added} only in the second"
        );
    }
    out
}

fn one(out: &mut String, change: &Change) {
    let path = path(&change.path);
    let _ = match (&change.before, &change.after) {
        (Some(Value::String(before)), Some(Value::String(after)))
            if before.contains('\n') || after.contains('\n') =>
        {
            let _ = writeln!(out, "    ~ {path}:");
            lines(out, before, after);
            return;
        }
        (Some(before), Some(after)) => {
            writeln!(out, "    ~ {path}: {} -> {}", value(before), value(after))
        }
        (Some(before), None) => writeln!(out, "    - {path}: {}", value(before)),
        (None, after) => {
            let after = after.as_ref().unwrap_or(&Value::Null);
            writeln!(out, "    + {path}: {}", value(after))
        }
    };
}

/// The changed lines of a text, with a little of what is around them.
fn lines(out: &mut String, before: &str, after: &str) {
    let diff = TextDiff::from_lines(before, after);
    for (at, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if at > 0 {
            out.push_str("          ...\n");
        }
        for change in group.iter().flat_map(|step| diff.iter_changes(step)) {
            let sign = match change.tag() {
                ChangeTag::Delete => "-",
                ChangeTag::Insert => "+",
                ChangeTag::Equal => " ",
            };
            let line = format!("        {sign} {}", change.value().trim_end_matches('\n'));
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }
}

/// A value in one line.
fn value(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(LONGEST_VALUE) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

/// A path as people write it: `spec.containers[name=web].image`, `metadata.labels[app.kubernetes.io/name]`.
pub(super) fn path(parts: &[Part]) -> String {
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Field(name) if name.contains(['.', '/', '[', ' ']) => {
                let _ = write!(out, "[{name}]");
            }
            Part::Field(name) if out.is_empty() => out.push_str(name),
            Part::Field(name) => {
                let _ = write!(out, ".{name}");
            }
            Part::Index(at) => {
                let _ = write!(out, "[{at}]");
            }
            Part::Where(field, value) => {
                let _ = write!(out, "[{field}={value}]");
            }
        }
    }
    out
}

pub(super) fn json(from: &str, to: &str, differences: &[Difference]) -> Value {
    let objects: Vec<Value> = differences.iter().map(object).collect();
    json!({"from": from, "to": to, "objects": objects})
}

fn object(difference: &Difference) -> Value {
    let (action, changes) = match &difference.what {
        What::Removed => ("removed", None),
        What::Added => ("added", None),
        What::Changed(changes) => ("changed", Some(changes)),
    };
    let mut object = json!({
        "action": action,
        "apiVersion": difference.api_version,
        "kind": difference.kind,
        "name": difference.name,
    });
    if let Some(namespace) = &difference.namespace {
        object["namespace"] = Value::from(namespace.as_str());
    }
    if let Some(changes) = changes {
        object["changes"] = changes.iter().map(change).collect();
    }
    object
}

fn change(change: &Change) -> Value {
    let parts = change.path.iter().map(|part| match part {
        Part::Field(name) => Value::from(name.as_str()),
        Part::Index(at) => Value::from(*at),
        Part::Where(field, value) => json!({*field: value}),
    });
    let mut json = json!({"path": parts.collect::<Vec<_>>()});
    // A side that isn't there has no key; null is a value.
    for (side, value) in [("before", &change.before), ("after", &change.after)] {
        if let Some(value) = value {
            json[side] = value.clone();
        }
    }
    json
}
