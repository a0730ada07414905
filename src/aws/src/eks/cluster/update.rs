//! Changing a cluster: EKS takes one kind of change at a time, and is at work on each for minutes.
//!
//! <https://docs.aws.amazon.com/eks/latest/APIReference/API_UpdateClusterConfig.html>

use super::{
    AutoMode, CONFIGURE, Cluster, ClusterObserved, UPGRADE, compute, describe, groups,
    load_balancing, logging, observed, storage, upgrade_policy,
};
use crate::Aws;
use aws_sdk_eks::{
    operation::{
        update_cluster_config::builders::UpdateClusterConfigFluentBuilder as Configure,
        update_cluster_version::builders::UpdateClusterVersionFluentBuilder as Upgrade,
    },
    types::{ClusterStatus, KubernetesNetworkConfigRequest, VpcConfigRequest},
};
use formwork_engine::{Change, Failure, Subject};

/// One change that EKS takes by itself.
enum Piece {
    Version(Box<Upgrade>),
    Config(Box<Configure>),
}

/// Asks for the first change that is still to be made. While one is at work, or another is left, the
/// cluster is busy, and the engine comes back.
pub(super) async fn step(
    cloud: &Aws,
    subject: &Subject,
    change: &Change<'_, Cluster>,
) -> Result<(), Failure> {
    let name = subject.id()?;
    let cluster = describe(cloud, name).await?;
    let cluster = cluster.ok_or_else(|| Failure::invalid(format!("cluster {name} is gone")))?;
    if cluster.status == Some(ClusterStatus::Updating) {
        return Err(Failure::busy(format!("cluster {name} is being updated")));
    }
    let mut pieces = pieces(cloud, name, change, &observed(&cluster));
    if pieces.is_empty() {
        return Ok(());
    }
    match pieces.remove(0) {
        Piece::Version(request) => cloud.send(UPGRADE, request.send()).await.map(drop)?,
        Piece::Config(request) => cloud.send(CONFIGURE, request.send()).await.map(drop)?,
    }
    match pieces.len() {
        0 => Ok(()),
        left => Err(Failure::busy(format!(
            "cluster {name} takes one change at a time, and {left} more are left"
        ))),
    }
}

/// The changes that are still to be made, in the order in which they are.
fn pieces(
    cloud: &Aws,
    name: &str,
    change: &Change<'_, Cluster>,
    now: &ClusterObserved,
) -> Vec<Piece> {
    let want = &change.want;
    let config = || cloud.eks.update_cluster_config().name(name);
    let mut pieces = vec![];
    let mut add = |request| pieces.push(Piece::Config(Box::new(request)));

    let endpoint = differs(change, "public_endpoint", &want.public_endpoint, &now.public_endpoint)
        || differs(change, "private_endpoint", &want.private_endpoint, &now.private_endpoint)
        || differs(change, "public_cidrs", &sorted(&want.public_cidrs), &sorted(&now.public_cidrs));
    if endpoint {
        let vpc = VpcConfigRequest::builder()
            .set_endpoint_public_access(want.public_endpoint)
            .set_endpoint_private_access(want.private_endpoint)
            .set_public_access_cidrs(want.public_cidrs.clone());
        add(config().resources_vpc_config(vpc.build()));
    }
    let subnets = Some(want.subnets.iter().map(ToString::to_string).collect::<Vec<_>>());
    let place = differs(change, "subnets", &sorted(&subnets), &sorted(&now.subnets))
        || differs(
            change,
            "security_groups",
            &sorted(&want.security_groups),
            &sorted(&now.security_groups),
        );
    if place {
        let vpc = VpcConfigRequest::builder()
            .set_subnet_ids(subnets)
            .set_security_group_ids(groups(want));
        add(config().resources_vpc_config(vpc.build()));
    }
    let logs = |kinds: &Option<Vec<super::LogKind>>| {
        sorted(
            &kinds.as_ref().map(|kinds| kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>()),
        )
    };
    if differs(change, "logging", &logs(&want.logging), &logs(&now.logging)) {
        add(config().set_logging(want.logging.as_deref().map(logging)));
    }
    let (protected, is) = (&want.deletion_protection, &now.deletion_protection);
    if differs(change, "deletion_protection", protected, is) {
        add(config().set_deletion_protection(want.deletion_protection));
    }
    if differs(change, "auto_mode", &want.auto_mode, &now.auto_mode)
        && let Some(auto) = &want.auto_mode
    {
        add(auto_mode(config(), auto));
    }
    if differs(change, "support", &want.support, &now.support) {
        add(config().set_upgrade_policy(want.support.map(upgrade_policy)));
    }
    // Last: what nodes and add-ons can follow is what they find when the rest is done.
    let version = Some(want.version.clone());
    if differs(change, "version", &version, &now.version) {
        let request = cloud.eks.update_cluster_version().name(name).version(&want.version);
        pieces.push(Piece::Version(Box::new(request)));
    }
    pieces
}

/// Auto Mode's three parts are turned on and off together, or EKS refuses.
fn auto_mode(request: Configure, auto: &AutoMode) -> Configure {
    let network = KubernetesNetworkConfigRequest::builder()
        .elastic_load_balancing(load_balancing(auto.enabled))
        .build();
    request
        .compute_config(compute(auto))
        .kubernetes_network_config(network)
        .storage_config(storage(auto.enabled))
}

/// Whether the field is to be changed, and isn't yet what it should be.
fn differs<T: PartialEq>(
    change: &Change<'_, Cluster>,
    field: &str,
    want: &Option<T>,
    now: &Option<T>,
) -> bool {
    change.has(field) && want.is_some() && want != now
}

/// A list whose order says nothing, to be compared.
fn sorted<T: ToString>(list: &Option<Vec<T>>) -> Option<Vec<String>> {
    let mut texts: Vec<String> = list.as_ref()?.iter().map(ToString::to_string).collect();
    texts.sort();
    Some(texts)
}
