//! Tags of IAM resources, which all have them in the same form.

use crate::tags::{self, Tags};
use aws_sdk_iam::{error::BuildError, types::Tag};
use formwork_engine::{Failure, Owner, Subject};

/// The tags that a creating call sets.
pub(super) fn at_creation(subject: &Subject, given: Option<&Tags>) -> Result<Vec<Tag>, Failure> {
    list(tags::at_creation(subject, given))
}

/// The owner and the author's own tags.
pub(super) fn split(tags: Option<Vec<Tag>>) -> (Option<Owner>, Tags) {
    tags::split(tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)))
}

/// What to set and what to take away, so that the author's tags are `want`.
pub(super) fn changes(
    current: Option<Vec<Tag>>,
    want: &Tags,
) -> Result<(Vec<Tag>, Vec<String>), Failure> {
    let current = current.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect();
    let (set, gone) = tags::changes(&current, want);
    Ok((list(set)?, gone))
}

fn list(tags: Tags) -> Result<Vec<Tag>, Failure> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build();
    let tags: Result<_, BuildError> = tags.into_iter().map(tag).collect();
    tags.map_err(|error| Failure::invalid(error.to_string()))
}
