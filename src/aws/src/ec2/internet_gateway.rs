//! An internet gateway, with its attachment to a VPC.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateInternetGateway.html>

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
use aws_sdk_ec2::types::{Filter, InternetGateway as Described, ResourceType};
use formwork_engine::*;
use serde::{Deserialize, Serialize};

/// An internet gateway: the way from a VPC to the internet and back.
#[derive(Resource, Deserialize)]
#[resource(kind = "aws.ec2.InternetGateway", outputs = InternetGatewayOutputs, identity = tag)]
pub struct InternetGateway {
    /// The VPC that it is attached to; a VPC has one internet gateway at most.
    #[outage]
    pub vpc: Id<Vpc>,
    pub tags: Option<Tags>,
}

/// What is known of an internet gateway.
#[derive(Outputs, Serialize)]
pub struct InternetGatewayOutputs {
    pub id: Id<InternetGateway>,
    pub arn: Arn,
}

calls! { InternetGateway + tags::CALLS:
    LIST = EC2.DescribeInternetGateways on ["*"];
    CREATE = EC2.CreateInternetGateway on ["internet-gateway/*"],
        and "ec2:CreateTags" on ["internet-gateway/*"] if "ec2:CreateAction" = "CreateInternetGateway";
    ATTACH = EC2.AttachInternetGateway on ["internet-gateway/{id}", "vpc/{vpc}"];
    DETACH = EC2.DetachInternetGateway on ["internet-gateway/{id}", "vpc/{vpc}"];
    DELETE = EC2.DeleteInternetGateway on ["internet-gateway/{id}"];
}

impl Reconcile for InternetGateway {
    type Cloud = Aws;

    async fn list(cloud: &Aws, wanted: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
        let described =
            find(wanted, BY_ID, Described::internet_gateway_id, |filter| describe(cloud, filter))
                .await?;
        described.into_iter().map(|gateway| found(cloud, gateway)).collect()
    }

    async fn create(
        cloud: &Aws,
        subject: &Subject,
        want: Self,
        _: &Secrets,
    ) -> Result<String, Failure> {
        let tags = tags::at_creation(ResourceType::InternetGateway, subject, want.tags.as_ref());
        let request = cloud.ec2.create_internet_gateway().tag_specifications(tags);
        let made = cloud.send(CREATE, request.send()).await?.internet_gateway;
        let id = made.and_then(|made| made.internet_gateway_id);
        let id = id.ok_or_else(|| absent(CREATE, "an id"))?;
        attach(cloud, &id, &want.vpc).await.map_err(half_made(&id))?;
        Ok(id)
    }

    async fn update(
        cloud: &Aws,
        subject: &Subject,
        change: Change<'_, Self>,
    ) -> Result<(), Failure> {
        let (id, want) = (subject.id()?, &change.want);
        if change.has("vpc") {
            detach(cloud, id).await?;
            attach(cloud, id, &want.vpc).await?;
        }
        tags::update(cloud, id, &change, &want.tags).await
    }

    async fn delete(cloud: &Aws, subject: &Subject) -> Result<(), Failure> {
        let id = subject.id()?;
        detach(cloud, id).await?;
        let request = cloud.ec2.delete_internet_gateway().internet_gateway_id(id);
        cloud.find(DELETE, request.send()).await.map(drop)
    }
}

const BY_ID: &str = "internet-gateway-id";

async fn describe(cloud: &Aws, filter: Filter) -> Result<Vec<Described>, Failure> {
    under_filter!(cloud, LIST, describe_internet_gateways().filters(filter) => internet_gateways)
        .await
}

fn found(cloud: &Aws, gateway: Described) -> Result<Found<InternetGateway>, Failure> {
    let id = gateway.internet_gateway_id.ok_or_else(|| absent(LIST, "an id"))?;
    let (owner, own_tags) = tags::split(gateway.tags);
    let attached = gateway.attachments.unwrap_or_default().into_iter().find_map(|a| a.vpc_id);
    Ok(Found {
        observed: InternetGatewayObserved {
            // Attached to nothing is a fact, not something untold.
            vpc: Some(Id::existing(attached.unwrap_or_default())),
            tags: Some(own_tags),
        },
        outputs: InternetGatewayOutputs {
            id: Id::existing(&id),
            arn: cloud.arn("ec2", &format!("internet-gateway/{id}")),
        },
        id,
        status: Status::Ready,
        owner,
    })
}

async fn attach(cloud: &Aws, id: &str, vpc: &Id<Vpc>) -> Result<(), Failure> {
    let request = cloud.ec2.attach_internet_gateway().internet_gateway_id(id).vpc_id(vpc.as_str());
    cloud.send_to_new(ATTACH, || request.clone().send()).await.map(drop)
}

/// Detaches it from whatever it is attached to now.
async fn detach(cloud: &Aws, id: &str) -> Result<(), Failure> {
    let this = Filter::builder().name(BY_ID).values(id).build();
    let is = |gateway: &Described| gateway.internet_gateway_id.as_deref() == Some(id);
    let gateway = describe(cloud, this).await?.into_iter().find(is);
    let attachments = gateway.and_then(|gateway| gateway.attachments);
    for vpc in attachments.into_iter().flatten().filter_map(|attachment| attachment.vpc_id) {
        let request = cloud.ec2.detach_internet_gateway().internet_gateway_id(id).vpc_id(vpc);
        cloud.find(DETACH, request.send()).await?;
    }
    Ok(())
}
