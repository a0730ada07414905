//! A managed node group: machines of a cluster, kept by EKS.
//!
//! <https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateNodegroup.html>

use super::{Cluster, tags};
use crate::{
    Aws,
    call::{absent, calls},
    each::each,
    ec2::Subnet,
    tags::{self as marks, Tags},
    words::words,
};
use aws_sdk_eks::types::{
    Nodegroup as Described, NodegroupScalingConfig, NodegroupStatus, NodegroupUpdateConfig,
    Taint as WireTaint, UpdateLabelsPayload, UpdateTaintsPayload,
};
use formwork_engine::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A managed node group: machines of a cluster, kept by EKS.
#[derive(Resource, Deserialize)]
#[resource(kind = "aws.eks.NodeGroup", outputs = NodeGroupOutputs, identity = name(63))]
pub struct NodeGroup {
    #[replace]
    pub cluster: Id<Cluster>,
    /// The role of its machines.
    #[replace]
    pub role: Arn,
    /// Where its machines are.
    #[replace]
    #[unordered]
    pub subnets: Vec<Id<Subnet>>,
    /// The machine types that it may use, the best first. Default: `t3.medium`.
    #[replace]
    pub instance_types: Option<Vec<String>>,
    /// How few machines there may be.
    pub min_size: u32,
    /// How many machines there may be.
    pub max_size: u32,
    /// How many machines there are. Default: `min_size` at first, then left to whoever scales it.
    pub desired_size: Option<u32>,
    /// How its machines are paid. Default: on demand.
    #[replace]
    pub capacity: Option<Capacity>,
    /// The machine image, such as `AL2023_x86_64_STANDARD`. Default: chosen by EKS for the machine types.
    #[replace]
    pub image: Option<String>,
    /// The disk of each machine, in GiB. Default: 20.
    #[replace]
    pub disk_size: Option<u32>,
    /// Kubernetes' minor version. Default: the cluster's, at creation. It never is ahead of the cluster's.
    pub version: Option<String>,
    /// How many machines may be away at once during an update. Default: 1.
    #[default(1)]
    pub max_unavailable: Option<u32>,
    /// The labels of its Kubernetes nodes.
    #[default({})]
    pub labels: Option<BTreeMap<String, String>>,
    /// The taints of its Kubernetes nodes.
    #[unordered]
    #[default([])]
    pub taints: Option<Vec<Taint>>,
    pub tags: Option<Tags>,
}

/// A taint of Kubernetes nodes, which keeps pods away that don't tolerate it.
#[derive(Clone, Debug, PartialEq, Nested, Serialize, Deserialize)]
pub struct Taint {
    pub key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    pub effect: TaintEffect,
}

words! {
    /// What a taint does to pods that don't tolerate it.
    pub enum TaintEffect {
        NoSchedule = "NO_SCHEDULE",
        NoExecute = "NO_EXECUTE",
        PreferNoSchedule = "PREFER_NO_SCHEDULE",
    }
}

words! {
    /// How machines are paid.
    pub enum Capacity {
        OnDemand = "ON_DEMAND",
        Spot = "SPOT",
    }
}

/// What is known of a node group.
#[derive(Outputs, Serialize)]
pub struct NodeGroupOutputs {
    #[predicted]
    pub name: Id<NodeGroup>,
    pub arn: Arn,
}

calls! { NodeGroup + tags::CALLS:
    READ = EKS.DescribeNodegroup on ["nodegroup/{cluster}/{name}/*"];
    CREATE = EKS.CreateNodegroup on ["cluster/{cluster}"],
        and "eks:TagResource" on ["nodegroup/{cluster}/{name}/*"],
        and "iam:PassRole" on ["role/*"] if "iam:PassedToService" = "eks.amazonaws.com",
        and "iam:GetRole" on ["role/*"],
        and "iam:ListAttachedRolePolicies" on ["role/*"],
        and "ec2:DescribeSubnets" on ["*"],
        and "iam:CreateServiceLinkedRole" on ["role/aws-service-role/eks-nodegroup.amazonaws.com/*"]
            if "iam:AWSServiceName" = "eks-nodegroup.amazonaws.com";
    CONFIGURE = EKS.UpdateNodegroupConfig on ["nodegroup/{cluster}/{name}/*"];
    UPGRADE = EKS.UpdateNodegroupVersion on ["nodegroup/{cluster}/{name}/*"];
    DELETE = EKS.DeleteNodegroup on ["nodegroup/{cluster}/{name}/*"];
}

impl Reconcile for NodeGroup {
    type Cloud = Aws;

    async fn list(cloud: &Aws, wanted: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
        each(cloud, wanted).await
    }

    async fn read(cloud: &Aws, subject: &Subject) -> Result<Option<Found<Self>>, Failure> {
        let group = describe(cloud, subject.input("cluster")?, &subject.name).await?;
        group.map(found).transpose()
    }

    async fn create(
        cloud: &Aws,
        subject: &Subject,
        want: Self,
        _: &Secrets,
    ) -> Result<String, Failure> {
        let tags = marks::at_creation(subject, want.tags.as_ref());
        let first = want.desired_size.unwrap_or(want.min_size);
        let request = cloud
            .eks
            .create_nodegroup()
            .cluster_name(want.cluster.as_str())
            .nodegroup_name(&subject.name)
            .client_request_token(&subject.owner.intent)
            .node_role(want.role.as_str())
            .set_subnets(Some(want.subnets.iter().map(Id::to_string).collect()))
            .set_instance_types(want.instance_types.clone())
            .scaling_config(scaling(&want, Some(first))?)
            .set_capacity_type(want.capacity.map(|capacity| capacity.as_str().into()))
            .set_ami_type(want.image.as_deref().map(Into::into))
            .set_disk_size(want.disk_size.map(|size| signed("disk_size", size)).transpose()?)
            .set_version(want.version.clone())
            .set_update_config(pace(&want)?)
            .set_labels(want.labels.clone().map(|labels| labels.into_iter().collect()))
            .set_taints(want.taints.as_ref().map(|taints| taints.iter().map(wire).collect()))
            .set_tags(Some(tags.into_iter().collect()));
        cloud.send(CREATE, request.send()).await?;
        Ok(id(want.cluster.as_str(), &subject.name))
    }

    /// EKS takes a change of the version or of the rest at a time: the other one waits for it.
    async fn update(
        cloud: &Aws,
        subject: &Subject,
        change: Change<'_, Self>,
    ) -> Result<(), Failure> {
        tags::update(cloud, subject, &change, &change.want.tags).await?;
        let (cluster, name) = (change.want.cluster.as_str(), &subject.name);
        let group = describe(cloud, cluster, name).await?;
        let group = group.ok_or_else(|| Failure::invalid(format!("node group {name} is gone")))?;
        if group.status == Some(NodegroupStatus::Updating) {
            return Err(Failure::busy(format!("node group {name} is being updated")));
        }
        let upgrade = change.want.version.as_ref().filter(|want| {
            change.has("version") && group.version.as_deref() != Some(want.as_str())
        });
        if configure(cloud, &group, &change, cluster, name).await? && upgrade.is_some() {
            return Err(Failure::busy(format!("node group {name} has its new version to come")));
        }
        if let Some(version) = upgrade {
            let request = cloud.eks.update_nodegroup_version();
            let request = request.cluster_name(cluster).nodegroup_name(name).version(version);
            cloud.send(UPGRADE, request.send()).await?;
        }
        Ok(())
    }

    async fn delete(cloud: &Aws, subject: &Subject) -> Result<(), Failure> {
        let request = cloud
            .eks
            .delete_nodegroup()
            .cluster_name(subject.input("cluster")?)
            .nodegroup_name(&subject.name);
        cloud.find(DELETE, request.send()).await.map(drop)
    }

    fn predict(of: &Prediction<'_>) -> BTreeMap<&'static str, String> {
        [("name", of.name.to_owned())].into()
    }
}

fn id(cluster: &str, name: &str) -> String {
    format!("{cluster}/{name}")
}

async fn describe(cloud: &Aws, cluster: &str, name: &str) -> Result<Option<Described>, Failure> {
    let request = cloud.eks.describe_nodegroup().cluster_name(cluster).nodegroup_name(name);
    let Some(answer) = cloud.find(READ, request.send()).await? else { return Ok(None) };
    answer.nodegroup.ok_or_else(|| absent(READ, "the node group")).map(Some)
}

fn found(group: Described) -> Result<Found<NodeGroup>, Failure> {
    let cluster = group.cluster_name.clone().ok_or_else(|| absent(READ, "a cluster"))?;
    let name = group.nodegroup_name.clone().ok_or_else(|| absent(READ, "a name"))?;
    let arn = group.nodegroup_arn.clone().ok_or_else(|| absent(READ, "an ARN"))?;
    let issues = group.health().map(|health| health.issues()).unwrap_or_default();
    let reasons: Vec<&str> = issues.iter().filter_map(|issue| issue.message()).collect();
    let status = match group.status.clone() {
        Some(NodegroupStatus::Active) => Status::Ready,
        Some(NodegroupStatus::Deleting) => Status::Deleting,
        Some(
            status @ (NodegroupStatus::CreateFailed
            | NodegroupStatus::DeleteFailed
            | NodegroupStatus::Degraded),
        ) => Status::Failed(format!("{status}: {}", reasons.join("; "))),
        Some(status) => Status::Pending(status.to_string()),
        None => Status::Pending("without a status".into()),
    };
    let (owner, own_tags) = tags::split(group.tags.clone());
    Ok(Found {
        observed: observed(&group, own_tags),
        outputs: NodeGroupOutputs { name: Id::existing(&name), arn: Arn::new(arn) },
        id: id(&cluster, &name),
        status,
        owner,
    })
}

fn observed(group: &Described, tags: Tags) -> NodeGroupObserved {
    let count = |count: Option<i32>| count.and_then(|count| u32::try_from(count).ok());
    let scaling = group.scaling_config();
    NodeGroupObserved {
        cluster: group.cluster_name.clone().map(Id::existing),
        role: group.node_role.clone().map(Arn::new),
        subnets: Some(group.subnets().iter().map(Id::existing).collect()),
        instance_types: group.instance_types.clone(),
        min_size: scaling.and_then(|scaling| count(scaling.min_size)),
        max_size: scaling.and_then(|scaling| count(scaling.max_size)),
        desired_size: scaling.and_then(|scaling| count(scaling.desired_size)),
        capacity: group.capacity_type().and_then(|c| Capacity::from_word(c.as_str())),
        image: group.ami_type().map(|image| image.as_str().to_owned()),
        disk_size: count(group.disk_size),
        version: group.version.clone(),
        max_unavailable: group.update_config().and_then(|pace| count(pace.max_unavailable)),
        labels: Some(group.labels.clone().unwrap_or_default().into_iter().collect()),
        taints: Some(group.taints().iter().filter_map(from_wire).collect()),
        tags: Some(tags),
    }
}

/// Sends what differs beside the version, if anything does.
async fn configure(
    cloud: &Aws,
    group: &Described,
    change: &Change<'_, NodeGroup>,
    cluster: &str,
    name: &str,
) -> Result<bool, Failure> {
    let want = &change.want;
    let fields = ["min_size", "max_size", "desired_size", "max_unavailable", "labels", "taints"];
    let now = observed(group, Tags::new());
    let request = cloud.eks.update_nodegroup_config().cluster_name(cluster).nodegroup_name(name);
    let sizes = (Some(want.min_size), Some(want.max_size), want.desired_size.or(now.desired_size));
    let pace_differs =
        want.max_unavailable.is_some() && want.max_unavailable != now.max_unavailable;
    let labels = want.labels.clone().filter(|want| Some(want) != now.labels.as_ref());
    let taints = want.taints.as_deref().map(|want| taints(now.taints.as_deref(), want));
    let taints = taints.flatten();
    let differs = sizes != (now.min_size, now.max_size, now.desired_size)
        || pace_differs
        || labels.is_some()
        || taints.is_some();
    if !differs || !fields.into_iter().any(|field| change.has(field)) {
        return Ok(false);
    }
    let request = request
        // A count that is out of the new bounds would be refused: it follows them.
        .scaling_config(scaling(
            want,
            sizes.2.map(|desired| desired.clamp(want.min_size, want.max_size.max(want.min_size))),
        )?)
        .set_update_config(pace(want)?)
        .set_labels(labels.map(|want| self::labels(&now.labels.unwrap_or_default(), want)))
        .set_taints(taints);
    cloud.send(CONFIGURE, request.send()).await?;
    Ok(true)
}

fn labels(now: &BTreeMap<String, String>, want: BTreeMap<String, String>) -> UpdateLabelsPayload {
    let gone: Vec<String> = now.keys().filter(|key| !want.contains_key(*key)).cloned().collect();
    UpdateLabelsPayload::builder()
        .set_add_or_update_labels(Some(want.into_iter().collect()))
        .set_remove_labels(Some(gone))
        .build()
}

/// What to do about the taints; nothing if they are what they should be.
fn taints(now: Option<&[Taint]>, want: &[Taint]) -> Option<UpdateTaintsPayload> {
    let now = now.unwrap_or_default();
    let add: Vec<WireTaint> = want.iter().filter(|t| !now.contains(t)).map(wire).collect();
    // A taint is known by its key and effect: one whose value changes is updated, not taken away.
    let stays = |t: &Taint| want.iter().any(|w| (&w.key, w.effect) == (&t.key, t.effect));
    let gone: Vec<WireTaint> = now.iter().filter(|t| !stays(t)).map(wire).collect();
    if add.is_empty() && gone.is_empty() {
        return None;
    }
    let payload = UpdateTaintsPayload::builder().set_add_or_update_taints(Some(add));
    Some(payload.set_remove_taints(Some(gone)).build())
}

fn wire(taint: &Taint) -> WireTaint {
    WireTaint::builder()
        .key(&taint.key)
        .set_value(taint.value.clone())
        .effect(taint.effect.as_str().into())
        .build()
}

fn from_wire(taint: &WireTaint) -> Option<Taint> {
    Some(Taint {
        key: taint.key.clone()?,
        value: taint.value.clone().filter(|value| !value.is_empty()),
        effect: TaintEffect::from_word(taint.effect()?.as_str())?,
    })
}

fn scaling(want: &NodeGroup, desired: Option<u32>) -> Result<NodegroupScalingConfig, Failure> {
    Ok(NodegroupScalingConfig::builder()
        .min_size(signed("min_size", want.min_size)?)
        .max_size(signed("max_size", want.max_size)?)
        .set_desired_size(desired.map(|desired| signed("desired_size", desired)).transpose()?)
        .build())
}

fn pace(want: &NodeGroup) -> Result<Option<NodegroupUpdateConfig>, Failure> {
    let Some(count) = want.max_unavailable else { return Ok(None) };
    let count = signed("max_unavailable", count)?;
    Ok(Some(NodegroupUpdateConfig::builder().max_unavailable(count).build()))
}

/// A count as EKS takes it.
fn signed(field: &str, count: u32) -> Result<i32, Failure> {
    i32::try_from(count).map_err(|_| Failure::invalid(format!("`{field}` is too large: {count}")))
}
