//! A subnet group: the subnets that caches may be placed in.
//!
//! <https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateCacheSubnetGroup.html>

use super::tags;
use crate::{
    Aws,
    call::{absent, calls},
    each::each,
    ec2::{Subnet, Vpc},
    named::{made_or_ours, name_of, predict_by_name},
    tags::Tags,
};
use aws_sdk_elasticache::types::{CacheSubnetGroup as Described, Tag};
use formwork_engine::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What AWS asks for and shows, where the author says nothing.
const DESCRIPTION: &str = "made by formwork";

/// A subnet group: the subnets that caches may be placed in.
#[derive(Resource, Deserialize)]
#[resource(kind = "aws.elasticache.SubnetGroup", outputs = SubnetGroupOutputs, identity = name(255))]
pub struct SubnetGroup {
    /// Its name, in lower case. Default: made of the address.
    #[replace]
    pub name: Option<String>,
    #[default(DESCRIPTION)]
    pub description: Option<String>,
    /// Subnets of one VPC; replicas go into other zones only if there are subnets in several.
    #[unordered]
    pub subnets: Vec<Id<Subnet>>,
    pub tags: Option<Tags>,
}

/// What is known of a subnet group.
#[derive(Outputs, Serialize)]
pub struct SubnetGroupOutputs {
    #[predicted]
    pub name: Id<SubnetGroup>,
    #[predicted]
    pub arn: Arn,
    /// The network that its subnets are in.
    pub vpc: Id<Vpc>,
}

calls! { SubnetGroup + tags::CALLS:
    READ = ELASTICACHE.DescribeCacheSubnetGroups on ["subnetgroup:*"];
    CREATE = ELASTICACHE.CreateCacheSubnetGroup on ["subnetgroup:{name}"],
        and "elasticache:AddTagsToResource" on ["subnetgroup:{name}"];
    MODIFY = ELASTICACHE.ModifyCacheSubnetGroup on ["subnetgroup:{id}"];
    DELETE = ELASTICACHE.DeleteCacheSubnetGroup on ["subnetgroup:{id}"],
        and "ec2:CreateNetworkInterface" on ["*"],
        and "ec2:DeleteNetworkInterface" on ["*"],
        and "ec2:DescribeNetworkInterfaces" on ["*"],
        and "ec2:DescribeSubnets" on ["*"],
        and "ec2:DescribeVpcs" on ["*"];
}

impl Reconcile for SubnetGroup {
    type Cloud = Aws;

    async fn list(cloud: &Aws, wanted: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
        // The list of all has no tags, and a stack has one or two.
        each(cloud, wanted).await
    }

    async fn read(cloud: &Aws, subject: &Subject) -> Result<Option<Found<Self>>, Failure> {
        let request = cloud.elasticache.describe_cache_subnet_groups();
        let request = request.cache_subnet_group_name(name_of(subject)).send();
        let groups = cloud.find(READ, request).await?.and_then(|page| page.cache_subnet_groups);
        let Some(group) = groups.and_then(|mut groups| groups.pop()) else { return Ok(None) };
        let arn = group.arn().ok_or_else(|| absent(READ, "an ARN"))?.to_owned();
        // Without its tags it went away while it was read.
        let Some(tags) = tags::read(cloud, &arn).await? else { return Ok(None) };
        found(group, arn, tags).map(Some)
    }

    async fn create(
        cloud: &Aws,
        subject: &Subject,
        want: Self,
        _: &Secrets,
    ) -> Result<String, Failure> {
        let name = name_of(subject);
        let request = cloud
            .elasticache
            .create_cache_subnet_group()
            .cache_subnet_group_name(name)
            .cache_subnet_group_description(want.description.as_deref().unwrap_or(DESCRIPTION))
            .set_subnet_ids(Some(ids(&want)))
            .set_tags(Some(tags::at_creation(subject, want.tags.as_ref())));
        let made = cloud.send(CREATE, request.send()).await;
        made_or_ours::<Self, _>(cloud, subject, made).await
    }

    async fn update(
        cloud: &Aws,
        subject: &Subject,
        change: Change<'_, Self>,
    ) -> Result<(), Failure> {
        let (name, want) = (subject.id()?, &change.want);
        if change.has("subnets") || change.has("description") {
            let request = cloud
                .elasticache
                .modify_cache_subnet_group()
                .cache_subnet_group_name(name)
                .set_cache_subnet_group_description(want.description.clone())
                .set_subnet_ids(Some(ids(want)));
            cloud.send(MODIFY, request.send()).await?;
        }
        let arn = cloud.arn("elasticache", &format!("subnetgroup:{name}"));
        tags::update(cloud, arn.as_str(), &change, &want.tags).await
    }

    async fn delete(cloud: &Aws, subject: &Subject) -> Result<(), Failure> {
        let request = cloud.elasticache.delete_cache_subnet_group();
        let request = request.cache_subnet_group_name(subject.id()?);
        cloud.find(DELETE, request.send()).await.map(drop)
    }

    fn predict(of: &Prediction<'_>) -> BTreeMap<&'static str, String> {
        predict_by_name(of, "name", "elasticache", "subnetgroup:")
    }
}

fn ids(want: &SubnetGroup) -> Vec<String> {
    want.subnets.iter().map(Id::to_string).collect()
}

fn found(group: Described, arn: String, tags: Vec<Tag>) -> Result<Found<SubnetGroup>, Failure> {
    let name = group.cache_subnet_group_name.ok_or_else(|| absent(READ, "a name"))?;
    let (owner, own_tags) = tags::split(tags);
    let subnets = group.subnets.unwrap_or_default().into_iter();
    Ok(Found {
        observed: SubnetGroupObserved {
            name: Some(name.clone()),
            description: group.cache_subnet_group_description,
            subnets: Some(subnets.filter_map(|s| s.subnet_identifier).map(Id::existing).collect()),
            tags: Some(own_tags),
        },
        outputs: SubnetGroupOutputs {
            name: Id::existing(&name),
            arn: Arn::new(arn),
            vpc: Id::existing(group.vpc_id.unwrap_or_default()),
        },
        id: name,
        status: Status::Ready,
        owner,
    })
}
