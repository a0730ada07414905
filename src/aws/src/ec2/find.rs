//! Finding wanted resources by few calls: by the tags of their owners, and what lost them by its id.

use aws_sdk_ec2::types::Filter;
use formwork_engine::{Failure, Subject, TAG_ADDRESS, TAG_INTENT, TAG_LINEAGE};
use std::{
    collections::{BTreeSet, HashSet},
    future::Future,
};

/// The most values that a filter takes.
///
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Filter.html>
const MAX_FILTER_VALUES: usize = 200;

/// Everything of the wanted ones' lineage, and each wanted one whatever its tags.
///
/// `describe` reads all pages of the kind's list under a filter; `id_filter` is the filter that takes
/// identifiers. Other people's resources are never read.
pub(super) async fn find<T, F>(
    wanted: &[Subject],
    id_filter: &str,
    id: impl Fn(&T) -> Option<&str>,
    describe: impl Fn(Filter) -> F,
) -> Result<Vec<T>, Failure>
where
    F: Future<Output = Result<Vec<T>, Failure>>,
{
    // One that is known by its id is asked for by its id: the answer doesn't hang on its tags.
    if let [one] = wanted {
        let (name, value) = match &one.id {
            Some(id) => (id_filter.to_owned(), id.clone()),
            None if !one.owner.intent.is_empty() => {
                (format!("tag:{TAG_INTENT}"), one.owner.intent.clone())
            }
            None if one.owner.lineage.is_empty() => {
                (format!("tag:{TAG_ADDRESS}"), one.owner.address.to_string())
            }
            None => (format!("tag:{TAG_LINEAGE}"), one.owner.lineage.clone()),
        };
        return describe(filter(name, [&value])).await;
    }
    let lineages: BTreeSet<&String> = wanted.iter().map(|s| &s.owner.lineage).collect();
    let mut found = vec![];
    for lineages in chunks(lineages) {
        found.extend(describe(filter(format!("tag:{TAG_LINEAGE}"), lineages)).await?);
    }
    let seen: HashSet<&str> = found.iter().filter_map(&id).collect();
    let missing =
        wanted.iter().filter_map(|s| s.id.as_ref()).filter(|id| !seen.contains(id.as_str()));
    for ids in chunks(missing) {
        found.extend(describe(filter(id_filter, ids)).await?);
    }
    Ok(found)
}

/// Reads all pages of one of EC2's lists under a filter:
/// `under_filter!(cloud, LIST, describe_vpcs().filters(filter) => vpcs).await`.
macro_rules! under_filter {
    ($cloud:ident, $call:ident, $operation:ident().$by:ident($filter:ident) => $list:ident) => {
        $cloud.pages(
            $call,
            |token| {
                let request = $cloud.ec2.$operation().$by($filter.clone());
                request.set_next_token(token).send()
            },
            |page| (page.next_token, page.$list.unwrap_or_default()),
        )
    };
}
pub(super) use under_filter;

fn filter<'a>(name: impl Into<String>, values: impl IntoIterator<Item = &'a String>) -> Filter {
    let values = values.into_iter().cloned().collect();
    Filter::builder().name(name).set_values(Some(values)).build()
}

fn chunks<'a>(values: impl IntoIterator<Item = &'a String>) -> Vec<Vec<&'a String>> {
    let values: Vec<&String> = values.into_iter().collect();
    values.chunks(MAX_FILTER_VALUES).map(<[_]>::to_vec).collect()
}
