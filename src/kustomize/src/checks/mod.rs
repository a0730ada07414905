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

use crate::built::{Built, Object};
use crate::finding::{Finding, Rule, Severity};
use crate::validate::{self, Schemas, validate};
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
    let mut findings = validate(built, schemas);
    findings.extend(check(built));
    let mut findings = ignore::apply(built, findings);
    let objects: HashMap<String, (usize, &Object)> =
        built.objects().enumerate().map(|(at, object)| (object.title(), (at, object))).collect();
    for finding in findings.iter_mut().filter(|finding| !finding.field.is_empty()) {
        let Some((_, object)) = objects.get(&finding.object) else { continue };
        let place = built.place_of(object, &finding.field);
        finding.place = place.or(finding.place.take());
    }
    let position = |finding: &Finding| objects.get(&finding.object).map(|(position, _)| *position);
    findings.sort_by_key(|finding| {
        (position(finding), std::cmp::Reverse(finding.severity), finding.code)
    });
    findings
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
