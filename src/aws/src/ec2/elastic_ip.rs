//! An Elastic IP address.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AllocateAddress.html>

use super::{find::find, tags};
use crate::{
    Aws,
    call::{absent, calls},
    tags::Tags,
};
use aws_sdk_ec2::types::{Address as Described, DomainType, Filter, ResourceType};
use formwork_engine::*;
use serde::{Deserialize, Serialize};

/// An Elastic IP address: a public IPv4 address that stays the account's until it is released.
#[derive(Resource, Deserialize)]
#[resource(kind = "aws.ec2.ElasticIp", outputs = ElasticIpOutputs, identity = tag)]
pub struct ElasticIp {
    pub tags: Option<Tags>,
}

/// What is known of an address.
#[derive(Outputs, Serialize)]
pub struct ElasticIpOutputs {
    /// The allocation's id, `eipalloc-…`.
    pub id: Id<ElasticIp>,
    pub arn: Arn,
    /// The address itself, such as `203.0.113.25`.
    pub address: String,
}

calls! { ElasticIp + tags::CALLS:
    LIST = EC2.DescribeAddresses on ["*"];
    ALLOCATE = EC2.AllocateAddress on ["elastic-ip/*"],
        and "ec2:CreateTags" on ["elastic-ip/*"] if "ec2:CreateAction" = "AllocateAddress";
    RELEASE = EC2.ReleaseAddress on ["elastic-ip/{id}"];
}

impl Reconcile for ElasticIp {
    type Cloud = Aws;

    async fn list(cloud: &Aws, wanted: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
        let described = find(wanted, "allocation-id", Described::allocation_id, |filter| {
            describe(cloud, filter)
        })
        .await?;
        described.into_iter().map(|address| found(cloud, address)).collect()
    }

    async fn create(
        cloud: &Aws,
        subject: &Subject,
        want: Self,
        _: &Secrets,
    ) -> Result<String, Failure> {
        let tags = tags::at_creation(ResourceType::ElasticIp, subject, want.tags.as_ref());
        let request = cloud.ec2.allocate_address().domain(DomainType::Vpc).tag_specifications(tags);
        let made = cloud.send(ALLOCATE, request.send()).await?;
        made.allocation_id.ok_or_else(|| absent(ALLOCATE, "an allocation id"))
    }

    async fn update(
        cloud: &Aws,
        subject: &Subject,
        change: Change<'_, Self>,
    ) -> Result<(), Failure> {
        tags::update(cloud, subject.id()?, &change, &change.want.tags).await
    }

    async fn delete(cloud: &Aws, subject: &Subject) -> Result<(), Failure> {
        let request = cloud.ec2.release_address().allocation_id(subject.id()?);
        cloud.find(RELEASE, request.send()).await.map(drop)
    }
}

/// This list has no pages.
async fn describe(cloud: &Aws, filter: Filter) -> Result<Vec<Described>, Failure> {
    let request = cloud.ec2.describe_addresses().filters(filter);
    Ok(cloud.send(LIST, request.send()).await?.addresses.unwrap_or_default())
}

fn found(cloud: &Aws, address: Described) -> Result<Found<ElasticIp>, Failure> {
    let id = address.allocation_id.ok_or_else(|| absent(LIST, "an allocation id"))?;
    let (owner, own_tags) = tags::split(address.tags);
    Ok(Found {
        observed: ElasticIpObserved { tags: Some(own_tags) },
        outputs: ElasticIpOutputs {
            id: Id::existing(&id),
            arn: cloud.arn("ec2", &format!("elastic-ip/{id}")),
            address: address.public_ip.ok_or_else(|| absent(LIST, "the address"))?,
        },
        id,
        status: Status::Ready,
        owner,
    })
}
