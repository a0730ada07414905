//! Reading replication groups: all by two lists, one by its name.

use super::{
    Engine, LIST, NODES, ReplicationGroup, ReplicationGroupObserved, ReplicationGroupOutputs,
    TransitEncryption, mark, tags,
};
use crate::{Aws, call::absent, version::as_asked};
use aws_sdk_elasticache::types::{
    AutomaticFailoverStatus, CacheCluster as Node, MultiAzStatus, NodeGroup,
    ReplicationGroup as Group, TransitEncryptionMode,
};
use formwork_engine::{Arn, Data, Failure, Found, Id, Owner, Status, Subject};

/// All groups of the account and region.
pub(super) async fn groups(cloud: &Aws) -> Result<Vec<Group>, Failure> {
    let request =
        |marker| cloud.elasticache.describe_replication_groups().set_marker(marker).send();
    cloud
        .pages(LIST, request, |page| (page.marker, page.replication_groups.unwrap_or_default()))
        .await
}

/// All nodes of the account and region: they know what their groups don't tell.
pub(super) async fn nodes(cloud: &Aws) -> Result<Vec<Node>, Failure> {
    let request = |marker| cloud.elasticache.describe_cache_clusters().set_marker(marker).send();
    cloud.pages(NODES, request, |page| (page.marker, page.cache_clusters.unwrap_or_default())).await
}

pub(super) async fn group(cloud: &Aws, name: &str) -> Result<Option<Group>, Failure> {
    let request = cloud.elasticache.describe_replication_groups().replication_group_id(name);
    let page = cloud.find(LIST, request.send()).await?;
    Ok(page.and_then(|page| page.replication_groups.unwrap_or_default().pop()))
}

/// One node of a group; `None` where it has none yet.
pub(super) async fn node_of(cloud: &Aws, group: &Group) -> Result<Option<Node>, Failure> {
    let Some(name) = group.member_clusters().first() else { return Ok(None) };
    let request = cloud.elasticache.describe_cache_clusters().cache_cluster_id(name);
    let page = cloud.find(NODES, request.send()).await?;
    Ok(page.and_then(|page| page.cache_clusters.unwrap_or_default().pop()))
}

/// The owner that its description names.
pub(super) fn described_owner(group: &Group) -> Option<Owner> {
    group.description().and_then(mark::read)
}

/// Its status. One that is being copied to a snapshot works as ever.
///
/// <https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ReplicationGroup.html>
pub(super) fn status(group: &Group) -> Status {
    match group.status() {
        Some("available" | "snapshotting") => Status::Ready,
        Some("deleting") => Status::Deleting,
        Some("create-failed") => Status::Failed("ElastiCache gives no reason".into()),
        Some(other) => Status::Pending(other.to_owned()),
        None => Status::Pending("without a status".into()),
    }
}

/// What is known of a group, by itself and by one of its nodes.
pub(super) async fn found(
    cloud: &Aws,
    subject: Option<&Subject>,
    group: &Group,
    node: Option<&Node>,
) -> Result<Found<ReplicationGroup>, Failure> {
    let name = group.replication_group_id().ok_or_else(|| absent(LIST, "an id"))?;
    let arn = group.arn().ok_or_else(|| absent(LIST, "an ARN"))?;
    // In any other state AWS doesn't tell them.
    let tags = match group.status() {
        Some("available") => tags::read(cloud, arn).await?,
        _ => None,
    };
    let (owner, own_tags) = tags.map(tags::split).unzip();
    let shard = shard(group);
    let endpoint = shard.and_then(|shard| shard.primary_endpoint());
    let reader = shard.and_then(|shard| shard.reader_endpoint());
    let host = endpoint.and_then(|endpoint| endpoint.address()).unwrap_or_default();
    let reader_host = reader.and_then(|endpoint| endpoint.address()).unwrap_or(host);
    let asked = subject.and_then(|subject| subject.inputs.get("version")).and_then(Data::as_str);
    let mut observed = observed(group, node);
    observed.version = observed.version.map(|runs| as_asked(asked, runs));
    observed.tags = own_tags;
    Ok(Found {
        outputs: ReplicationGroupOutputs {
            id: Id::existing(name),
            arn: Arn::new(arn),
            host: host.to_owned(),
            port: observed.port.unwrap_or_default(),
            reader_host: reader_host.to_owned(),
        },
        observed,
        id: name.to_owned(),
        status: status(group),
        owner: owner.flatten().or_else(|| described_owner(group)),
    })
}

/// What a group and one of its nodes tell; tags aside, which take another call.
pub(super) fn observed(group: &Group, node: Option<&Node>) -> ReplicationGroupObserved {
    let endpoint = shard(group).and_then(|shard| shard.primary_endpoint());
    let memberships = node.and_then(|node| node.security_groups.as_deref());
    let parameters = node.and_then(|node| node.cache_parameter_group());
    ReplicationGroupObserved {
        name: group.replication_group_id.clone(),
        engine: group.engine().and_then(Engine::from_word),
        version: node.and_then(|node| node.engine_version.clone()),
        node_type: group.cache_node_type.clone(),
        replicas: replicas(group),
        subnet_group: node.and_then(|node| node.cache_subnet_group_name()).map(Id::existing),
        security_groups: memberships.map(|all| {
            all.iter().filter_map(|group| group.security_group_id()).map(Id::existing).collect()
        }),
        port: endpoint.and_then(|endpoint| endpoint.port).and_then(|port| port.try_into().ok()),
        transit_encryption: transit_encryption(group),
        at_rest_encryption: group.at_rest_encryption_enabled,
        automatic_failover: group.automatic_failover().and_then(|status| match status {
            AutomaticFailoverStatus::Enabled | AutomaticFailoverStatus::Enabling => Some(true),
            AutomaticFailoverStatus::Disabled | AutomaticFailoverStatus::Disabling => Some(false),
            _ => None,
        }),
        multi_az: group.multi_az().and_then(|status| match status {
            MultiAzStatus::Enabled => Some(true),
            MultiAzStatus::Disabled => Some(false),
            _ => None,
        }),
        parameter_group: parameters.and_then(|group| group.cache_parameter_group_name.clone()),
        maintenance_window: node.and_then(|node| node.preferred_maintenance_window.clone()),
        snapshot_retention_days: group.snapshot_retention_limit.and_then(|d| d.try_into().ok()),
        tags: None,
    }
}

fn shard(group: &Group) -> Option<&NodeGroup> {
    group.node_groups().first()
}

/// How many nodes stand beside the primary; `None` before the first one is there.
fn replicas(group: &Group) -> Option<u32> {
    let members = shard(group).map_or(0, |shard| shard.node_group_members().len());
    let nodes = if members > 0 { members } else { group.member_clusters().len() };
    u32::try_from(nodes.checked_sub(1)?).ok()
}

fn transit_encryption(group: &Group) -> Option<TransitEncryption> {
    Some(match (group.transit_encryption_enabled?, group.transit_encryption_mode()) {
        (false, _) => TransitEncryption::Off,
        (true, Some(TransitEncryptionMode::Preferred)) => TransitEncryption::Preferred,
        (true, _) => TransitEncryption::Required,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_words() {
        let of = |word: &str| status(&Group::builder().status(word).build());
        assert_eq!(of("available"), Status::Ready);
        assert_eq!(of("snapshotting"), Status::Ready);
        assert_eq!(of("modifying"), Status::Pending("modifying".into()));
        assert_eq!(of("creating"), Status::Pending("creating".into()));
        assert_eq!(of("deleting"), Status::Deleting);
        assert!(matches!(of("create-failed"), Status::Failed(_)));
    }

    #[test]
    fn a_group_without_nodes_tells_no_count() {
        let group = Group::builder();
        assert_eq!(replicas(&group.clone().build()), None);
        let group = group.member_clusters("a-001").member_clusters("a-002").build();
        assert_eq!(replicas(&group), Some(1));
    }
}
