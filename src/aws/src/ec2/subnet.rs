//! A subnet: a part of a VPC's addresses in one zone.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSubnet.html>

use super::{
    Vpc,
    find::{find, under_filter},
    tags,
};
use crate::{
    Aws,
    call::{absent, calls, half_made},
    tags::Tags,
};
use aws_sdk_ec2::types::{
    AttributeBooleanValue, Filter, ResourceType, Subnet as Described, SubnetState,
};
use formwork_engine::*;
use serde::{Deserialize, Serialize};

/// A subnet: a part of a VPC's addresses in one zone.
#[derive(Resource, Deserialize)]
#[resource(kind = "aws.ec2.Subnet", outputs = SubnetOutputs, identity = tag)]
pub struct Subnet {
    #[replace]
    pub vpc: Id<Vpc>,
    /// Its IPv4 addresses, a part of the VPC's that no other subnet has.
    #[replace]
    pub cidr: String,
    /// The zone, such as `eu-central-1a`.
    #[replace]
    pub zone: String,
    /// Whether instances started in it get a public address. Default: no.
    #[default(false)]
    pub public_addresses: Option<bool>,
    /// Tags of its own, such as `kubernetes.io/role/elb`, which load balancers find public subnets by.
    pub tags: Option<Tags>,
}

/// What is known of a subnet.
#[derive(Outputs, Serialize)]
pub struct SubnetOutputs {
    pub id: Id<Subnet>,
    pub arn: Arn,
}

calls! { Subnet + tags::CALLS:
    LIST = EC2.DescribeSubnets on ["*"];
    CREATE = EC2.CreateSubnet on ["subnet/*", "vpc/{vpc}"],
        and "ec2:CreateTags" on ["subnet/*"] if "ec2:CreateAction" = "CreateSubnet";
    MODIFY = EC2.ModifySubnetAttribute on ["subnet/{id}"];
    DELETE = EC2.DeleteSubnet on ["subnet/{id}"];
}

impl Reconcile for Subnet {
    type Cloud = Aws;

    async fn list(cloud: &Aws, wanted: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
        let described =
            find(wanted, "subnet-id", Described::subnet_id, |filter| describe(cloud, filter))
                .await?;
        described.into_iter().map(|subnet| found(cloud, subnet)).collect()
    }

    async fn create(
        cloud: &Aws,
        subject: &Subject,
        want: Self,
        _: &Secrets,
    ) -> Result<String, Failure> {
        let tags = tags::at_creation(ResourceType::Subnet, subject, want.tags.as_ref());
        let request = cloud
            .ec2
            .create_subnet()
            .vpc_id(want.vpc.as_str())
            .cidr_block(want.cidr)
            .availability_zone(want.zone)
            .tag_specifications(tags);
        let made = cloud.send(CREATE, request.send()).await?;
        let id = made.subnet.and_then(|s| s.subnet_id).ok_or_else(|| absent(CREATE, "an id"))?;
        modify(cloud, &id, want.public_addresses).await.map_err(half_made(&id))?;
        Ok(id)
    }

    async fn update(
        cloud: &Aws,
        subject: &Subject,
        change: Change<'_, Self>,
    ) -> Result<(), Failure> {
        let (id, want) = (subject.id()?, &change.want);
        let public = want.public_addresses.filter(|_| change.has("public_addresses"));
        modify(cloud, id, public).await?;
        tags::update(cloud, id, &change, &want.tags).await
    }

    async fn delete(cloud: &Aws, subject: &Subject) -> Result<(), Failure> {
        let request = cloud.ec2.delete_subnet().subnet_id(subject.id()?);
        cloud.find(DELETE, request.send()).await.map(drop)
    }
}

async fn describe(cloud: &Aws, filter: Filter) -> Result<Vec<Described>, Failure> {
    under_filter!(cloud, LIST, describe_subnets().filters(filter) => subnets).await
}

fn found(cloud: &Aws, subnet: Described) -> Result<Found<Subnet>, Failure> {
    let id = subnet.subnet_id.ok_or_else(|| absent(LIST, "an id"))?;
    let (owner, own_tags) = tags::split(subnet.tags);
    let status = match subnet.state {
        Some(SubnetState::Pending) => Status::Pending("pending".into()),
        Some(SubnetState::Failed | SubnetState::FailedInsufficientCapacity) => {
            Status::Failed("EC2 could not make the subnet".into())
        }
        _ => Status::Ready,
    };
    Ok(Found {
        observed: SubnetObserved {
            vpc: subnet.vpc_id.map(Id::existing),
            cidr: subnet.cidr_block,
            zone: subnet.availability_zone,
            public_addresses: subnet.map_public_ip_on_launch,
            tags: Some(own_tags),
        },
        outputs: SubnetOutputs {
            id: Id::existing(&id),
            arn: cloud.arn("ec2", &format!("subnet/{id}")),
        },
        id,
        status,
        owner,
    })
}

async fn modify(cloud: &Aws, id: &str, public: Option<bool>) -> Result<(), Failure> {
    let Some(public) = public else { return Ok(()) };
    let value = AttributeBooleanValue::builder().value(public).build();
    let request = cloud.ec2.modify_subnet_attribute().subnet_id(id).map_public_ip_on_launch(value);
    cloud.send_to_new(MODIFY, || request.clone().send()).await.map(drop)
}
