//! An add-on: software of AWS in a cluster, kept by EKS.
//!
//! <https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateAddon.html>

use super::{Cluster, tags};
use crate::{
    Aws,
    call::{absent, calls},
    each::each,
    tags::{self as marks, Tags},
    words::words,
};
use aws_sdk_eks::types::{Addon as Described, AddonStatus};
use formwork_engine::*;
use serde::{Deserialize, Serialize};

/// An add-on: software of AWS in a cluster, such as `coredns`, kept by EKS.
#[derive(Resource, Deserialize)]
#[resource(kind = "aws.eks.Addon", outputs = AddonOutputs, identity = key)]
pub struct Addon {
    #[replace]
    pub cluster: Id<Cluster>,
    /// The add-on's name, such as `vpc-cni`, `kube-proxy`, `coredns`, `eks-pod-identity-agent`.
    #[replace]
    pub name: String,
    /// The version, such as `v1.19.0-eksbuild.1`. Default: what EKS thinks best for the cluster's version.
    pub version: Option<String>,
    /// Its settings, by the schema that `aws eks describe-addon-configuration` shows.
    pub configuration: Option<serde_json::Value>,
    /// The role of its service account, where it doesn't have a pod identity association.
    pub role: Option<Arn>,
    /// What happens where it meets objects that something else has made. Default: it fails.
    #[write_only]
    pub conflicts: Option<Conflicts>,
    pub tags: Option<Tags>,
}

words! {
    /// What an add-on does where it meets objects that something else has made.
    pub enum Conflicts {
        /// Fails.
        Fail = "NONE",
        /// Takes them over.
        Overwrite = "OVERWRITE",
        /// Keeps what they say, when it is updated.
        Preserve = "PRESERVE",
    }
}

/// What is known of an add-on.
#[derive(Outputs, Serialize)]
pub struct AddonOutputs {
    pub arn: Arn,
    /// The version that runs.
    #[changes_with(version)]
    pub version: String,
}

calls! { Addon + tags::CALLS:
    READ = EKS.DescribeAddon on ["addon/{cluster}/{name}/*"];
    CREATE = EKS.CreateAddon on ["cluster/{cluster}"],
        and "eks:TagResource" on ["addon/{cluster}/{name}/*"],
        and "iam:PassRole" on ["role/*"] if "iam:PassedToService" = "eks.amazonaws.com";
    UPDATE = EKS.UpdateAddon on ["addon/{cluster}/{name}/*"],
        and "iam:PassRole" on ["role/*"] if "iam:PassedToService" = "eks.amazonaws.com";
    DELETE = EKS.DeleteAddon on ["addon/{cluster}/{name}/*"];
}

impl Reconcile for Addon {
    type Cloud = Aws;

    async fn list(cloud: &Aws, wanted: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
        each(cloud, wanted).await
    }

    async fn read(cloud: &Aws, subject: &Subject) -> Result<Option<Found<Self>>, Failure> {
        let (cluster, name) = (subject.input("cluster")?, subject.input("name")?);
        let request = cloud.eks.describe_addon().cluster_name(cluster).addon_name(name);
        let Some(answer) = cloud.find(READ, request.send()).await? else { return Ok(None) };
        let addon = answer.addon.ok_or_else(|| absent(READ, "the add-on"))?;
        found(addon, id(cluster, name)).map(Some)
    }

    async fn create(
        cloud: &Aws,
        subject: &Subject,
        want: Self,
        _: &Secrets,
    ) -> Result<String, Failure> {
        let tags = marks::at_creation(subject, want.tags.as_ref());
        let request = cloud
            .eks
            .create_addon()
            .cluster_name(want.cluster.as_str())
            .addon_name(&want.name)
            .client_request_token(&subject.owner.intent)
            .set_addon_version(want.version)
            .set_configuration_values(want.configuration.map(|values| values.to_string()))
            .set_service_account_role_arn(want.role.map(|role| role.to_string()))
            .set_resolve_conflicts(want.conflicts.map(|conflicts| conflicts.as_str().into()))
            .set_tags(Some(tags.into_iter().collect()));
        cloud.send(CREATE, request.send()).await?;
        Ok(id(want.cluster.as_str(), &want.name))
    }

    async fn update(
        cloud: &Aws,
        subject: &Subject,
        change: Change<'_, Self>,
    ) -> Result<(), Failure> {
        let want = &change.want;
        tags::update(cloud, subject, &change, &want.tags).await?;
        if !["version", "configuration", "role"].into_iter().any(|field| change.has(field)) {
            return Ok(());
        }
        // What is left out of the request goes back to its default, so everything is in it.
        let request = cloud
            .eks
            .update_addon()
            .cluster_name(want.cluster.as_str())
            .addon_name(&want.name)
            .set_addon_version(want.version.clone())
            .set_configuration_values(want.configuration.as_ref().map(ToString::to_string))
            .set_service_account_role_arn(want.role.as_ref().map(Arn::to_string))
            .set_resolve_conflicts(want.conflicts.map(|conflicts| conflicts.as_str().into()));
        cloud.send(UPDATE, request.send()).await.map(drop)
    }

    async fn delete(cloud: &Aws, subject: &Subject) -> Result<(), Failure> {
        let (cluster, name) = (subject.input("cluster")?, subject.input("name")?);
        let request = cloud.eks.delete_addon().cluster_name(cluster).addon_name(name);
        cloud.find(DELETE, request.send()).await.map(drop)
    }
}

fn id(cluster: &str, name: &str) -> String {
    format!("{cluster}/{name}")
}

fn found(addon: Described, id: String) -> Result<Found<Addon>, Failure> {
    let arn = addon.addon_arn.ok_or_else(|| absent(READ, "an ARN"))?;
    let (owner, own_tags) = tags::split(addon.tags);
    let issues = addon.health.and_then(|health| health.issues).unwrap_or_default();
    let reasons: Vec<String> = issues.into_iter().filter_map(|issue| issue.message).collect();
    let status = match addon.status {
        Some(AddonStatus::Active) | None => Status::Ready,
        // An add-on without nodes to run on is degraded until there are some.
        Some(AddonStatus::Degraded) => Status::Pending(format!("DEGRADED: {}", reasons.join("; "))),
        Some(AddonStatus::Deleting) => Status::Deleting,
        Some(
            status @ (AddonStatus::CreateFailed
            | AddonStatus::UpdateFailed
            | AddonStatus::DeleteFailed),
        ) => Status::Failed(format!("{status}: {}", reasons.join("; "))),
        Some(status) => Status::Pending(status.to_string()),
    };
    let version = addon.addon_version.unwrap_or_default();
    let configuration = addon.configuration_values.filter(|text| !text.is_empty());
    Ok(Found {
        observed: AddonObserved {
            cluster: addon.cluster_name.map(Id::existing),
            name: addon.addon_name,
            version: Some(version.clone()).filter(|version| !version.is_empty()),
            // YAML is allowed there too; what isn't JSON is shown as the text that it is.
            configuration: configuration
                .map(|text| serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text))),
            role: addon.service_account_role_arn.filter(|arn| !arn.is_empty()).map(Arn::new),
            tags: Some(own_tags),
        },
        outputs: AddonOutputs { arn: Arn::new(arn), version },
        id,
        status,
        owner,
    })
}
