//! What a life's account, server and namespace hold, in a form that is the same in every life.

use formwork_rehearse::{Inventory, Site};
use regex::Regex;
use std::sync::LazyLock;

/// Identifiers that services draw by lot, and what stands for them.
static RANDOM: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let rules = [
        (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "UUID"),
        (r"\b(vpc|subnet|igw|nat|eipalloc|rtb|sg|sgr|acl|eni)-[0-9a-f]{8,}\b", "$1-ID"),
        (r"\bdb-[0-9a-zA-Z]{16,}\b", "db-ID"),
        (r"(:secret:[\w/-]+)-[0-9A-Za-z]{6}\b", "$1-ID"),
        // What kustomize puts behind a generated name, and controllers behind the names of what they make.
        (
            r"^(\S+ kubernetes/(?:core/(?:ConfigMap|Secret)|apps/ReplicaSet) \S+)-[0-9a-z]{5,10}$",
            "$1-HASH",
        ),
    ];
    let compile = |(pattern, with)| Regex::new(pattern).map(|regex| (regex, with));
    // The patterns are written above, and every test of this file compiles them.
    rules.into_iter().map(|rule| compile(rule).expect("a pattern of ours")).collect()
});

/// What is there, sorted; what is there twice shows twice. `port` is the one under which the program knows PostgreSQL.
pub fn look(site: &Site, port: u16, namespace: &str) -> Result<Vec<String>, String> {
    let names = [
        (site.account.clone(), "ACCOUNT"),
        (namespace.to_owned(), "NAMESPACE"),
        (format!("[{port}, {port}]"), "[PORT, PORT]"),
    ];
    let sites = std::slice::from_ref(site);
    let inventory = Inventory::take_blocking(sites).map_err(|error| error.to_string())?;
    let ours = |line: &&str| !line.contains(" kubernetes/") || mentions(line, namespace);
    let lines =
        inventory.lines().filter(ours).filter(|line| !line.contains(" kubernetes/core/Pod "));
    let mut lines: Vec<String> = lines.map(|line| normal(line, &names)).collect();
    lines.sort();
    Ok(lines)
}

/// Whether a line is about something in the namespace, or the namespace itself.
fn mentions(line: &str, namespace: &str) -> bool {
    line.split([' ', '/']).any(|word| word == namespace)
}

fn normal(line: &str, names: &[(String, &str)]) -> String {
    let line = names.iter().fold(line.to_owned(), |line, (own, all)| line.replace(own, all));
    RANDOM.iter().fold(line, |line, (pattern, with)| pattern.replace_all(&line, *with).into_owned())
}

/// How two looks differ: `+ line` for what there is too much, `- line` for what is missing.
pub fn differences(found: &[String], expected: &[String]) -> Vec<String> {
    let mut missing = expected.to_vec();
    let mut different = vec![];
    for line in found {
        match missing.iter().position(|other| other == line) {
            Some(at) => drop(missing.swap_remove(at)),
            None => different.push(format!("+ {line}")),
        }
    }
    different.extend(missing.iter().map(|line| format!("- {line}")));
    different
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_by_lot_is_the_same_in_every_life() {
        let names = [("900000000001".to_owned(), "ACCOUNT"), ("shop-l1".to_owned(), "NAMESPACE")];
        let of = |line: &str| normal(line, &names);
        assert_eq!(
            of(
                r#"production ec2/subnet subnet-0a1b2c3d4e5f60718 {"vpc": "vpc-0123456789abcdef0"}"#
            ),
            r#"production ec2/subnet subnet-ID {"vpc": "vpc-ID"}"#
        );
        assert_eq!(
            of("production kubernetes/core/ConfigMap shop-l1/shop-l1-env-4f8g2hk9mt"),
            "production kubernetes/core/ConfigMap NAMESPACE/NAMESPACE-env-HASH"
        );
        assert_eq!(
            of("production kubernetes/apps/ReplicaSet shop-l1/shop-l1-server-56f854f"),
            "production kubernetes/apps/ReplicaSet NAMESPACE/NAMESPACE-server-HASH"
        );
        assert_eq!(of("arn:aws:iam::900000000001:role/x"), "arn:aws:iam::ACCOUNT:role/x");
    }

    #[test]
    fn a_duplicate_is_a_difference() {
        let lines = |lines: &[&str]| lines.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            differences(&lines(&["a", "a", "b"]), &lines(&["a", "c"])),
            ["+ a", "+ b", "- c"]
        );
        assert!(differences(&lines(&["a", "a"]), &lines(&["a", "a"])).is_empty());
    }
}
