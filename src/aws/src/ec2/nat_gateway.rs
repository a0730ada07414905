//! A NAT gateway.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNatGateway.html>

use super::{
    ElasticIp, Subnet,
    find::{find, under_filter},
    tags,
};
use crate::{
    Aws,
    call::{absent, calls},
    tags::Tags,
};
use aws_sdk_ec2::types::{
    ConnectivityType, Filter, NatGateway as Described, NatGatewayState, ResourceType,
};
use formwork_engine::*;
use serde::{Deserialize, Serialize};

/// A NAT gateway: lets private subnets reach out, and nobody in.
#[derive(Resource, Deserialize)]
#[resource(kind = "aws.ec2.NatGateway", outputs = NatGatewayOutputs, identity = token)]
pub struct NatGateway {
    /// The subnet that it stands in: a public one, where it is to reach the internet.
    #[replace]
    pub subnet: Id<Subnet>,
    /// The public address that it speaks from. Without one it is private, and reaches other networks only.
    #[replace]
    pub address: Option<Id<ElasticIp>>,
    pub tags: Option<Tags>,
}

/// What is known of a NAT gateway.
#[derive(Outputs, Serialize)]
pub struct NatGatewayOutputs {
    /// A route to it counts only once it is available.
    #[ready]
    pub id: Id<NatGateway>,
    pub arn: Arn,
}

calls! { NatGateway + tags::CALLS:
    LIST = EC2.DescribeNatGateways on ["*"];
    CREATE = EC2.CreateNatGateway on ["natgateway/*", "subnet/{subnet}", "elastic-ip/{address}"],
        and "ec2:CreateTags" on ["natgateway/*"] if "ec2:CreateAction" = "CreateNatGateway";
    DELETE = EC2.DeleteNatGateway on ["natgateway/{id}"];
}

impl Reconcile for NatGateway {
    type Cloud = Aws;

    async fn list(cloud: &Aws, wanted: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
        let described = find(wanted, "nat-gateway-id", Described::nat_gateway_id, |filter| {
            describe(cloud, filter)
        })
        .await?;
        // A deleted one stays in the list for about an hour.
        let there = described.into_iter().filter(|n| n.state != Some(NatGatewayState::Deleted));
        there.map(|gateway| found(cloud, gateway)).collect()
    }

    async fn create(
        cloud: &Aws,
        subject: &Subject,
        want: Self,
        _: &Secrets,
    ) -> Result<String, Failure> {
        let tags = tags::at_creation(ResourceType::Natgateway, subject, want.tags.as_ref());
        let connectivity = match want.address {
            Some(_) => ConnectivityType::Public,
            None => ConnectivityType::Private,
        };
        let request = cloud
            .ec2
            .create_nat_gateway()
            .client_token(&subject.owner.intent)
            .subnet_id(want.subnet.as_str())
            .set_allocation_id(want.address.map(|address| address.to_string()))
            .connectivity_type(connectivity)
            .tag_specifications(tags);
        let made = cloud.send(CREATE, request.send()).await?.nat_gateway;
        made.and_then(|made| made.nat_gateway_id).ok_or_else(|| absent(CREATE, "an id"))
    }

    async fn update(
        cloud: &Aws,
        subject: &Subject,
        change: Change<'_, Self>,
    ) -> Result<(), Failure> {
        tags::update(cloud, subject.id()?, &change, &change.want.tags).await
    }

    async fn delete(cloud: &Aws, subject: &Subject) -> Result<(), Failure> {
        let request = cloud.ec2.delete_nat_gateway().nat_gateway_id(subject.id()?);
        cloud.find(DELETE, request.send()).await.map(drop)
    }
}

async fn describe(cloud: &Aws, filter: Filter) -> Result<Vec<Described>, Failure> {
    under_filter!(cloud, LIST, describe_nat_gateways().filter(filter) => nat_gateways).await
}

fn found(cloud: &Aws, gateway: Described) -> Result<Found<NatGateway>, Failure> {
    let id = gateway.nat_gateway_id.ok_or_else(|| absent(LIST, "an id"))?;
    let (owner, own_tags) = tags::split(gateway.tags);
    let status = match gateway.state {
        Some(NatGatewayState::Pending) => Status::Pending("pending".into()),
        Some(NatGatewayState::Deleting) => Status::Deleting,
        Some(NatGatewayState::Failed) => Status::Failed(format!(
            "{}: {}",
            gateway.failure_code.as_deref().unwrap_or("failed"),
            gateway.failure_message.as_deref().unwrap_or("EC2 gives no reason")
        )),
        _ => Status::Ready,
    };
    let addresses = gateway.nat_gateway_addresses.unwrap_or_default();
    Ok(Found {
        observed: NatGatewayObserved {
            subnet: gateway.subnet_id.map(Id::existing),
            address: addresses.into_iter().find_map(|a| a.allocation_id).map(Id::existing),
            tags: Some(own_tags),
        },
        outputs: NatGatewayOutputs {
            id: Id::existing(&id),
            arn: cloud.arn("ec2", &format!("natgateway/{id}")),
        },
        id,
        status,
        owner,
    })
}
