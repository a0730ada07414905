//! Tags of RDS resources, which all have them in the same way, by ARN.
//!
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_AddTagsToResource.html>

use crate::{
    Aws,
    call::calls,
    tags::{self, Tags},
};
use aws_sdk_rds::types::Tag;
use formwork_engine::{Change, Failure, Owner, Subject};

calls! { shared:
    READ = RDS.ListTagsForResource on ["*:{id}"];
    SET = RDS.AddTagsToResource on ["*:{id}"];
    REMOVE = RDS.RemoveTagsFromResource on ["*:{id}"];
}

/// The tags that a creating call sets.
pub(super) fn at_creation(subject: &Subject, given: Option<&Tags>) -> Vec<Tag> {
    list(tags::at_creation(subject, given))
}

/// The owner and the author's own tags.
pub(super) fn split(tags: Vec<Tag>) -> (Option<Owner>, Tags) {
    tags::split(tags.into_iter().filter_map(pair))
}

/// The tags of something whose description doesn't have them; `None` where it isn't there.
pub(super) async fn read(cloud: &Aws, arn: &str) -> Result<Option<Vec<Tag>>, Failure> {
    let request = cloud.rds.list_tags_for_resource().resource_name(arn);
    Ok(cloud.find(READ, request.send()).await?.map(|read| read.tag_list.unwrap_or_default()))
}

/// Makes the author's tags what they should be, where they differ; the marks of ownership stay.
pub(super) async fn update<R>(
    cloud: &Aws,
    arn: &str,
    change: &Change<'_, R>,
    want: &Option<Tags>,
) -> Result<(), Failure> {
    let Some(want) = want.as_ref().filter(|_| change.has("tags")) else { return Ok(()) };
    let current = read(cloud, arn).await?.unwrap_or_default();
    let (set, gone) = tags::changes(&current.into_iter().filter_map(pair).collect(), want);
    if !set.is_empty() {
        let request = cloud.rds.add_tags_to_resource().resource_name(arn);
        cloud.send(SET, request.set_tags(Some(list(set))).send()).await?;
    }
    if !gone.is_empty() {
        let request = cloud.rds.remove_tags_from_resource().resource_name(arn);
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
