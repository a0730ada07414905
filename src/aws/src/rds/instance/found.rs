//! A database server as RDS describes it.

use super::{Instance, InstanceObserved, InstanceOutputs, LIST, StorageType};
use crate::{Aws, call::absent, rds::tags, version::as_asked};
use aws_sdk_rds::types::{DbInstance, PendingModifiedValues};
use formwork_engine::{Arn, Data, Failure, Found, Id, Secret, SecretRef, Status, Subject};

/// The states in which a server can be used, whatever else is done to it meanwhile.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html>
const USABLE: &[&str] =
    &["available", "backing-up", "storage-optimization", "storage-initialization"];

/// The states that a server doesn't leave by itself.
const STUCK: &[&str] = &[
    "failed",
    "inaccessible-encryption-credentials",
    "inaccessible-encryption-credentials-recoverable",
    "insufficient-capacity",
    "restore-error",
    "stopped",
    "storage-full",
];

/// The field of a managed secret's JSON that holds the password.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html>
const PASSWORD: &str = "password";
/// The stage of the version of a secret that holds now.
const CURRENT: &str = "AWSCURRENT";

/// `subject` is the one that is wanted of it, if one is: its words count where AWS says the same in
/// others.
pub(super) fn found(
    cloud: &Aws,
    instance: DbInstance,
    subject: Option<&Subject>,
) -> Result<Found<Instance>, Failure> {
    let name = instance.db_instance_identifier.clone().ok_or_else(|| absent(LIST, "a name"))?;
    let resource_id =
        instance.dbi_resource_id.clone().ok_or_else(|| absent(LIST, "a resource id"))?;
    let (owner, own_tags) = tags::split(instance.tag_list.clone().unwrap_or_default());
    let master_secret = master_secret(cloud, &instance, subject);
    let endpoint = instance.endpoint.clone();
    Ok(Found {
        outputs: InstanceOutputs {
            name: Id::existing(&name),
            arn: match instance.db_instance_arn.clone() {
                Some(arn) => Arn::new(arn),
                None => cloud.arn("rds", &format!("db:{name}")),
            },
            users_arn: cloud.arn("rds-db", &format!("dbuser:{resource_id}")).to_string(),
            resource_id,
            host: endpoint.as_ref().and_then(|endpoint| endpoint.address.clone()),
            port: endpoint.as_ref().and_then(|endpoint| whole(endpoint.port)),
            master_secret,
        },
        status: status(instance.db_instance_status.as_deref().unwrap_or_default()),
        observed: InstanceObserved { tags: Some(own_tags), ..observed(instance, subject) },
        id: name,
        owner,
    })
}

fn status(word: &str) -> Status {
    match word {
        word if USABLE.contains(&word) => Status::Ready,
        "deleting" => Status::Deleting,
        word if STUCK.contains(&word) || word.starts_with("incompatible-") => {
            Status::Failed(word.to_owned())
        }
        word => Status::Pending(word.to_owned()),
    }
}

fn observed(instance: DbInstance, subject: Option<&Subject>) -> InstanceObserved {
    let asked = |field: &str| subject.and_then(|subject| subject.inputs.get(field));
    // What RDS has accepted counts, whether or not it waits for the maintenance window.
    let pending = instance
        .pending_modified_values
        .unwrap_or_else(|| PendingModifiedValues::builder().build());
    let version = pending.engine_version.or(instance.engine_version);
    let storage = whole(pending.allocated_storage.or(instance.allocated_storage));
    let groups = instance.vpc_security_groups.unwrap_or_default().into_iter();
    // A group that is on its way out doesn't count.
    let groups = groups.filter(|group| group.status.as_deref() != Some("removing"));
    let parameters = instance.db_parameter_groups.unwrap_or_default().into_iter().next();
    let subnets = instance.db_subnet_group.and_then(|group| group.db_subnet_group_name);
    let endpoint = instance.endpoint.and_then(|endpoint| endpoint.port);
    let storage_type = pending.storage_type.or(instance.storage_type);
    InstanceObserved {
        name: instance.db_instance_identifier,
        version: version.map(|runs| as_asked(asked("version").and_then(Data::as_str), runs)),
        class: pending.db_instance_class.or(instance.db_instance_class),
        storage_gb: storage.map(|size| grown(size, asked("storage_gb"), asked("max_storage_gb"))),
        max_storage_gb: whole(instance.max_allocated_storage),
        storage_type: storage_type.as_deref().and_then(StorageType::from_word),
        encrypted: instance.storage_encrypted,
        kms_key: instance.kms_key_id.filter(|key| !key.is_empty()).map(Arn::new),
        multi_az: pending.multi_az.or(instance.multi_az),
        subnet_group: subnets.map(Id::existing),
        security_groups: Some(
            groups.filter_map(|group| group.vpc_security_group_id).map(Id::existing).collect(),
        ),
        public: instance.publicly_accessible,
        port: whole(pending.port.or(endpoint)),
        database: instance.db_name,
        master_user: instance.master_username,
        managed_password: Some(instance.master_user_secret.is_some()),
        parameter_group: parameters.and_then(|g| g.db_parameter_group_name).map(Id::existing),
        iam_authentication: pending
            .iam_database_authentication_enabled
            .or(instance.iam_database_authentication_enabled),
        backup_days: whole(pending.backup_retention_period.or(instance.backup_retention_period)),
        backup_window: instance.preferred_backup_window,
        maintenance_window: instance.preferred_maintenance_window,
        auto_minor_upgrades: instance.auto_minor_version_upgrade,
        performance_insights: instance.performance_insights_enabled,
        deletion_protection: instance.deletion_protection,
        tags: None,
    }
}

/// A storage that grew by itself within what it may is as it was asked for.
fn grown(size: u32, asked: Option<&Data>, most: Option<&Data>) -> u32 {
    let number = |data: Option<&Data>| data.and_then(|data| data.parse::<u32>().ok());
    match (number(asked), number(most)) {
        (Some(asked), Some(most)) if asked < size && size <= most => asked,
        _ => size,
    }
}

/// A number that AWS never gives as less than none.
fn whole<T: TryFrom<i32>>(number: Option<i32>) -> Option<T> {
    number.and_then(|number| number.try_into().ok())
}

fn master_secret(cloud: &Aws, instance: &DbInstance, subject: Option<&Subject>) -> Option<Secret> {
    if let Some(arn) = instance.master_user_secret.as_ref().and_then(|secret| secret.secret_arn()) {
        return Some(managed(cloud, arn));
    }
    match subject?.inputs.get("master_password")? {
        Data::Secret(given) => Some(given.clone()),
        _ => None,
    }
}

/// AWS changes it every seven days: whoever needs it takes the one of that moment.
fn managed(cloud: &Aws, arn: &str) -> Secret {
    Secret::stored(SecretRef {
        store: "aws.secretsmanager".into(),
        at: serde_json::json!(cloud.target).to_string(),
        key: format!("{arn}#{PASSWORD}"),
        version: CURRENT.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_ready_pending_failed_or_deleting() {
        for (word, expected) in [
            ("available", Status::Ready),
            ("backing-up", Status::Ready),
            ("creating", Status::Pending("creating".into())),
            (
                "configuring-iam-database-auth",
                Status::Pending("configuring-iam-database-auth".into()),
            ),
            ("incompatible-network", Status::Failed("incompatible-network".into())),
            ("storage-full", Status::Failed("storage-full".into())),
            ("deleting", Status::Deleting),
        ] {
            assert_eq!(status(word), expected);
        }
    }

    #[test]
    fn storage_that_grew_within_its_bound_is_no_drift() {
        let number = |n: u32| Data::of(&n).unwrap();
        assert_eq!(grown(30, Some(&number(20)), Some(&number(100))), 20);
        assert_eq!(grown(30, Some(&number(20)), None), 30);
        assert_eq!(grown(200, Some(&number(20)), Some(&number(100))), 200);
        assert_eq!(grown(10, Some(&number(20)), Some(&number(100))), 10);
    }
}
