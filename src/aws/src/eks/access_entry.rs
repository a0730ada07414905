//! An access entry: what an IAM principal may do in a cluster.
//!
//! <https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateAccessEntry.html>

use super::{Cluster, tags};
use crate::{
    Aws,
    call::{absent, calls, half_made},
    each::each,
    tags::{self as marks, Tags},
    words::words,
};
use aws_sdk_eks::types::{AccessEntry as Described, AccessScope, AccessScopeType};
use formwork_engine::*;
use serde::{Deserialize, Serialize};

/// An access entry: what an IAM principal may do in a cluster.
#[derive(Resource, Deserialize)]
#[resource(kind = "aws.eks.AccessEntry", outputs = AccessEntryOutputs, identity = key)]
pub struct AccessEntry {
    #[replace]
    pub cluster: Id<Cluster>,
    /// The role or user.
    #[replace]
    pub principal: Arn,
    /// What kind of principal it is. Default: `Standard`, people and programs.
    #[replace]
    pub entry_type: Option<EntryType>,
    /// The Kubernetes groups that the principal is in, for role bindings of the cluster's own.
    #[unordered]
    #[default([])]
    pub groups: Option<Vec<String>>,
    /// The name that Kubernetes knows the principal by. Default: made from the ARN.
    pub username: Option<String>,
    /// The access policies of EKS that the principal has.
    #[unordered]
    #[default([])]
    pub policies: Option<Vec<AccessPolicy>>,
    pub tags: Option<Tags>,
}

/// An access policy of EKS, for the whole cluster or some namespaces.
#[derive(Clone, Debug, PartialEq, Nested, Serialize, Deserialize)]
pub struct AccessPolicy {
    /// The policy's name, such as `AmazonEKSClusterAdminPolicy`.
    ///
    /// <https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html>
    pub policy: String,
    /// The namespaces that it holds in. Default: none, which is the whole cluster.
    #[unordered]
    pub namespaces: Option<Vec<String>>,
}

words! {
    /// The kind of an access entry's principal.
    pub enum EntryType {
        Standard = "STANDARD",
        /// Self-managed Linux nodes.
        Ec2Linux = "EC2_LINUX",
        Ec2Windows = "EC2_WINDOWS",
        FargateLinux = "FARGATE_LINUX",
        /// Nodes of EKS Auto Mode with a node class of their own.
        Ec2 = "EC2",
    }
}

/// What is known of an access entry.
#[derive(Outputs, Serialize)]
pub struct AccessEntryOutputs {
    pub arn: Arn,
}

calls! { AccessEntry + tags::CALLS:
    READ = EKS.DescribeAccessEntry on ["access-entry/{cluster}/*"];
    POLICIES = EKS.ListAssociatedAccessPolicies on ["access-entry/{cluster}/*"];
    CREATE = EKS.CreateAccessEntry on ["cluster/{cluster}"],
        and "eks:TagResource" on ["access-entry/{cluster}/*"];
    UPDATE = EKS.UpdateAccessEntry on ["access-entry/{cluster}/*"];
    GRANT = EKS.AssociateAccessPolicy on ["access-entry/{cluster}/*"];
    REVOKE = EKS.DisassociateAccessPolicy on ["access-entry/{cluster}/*"];
    DELETE = EKS.DeleteAccessEntry on ["access-entry/{cluster}/*"];
}

impl Reconcile for AccessEntry {
    type Cloud = Aws;

    async fn list(cloud: &Aws, wanted: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
        each(cloud, wanted).await
    }

    async fn read(cloud: &Aws, subject: &Subject) -> Result<Option<Found<Self>>, Failure> {
        let (cluster, principal) = (subject.input("cluster")?, subject.input("principal")?);
        let request =
            cloud.eks.describe_access_entry().cluster_name(cluster).principal_arn(principal);
        let Some(answer) = cloud.find(READ, request.send()).await? else { return Ok(None) };
        let Some(policies) = policies(cloud, cluster, principal).await? else { return Ok(None) };
        let entry = answer.access_entry.ok_or_else(|| absent(READ, "the entry"))?;
        found(entry, policies, id(cluster, principal)).map(Some)
    }

    async fn create(
        cloud: &Aws,
        subject: &Subject,
        want: Self,
        _: &Secrets,
    ) -> Result<String, Failure> {
        let (cluster, principal) = (want.cluster.as_str(), want.principal.as_str());
        let tags = marks::at_creation(subject, want.tags.as_ref());
        let request = cloud
            .eks
            .create_access_entry()
            .cluster_name(cluster)
            .principal_arn(principal)
            .client_request_token(&subject.owner.intent)
            .set_kubernetes_groups(want.groups)
            .set_username(want.username)
            .set_type(want.entry_type.map(|kind| kind.as_str().to_owned()))
            .set_tags(Some(tags.into_iter().collect()));
        cloud.send(CREATE, request.send()).await?;
        let id = id(cluster, principal);
        let policies = want.policies.unwrap_or_default();
        set_policies(cloud, cluster, principal, &[], &policies).await.map_err(half_made(&id))?;
        Ok(id)
    }

    async fn update(
        cloud: &Aws,
        subject: &Subject,
        change: Change<'_, Self>,
    ) -> Result<(), Failure> {
        let want = &change.want;
        let (cluster, principal) = (want.cluster.as_str(), want.principal.as_str());
        if change.has("groups") || change.has("username") {
            let request = cloud
                .eks
                .update_access_entry()
                .cluster_name(cluster)
                .principal_arn(principal)
                .set_kubernetes_groups(want.groups.clone())
                .set_username(want.username.clone());
            cloud.send(UPDATE, request.send()).await?;
        }
        if let Some(want) = want.policies.as_deref().filter(|_| change.has("policies")) {
            let now = policies(cloud, cluster, principal).await?.unwrap_or_default();
            set_policies(cloud, cluster, principal, &now, want).await?;
        }
        tags::update(cloud, subject, &change, &want.tags).await
    }

    async fn delete(cloud: &Aws, subject: &Subject) -> Result<(), Failure> {
        let (cluster, principal) = (subject.input("cluster")?, subject.input("principal")?);
        let request =
            cloud.eks.delete_access_entry().cluster_name(cluster).principal_arn(principal);
        cloud.find(DELETE, request.send()).await.map(drop)
    }

    /// Writes out that a policy without namespaces holds in the whole cluster, so that one that was
    /// narrowed to some is seen to differ.
    fn expand(fields: Data) -> Result<Data, Failure> {
        let mut fields = fields.into_map();
        if let Some(Data::List(policies)) = fields.get_mut("policies") {
            for policy in policies {
                let Data::Map(policy) = policy else { continue };
                let namespaces = policy.entry("namespaces".to_owned()).or_insert(Data::Null);
                if *namespaces == Data::Null {
                    *namespaces = Data::List(vec![]);
                }
            }
        }
        Ok(Data::Map(fields))
    }
}

fn id(cluster: &str, principal: &str) -> String {
    format!("{cluster}/{principal}")
}

fn found(
    entry: Described,
    policies: Vec<AccessPolicy>,
    id: String,
) -> Result<Found<AccessEntry>, Failure> {
    let arn = entry.access_entry_arn.ok_or_else(|| absent(READ, "an ARN"))?;
    let (owner, own_tags) = tags::split(entry.tags);
    Ok(Found {
        observed: AccessEntryObserved {
            cluster: entry.cluster_name.map(Id::existing),
            principal: entry.principal_arn.map(Arn::new),
            entry_type: entry.r#type.as_deref().and_then(EntryType::from_word),
            groups: Some(entry.kubernetes_groups.unwrap_or_default()),
            username: entry.username.filter(|name| !name.is_empty()),
            policies: Some(policies),
            tags: Some(own_tags),
        },
        outputs: AccessEntryOutputs { arn: Arn::new(arn) },
        id,
        status: Status::Ready,
        owner,
    })
}

/// The policies that the principal has; `None` if the entry went away meanwhile.
async fn policies(
    cloud: &Aws,
    cluster: &str,
    principal: &str,
) -> Result<Option<Vec<AccessPolicy>>, Failure> {
    let request = || {
        cloud.eks.list_associated_access_policies().cluster_name(cluster).principal_arn(principal)
    };
    // A principal has a handful; a second page would say that it is no list to hold as one field.
    let Some(answer) = cloud.find(POLICIES, request().send()).await? else { return Ok(None) };
    if answer.next_token.is_some() {
        return Err(Failure::invalid(format!("{principal} has more access policies than a page")));
    }
    let associated = answer.associated_access_policies.unwrap_or_default().into_iter();
    let policy = associated.filter_map(|associated| {
        let arn = associated.policy_arn?;
        let scope = associated.access_scope;
        Some(AccessPolicy {
            policy: arn.rsplit('/').next().unwrap_or(&arn).to_owned(),
            namespaces: Some(scope.and_then(|scope| scope.namespaces).unwrap_or_default()),
        })
    });
    Ok(Some(policy.collect()))
}

/// Makes the principal's policies what they should be. Associating one again replaces its scope.
async fn set_policies(
    cloud: &Aws,
    cluster: &str,
    principal: &str,
    now: &[AccessPolicy],
    want: &[AccessPolicy],
) -> Result<(), Failure> {
    let arn = |policy: &AccessPolicy| {
        let partition = cloud.target.partition();
        format!("arn:{partition}:eks::aws:cluster-access-policy/{}", policy.policy)
    };
    for policy in want.iter().filter(|want| !now.contains(want)) {
        let namespaces = policy.namespaces.clone().unwrap_or_default();
        let kind = match namespaces.is_empty() {
            true => AccessScopeType::Cluster,
            false => AccessScopeType::Namespace,
        };
        let scope = AccessScope::builder().r#type(kind).set_namespaces(Some(namespaces)).build();
        let request = cloud
            .eks
            .associate_access_policy()
            .cluster_name(cluster)
            .principal_arn(principal)
            .policy_arn(arn(policy))
            .access_scope(scope);
        cloud.send_to_new(GRANT, || request.clone().send()).await?;
    }
    for policy in now.iter().filter(|now| !want.iter().any(|want| want.policy == now.policy)) {
        let request = cloud
            .eks
            .disassociate_access_policy()
            .cluster_name(cluster)
            .principal_arn(principal)
            .policy_arn(arn(policy));
        cloud.find(REVOKE, request.send()).await?;
    }
    Ok(())
}
