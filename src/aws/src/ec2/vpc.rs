//! A virtual private cloud.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpc.html>

use super::{
    find::{find, under_filter},
    tags,
};
use crate::{
    Aws,
    call::{absent, calls, half_made},
    tags::Tags,
};
use aws_sdk_ec2::types::{
    AttributeBooleanValue, Filter, ResourceType, Vpc as Described, VpcAttributeName, VpcState,
};
use formwork_engine::*;
use futures::{TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A virtual private cloud: a network of one account in one region.
#[derive(Resource, Deserialize)]
#[resource(kind = "aws.ec2.Vpc", outputs = VpcOutputs, identity = tag)]
pub struct Vpc {
    /// Its IPv4 addresses, `10.0.0.0/16` to `10.0.0.0/28`.
    #[replace]
    pub cidr: String,
    /// Whether Amazon's name server answers in it. Default: yes.
    #[default(true)]
    pub dns_support: Option<bool>,
    /// Whether instances get public host names; private endpoints of EKS need it. Default: no.
    #[default(false)]
    pub dns_hostnames: Option<bool>,
    /// Tags of its own, beside those that formwork sets; `Name` is one that formwork sets.
    pub tags: Option<Tags>,
}

/// What is known of a VPC.
#[derive(Outputs, Serialize)]
pub struct VpcOutputs {
    pub id: Id<Vpc>,
    pub arn: Arn,
    /// Its IPv4 addresses, for rules that admit all of the network.
    #[predicted]
    pub cidr: String,
}

calls! { Vpc + tags::CALLS:
    LIST = EC2.DescribeVpcs on ["*"];
    READ_ATTRIBUTE = EC2.DescribeVpcAttribute on ["vpc/{id}"];
    CREATE = EC2.CreateVpc on ["vpc/*"],
        and "ec2:CreateTags" on ["vpc/*"] if "ec2:CreateAction" = "CreateVpc";
    MODIFY = EC2.ModifyVpcAttribute on ["vpc/{id}"];
    DELETE = EC2.DeleteVpc on ["vpc/{id}"];
}

/// VPCs whose attributes are read at the same time; each takes a call per attribute.
const READS_AT_ONCE: usize = 4;

impl Reconcile for Vpc {
    type Cloud = Aws;

    async fn list(cloud: &Aws, wanted: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
        let described =
            find(wanted, "vpc-id", Described::vpc_id, |filter| describe(cloud, filter)).await?;
        let read = described.into_iter().map(|vpc| Ok(found(cloud, vpc)));
        let found: Vec<Option<Found<Self>>> =
            stream::iter(read).try_buffered(READS_AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn create(
        cloud: &Aws,
        subject: &Subject,
        want: Self,
        _: &Secrets,
    ) -> Result<String, Failure> {
        let tags = tags::at_creation(ResourceType::Vpc, subject, want.tags.as_ref());
        let request = cloud.ec2.create_vpc().cidr_block(want.cidr).tag_specifications(tags);
        let made = cloud.send(CREATE, request.send()).await?;
        let id = made.vpc.and_then(|vpc| vpc.vpc_id).ok_or_else(|| absent(CREATE, "an id"))?;
        modify(cloud, &id, want.dns_support, want.dns_hostnames).await.map_err(half_made(&id))?;
        Ok(id)
    }

    async fn update(
        cloud: &Aws,
        subject: &Subject,
        change: Change<'_, Self>,
    ) -> Result<(), Failure> {
        let (id, want) = (subject.id()?, &change.want);
        let support = want.dns_support.filter(|_| change.has("dns_support"));
        let hostnames = want.dns_hostnames.filter(|_| change.has("dns_hostnames"));
        modify(cloud, id, support, hostnames).await?;
        tags::update(cloud, id, &change, &want.tags).await
    }

    async fn delete(cloud: &Aws, subject: &Subject) -> Result<(), Failure> {
        let request = cloud.ec2.delete_vpc().vpc_id(subject.id()?);
        cloud.find(DELETE, request.send()).await.map(drop)
    }

    fn predict(of: &Prediction<'_>) -> BTreeMap<&'static str, String> {
        of.text("cidr").map(|cidr| ("cidr", cidr.to_owned())).into_iter().collect()
    }
}

async fn describe(cloud: &Aws, filter: Filter) -> Result<Vec<Described>, Failure> {
    under_filter!(cloud, LIST, describe_vpcs().filters(filter) => vpcs).await
}

/// The rest of a VPC, which its description doesn't tell; `None` if it went away meanwhile.
async fn found(cloud: &Aws, vpc: Described) -> Result<Option<Found<Vpc>>, Failure> {
    let id = vpc.vpc_id.ok_or_else(|| absent(LIST, "an id"))?;
    let (Some(dns_support), Some(dns_hostnames)) = futures::try_join!(
        attribute(cloud, &id, VpcAttributeName::EnableDnsSupport),
        attribute(cloud, &id, VpcAttributeName::EnableDnsHostnames),
    )?
    else {
        return Ok(None);
    };
    let (owner, own_tags) = tags::split(vpc.tags);
    let status = match vpc.state {
        Some(VpcState::Pending) => Status::Pending("pending".into()),
        _ => Status::Ready,
    };
    Ok(Some(Found {
        observed: VpcObserved {
            cidr: vpc.cidr_block.clone(),
            dns_support: Some(dns_support),
            dns_hostnames: Some(dns_hostnames),
            tags: Some(own_tags),
        },
        outputs: VpcOutputs {
            id: Id::existing(&id),
            arn: cloud.arn("ec2", &format!("vpc/{id}")),
            cidr: vpc.cidr_block.unwrap_or_default(),
        },
        id,
        status,
        owner,
    }))
}

async fn attribute(
    cloud: &Aws,
    id: &str,
    attribute: VpcAttributeName,
) -> Result<Option<bool>, Failure> {
    let request = cloud.ec2.describe_vpc_attribute().vpc_id(id).attribute(attribute);
    let answer = cloud.find(READ_ATTRIBUTE, request.send()).await?;
    let value = answer.and_then(|answer| answer.enable_dns_support.or(answer.enable_dns_hostnames));
    Ok(value.and_then(|value| value.value))
}

/// Sets the given attributes; the API takes one at a time.
async fn modify(
    cloud: &Aws,
    id: &str,
    support: Option<bool>,
    hostnames: Option<bool>,
) -> Result<(), Failure> {
    let value = |value| AttributeBooleanValue::builder().value(value).build();
    if let Some(on) = support {
        let request = cloud.ec2.modify_vpc_attribute().vpc_id(id).enable_dns_support(value(on));
        cloud.send_to_new(MODIFY, || request.clone().send()).await?;
    }
    if let Some(on) = hostnames {
        let request = cloud.ec2.modify_vpc_attribute().vpc_id(id).enable_dns_hostnames(value(on));
        cloud.send_to_new(MODIFY, || request.clone().send()).await?;
    }
    Ok(())
}
