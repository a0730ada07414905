//! Checks of a whole build: what every object alone may be, and together still can't work.
//!
//! Each has a code, a reason and a remedy; `formwork kube checks` lists them. An object that is meant to be as it is says
//! so with a reason, in the annotation `formwork.dev/ignore`.

mod ignore;
mod pods;
mod references;
mod rollout;
mod scaling;
mod services;
mod view;

use crate::built::Built;
use crate::finding::{Finding, Rule, Severity};
use crate::validate::{self, Schemas};
use crate::yaml::Part;
use std::collections::HashMap;
use view::Cluster;

const fn error(
    code: &'static str,
    name: &'static str,
    why: &'static str,
    fix: &'static str,
) -> Rule {
    Rule { code, name, severity: Severity::Error, why, fix, can_be_ignored: false }
}

const fn warning(
    code: &'static str,
    name: &'static str,
    why: &'static str,
    fix: &'static str,
) -> Rule {
    Rule { code, name, severity: Severity::Warning, why, fix, can_be_ignored: true }
}

const GROUPS: &[&[&Rule]] = &[
    validate::RULES,
    ignore::RULES,
    rollout::RULES,
    pods::RULES,
    services::RULES,
    references::RULES,
    scaling::RULES,
];

/// Everything that is looked for, in the order of the codes.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    GROUPS.iter().flat_map(|rules| rules.iter().copied())
}

fn find_rule(code: &str) -> Option<&'static Rule> {
    rules().find(|rule| rule.code == code)
}

/// Runs the checks, without validation; what objects ignore is left in.
pub fn check(built: &Built) -> Vec<Finding> {
    placed(built, checked(built)).map(|(_, finding)| finding).collect()
}

fn checked(built: &Built) -> Vec<Finding> {
    let cluster = Cluster::of(built);
    let mut findings = Vec::new();
    rollout::run(&cluster, &mut findings);
    pods::run(&cluster, &mut findings);
    services::run(&cluster, &mut findings);
    references::run(&cluster, &mut findings);
    scaling::run(&cluster, &mut findings);
    findings
}

/// Validates and checks a build: what a team wants to know before it applies it.
///
/// Findings are in the order of the objects, of each the gravest first; what an object ignores is left out.
pub fn inspect(built: &Built, schemas: &Schemas) -> Vec<Finding> {
    let mut findings = validate::validated(built, schemas);
    findings.extend(checked(built));
    let mut findings: Vec<_> = placed(built, ignore::apply(built, findings)).collect();
    findings.sort_by_key(|(position, finding)| {
        (*position, std::cmp::Reverse(finding.severity), finding.code)
    });
    findings.into_iter().map(|(_, finding)| finding).collect()
}

/// The findings with their objects' positions, pointing to their fields instead of to where the objects begin.
///
/// Kinds of two groups may share a title; where an object begins tells them apart.
pub(crate) fn placed(
    built: &Built,
    findings: Vec<Finding>,
) -> impl Iterator<Item = (Option<usize>, Finding)> {
    let mut objects = HashMap::new();
    if !findings.is_empty() {
        objects.extend(built.objects().enumerate().map(|(position, object)| {
            let begins = object.origin_file().map(|file| (file, object.origin_line()));
            ((object.title(), begins), (position, object))
        }));
    }
    findings.into_iter().map(move |mut finding| {
        let begins = finding.place.as_ref();
        let begins =
            begins.map(|place| (place.file.as_path(), (place.line > 0).then_some(place.line)));
        let key = (std::mem::take(&mut finding.object), begins);
        let found = objects.get(&key).copied();
        finding.object = key.0;
        let Some((position, object)) = found else { return (None, finding) };
        if !finding.field.is_empty() {
            // What is wrong with a field that isn't known is its name.
            let is_unknown = finding.code == validate::UNKNOWN_FIELD.code;
            let part = if is_unknown { Part::Name } else { Part::Value };
            let place = built.place_of(object, &finding.field, part);
            finding.place = place.or(finding.place.take());
        }
        (Some(position), finding)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_and_each_rule_says_why_and_what_to_do() {
        let rules: Vec<&Rule> = rules().collect();
        assert!(rules.is_sorted_by(|a, b| a.code < b.code));
        for rule in rules {
            assert!(rule.code.len() == 6 && rule.code.starts_with("FWK"), "{}", rule.code);
            assert!(rule.why.ends_with('.') && rule.fix.ends_with('.'), "{}", rule.code);
        }
    }
}
