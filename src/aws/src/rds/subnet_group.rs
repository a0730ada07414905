//! A subnet group: the subnets that database servers may be placed in.
//!
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBSubnetGroup.html>

use super::tags;
use crate::{
    Aws,
    call::{absent, calls},
    each::each,
    ec2::Subnet,
    named::{made_or_ours, name_of, predict_by_name},
    tags::Tags,
};
use aws_sdk_rds::types::DbSubnetGroup as Described;
use formwork_engine::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What AWS asks for and shows, where the author says nothing.
const DESCRIPTION: &str = "made by formwork";

/// A subnet group: the subnets that database servers may be placed in.
#[derive(Resource, Deserialize)]
#[resource(kind = "aws.rds.SubnetGroup", outputs = SubnetGroupOutputs, identity = name(255))]
pub struct SubnetGroup {
    /// Its name, in lower case. Default: made of the address.
    #[replace]
    pub name: Option<String>,
    #[default(DESCRIPTION)]
    pub description: Option<String>,
    /// Subnets of one VPC, in two zones or more.
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
}

calls! { SubnetGroup + tags::CALLS:
    READ = RDS.DescribeDBSubnetGroups on ["subgrp:*"];
    CREATE = RDS.CreateDBSubnetGroup on ["subgrp:{name}"],
        and "rds:AddTagsToResource" on ["subgrp:{name}"];
    MODIFY = RDS.ModifyDBSubnetGroup on ["subgrp:{id}"];
    DELETE = RDS.DeleteDBSubnetGroup on ["subgrp:{id}"];
}

impl Reconcile for SubnetGroup {
    type Cloud = Aws;

    async fn list(cloud: &Aws, wanted: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
        // The list of all has no tags, and a stack has one or two.
        each(cloud, wanted).await
    }

    async fn read(cloud: &Aws, subject: &Subject) -> Result<Option<Found<Self>>, Failure> {
        let request = cloud.rds.describe_db_subnet_groups();
        let request = request.db_subnet_group_name(name_of(subject)).send();
        let groups = cloud.find(READ, request).await?.and_then(|page| page.db_subnet_groups);
        let Some(group) = groups.and_then(|mut groups| groups.pop()) else { return Ok(None) };
        let arn = group.db_subnet_group_arn().ok_or_else(|| absent(READ, "an ARN"))?.to_owned();
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
            .rds
            .create_db_subnet_group()
            .db_subnet_group_name(name)
            .db_subnet_group_description(want.description.as_deref().unwrap_or(DESCRIPTION))
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
                .rds
                .modify_db_subnet_group()
                .db_subnet_group_name(name)
                .set_db_subnet_group_description(want.description.clone())
                .set_subnet_ids(Some(ids(want)));
            cloud.send(MODIFY, request.send()).await?;
        }
        tags::update(cloud, arn_of(cloud, name).as_str(), &change, &want.tags).await
    }

    async fn delete(cloud: &Aws, subject: &Subject) -> Result<(), Failure> {
        let request = cloud.rds.delete_db_subnet_group().db_subnet_group_name(subject.id()?);
        cloud.find(DELETE, request.send()).await.map(drop)
    }

    fn predict(of: &Prediction<'_>) -> BTreeMap<&'static str, String> {
        predict_by_name(of, "name", "rds", "subgrp:")
    }
}

fn ids(want: &SubnetGroup) -> Vec<String> {
    want.subnets.iter().map(Id::to_string).collect()
}

fn arn_of(cloud: &Aws, name: &str) -> Arn {
    cloud.arn("rds", &format!("subgrp:{name}"))
}

fn found(
    group: Described,
    arn: String,
    tags: Vec<aws_sdk_rds::types::Tag>,
) -> Result<Found<SubnetGroup>, Failure> {
    let name = group.db_subnet_group_name.ok_or_else(|| absent(READ, "a name"))?;
    let (owner, own_tags) = tags::split(tags);
    let subnets = group.subnets.unwrap_or_default().into_iter();
    let status = match group.subnet_group_status.as_deref() {
        None | Some("Complete") => Status::Ready,
        Some(other) => Status::Pending(other.to_owned()),
    };
    Ok(Found {
        observed: SubnetGroupObserved {
            name: Some(name.clone()),
            description: group.db_subnet_group_description,
            subnets: Some(subnets.filter_map(|s| s.subnet_identifier).map(Id::existing).collect()),
            tags: Some(own_tags),
        },
        outputs: SubnetGroupOutputs { name: Id::existing(&name), arn: Arn::new(arn) },
        id: name,
        status,
        owner,
    })
}
