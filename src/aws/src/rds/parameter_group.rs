//! A parameter group: settings of the database engine.
//!
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBParameterGroup.html>

use super::tags;
use crate::{
    Aws,
    call::{absent, calls, half_made},
    each::each,
    named::{made_or_ours, name_of, predict_by_name},
    tags::Tags,
};
use aws_sdk_rds::types::{ApplyMethod, DbParameterGroup as Described, Parameter};
use formwork_engine::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What AWS asks for and shows, where the author says nothing.
const DESCRIPTION: &str = "made by formwork";
/// The most parameters that one call changes.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBParameterGroup.html>
const MAX_PARAMETERS: usize = 20;

/// A parameter group: settings of the database engine.
///
/// Dynamic parameters hold at once on the servers that use the group, static ones after the server's
/// next restart, which nothing here causes.
#[derive(Resource, Deserialize)]
#[resource(kind = "aws.rds.ParameterGroup", outputs = ParameterGroupOutputs, identity = name(255))]
pub struct ParameterGroup {
    /// Its name, in lower case. Default: made of the address.
    #[replace]
    pub name: Option<String>,
    /// The engine and its major version, such as `postgres17`.
    #[replace]
    pub family: String,
    #[replace]
    #[default(DESCRIPTION)]
    pub description: Option<String>,
    /// Settings that differ from the engine's own, such as `rds.force_ssl` = `1`.
    pub parameters: BTreeMap<String, String>,
    pub tags: Option<Tags>,
}

/// What is known of a parameter group.
#[derive(Outputs, Serialize)]
pub struct ParameterGroupOutputs {
    #[predicted]
    pub name: Id<ParameterGroup>,
    #[predicted]
    pub arn: Arn,
}

calls! { ParameterGroup + tags::CALLS:
    READ = RDS.DescribeDBParameterGroups on ["pg:*"];
    READ_PARAMETERS = RDS.DescribeDBParameters on ["pg:{name}"];
    CREATE = RDS.CreateDBParameterGroup on ["pg:{name}"],
        and "rds:AddTagsToResource" on ["pg:{name}"];
    MODIFY = RDS.ModifyDBParameterGroup on ["pg:{name}"];
    RESET = RDS.ResetDBParameterGroup on ["pg:{name}"];
    DELETE = RDS.DeleteDBParameterGroup on ["pg:{id}"];
}

impl Reconcile for ParameterGroup {
    type Cloud = Aws;

    async fn list(cloud: &Aws, wanted: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
        // The list of all has neither tags nor parameters, and a stack has one or two.
        each(cloud, wanted).await
    }

    async fn read(cloud: &Aws, subject: &Subject) -> Result<Option<Found<Self>>, Failure> {
        let request = cloud.rds.describe_db_parameter_groups();
        let request = request.db_parameter_group_name(name_of(subject)).send();
        let groups = cloud.find(READ, request).await?.and_then(|page| page.db_parameter_groups);
        let Some(group) = groups.and_then(|mut groups| groups.pop()) else { return Ok(None) };
        let arn = group.db_parameter_group_arn().ok_or_else(|| absent(READ, "an ARN"))?.to_owned();
        let name = group.db_parameter_group_name().unwrap_or_default();
        let (tags, parameters) =
            futures::try_join!(tags::read(cloud, &arn), parameters(cloud, name, Some("user")))?;
        // Without its tags it went away while it was read.
        let Some(tags) = tags else { return Ok(None) };
        found(group, arn, tags, parameters).map(Some)
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
            .create_db_parameter_group()
            .db_parameter_group_name(name)
            .db_parameter_group_family(&want.family)
            .description(want.description.as_deref().unwrap_or(DESCRIPTION))
            .set_tags(Some(tags::at_creation(subject, want.tags.as_ref())));
        let made = cloud.send(CREATE, request.send()).await;
        made_or_ours::<Self, _>(cloud, subject, made).await?;
        set(cloud, name, &want.parameters).await.map_err(half_made(name))?;
        Ok(name.to_owned())
    }

    async fn update(
        cloud: &Aws,
        subject: &Subject,
        change: Change<'_, Self>,
    ) -> Result<(), Failure> {
        let (name, want) = (subject.id()?, &change.want);
        if change.has("parameters") {
            set(cloud, name, &want.parameters).await?;
        }
        let arn = cloud.arn("rds", &format!("pg:{name}"));
        tags::update(cloud, arn.as_str(), &change, &want.tags).await
    }

    async fn delete(cloud: &Aws, subject: &Subject) -> Result<(), Failure> {
        let request = cloud.rds.delete_db_parameter_group();
        let request = request.db_parameter_group_name(subject.id()?);
        cloud.find(DELETE, request.send()).await.map(drop)
    }

    fn predict(of: &Prediction<'_>) -> BTreeMap<&'static str, String> {
        predict_by_name(of, "name", "rds", "pg:")
    }
}

/// The parameters of a group: all of them, or those of one source.
async fn parameters(
    cloud: &Aws,
    name: &str,
    source: Option<&str>,
) -> Result<Vec<Parameter>, Failure> {
    let request = |token| {
        let request = cloud.rds.describe_db_parameters().db_parameter_group_name(name);
        request.set_source(source.map(str::to_owned)).set_marker(token).send()
    };
    cloud
        .pages(READ_PARAMETERS, request, |page| (page.marker, page.parameters.unwrap_or_default()))
        .await
}

/// Makes these the parameters that differ from the engine's own.
async fn set(cloud: &Aws, name: &str, want: &BTreeMap<String, String>) -> Result<(), Failure> {
    let all = parameters(cloud, name, None).await?;
    let is = |parameter: &Parameter, what: &str| parameter.apply_type.as_deref() == Some(what);
    let named = |p: &Parameter| p.parameter_name.clone();
    let dynamic: BTreeSet<String> =
        all.iter().filter(|p| is(p, "dynamic")).filter_map(named).collect();
    let change = |parameter: &str, value: Option<&String>| {
        // A static one can't be changed on a running server, and RDS refuses to try.
        let method = match dynamic.contains(parameter) {
            true => ApplyMethod::Immediate,
            false => ApplyMethod::PendingReboot,
        };
        let change = Parameter::builder().parameter_name(parameter).apply_method(method);
        change.set_parameter_value(value.cloned()).build()
    };
    let current: BTreeMap<String, Option<String>> = parameters(cloud, name, Some("user"))
        .await?
        .into_iter()
        .filter_map(|p| Some((p.parameter_name?, p.parameter_value)))
        .collect();
    let set: Vec<Parameter> = want
        .iter()
        .filter(|(parameter, value)| current.get(*parameter) != Some(&Some((*value).clone())))
        .map(|(parameter, value)| change(parameter, Some(value)))
        .collect();
    let gone: Vec<Parameter> =
        current.keys().filter(|p| !want.contains_key(*p)).map(|p| change(p, None)).collect();
    for some in set.chunks(MAX_PARAMETERS) {
        let request = cloud.rds.modify_db_parameter_group().db_parameter_group_name(name);
        cloud.send(MODIFY, request.set_parameters(Some(some.to_vec())).send()).await?;
    }
    for some in gone.chunks(MAX_PARAMETERS) {
        let request = cloud.rds.reset_db_parameter_group().db_parameter_group_name(name);
        cloud.send(RESET, request.set_parameters(Some(some.to_vec())).send()).await?;
    }
    Ok(())
}

fn found(
    group: Described,
    arn: String,
    tags: Vec<aws_sdk_rds::types::Tag>,
    parameters: Vec<Parameter>,
) -> Result<Found<ParameterGroup>, Failure> {
    let name = group.db_parameter_group_name.ok_or_else(|| absent(READ, "a name"))?;
    let (owner, own_tags) = tags::split(tags);
    let pair = |p: Parameter| Some((p.parameter_name?, p.parameter_value?));
    Ok(Found {
        observed: ParameterGroupObserved {
            name: Some(name.clone()),
            family: group.db_parameter_group_family,
            description: group.description,
            parameters: Some(parameters.into_iter().filter_map(pair).collect()),
            tags: Some(own_tags),
        },
        outputs: ParameterGroupOutputs { name: Id::existing(&name), arn: Arn::new(arn) },
        id: name,
        status: Status::Ready,
        owner,
    })
}
