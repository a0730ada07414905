//! Tags of EKS resources, which all have them in the same way, by ARN.
//!
//! <https://docs.aws.amazon.com/eks/latest/APIReference/API_TagResource.html>

use crate::{
    Aws,
    call::calls,
    tags::{self, Tags},
};
use formwork_engine::{Change, Data, Failure, Owner, Subject};
use std::collections::HashMap;

calls! { shared:
    READ = EKS.ListTagsForResource on ["*"];
    SET = EKS.TagResource on ["*"];
    REMOVE = EKS.UntagResource on ["*"];
}

/// The owner and the author's own tags.
pub(super) fn split(tags: Option<HashMap<String, String>>) -> (Option<Owner>, Tags) {
    tags::split(tags.unwrap_or_default())
}

/// Makes the author's tags what they should be, where they differ; the marks of ownership stay.
///
/// Each kind of EKS has an output `arn`, by which its tags are set.
pub(super) async fn update<R>(
    cloud: &Aws,
    subject: &Subject,
    change: &Change<'_, R>,
    want: &Option<Tags>,
) -> Result<(), Failure> {
    let Some(want) = want.as_ref().filter(|_| change.has("tags")) else { return Ok(()) };
    let arn = subject.outputs.get("arn").and_then(Data::as_str).ok_or_else(|| {
        Failure::invalid(format!("the ARN of `{}` isn't known", subject.owner.address))
    })?;
    let request = cloud.eks.list_tags_for_resource().resource_arn(arn);
    let current = cloud.send(READ, request.send()).await?.tags.unwrap_or_default();
    let (set, gone) = tags::changes(&current.into_iter().collect(), want);
    if !set.is_empty() {
        let set = set.into_iter().collect();
        let request = cloud.eks.tag_resource().resource_arn(arn).set_tags(Some(set));
        cloud.send(SET, request.send()).await?;
    }
    if !gone.is_empty() {
        let request = cloud.eks.untag_resource().resource_arn(arn).set_tag_keys(Some(gone));
        cloud.send(REMOVE, request.send()).await?;
    }
    Ok(())
}
