//! Changing a replication group: one call at a time, each at work for minutes.
//!
//! <https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ModifyReplicationGroup.html>

use super::{
    FEWER_REPLICAS, MODIFY, MORE_REPLICAS, ReplicationGroup, ReplicationGroupObserved,
    TransitEncryption, count, groups, read, retention,
};
use crate::{Aws, version::as_asked};
use aws_sdk_elasticache::{
    operation::modify_replication_group::builders::ModifyReplicationGroupFluentBuilder as Modify,
    types::{AuthTokenUpdateStrategyType, ReplicationGroup as Group, TransitEncryptionMode},
};
use formwork_engine::{Change, Failure, Subject};
use secrecy::ExposeSecret as _;

/// One change that ElastiCache takes by itself.
enum Piece {
    MoreReplicas(i32),
    Settings(Box<Modify>),
    Transit(TransitEncryption),
    Token,
    FewerReplicas(i32),
}

/// Asks for the first change that is still to be made. While one is at work, or another is left, the
/// group is busy, and the engine comes back.
pub(super) async fn step(
    cloud: &Aws,
    subject: &Subject,
    change: &Change<'_, ReplicationGroup>,
) -> Result<(), Failure> {
    let name = subject.id()?;
    let gone = || Failure::invalid(format!("the cache {name} is gone"));
    let group = read::group(cloud, name).await?.ok_or_else(gone)?;
    let node = read::node_of(cloud, &group).await?;
    let now = read::observed(&group, node.as_ref());
    let mut pieces = pieces(cloud, name, change, &now)?;
    if pieces.is_empty() {
        return Ok(());
    }
    if let Some(status) = group.status().filter(|status| *status != "available") {
        return Err(Failure::busy(format!("the cache {name} is {status}")));
    }
    match pieces.remove(0) {
        Piece::MoreReplicas(replicas) => {
            let request = cloud.elasticache.increase_replica_count().replication_group_id(name);
            let request = request.new_replica_count(replicas).apply_immediately(true);
            cloud.send(MORE_REPLICAS, request.send()).await.map(drop)?;
        }
        Piece::FewerReplicas(replicas) => {
            let request = cloud.elasticache.decrease_replica_count().replication_group_id(name);
            let request = request.new_replica_count(replicas).apply_immediately(true);
            cloud.send(FEWER_REPLICAS, request.send()).await.map(drop)?;
        }
        Piece::Settings(request) => cloud.send(MODIFY, request.send()).await.map(drop)?,
        Piece::Transit(to) => {
            let request = encrypting(modify(cloud, name), to);
            cloud.send(MODIFY, request.send()).await.map(drop)?;
        }
        Piece::Token => {
            let request = rotating(modify(cloud, name), &group, change).await?;
            cloud.send(MODIFY, request.send()).await.map(drop)?;
        }
    }
    match pieces.len() {
        0 => Ok(()),
        left => Err(Failure::busy(format!(
            "the cache {name} takes one change at a time, and {left} more are left"
        ))),
    }
}

fn modify(cloud: &Aws, name: &str) -> Modify {
    let request = cloud.elasticache.modify_replication_group().replication_group_id(name);
    // Not in the next maintenance window: what is applied is to hold when the apply is done.
    request.apply_immediately(true)
}

/// The changes that are still to be made, in the order in which they are: a replica has to be there
/// before it can take over, and may go only when it no longer does.
fn pieces(
    cloud: &Aws,
    name: &str,
    change: &Change<'_, ReplicationGroup>,
    now: &ReplicationGroupObserved,
) -> Result<Vec<Piece>, Failure> {
    let want = &change.want;
    let mut pieces = vec![];
    let replicas = want.replicas.filter(|_| change.has("replicas"));
    let target = replicas.map(|replicas| count("replicas", replicas)).transpose()?;
    if let Some(target) = target.filter(|_| replicas > now.replicas) {
        pieces.push(Piece::MoreReplicas(target));
    }
    if let Some(request) = settings(modify(cloud, name), change, now)? {
        pieces.push(Piece::Settings(Box::new(request)));
    }
    if let Some(to) = want.transit_encryption.filter(|_| change.has("transit_encryption")) {
        pieces.extend(way(now.transit_encryption, to).iter().copied().map(Piece::Transit));
    }
    if let Some(target) = target.filter(|_| now.replicas.is_some() && replicas < now.replicas) {
        pieces.push(Piece::FewerReplicas(target));
    }
    // Last, since nothing tells whether it was done: doing it twice would drop the token before.
    if want.auth_token.is_some() && change.has("auth_token") {
        pieces.push(Piece::Token);
    }
    Ok(pieces)
}

/// The settings that differ, in one request; `None` if none does.
fn settings(
    mut request: Modify,
    change: &Change<'_, ReplicationGroup>,
    now: &ReplicationGroupObserved,
) -> Result<Option<Modify>, Failure> {
    let want = &change.want;
    let mut differs = false;
    macro_rules! set {
        ($field:literal, $now:expr, $want:expr, $setter:ident($value:expr)) => {
            if change.has($field) && $want.is_some() && $now != $want {
                request = request.$setter($value);
                differs = true;
            }
        };
    }
    let engine = Some(want.engine);
    let runs = now.version.clone().map(|runs| as_asked(Some(&want.version), runs));
    let version = Some(want.version.clone());
    if change.has("engine") && now.engine != engine {
        // One engine's versions say nothing to the other.
        request = request.engine(want.engine.as_str()).engine_version(&want.version);
        differs = true;
    }
    set!("version", runs, version, set_engine_version(version));
    let node_type = Some(want.node_type.clone());
    set!("node_type", now.node_type, node_type, set_cache_node_type(node_type));
    let failover = want.automatic_failover;
    set!(
        "automatic_failover",
        now.automatic_failover,
        failover,
        set_automatic_failover_enabled(failover)
    );
    set!("multi_az", now.multi_az, want.multi_az, set_multi_az_enabled(want.multi_az));
    let mut now_groups: Option<Vec<String>> =
        now.security_groups.as_ref().map(|all| all.iter().map(ToString::to_string).collect());
    now_groups.iter_mut().for_each(|groups| groups.sort());
    let mut want_groups = groups(want);
    want_groups.sort();
    let want_groups = Some(want_groups);
    set!("security_groups", now_groups, want_groups, set_security_group_ids(want_groups));
    let parameters = want.parameter_group.clone();
    set!(
        "parameter_group",
        now.parameter_group,
        parameters,
        set_cache_parameter_group_name(parameters)
    );
    let window = want.maintenance_window.clone();
    set!(
        "maintenance_window",
        now.maintenance_window,
        window,
        set_preferred_maintenance_window(window)
    );
    set!(
        "snapshot_retention_days",
        now.snapshot_retention_days,
        want.snapshot_retention_days,
        set_snapshot_retention_limit(retention(want)?)
    );
    Ok(differs.then_some(request))
}

/// The steps from one way of encryption to another; AWS goes through `preferred`.
fn way(now: Option<TransitEncryption>, to: TransitEncryption) -> &'static [TransitEncryption] {
    use TransitEncryption::*;
    match (now, to) {
        (Some(now), to) if now == to => &[],
        (Some(Off) | None, Required) => &[Preferred, Required],
        (Some(Required) | None, Off) => &[Preferred, Off],
        (_, Required) => &[Required],
        (_, Preferred) => &[Preferred],
        (_, Off) => &[Off],
    }
}

fn encrypting(request: Modify, to: TransitEncryption) -> Modify {
    match to {
        TransitEncryption::Off => request.transit_encryption_enabled(false),
        TransitEncryption::Preferred => request
            .transit_encryption_enabled(true)
            .transit_encryption_mode(TransitEncryptionMode::Preferred),
        TransitEncryption::Required => request
            .transit_encryption_enabled(true)
            .transit_encryption_mode(TransitEncryptionMode::Required),
    }
}

/// Takes a new token beside the one before.
async fn rotating(
    request: Modify,
    group: &Group,
    change: &Change<'_, ReplicationGroup>,
) -> Result<Modify, Failure> {
    // AWS would go on to admit clients without a token, and nothing would tell.
    if group.auth_token_enabled != Some(true) {
        return Err(Failure::invalid("a cache that was made without a password gets none later")
            .hint("replace it: take it out of the stack, apply, and add it again"));
    }
    let Some(token) = &change.want.auth_token else { return Ok(request) };
    let token = change.secrets.reveal(token).await?;
    Ok(request
        .auth_token(token.expose_secret())
        .auth_token_update_strategy(AuthTokenUpdateStrategyType::Rotate))
}

#[cfg(test)]
mod tests {
    use super::{TransitEncryption::*, way};

    #[test]
    fn encryption_goes_by_way_of_preferred() {
        assert_eq!(way(Some(Off), Required), [Preferred, Required]);
        assert_eq!(way(Some(Preferred), Required), [Required]);
        assert_eq!(way(Some(Required), Off), [Preferred, Off]);
        assert_eq!(way(Some(Preferred), Off), [Off]);
        assert_eq!(way(Some(Off), Preferred), [Preferred]);
        assert_eq!(way(Some(Off), Off), []);
    }
}
