//! Tags as RDS and ElastiCache have them: in lists, set and read by the resource's ARN.

/// The items of a service's module `tags`, by the service's declaration, its SDK, and the client of [`Aws`].
///
/// [`Aws`]: crate::Aws
macro_rules! tags_in_lists {
    ($SERVICE:ident, $sdk:ident, $client:ident) => {
        use formwork_engine::{Change, Failure, FailureKind, Owner, Subject};
        use $crate::{
            Aws,
            call::calls,
            tags::{self, Tags},
        };
        use $sdk::types::Tag;

        calls! { shared:
            READ = $SERVICE.ListTagsForResource on ["*:{id}"];
            SET = $SERVICE.AddTagsToResource on ["*:{id}"];
            REMOVE = $SERVICE.RemoveTagsFromResource on ["*:{id}"];
        }

        /// The tags that a creating call sets.
        pub(super) fn at_creation(subject: &Subject, given: Option<&Tags>) -> Vec<Tag> {
            list(tags::at_creation(subject, given))
        }

        /// The owner and the author's own tags.
        pub(super) fn split(tags: Vec<Tag>) -> (Option<Owner>, Tags) {
            tags::split(tags.into_iter().filter_map(pair))
        }

        /// The tags of something whose description doesn't have them; `None` where it isn't there, or is in
        /// a state in which AWS doesn't tell them.
        pub(super) async fn read(cloud: &Aws, arn: &str) -> Result<Option<Vec<Tag>>, Failure> {
            let request = cloud.$client.list_tags_for_resource().resource_name(arn);
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
            let request = cloud.$client.list_tags_for_resource().resource_name(arn);
            let current = cloud.send(READ, request.send()).await?.tag_list.unwrap_or_default();
            let (set, gone) = tags::changes(&current.into_iter().filter_map(pair).collect(), want);
            if !set.is_empty() {
                let request = cloud.$client.add_tags_to_resource().resource_name(arn);
                cloud.send(SET, request.set_tags(Some(list(set))).send()).await?;
            }
            if !gone.is_empty() {
                let request = cloud.$client.remove_tags_from_resource().resource_name(arn);
                cloud.send(REMOVE, request.set_tag_keys(Some(gone)).send()).await?;
            }
            Ok(())
        }

        fn pair(tag: Tag) -> Option<(String, String)> {
            Some((tag.key?, tag.value.unwrap_or_default()))
        }

        fn list(tags: Tags) -> Vec<Tag> {
            let tag = |(key, value)| Tag::builder().key(key).value(value).build();
            tags.into_iter().map(tag).collect()
        }
    };
}
pub(crate) use tags_in_lists;
