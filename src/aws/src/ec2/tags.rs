//! Tags of EC2 resources, which all have them in the same way.

use super::find::under_filter;
use crate::{
    Aws,
    call::calls,
    tags::{self, Tags},
};
use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use formwork_engine::{Change, Failure, Owner, Subject};

calls! { shared:
    READ = EC2.DescribeTags on ["*"];
    SET = EC2.CreateTags on ["*/{id}"];
    REMOVE = EC2.DeleteTags on ["*/{id}"];
}

/// The tags that a creating call sets, so that there is no moment without them.
pub(super) fn at_creation(
    kind: ResourceType,
    subject: &Subject,
    given: Option<&Tags>,
) -> TagSpecification {
    let tags = tags::at_creation(subject, given);
    let tags = tags.into_iter().map(|(key, value)| tag(key, value)).collect();
    TagSpecification::builder().resource_type(kind).set_tags(Some(tags)).build()
}

/// The owner and the author's own tags.
pub(super) fn split(tags: Option<Vec<Tag>>) -> (Option<Owner>, Tags) {
    let pair = |tag: Tag| Some((tag.key?, tag.value.unwrap_or_default()));
    tags::split(tags.unwrap_or_default().into_iter().filter_map(pair))
}

/// Makes the author's tags what they should be, where they differ; the marks of ownership stay.
pub(super) async fn update<R>(
    cloud: &Aws,
    id: &str,
    change: &Change<'_, R>,
    want: &Option<Tags>,
) -> Result<(), Failure> {
    let Some(want) = want.as_ref().filter(|_| change.has("tags")) else { return Ok(()) };
    let of = Filter::builder().name("resource-id").values(id).build();
    let current = under_filter!(cloud, READ, describe_tags().filters(of) => tags).await?;
    let current = current.into_iter().filter_map(|tag| Some((tag.key?, tag.value?))).collect();
    let (set, gone) = tags::changes(&current, want);
    if !set.is_empty() {
        let set = set.into_iter().map(|(key, value)| tag(key, value)).collect();
        let request = cloud.ec2.create_tags().resources(id).set_tags(Some(set));
        cloud.send(SET, request.send()).await?;
    }
    if !gone.is_empty() {
        let gone = gone.into_iter().map(|key| Tag::builder().key(key).build()).collect();
        let request = cloud.ec2.delete_tags().resources(id).set_tags(Some(gone));
        cloud.send(REMOVE, request.send()).await?;
    }
    Ok(())
}

fn tag(key: String, value: String) -> Tag {
    Tag::builder().key(key).value(value).build()
}
