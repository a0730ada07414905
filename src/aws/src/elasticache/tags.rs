//! Tags of ElastiCache resources, which all have them in the same way, by ARN.
//!
//! <https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_AddTagsToResource.html>

use crate::{
    Aws,
    call::calls,
    tags::{self, Tags},
};
use aws_sdk_elasticache::types::Tag;
use formwork_engine::{Change, Failure, FailureKind, Owner, Subject};

calls! { shared:
    READ = ELASTICACHE.ListTagsForResource on ["*:{id}"];
    SET = ELASTICACHE.AddTagsToResource on ["*:{id}"];
    REMOVE = ELASTICACHE.RemoveTagsFromResource on ["*:{id}"];
}

/// The tags that a creating call sets.
pub(super) fn at_creation(subject: &Subject, given: Option<&Tags>) -> Vec<Tag> {
    list(tags::at_creation(subject, given))
}

/// The owner and the author's own tags.
pub(super) fn split(tags: Vec<Tag>) -> (Option<Owner>, Tags) {
    tags::split(tags.into_iter().filter_map(pair))
}

/// The tags of something; `None` where it isn't there, or is in a state in which AWS doesn't tell them.
pub(super) async fn read(cloud: &Aws, arn: &str) -> Result<Option<Vec<Tag>>, Failure> {
    let request = cloud.elasticache.list_tags_for_resource().resource_name(arn);
    match cloud.find(READ, request.send()).await {
        Ok(read) => Ok(read.map(|read| read.tag_list.unwrap_or_default())),
        Err(failure) if failure.kind == FailureKind::Busy => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Makes the author's tags what they should be, where they differ; the marks of ownership stay.
pub(super) async fn update<R>(
    cloud: &Aws,
    arn: &str,
    change: &Change<'_, R>,
    want: &Option<Tags>,
) -> Result<(), Failure> {
    let Some(want) = want.as_ref().filter(|_| change.has("tags")) else { return Ok(()) };
    let request = cloud.elasticache.list_tags_for_resource().resource_name(arn);
    let current = cloud.send(READ, request.send()).await?.tag_list.unwrap_or_default();
    let (set, gone) = tags::changes(&current.into_iter().filter_map(pair).collect(), want);
    if !set.is_empty() {
        let request = cloud.elasticache.add_tags_to_resource().resource_name(arn);
        cloud.send(SET, request.set_tags(Some(list(set))).send()).await?;
    }
    if !gone.is_empty() {
        let request = cloud.elasticache.remove_tags_from_resource().resource_name(arn);
        cloud.send(REMOVE, request.set_tag_keys(Some(gone)).send()).await?;
    }
    Ok(())
}

fn pair(tag: Tag) -> Option<(String, String)> {
    Some((tag.key?, tag.value.unwrap_or_default()))
}

fn list(tags: Tags) -> Vec<Tag> {
    tags.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}
