//! A pod identity association: the IAM role of a Kubernetes service account.
//!
//! <https://docs.aws.amazon.com/eks/latest/APIReference/API_CreatePodIdentityAssociation.html>

use super::{Cluster, tags};
use crate::{
    Aws,
    call::{absent, calls},
    each::each,
    tags::{self as marks, Tags},
};
use aws_sdk_eks::types::PodIdentityAssociation as Described;
use formwork_engine::*;
use serde::{Deserialize, Serialize};

/// A pod identity association: the IAM role of a Kubernetes service account.
///
/// The add-on `eks-pod-identity-agent` hands the credentials out, and a pod that was admitted before
/// the association was there never gets any.
#[derive(Resource, Deserialize)]
#[resource(
    kind = "aws.eks.PodIdentityAssociation",
    outputs = PodIdentityAssociationOutputs,
    identity = key
)]
pub struct PodIdentityAssociation {
    #[replace]
    pub cluster: Id<Cluster>,
    #[replace]
    pub namespace: String,
    /// The service account; neither it nor its namespace needs to exist yet.
    #[replace]
    pub service_account: String,
    /// The role, which must trust `pods.eks.amazonaws.com`.
    pub role: Arn,
    pub tags: Option<Tags>,
}

/// What is known of a pod identity association.
#[derive(Outputs, Serialize)]
pub struct PodIdentityAssociationOutputs {
    pub arn: Arn,
}

calls! { PodIdentityAssociation + tags::CALLS:
    LIST = EKS.ListPodIdentityAssociations on ["cluster/{cluster}"];
    READ = EKS.DescribePodIdentityAssociation on ["podidentityassociation/{cluster}/{id}"];
    CREATE = EKS.CreatePodIdentityAssociation on ["cluster/{cluster}"],
        and "eks:TagResource" on ["podidentityassociation/{cluster}/*"],
        and "iam:PassRole" on ["role/*"] if "iam:PassedToService" = "pods.eks.amazonaws.com",
        and "iam:GetRole" on ["role/*"];
    UPDATE = EKS.UpdatePodIdentityAssociation on ["podidentityassociation/{cluster}/{id}"],
        and "iam:PassRole" on ["role/*"] if "iam:PassedToService" = "pods.eks.amazonaws.com",
        and "iam:GetRole" on ["role/*"];
    DELETE = EKS.DeletePodIdentityAssociation on ["podidentityassociation/{cluster}/{id}"];
}

impl Reconcile for PodIdentityAssociation {
    type Cloud = Aws;

    async fn list(cloud: &Aws, wanted: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
        each(cloud, wanted).await
    }

    async fn read(cloud: &Aws, subject: &Subject) -> Result<Option<Found<Self>>, Failure> {
        let cluster = subject.input("cluster")?;
        let id = match &subject.id {
            Some(id) => Some(id.clone()),
            None => id_of(cloud, cluster, subject).await?,
        };
        let Some(id) = id else { return Ok(None) };
        let request =
            cloud.eks.describe_pod_identity_association().cluster_name(cluster).association_id(&id);
        let Some(answer) = cloud.find(READ, request.send()).await? else { return Ok(None) };
        found(answer.association.ok_or_else(|| absent(READ, "the association"))?, id).map(Some)
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
            .create_pod_identity_association()
            .cluster_name(want.cluster.as_str())
            .namespace(want.namespace)
            .service_account(want.service_account)
            .role_arn(want.role.as_str())
            .client_request_token(&subject.owner.intent)
            .set_tags(Some(tags.into_iter().collect()));
        let made = cloud.send(CREATE, request.send()).await?.association;
        made.and_then(|made| made.association_id).ok_or_else(|| absent(CREATE, "an id"))
    }

    async fn update(
        cloud: &Aws,
        subject: &Subject,
        change: Change<'_, Self>,
    ) -> Result<(), Failure> {
        let want = &change.want;
        if change.has("role") {
            let request = cloud
                .eks
                .update_pod_identity_association()
                .cluster_name(want.cluster.as_str())
                .association_id(subject.id()?)
                .role_arn(want.role.as_str());
            cloud.send(UPDATE, request.send()).await?;
        }
        tags::update(cloud, subject, &change, &want.tags).await
    }

    async fn delete(cloud: &Aws, subject: &Subject) -> Result<(), Failure> {
        let request = cloud
            .eks
            .delete_pod_identity_association()
            .cluster_name(subject.input("cluster")?)
            .association_id(subject.id()?);
        cloud.find(DELETE, request.send()).await.map(drop)
    }
}

/// The id of the one association that a service account can have.
async fn id_of(cloud: &Aws, cluster: &str, subject: &Subject) -> Result<Option<String>, Failure> {
    let request = cloud
        .eks
        .list_pod_identity_associations()
        .cluster_name(cluster)
        .namespace(subject.input("namespace")?)
        .service_account(subject.input("service_account")?);
    let answer = cloud.find(LIST, request.send()).await?;
    let associations = answer.and_then(|answer| answer.associations).unwrap_or_default();
    Ok(associations.into_iter().find_map(|association| association.association_id))
}

fn found(association: Described, id: String) -> Result<Found<PodIdentityAssociation>, Failure> {
    let arn = association.association_arn.ok_or_else(|| absent(READ, "an ARN"))?;
    let (owner, own_tags) = tags::split(association.tags);
    Ok(Found {
        observed: PodIdentityAssociationObserved {
            cluster: association.cluster_name.map(Id::existing),
            namespace: association.namespace,
            service_account: association.service_account,
            role: association.role_arn.map(Arn::new),
            tags: Some(own_tags),
        },
        outputs: PodIdentityAssociationOutputs { arn: Arn::new(arn) },
        id,
        status: Status::Ready,
        owner,
    })
}
