//! Findings that an object says are meant so.

use super::{error, find_rule, warning};
use crate::built::{Built, Object};
use crate::finding::{Finding, Rule};
use std::collections::{BTreeMap, HashMap};

/// Annotation with a code and a reason, as in `FWK104 two versions must not share the queue`.
///
/// Several stand on lines of their own, or after semicolons.
pub const ANNOTATION: &str = "formwork.dev/ignore";

pub const BAD_IGNORE: Rule = error(
    "FWK091",
    "finding ignored without a reason",
    "Whoever comes next must be able to see why something is meant to be as it is.",
    "Write the code and then the reason into the annotation `formwork.dev/ignore`: `FWK104 the queue has one reader`.",
);
pub const STALE_IGNORE: Rule = warning(
    "FWK092",
    "nothing to ignore",
    "What was ignored isn't there any more; the next time, nobody would notice.",
    "Remove the entry from the annotation `formwork.dev/ignore`.",
);

pub const RULES: &[&Rule] = &[&BAD_IGNORE, &STALE_IGNORE];

/// The findings without those that are ignored, and with what is wrong about ignoring.
pub fn apply(built: &Built, findings: Vec<Finding>) -> Vec<Finding> {
    let mut wrong = Vec::new();
    // Whether each entry has been of use; the same annotation on many objects is of use if it is on one.
    let mut used: BTreeMap<(&str, &str), bool> = BTreeMap::new();
    let mut entries: HashMap<String, Vec<Entry<'_>>> = HashMap::new();
    for object in built.objects() {
        for entry in entries_of(object) {
            match entry {
                Ok(entry) => {
                    used.entry((entry.rule.code, entry.reason)).or_default();
                    entries.entry(object.title()).or_default().push(entry);
                }
                Err(finding) => wrong.push(finding),
            }
        }
    }
    if entries.is_empty() && wrong.is_empty() {
        return findings;
    }
    let mut kept: Vec<Finding> = Vec::with_capacity(findings.len());
    for finding in findings {
        let of_object = entries.get(&finding.object).map_or(&[][..], Vec::as_slice);
        match of_object.iter().find(|entry| entry.rule.code == finding.code) {
            Some(entry) => drop(used.insert((entry.rule.code, entry.reason), true)),
            None => kept.push(finding),
        }
    }
    kept.extend(wrong);
    for object in built.objects() {
        for entry in entries.get(&object.title()).into_iter().flatten() {
            // Said once, at the first object that has it.
            if used.insert((entry.rule.code, entry.reason), true) == Some(false) {
                let message = format!("{} doesn't find anything here", entry.rule.code);
                kept.push(Finding::new(&STALE_IGNORE, object, message).at(field()));
            }
        }
    }
    kept
}

/// One code and its reason.
struct Entry<'a> {
    rule: &'static Rule,
    reason: &'a str,
}

fn field() -> String {
    format!("metadata.annotations[{ANNOTATION:?}]")
}

fn entries_of(object: &Object) -> impl Iterator<Item = Result<Entry<'_>, Finding>> {
    let text = object.annotation(ANNOTATION).unwrap_or_default();
    let lines = text.split(['\n', ';']).map(str::trim).filter(|line| !line.is_empty());
    lines.map(move |line| {
        let (code, reason) =
            line.split_once(|c: char| c.is_whitespace() || c == ':').unwrap_or((line, ""));
        let wrong = |message: String| Finding::new(&BAD_IGNORE, object, message).at(field());
        let Some(rule) = find_rule(code) else {
            let finding = wrong(format!("{code:?} is no code of a check"));
            return Err(finding.help("`formwork kube checks` lists them"));
        };
        let reason = reason.trim();
        if !rule.can_be_ignored {
            return Err(wrong(format!(
                "{code} ({}) can't be ignored: the API server refuses it",
                rule.name
            )));
        }
        if reason.is_empty() {
            return Err(wrong(format!("{code} is ignored without a reason"))
                .help(format!("write why after the code: `{code} because …`")));
        }
        Ok(Entry { rule, reason })
    })
}
