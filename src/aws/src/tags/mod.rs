//! Tags: the marks of ownership that creation sets, and the ones that a stack's author gives.

mod lists;
pub(crate) use lists::tags_in_lists;

use formwork_engine::{Owner, Subject};
use std::collections::BTreeMap;

/// The tag that consoles show as a resource's name.
const NAME: &str = "Name";
/// The prefix of the marks of ownership.
const OURS: &str = "formwork:";
/// The prefix of tags that only AWS sets.
const AWS: &str = "aws:";

/// Tags as a stack's author gives them.
pub type Tags = BTreeMap<String, String>;

/// The tags that a resource is created with: the marks of its owner, its name, and the author's own.
pub(crate) fn at_creation(subject: &Subject, given: Option<&Tags>) -> Tags {
    let mut tags = given.cloned().unwrap_or_default();
    tags.insert(NAME.to_owned(), subject.name.clone());
    tags.extend(subject.owner.tags().map(|(key, value)| (key.to_owned(), value)));
    tags
}

/// The owner and the author's own tags, from all that a service tells.
pub(crate) fn split(tags: impl IntoIterator<Item = (String, String)>) -> (Option<Owner>, Tags) {
    let all: Tags = tags.into_iter().collect();
    let owner = Owner::from_tags(&all);
    let own = all.into_iter().filter(|(key, _)| is_authors(key)).collect();
    (owner, own)
}

/// What to set and what to take away, so that the author's tags are `want`.
pub(crate) fn changes(current: &Tags, want: &Tags) -> (Tags, Vec<String>) {
    let set = want.iter().filter(|(key, value)| current.get(*key) != Some(value));
    let gone = current.keys().filter(|key| is_authors(key) && !want.contains_key(*key));
    (set.map(|(k, v)| (k.clone(), v.clone())).collect(), gone.cloned().collect())
}

fn is_authors(key: &str) -> bool {
    key != NAME && !key.starts_with(OURS) && !key.starts_with(AWS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn marks_and_the_authors_tags_are_told_apart() {
        let (owner, own) = split(tags(&[
            ("formwork:lineage", "l"),
            ("formwork:address", "s/a"),
            ("formwork:intent", "i"),
            ("Name", "s-a"),
            ("aws:cloudformation:stack-name", "x"),
            ("team", "web"),
        ]));
        assert_eq!(owner.unwrap().intent, "i");
        assert_eq!(own, tags(&[("team", "web")]));
    }

    #[test]
    fn only_the_authors_tags_are_ever_taken_away() {
        let current = tags(&[("formwork:intent", "i"), ("Name", "n"), ("a", "1"), ("b", "2")]);
        let (set, gone) = changes(&current, &tags(&[("a", "1"), ("c", "3")]));
        assert_eq!(set, tags(&[("c", "3")]));
        assert_eq!(gone, ["b"]);
    }
}
