//! Lifecycle policies: which images ECR deletes by itself. As JSON texts that are compared by meaning.
//!
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html>

use formwork_engine::Data;
use serde_json::{Value as Json, json};

/// Images that a lifecycle policy deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expire {
    /// Untagged ones, this many days after they were pushed.
    UntaggedAfterDays(u32),
    /// All but this many, the newest ones.
    AllButLast(u32),
}

/// The policy that keeps the newest images, this many of them.
pub fn keep_last(images: u32) -> String {
    lifecycle([Expire::AllButLast(images)])
}

/// The policy that deletes untagged images, this many days after they were pushed.
pub fn expire_untagged(days: u32) -> String {
    lifecycle([Expire::UntaggedAfterDays(days)])
}

/// The policy of several rules; each counts only the images that no rule before it deletes.
pub fn lifecycle(rules: impl IntoIterator<Item = Expire>) -> String {
    let mut rules: Vec<Expire> = rules.into_iter().collect();
    // A rule for images of any tag has to be the last one.
    rules.sort_by_key(|rule| matches!(rule, Expire::AllButLast(_)));
    let rules = rules.into_iter().zip(1..).map(|(rule, priority)| {
        let (description, selection) = match rule {
            Expire::UntaggedAfterDays(days) => (
                format!("untagged images go after {days} days"),
                json!({
                    "tagStatus": "untagged", "countType": "sinceImagePushed",
                    "countUnit": "days", "countNumber": days,
                }),
            ),
            Expire::AllButLast(images) => (
                format!("the newest {images} images stay"),
                json!({
                    "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": images,
                }),
            ),
        };
        json!({
            "rulePriority": priority, "description": description,
            "selection": selection, "action": {"type": "expire"},
        })
    });
    canonical_json(&json!({ "rules": rules.collect::<Vec<_>>() }))
}

/// A policy in the form in which it is compared: compact, keys sorted, rules by their priority.
pub(super) fn canonical(policy: &str) -> Result<String, serde_json::Error> {
    let mut policy: Json = serde_json::from_str(policy)?;
    if let Some(Json::Array(rules)) = policy.get_mut("rules") {
        rules.sort_by_key(|rule| rule.get("rulePriority").and_then(Json::as_u64));
    }
    Ok(canonical_json(&policy))
}

fn canonical_json(json: &Json) -> String {
    Data::literal(json).plain_json()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_policy_in_any_form_is_equal() {
        let pretty = r#"{ "rules": [
            {"selection": {"tagStatus": "any"}, "rulePriority": 2},
            {"rulePriority": 1, "action": {"type": "expire"}}
        ] }"#;
        let compact = r#"{"rules":[{"action":{"type":"expire"},"rulePriority":1},{"rulePriority":2,"selection":{"tagStatus":"any"}}]}"#;
        assert_eq!(canonical(pretty).unwrap(), compact);
        assert_eq!(canonical(compact).unwrap(), compact);
        assert!(canonical("no JSON").is_err());
    }

    #[test]
    fn a_rule_for_any_image_comes_last() {
        let policy = lifecycle([Expire::AllButLast(9), Expire::UntaggedAfterDays(3)]);
        assert_eq!(canonical(&policy).unwrap(), policy);
        let policy: Json = serde_json::from_str(&policy).unwrap();
        assert_eq!(policy["rules"][0]["selection"]["tagStatus"], "untagged");
        assert_eq!(policy["rules"][0]["rulePriority"], 1);
        assert_eq!(policy["rules"][1]["selection"]["countNumber"], 9);
        assert_eq!(policy["rules"][1]["rulePriority"], 2);
    }
}
