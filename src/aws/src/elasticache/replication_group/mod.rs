//! A replication group: a cache with a primary node and its replicas.
//!
//! <https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateReplicationGroup.html>

mod mark;
mod read;
mod update;

use super::{SubnetGroup, tags};
use crate::{
    Aws,
    call::calls,
    ec2::SecurityGroup,
    iam::Grant,
    named::{is_wanted, made_or_ours, name_of, predict_by_name},
    tags::Tags,
    words::words,
};
use aws_sdk_elasticache::types::TransitEncryptionMode;
use formwork_engine::*;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The most replicas that a group can have.
const MAX_REPLICAS: u64 = 5;

/// A cache that speaks the Redis protocol: a primary node, and replicas that stand in for it.
///
/// It is one shard (cluster mode is off), so any client can use it.
#[derive(Resource, Deserialize)]
#[resource(
    kind = "aws.elasticache.ReplicationGroup",
    outputs = ReplicationGroupOutputs,
    identity = name(40),
    stateful
)]
pub struct ReplicationGroup {
    /// Its name, up to 40 lower-case letters, digits and single hyphens. Default: made of the address.
    #[replace]
    pub name: Option<String>,
    /// What runs on the nodes. Redis becomes Valkey in place; AWS refuses the way back.
    #[outage]
    pub engine: Engine,
    /// The engine's version, such as `8.1`, whose patches AWS chooses. It never goes down.
    #[outage]
    pub version: String,
    /// The nodes' type, such as `cache.t4g.small`.
    #[outage]
    pub node_type: String,
    /// How many nodes there are beside the primary, at most 5. Default: 0.
    pub replicas: Option<u32>,
    /// The subnets that its nodes are placed in.
    #[replace]
    pub subnet_group: Id<SubnetGroup>,
    /// Who may reach it.
    #[unordered]
    pub security_groups: Vec<Id<SecurityGroup>>,
    /// The port of its endpoints. Default: 6379.
    #[replace]
    pub port: Option<u16>,
    /// Whether connections are encrypted (TLS). Default: required.
    ///
    /// Between off and required AWS goes by way of preferred: clients that can't follow lose connection.
    #[outage]
    pub transit_encryption: Option<TransitEncryption>,
    /// Whether what is written to disks is encrypted. Default: yes.
    #[replace]
    pub at_rest_encryption: Option<bool>,
    /// Whether a replica takes over when the primary fails. Default: yes, if there are replicas.
    pub automatic_failover: Option<bool>,
    /// Whether replicas are in other zones than the primary. Default: yes, if a replica takes over.
    pub multi_az: Option<bool>,
    /// The password, 16 to 128 printable characters but `@`, `"`, `/` and `%`. Default: none.
    ///
    /// A new one is taken beside the one before, which goes with the next change. A group that was made
    /// without one doesn't get one later.
    #[secret]
    pub auth_token: Option<Secret>,
    /// The parameter group. Default: the one of the engine's version.
    pub parameter_group: Option<String>,
    /// When AWS may work on it, in UTC, such as `sun:03:00-sun:04:00`. Default: chosen by AWS.
    pub maintenance_window: Option<String>,
    /// For how many days daily snapshots are kept, 0 to 35; 0 takes none. Default: 0.
    pub snapshot_retention_days: Option<u32>,
    /// The name of a snapshot that is taken before it is deleted. Default: none is taken.
    #[write_only]
    pub final_snapshot: Option<String>,
    pub tags: Option<Tags>,
}

words! {
    /// What runs on a cache's nodes.
    pub enum Engine {
        Valkey = "valkey",
        Redis = "redis",
    }
}

words! {
    /// Whether connections to a cache are encrypted.
    pub enum TransitEncryption {
        /// Only encrypted ones are taken.
        Required = "required",
        /// Both are taken, while clients move from one to the other.
        Preferred = "preferred",
        /// None are.
        Off = "off",
    }
}

/// What is known of a replication group.
#[derive(Outputs, Serialize)]
pub struct ReplicationGroupOutputs {
    #[predicted]
    #[ready]
    pub id: Id<ReplicationGroup>,
    #[predicted]
    pub arn: Arn,
    /// The host of the primary node, for reading and writing; it stays when a replica takes over.
    #[ready]
    pub host: String,
    #[ready]
    pub port: u16,
    /// The host of the replicas, for reading; of the primary where there are none.
    #[ready]
    pub reader_host: String,
}

impl ReplicationGroupOutputsRefs {
    /// May log in as a user of ElastiCache that authenticates by IAM, given the user's ARN.
    ///
    /// <https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html>
    pub fn connect(&self, user: impl IntoText) -> Value<Grant> {
        Grant::on_all(["elasticache:Connect"], [text![self.arn], text![user]])
    }
}

calls! { ReplicationGroup + tags::CALLS:
    LIST = ELASTICACHE.DescribeReplicationGroups on ["replicationgroup:*"];
    NODES = ELASTICACHE.DescribeCacheClusters on ["cluster:*"];
    CREATE = ELASTICACHE.CreateReplicationGroup
        on ["replicationgroup:{name}", "subnetgroup:{subnet_group}", "parametergroup:*"],
        and "elasticache:AddTagsToResource" on ["replicationgroup:{name}", "cluster:{name}-*"],
        and "ec2:CreateNetworkInterface" on ["*"],
        and "ec2:DeleteNetworkInterface" on ["*"],
        and "ec2:DescribeNetworkInterfaces" on ["*"],
        and "ec2:DescribeSubnets" on ["*"],
        and "ec2:DescribeVpcs" on ["*"],
        and "iam:CreateServiceLinkedRole" on ["role/aws-service-role/elasticache.amazonaws.com/*"]
            if "iam:AWSServiceName" = "elasticache.amazonaws.com";
    MODIFY = ELASTICACHE.ModifyReplicationGroup on ["replicationgroup:{id}", "parametergroup:*"],
        and "ec2:CreateNetworkInterface" on ["*"],
        and "ec2:DeleteNetworkInterface" on ["*"],
        and "ec2:DescribeNetworkInterfaces" on ["*"],
        and "ec2:DescribeSubnets" on ["*"],
        and "ec2:DescribeVpcs" on ["*"];
    MORE_REPLICAS = ELASTICACHE.IncreaseReplicaCount on ["replicationgroup:{id}"],
        and "ec2:CreateNetworkInterface" on ["*"],
        and "ec2:DeleteNetworkInterface" on ["*"],
        and "ec2:DescribeNetworkInterfaces" on ["*"],
        and "ec2:DescribeSubnets" on ["*"],
        and "ec2:DescribeVpcs" on ["*"];
    FEWER_REPLICAS = ELASTICACHE.DecreaseReplicaCount on ["replicationgroup:{id}"],
        and "ec2:CreateNetworkInterface" on ["*"],
        and "ec2:DeleteNetworkInterface" on ["*"],
        and "ec2:DescribeNetworkInterfaces" on ["*"],
        and "ec2:DescribeSubnets" on ["*"],
        and "ec2:DescribeVpcs" on ["*"];
    DELETE = ELASTICACHE.DeleteReplicationGroup on ["replicationgroup:{id}", "snapshot:*"],
        and "ec2:CreateNetworkInterface" on ["*"],
        and "ec2:DeleteNetworkInterface" on ["*"],
        and "ec2:DescribeNetworkInterfaces" on ["*"],
        and "ec2:DescribeSubnets" on ["*"],
        and "ec2:DescribeVpcs" on ["*"];
}

impl Reconcile for ReplicationGroup {
    type Cloud = Aws;

    async fn list(cloud: &Aws, wanted: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
        let (groups, nodes) = futures::try_join!(read::groups(cloud), read::nodes(cloud))?;
        let mut found = vec![];
        for group in groups {
            let Some(name) = group.replication_group_id() else { continue };
            if !is_wanted(wanted, name, read::described_owner(&group).as_ref()) {
                continue;
            }
            let subject = wanted.iter().find(|subject| name_of(subject) == name);
            let node = nodes.iter().find(|node| node.replication_group_id() == Some(name));
            found.push(read::found(cloud, subject, &group, node).await?);
        }
        Ok(found)
    }

    async fn read(cloud: &Aws, subject: &Subject) -> Result<Option<Found<Self>>, Failure> {
        let Some(group) = read::group(cloud, name_of(subject)).await? else { return Ok(None) };
        let node = read::node_of(cloud, &group).await?;
        read::found(cloud, Some(subject), &group, node.as_ref()).await.map(Some)
    }

    async fn create(
        cloud: &Aws,
        subject: &Subject,
        want: Self,
        secrets: &Secrets,
    ) -> Result<String, Failure> {
        let name = name_of(subject);
        let token = match &want.auth_token {
            Some(token) => Some(secrets.reveal(token).await?),
            None => None,
        };
        let transit = want.transit_encryption.unwrap_or(TransitEncryption::Required);
        let mode =
            (transit == TransitEncryption::Preferred).then_some(TransitEncryptionMode::Preferred);
        let request = cloud
            .elasticache
            .create_replication_group()
            .replication_group_id(name)
            .replication_group_description(mark::written(&subject.owner))
            .engine(want.engine.as_str())
            .engine_version(&want.version)
            .cache_node_type(&want.node_type)
            .num_cache_clusters(1 + count("replicas", want.replicas.unwrap_or(0))?)
            .cache_subnet_group_name(want.subnet_group.as_str())
            .set_security_group_ids(Some(groups(&want)))
            .set_port(want.port.map(i32::from))
            .transit_encryption_enabled(transit != TransitEncryption::Off)
            .set_transit_encryption_mode(mode)
            .set_at_rest_encryption_enabled(want.at_rest_encryption)
            .set_automatic_failover_enabled(want.automatic_failover)
            .set_multi_az_enabled(want.multi_az)
            .set_auth_token(token.map(|token| token.expose_secret().to_owned()))
            .set_cache_parameter_group_name(want.parameter_group.clone())
            .set_preferred_maintenance_window(want.maintenance_window.clone())
            .set_snapshot_retention_limit(retention(&want)?)
            .set_tags(Some(tags::at_creation(subject, want.tags.as_ref())));
        let made = cloud.send(CREATE, request.send()).await;
        made_or_ours::<Self, _>(cloud, subject, made).await
    }

    async fn update(
        cloud: &Aws,
        subject: &Subject,
        change: Change<'_, Self>,
    ) -> Result<(), Failure> {
        let arn = cloud.arn("elasticache", &format!("replicationgroup:{}", subject.id()?));
        tags::update(cloud, arn.as_str(), &change, &change.want.tags).await?;
        update::step(cloud, subject, &change).await
    }

    async fn delete(cloud: &Aws, subject: &Subject) -> Result<(), Failure> {
        let name = subject.id()?;
        let snapshot = subject.inputs.get("final_snapshot").and_then(Data::as_str);
        let request = cloud
            .elasticache
            .delete_replication_group()
            .replication_group_id(name)
            .set_final_snapshot_identifier(snapshot.map(str::to_owned));
        match cloud.find(DELETE, request.send()).await {
            // One that is being deleted refuses to be, for as long as that takes.
            Err(failure) if failure.kind == FailureKind::Busy => {
                let group = read::group(cloud, name).await?;
                match group.as_ref().map(read::status) {
                    None | Some(Status::Deleting) => Ok(()),
                    Some(_) => Err(failure),
                }
            }
            answer => answer.map(drop),
        }
    }

    fn expand(mut fields: Data) -> Result<Data, Failure> {
        let Data::Map(map) = &mut fields else { return Ok(fields) };
        let mut or = |field: &str, value: Data| {
            map.entry(field.to_owned())
                .and_modify(|given| {
                    if *given == Data::Null {
                        given.clone_from(&value);
                    }
                })
                .or_insert(value)
                .clone()
        };
        let replicas = or("replicas", Data::Number(0.into()));
        let transit =
            or("transit_encryption", Data::Text(TransitEncryption::Required.as_str().into()));
        or("at_rest_encryption", Data::Bool(true));
        or("snapshot_retention_days", Data::Number(0.into()));
        let some = match &replicas {
            Data::Number(replicas) => Data::Bool(replicas.as_u64() != Some(0)),
            unknown => unknown.clone(),
        };
        let failover = or("automatic_failover", some.clone());
        let zones = or("multi_az", failover.clone());
        let refuse = |message: &str, hint: &str| Err(Failure::invalid(message).hint(hint));
        if matches!(&replicas, Data::Number(n) if n.as_u64().is_none_or(|n| n > MAX_REPLICAS)) {
            return refuse("a cache has at most 5 replicas", "give `replicas` 0 to 5");
        }
        if failover == Data::Bool(true) && some == Data::Bool(false) {
            return refuse(
                "a cache without replicas has nothing that takes over from its primary node",
                "give it `replicas`, or take `automatic_failover` away",
            );
        }
        if zones == Data::Bool(true) && failover == Data::Bool(false) {
            return refuse(
                "a cache is in several zones only if a replica takes over from the primary node",
                "set `automatic_failover`, or take `multi_az` away",
            );
        }
        let has_token = !matches!(map.get("auth_token"), None | Some(Data::Null));
        let plain = |mode: &str| mode != TransitEncryption::Required.as_str();
        if has_token && transit.as_str().is_some_and(plain) {
            return refuse(
                "a password would go over connections that aren't encrypted",
                "make `transit_encryption` required, or take `auth_token` away",
            );
        }
        Ok(fields)
    }

    fn predict(of: &Prediction<'_>) -> BTreeMap<&'static str, String> {
        predict_by_name(of, "id", "elasticache", "replicationgroup:")
    }
}

fn groups(want: &ReplicationGroup) -> Vec<String> {
    want.security_groups.iter().map(Id::to_string).collect()
}

fn retention(want: &ReplicationGroup) -> Result<Option<i32>, Failure> {
    want.snapshot_retention_days.map(|days| count("snapshot_retention_days", days)).transpose()
}

/// A count as ElastiCache takes it.
fn count(field: &str, count: u32) -> Result<i32, Failure> {
    i32::try_from(count).map_err(|_| Failure::invalid(format!("`{field}` is too large: {count}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    fn expanded(fields: Json) -> Result<Json, Failure> {
        ReplicationGroup::expand(Data::literal(&fields)).map(|data| data.to_json())
    }

    #[test]
    fn what_the_author_leaves_out_follows_from_the_replicas() {
        let rest = |replicas: u32, on: bool| {
            json!({
                "replicas": replicas, "automatic_failover": on, "multi_az": on,
                "transit_encryption": "required", "at_rest_encryption": true,
                "snapshot_retention_days": 0,
            })
        };
        assert_eq!(expanded(json!({})).unwrap(), rest(0, false));
        assert_eq!(expanded(json!({"replicas": 2})).unwrap(), rest(2, true));
        let one_zone = expanded(json!({"replicas": 1, "multi_az": false})).unwrap();
        assert_eq!(one_zone["automatic_failover"], true);
        assert_eq!(one_zone["multi_az"], false);
    }

    #[test]
    fn replicas_that_are_not_known_yet_leave_failover_unknown_too() {
        let unknown = Data::unknown("s/a".parse().unwrap(), Symbol::new("n"));
        let fields = Data::Map([("replicas".to_owned(), unknown.clone())].into());
        let expanded = ReplicationGroup::expand(fields).unwrap();
        assert_eq!(expanded.get("automatic_failover"), Some(&unknown));
        assert_eq!(expanded.get("multi_az"), Some(&unknown));
    }

    #[test]
    fn what_aws_would_refuse_is_refused_beforehand() {
        let token = json!("anything");
        for (fields, word) in [
            (json!({"replicas": 6}), "at most 5"),
            (json!({"automatic_failover": true}), "without replicas"),
            (
                json!({"replicas": 1, "automatic_failover": false, "multi_az": true}),
                "several zones",
            ),
            (json!({"auth_token": token, "transit_encryption": "off"}), "aren't encrypted"),
            (json!({"auth_token": token, "transit_encryption": "preferred"}), "aren't encrypted"),
        ] {
            let refused = expanded(fields).unwrap_err();
            assert!(refused.message.contains(word), "{refused}");
            assert!(refused.hint.is_some());
        }
    }
}
