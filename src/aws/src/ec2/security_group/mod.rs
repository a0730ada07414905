//! A security group, with its rules.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html>

mod rule;

pub use rule::Rule;

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
    Filter, ResourceType, SecurityGroup as Described, SecurityGroupRule, SecurityGroupRuleRequest,
    SecurityGroupRuleUpdate,
};
use formwork_engine::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A security group: what may reach its members, and what they may reach.
#[derive(Resource, Deserialize)]
#[resource(kind = "aws.ec2.SecurityGroup", outputs = SecurityGroupOutputs, identity = name(255))]
pub struct SecurityGroup {
    #[replace]
    pub vpc: Id<Vpc>,
    /// What it is for; EC2 keeps it for good. Default: the resource's address.
    #[replace]
    pub description: Option<String>,
    /// What may reach its members; an empty list admits nobody.
    #[unordered]
    pub ingress: Vec<Rule>,
    /// What its members may reach. Where none is given, EC2's own rule stays: everything.
    #[unordered]
    pub egress: Option<Vec<Rule>>,
    pub tags: Option<Tags>,
}

/// What is known of a security group.
#[derive(Outputs, Serialize)]
pub struct SecurityGroupOutputs {
    pub id: Id<SecurityGroup>,
    pub arn: Arn,
    #[predicted]
    pub name: String,
}

calls! { SecurityGroup + tags::CALLS:
    LIST = EC2.DescribeSecurityGroups on ["*"];
    RULES = EC2.DescribeSecurityGroupRules on ["*"];
    CREATE = EC2.CreateSecurityGroup on ["security-group/*", "vpc/{vpc}"],
        and "ec2:CreateTags" on ["security-group/*"] if "ec2:CreateAction" = "CreateSecurityGroup";
    ADMIT = EC2.AuthorizeSecurityGroupIngress on ["security-group/{id}"];
    LET_OUT = EC2.AuthorizeSecurityGroupEgress on ["security-group/{id}"];
    REVOKE_IN = EC2.RevokeSecurityGroupIngress on ["security-group/{id}"];
    REVOKE_OUT = EC2.RevokeSecurityGroupEgress on ["security-group/{id}"];
    REWRITE = EC2.ModifySecurityGroupRules on ["security-group/{id}", "security-group-rule/*"];
    DELETE = EC2.DeleteSecurityGroup on ["security-group/{id}"];
}

impl Reconcile for SecurityGroup {
    type Cloud = Aws;

    async fn list(cloud: &Aws, wanted: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
        let described =
            find(wanted, BY_ID, Described::group_id, |filter| describe(cloud, filter)).await?;
        described.into_iter().map(|group| found(cloud, group)).collect()
    }

    async fn create(
        cloud: &Aws,
        subject: &Subject,
        want: Self,
        _: &Secrets,
    ) -> Result<String, Failure> {
        let tags = tags::at_creation(ResourceType::SecurityGroup, subject, want.tags.as_ref());
        let description = want.description.unwrap_or_else(|| subject.owner.address.to_string());
        let request = cloud
            .ec2
            .create_security_group()
            .vpc_id(want.vpc.as_str())
            .group_name(&subject.name)
            .description(description)
            .tag_specifications(tags);
        let made = cloud.send(CREATE, request.send()).await?;
        let id = made.group_id.ok_or_else(|| absent(CREATE, "an id"))?;
        set_rules(cloud, &id, Some(&want.ingress), want.egress.as_deref())
            .await
            .map_err(half_made(&id))?;
        Ok(id)
    }

    async fn update(
        cloud: &Aws,
        subject: &Subject,
        change: Change<'_, Self>,
    ) -> Result<(), Failure> {
        let (id, want) = (subject.id()?, &change.want);
        let ingress = Some(&want.ingress[..]).filter(|_| change.has("ingress"));
        let egress = want.egress.as_deref().filter(|_| change.has("egress"));
        set_rules(cloud, id, ingress, egress).await?;
        tags::update(cloud, id, &change, &want.tags).await
    }

    async fn delete(cloud: &Aws, subject: &Subject) -> Result<(), Failure> {
        let request = cloud.ec2.delete_security_group().group_id(subject.id()?);
        cloud.find(DELETE, request.send()).await.map(drop)
    }

    fn predict(of: &Prediction<'_>) -> BTreeMap<&'static str, String> {
        [("name", of.name.to_owned())].into()
    }

    /// Writes out what a rule leaves to its defaults, and refuses one that says nothing clear.
    fn expand(fields: Data) -> Result<Data, Failure> {
        let mut fields = fields.into_map();
        for list in ["ingress", "egress"] {
            if let Some(Data::List(rules)) = fields.get_mut(list) {
                for rule in rules {
                    *rule = rule::expand(rule.clone()).map_err(|failure| failure.context(list))?;
                }
            }
        }
        Ok(Data::Map(fields))
    }
}

const BY_ID: &str = "group-id";

async fn describe(cloud: &Aws, filter: Filter) -> Result<Vec<Described>, Failure> {
    under_filter!(cloud, LIST, describe_security_groups().filters(filter) => security_groups).await
}

fn found(cloud: &Aws, group: Described) -> Result<Found<SecurityGroup>, Failure> {
    let id = group.group_id.ok_or_else(|| absent(LIST, "an id"))?;
    let (owner, own_tags) = tags::split(group.tags);
    let rules = |permissions: Option<Vec<_>>| {
        permissions.unwrap_or_default().iter().flat_map(|p| Rule::of_permission(p, &id)).collect()
    };
    Ok(Found {
        observed: SecurityGroupObserved {
            vpc: group.vpc_id.map(Id::existing),
            description: group.description,
            ingress: Some(rules(group.ip_permissions)),
            egress: Some(rules(group.ip_permissions_egress)),
            tags: Some(own_tags),
        },
        outputs: SecurityGroupOutputs {
            id: Id::existing(&id),
            arn: cloud.arn("ec2", &format!("security-group/{id}")),
            name: group.group_name.unwrap_or_default(),
        },
        id,
        status: Status::Ready,
        owner,
    })
}

/// Makes the rules of one or both directions what they should be: what is missing comes before what
/// is too much goes, so that nobody is cut off in between.
async fn set_rules(
    cloud: &Aws,
    id: &str,
    ingress: Option<&[Rule]>,
    egress: Option<&[Rule]>,
) -> Result<(), Failure> {
    if ingress.is_none() && egress.is_none() {
        return Ok(());
    }
    let now = rules(cloud, id).await?;
    for (want, out) in [(ingress, false), (egress, true)] {
        let Some(want) = want else { continue };
        let now = now.iter().filter(|rule| rule.is_egress == Some(out));
        let (add, rewrite, revoke) = compare(id, now, want);
        if !add.is_empty() {
            let permissions: Vec<_> = add.into_iter().map(|rule| rule.permission(id)).collect();
            if out {
                let request = cloud.ec2.authorize_security_group_egress().group_id(id);
                let request = request.set_ip_permissions(Some(permissions));
                cloud.send_to_new(LET_OUT, || request.clone().send()).await?;
            } else {
                let request = cloud.ec2.authorize_security_group_ingress().group_id(id);
                let request = request.set_ip_permissions(Some(permissions));
                cloud.send_to_new(ADMIT, || request.clone().send()).await?;
            }
        }
        if !rewrite.is_empty() {
            let request = cloud.ec2.modify_security_group_rules().group_id(id);
            let request = request.set_security_group_rules(Some(rewrite));
            cloud.send(REWRITE, request.send()).await?;
        }
        if !revoke.is_empty() && out {
            let request = cloud.ec2.revoke_security_group_egress().group_id(id);
            let request = request.set_security_group_rule_ids(Some(revoke));
            cloud.send(REVOKE_OUT, request.send()).await?;
        } else if !revoke.is_empty() {
            let request = cloud.ec2.revoke_security_group_ingress().group_id(id);
            let request = request.set_security_group_rule_ids(Some(revoke));
            cloud.send(REVOKE_IN, request.send()).await?;
        }
    }
    Ok(())
}

async fn rules(cloud: &Aws, id: &str) -> Result<Vec<SecurityGroupRule>, Failure> {
    let of = Filter::builder().name(BY_ID).values(id).build();
    under_filter!(cloud, RULES, describe_security_group_rules().filters(of) => security_group_rules)
        .await
}

/// Which rules are missing, which only describe themselves differently, and the ids of those too many.
fn compare<'w>(
    id: &str,
    now: impl Iterator<Item = &'w SecurityGroupRule>,
    want: &'w [Rule],
) -> (Vec<&'w Rule>, Vec<SecurityGroupRuleUpdate>, Vec<String>) {
    let mut missing: Vec<&Rule> = want.iter().collect();
    let (mut rewrite, mut revoke) = (vec![], vec![]);
    for there in now {
        let Some(rule_id) = &there.security_group_rule_id else { continue };
        let is = Rule::of_rule(there, id);
        match missing.iter().position(|want| want.admits_as(&is)) {
            None => revoke.push(rule_id.clone()),
            Some(at) => {
                let want = missing.remove(at);
                if want.description.is_some() && want.description != is.description {
                    rewrite.push(update(rule_id, want.request(id)));
                }
            }
        }
    }
    (missing, rewrite, revoke)
}

fn update(rule_id: &str, to: SecurityGroupRuleRequest) -> SecurityGroupRuleUpdate {
    SecurityGroupRuleUpdate::builder()
        .security_group_rule_id(rule_id)
        .security_group_rule(to)
        .build()
}
