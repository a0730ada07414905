//! A cluster: the control plane of Kubernetes.
//!
//! <https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html>

mod update;

use super::{AccessEntry, AccessPolicy, PodIdentityAssociation, tags};
use crate::{
    Aws,
    call::{absent, calls},
    each::each,
    ec2::{SecurityGroup, Subnet},
    tags::{self as marks, Tags},
    target::predict_with_arn,
    words::words,
};
use aws_sdk_eks::types::{
    AuthenticationMode, BlockStorage, Cluster as Described, ClusterStatus, ComputeConfigRequest,
    CreateAccessConfigRequest, ElasticLoadBalancing, KubernetesNetworkConfigRequest, LogSetup,
    LogType, Logging, StorageConfigRequest, UpgradePolicyRequest, VpcConfigRequest,
};
use formwork_engine::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A cluster: the control plane of Kubernetes. Who may use it is said by access entries alone.
#[derive(Resource, Deserialize)]
#[resource(kind = "aws.eks.Cluster", outputs = ClusterOutputs, identity = name(100), hosts)]
pub struct Cluster {
    /// Kubernetes' minor version, such as `1.34`. It goes up one at a time, and never down.
    pub version: String,
    /// The role that the control plane works with.
    #[replace]
    pub role: Arn,
    /// The subnets that the control plane is reached in, in two zones or more.
    #[unordered]
    pub subnets: Vec<Id<Subnet>>,
    /// More security groups for the control plane's network interfaces, beside the cluster's own.
    #[unordered]
    pub security_groups: Option<Vec<Id<SecurityGroup>>>,
    /// Whether the Kubernetes API is reached from the internet. Default: yes.
    #[default(true)]
    pub public_endpoint: Option<bool>,
    /// Who may reach it from the internet. Default: everyone.
    #[unordered]
    #[default(["0.0.0.0/0"])]
    pub public_cidrs: Option<Vec<String>>,
    /// Whether it is reached within the VPC. Default: no.
    #[default(false)]
    pub private_endpoint: Option<bool>,
    /// The addresses of Kubernetes services. Default: chosen by EKS.
    #[replace]
    pub service_cidr: Option<String>,
    /// What the control plane logs to CloudWatch. Default: nothing.
    #[unordered]
    #[default([])]
    pub logging: Option<Vec<LogKind>>,
    /// Whether EKS refuses to delete it. Default: no.
    #[default(false)]
    pub deletion_protection: Option<bool>,
    /// EKS Auto Mode: nodes, block storage and load balancers by EKS itself.
    pub auto_mode: Option<AutoMode>,
    /// What happens when the version's standard support ends. Default: `Extended`, which costs more.
    pub support: Option<Support>,
    /// Whether whoever creates it is its administrator for good. Default: yes.
    #[replace]
    #[write_only]
    pub creator_is_admin: Option<bool>,
    /// Whether EKS installs a network plugin, kube-proxy and CoreDNS that nobody keeps up to date, to be
    /// taken over by add-ons. Default: yes, unless Auto Mode has them built in.
    #[replace]
    #[write_only]
    pub unmanaged_addons: Option<bool>,
    pub tags: Option<Tags>,
}

/// EKS Auto Mode.
///
/// <https://docs.aws.amazon.com/eks/latest/userguide/automode.html>
#[derive(Clone, Debug, PartialEq, Nested, Serialize, Deserialize)]
pub struct AutoMode {
    pub enabled: bool,
    /// The node pools that EKS makes: `general-purpose`, `system`.
    #[unordered]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_pools: Option<Vec<String>>,
    /// The role of the nodes in those pools.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_role: Option<Arn>,
}

words! {
    /// A part of the control plane that logs.
    pub enum LogKind {
        Api = "api",
        Audit = "audit",
        Authenticator = "authenticator",
        ControllerManager = "controllerManager",
        Scheduler = "scheduler",
    }
}

words! {
    /// What happens when a version's standard support ends.
    pub enum Support {
        /// It is upgraded.
        Standard = "STANDARD",
        /// It stays, for a higher price.
        Extended = "EXTENDED",
    }
}

/// What is known of a cluster.
#[derive(Outputs, Serialize)]
pub struct ClusterOutputs {
    /// What is made in a cluster needs it to be active.
    #[predicted]
    #[ready]
    pub name: Id<Cluster>,
    #[predicted]
    pub arn: Arn,
    /// Where the Kubernetes API is, a URL.
    #[ready]
    pub endpoint: String,
    /// The certificate authority of the Kubernetes API: PEM in base64.
    #[ready]
    pub certificate_authority: String,
    /// The issuer of service account tokens, a URL.
    #[ready]
    pub issuer: String,
    /// The cluster's own security group, which the control plane and managed nodes are in.
    #[ready]
    pub security_group: Id<SecurityGroup>,
}

impl ClusterOutputsRefs {
    /// Gives a role to the pods of a service account.
    pub fn pods(
        &self,
        namespace: impl IntoValue<String>,
        service_account: impl IntoValue<String>,
        role: impl IntoValue<Arn>,
    ) -> impl Draft<Resource = PodIdentityAssociation> + Lifecycle {
        PodIdentityAssociation::new()
            .cluster(self.name)
            .namespace(namespace)
            .service_account(service_account)
            .role(role)
    }

    /// Gives a principal an access policy of EKS, such as `AmazonEKSClusterAdminPolicy`, in the whole cluster.
    pub fn access(
        &self,
        principal: impl IntoValue<Arn>,
        policy: impl IntoValue<String>,
    ) -> impl Draft<Resource = AccessEntry> + Lifecycle {
        let policies = [AccessPolicy::new().policy(policy)];
        AccessEntry::new().cluster(self.name).principal(principal).policies(policies)
    }
}

calls! { Cluster + tags::CALLS:
    READ = EKS.DescribeCluster on ["cluster/{name}"];
    CREATE = EKS.CreateCluster on ["*"],
        and "eks:TagResource" on ["cluster/{name}"],
        and "iam:PassRole" on ["role/*"] if "iam:PassedToService" = "eks.amazonaws.com",
        and "iam:CreateServiceLinkedRole" on ["role/aws-service-role/eks.amazonaws.com/*"]
            if "iam:AWSServiceName" = "eks.amazonaws.com";
    CONFIGURE = EKS.UpdateClusterConfig on ["cluster/{name}"],
        and "iam:PassRole" on ["role/*"] if "iam:PassedToService" = "eks.amazonaws.com";
    UPGRADE = EKS.UpdateClusterVersion on ["cluster/{name}"];
    DELETE = EKS.DeleteCluster on ["cluster/{name}"];
}

impl Reconcile for Cluster {
    type Cloud = Aws;

    /// By name: `ListClusters` tells nothing but names, also of other people's clusters.
    async fn list(cloud: &Aws, wanted: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
        each(cloud, wanted).await
    }

    async fn read(cloud: &Aws, subject: &Subject) -> Result<Option<Found<Self>>, Failure> {
        let name = subject.id.as_deref().unwrap_or(&subject.name);
        describe(cloud, name).await?.map(|cluster| found(cloud, cluster)).transpose()
    }

    async fn create(
        cloud: &Aws,
        subject: &Subject,
        want: Self,
        _: &Secrets,
    ) -> Result<String, Failure> {
        let auto = want.auto_mode.as_ref().filter(|auto| auto.enabled);
        let access = CreateAccessConfigRequest::builder()
            .authentication_mode(AuthenticationMode::Api)
            .set_bootstrap_cluster_creator_admin_permissions(want.creator_is_admin)
            .build();
        let network = KubernetesNetworkConfigRequest::builder()
            .set_service_ipv4_cidr(want.service_cidr.clone())
            .set_elastic_load_balancing(auto.map(|_| load_balancing(true)))
            .build();
        let tags = marks::at_creation(subject, want.tags.as_ref());
        let request = cloud
            .eks
            .create_cluster()
            .name(&subject.name)
            .client_request_token(&subject.owner.intent)
            .version(&want.version)
            .role_arn(want.role.as_str())
            .resources_vpc_config(vpc_config(&want))
            .kubernetes_network_config(network)
            .access_config(access)
            .set_logging(want.logging.as_deref().map(logging))
            .set_compute_config(auto.map(compute))
            .set_storage_config(auto.map(|_| storage(true)))
            // Auto Mode has them built in, and EKS refuses to install them twice.
            .set_bootstrap_self_managed_addons(want.unmanaged_addons.or(auto.map(|_| false)))
            .set_upgrade_policy(want.support.map(upgrade_policy))
            .set_deletion_protection(want.deletion_protection)
            .set_tags(Some(tags.into_iter().collect()));
        cloud.send(CREATE, request.send()).await?;
        Ok(subject.name.clone())
    }

    async fn update(
        cloud: &Aws,
        subject: &Subject,
        change: Change<'_, Self>,
    ) -> Result<(), Failure> {
        tags::update(cloud, subject, &change, &change.want.tags).await?;
        update::step(cloud, subject, &change).await
    }

    async fn delete(cloud: &Aws, subject: &Subject) -> Result<(), Failure> {
        let request = cloud.eks.delete_cluster().name(subject.id()?);
        cloud.find(DELETE, request.send()).await.map(drop)
    }

    fn predict(of: &Prediction<'_>) -> BTreeMap<&'static str, String> {
        predict_with_arn(of, ("name", of.name), "eks", &format!("cluster/{}", of.name))
    }
}

async fn describe(cloud: &Aws, name: &str) -> Result<Option<Described>, Failure> {
    let request = cloud.eks.describe_cluster().name(name);
    let Some(answer) = cloud.find(READ, request.send()).await? else { return Ok(None) };
    answer.cluster.ok_or_else(|| absent(READ, "the cluster")).map(Some)
}

fn found(cloud: &Aws, cluster: Described) -> Result<Found<Cluster>, Failure> {
    let name = cluster.name.clone().ok_or_else(|| absent(READ, "a name"))?;
    let observed = observed(&cluster);
    let status = match cluster.status {
        Some(ClusterStatus::Active) => Status::Ready,
        Some(ClusterStatus::Deleting) => Status::Deleting,
        Some(ClusterStatus::Failed) => Status::Failed(reasons(&cluster)),
        Some(status) => Status::Pending(status.to_string()),
        None => Status::Pending("without a status".into()),
    };
    let (owner, _) = tags::split(cluster.tags);
    let vpc = cluster.resources_vpc_config;
    let issuer = cluster.identity.and_then(|identity| identity.oidc).and_then(|oidc| oidc.issuer);
    let authority = cluster.certificate_authority.and_then(|certificate| certificate.data);
    // What a cluster that is being made doesn't have yet is left out by its status.
    Ok(Found {
        observed,
        outputs: ClusterOutputs {
            arn: cloud.arn("eks", &format!("cluster/{name}")),
            endpoint: cluster.endpoint.unwrap_or_default(),
            certificate_authority: authority.unwrap_or_default(),
            issuer: issuer.unwrap_or_default(),
            security_group: Id::existing(
                vpc.and_then(|vpc| vpc.cluster_security_group_id).unwrap_or_default(),
            ),
            name: Id::existing(&name),
        },
        id: name,
        status,
        owner,
    })
}

fn reasons(cluster: &Described) -> String {
    let issues = cluster.health.as_ref().and_then(|health| health.issues.as_deref());
    let messages: Vec<&str> =
        issues.unwrap_or_default().iter().filter_map(|i| i.message()).collect();
    if messages.is_empty() { "EKS gives no reason".into() } else { messages.join("; ") }
}

fn observed(cluster: &Described) -> ClusterObserved {
    let vpc = cluster.resources_vpc_config();
    let network = cluster.kubernetes_network_config();
    let (_, own_tags) = tags::split(cluster.tags.clone());
    ClusterObserved {
        version: cluster.version.clone(),
        role: cluster.role_arn.clone().map(Arn::new),
        subnets: vpc.map(|vpc| vpc.subnet_ids().iter().map(Id::existing).collect()),
        security_groups: vpc.map(|vpc| vpc.security_group_ids().iter().map(Id::existing).collect()),
        public_endpoint: vpc.map(|vpc| vpc.endpoint_public_access),
        public_cidrs: vpc.map(|vpc| vpc.public_access_cidrs().to_vec()),
        private_endpoint: vpc.map(|vpc| vpc.endpoint_private_access),
        service_cidr: network.and_then(|network| network.service_ipv4_cidr.clone()),
        logging: Some(cluster.logging().map(enabled_logs).unwrap_or_default()),
        deletion_protection: cluster.deletion_protection,
        auto_mode: cluster.compute_config().map(|compute| AutoMode {
            enabled: compute.enabled.unwrap_or_default(),
            node_pools: Some(compute.node_pools().to_vec()),
            node_role: compute.node_role_arn.clone().map(Arn::new),
        }),
        support: cluster
            .upgrade_policy()
            .and_then(|policy| policy.support_type())
            .and_then(|support| Support::from_word(support.as_str())),
        tags: Some(own_tags),
    }
}

fn enabled_logs(logging: &Logging) -> Vec<LogKind> {
    let enabled = logging.cluster_logging().iter().filter(|setup| setup.enabled == Some(true));
    enabled.flat_map(|s| s.types()).filter_map(|t| LogKind::from_word(t.as_str())).collect()
}

fn vpc_config(want: &Cluster) -> VpcConfigRequest {
    VpcConfigRequest::builder()
        .set_subnet_ids(Some(want.subnets.iter().map(Id::to_string).collect()))
        .set_security_group_ids(groups(want))
        .set_endpoint_public_access(want.public_endpoint)
        .set_endpoint_private_access(want.private_endpoint)
        .set_public_access_cidrs(want.public_cidrs.clone())
        .build()
}

fn groups(want: &Cluster) -> Option<Vec<String>> {
    Some(want.security_groups.as_ref()?.iter().map(Id::to_string).collect())
}

/// What logs, and that the rest doesn't.
fn logging(kinds: &[LogKind]) -> Logging {
    use LogKind::*;
    let setup = |enabled: bool| {
        let all = [Api, Audit, Authenticator, ControllerManager, Scheduler].into_iter();
        let types: Vec<LogType> = all
            .filter(|kind| kinds.contains(kind) == enabled)
            .map(|kind| LogType::from(kind.as_str()))
            .collect();
        LogSetup::builder().enabled(enabled).set_types(Some(types)).build()
    };
    let setups = [setup(true), setup(false)].into_iter().filter(|setup| !setup.types().is_empty());
    Logging::builder().set_cluster_logging(Some(setups.collect())).build()
}

fn compute(auto: &AutoMode) -> ComputeConfigRequest {
    ComputeConfigRequest::builder()
        .enabled(auto.enabled)
        .set_node_pools(auto.node_pools.clone())
        .set_node_role_arn(auto.node_role.as_ref().map(Arn::to_string))
        .build()
}

fn storage(enabled: bool) -> StorageConfigRequest {
    let block = BlockStorage::builder().enabled(enabled).build();
    StorageConfigRequest::builder().block_storage(block).build()
}

fn load_balancing(enabled: bool) -> ElasticLoadBalancing {
    ElasticLoadBalancing::builder().enabled(enabled).build()
}

fn upgrade_policy(support: Support) -> UpgradePolicyRequest {
    UpgradePolicyRequest::builder().support_type(support.as_str().into()).build()
}
