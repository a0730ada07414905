//! The requests that make, change and delete a database server.

use super::{ENGINE, Instance, StorageType};
use crate::Aws;
use aws_sdk_rds::operation::{
    create_db_instance::builders::CreateDBInstanceFluentBuilder,
    delete_db_instance::builders::DeleteDBInstanceFluentBuilder,
    modify_db_instance::builders::ModifyDBInstanceFluentBuilder,
};
use formwork_engine::{Arn, Change, Data, Failure, Id, Secrets, Subject};
use secrecy::ExposeSecret;

/// The fields that a modification can change.
const MODIFIABLE: &[&str] = &[
    "version",
    "class",
    "storage_gb",
    "max_storage_gb",
    "storage_type",
    "multi_az",
    "security_groups",
    "public",
    "port",
    "managed_password",
    "master_password",
    "parameter_group",
    "iam_authentication",
    "backup_days",
    "backup_window",
    "maintenance_window",
    "auto_minor_upgrades",
    "performance_insights",
    "deletion_protection",
];

pub(super) async fn create(
    cloud: &Aws,
    name: &str,
    want: &Instance,
    secrets: &Secrets,
) -> Result<CreateDBInstanceFluentBuilder, Failure> {
    let managed = want.managed_password.unwrap_or(want.master_password.is_none());
    let storage_type = want.storage_type.unwrap_or(StorageType::Gp3);
    let request = cloud
        .rds
        .create_db_instance()
        .db_instance_identifier(name)
        .engine(ENGINE)
        .engine_version(&want.version)
        .db_instance_class(&want.class)
        .allocated_storage(int(want.storage_gb))
        .set_max_allocated_storage(want.max_storage_gb.map(int))
        .storage_type(storage_type.as_str())
        .storage_encrypted(want.encrypted.unwrap_or(true))
        .set_kms_key_id(want.kms_key.as_ref().map(Arn::to_string))
        .set_multi_az(want.multi_az)
        .set_db_subnet_group_name(want.subnet_group.as_ref().map(Id::to_string))
        .set_vpc_security_group_ids(security_groups(want))
        // Left out, it is public wherever the subnets have a way to the internet.
        .publicly_accessible(want.public.unwrap_or(false))
        .set_port(want.port.map(i32::from))
        .set_db_name(want.database.clone())
        .master_username(&want.master_user)
        .manage_master_user_password(managed)
        .set_db_parameter_group_name(want.parameter_group.as_ref().map(Id::to_string))
        .set_enable_iam_database_authentication(want.iam_authentication)
        .set_backup_retention_period(want.backup_days.map(int))
        .set_preferred_backup_window(want.backup_window.clone())
        .set_preferred_maintenance_window(want.maintenance_window.clone())
        .set_auto_minor_version_upgrade(want.auto_minor_upgrades)
        .set_enable_performance_insights(want.performance_insights)
        .set_deletion_protection(want.deletion_protection)
        // So that a snapshot says whose it is.
        .copy_tags_to_snapshot(true);
    Ok(request.set_master_user_password(password(want, secrets).await?))
}

/// `None` where nothing of it differs.
pub(super) async fn modify(
    cloud: &Aws,
    name: &str,
    change: &Change<'_, Instance>,
) -> Result<Option<ModifyDBInstanceFluentBuilder>, Failure> {
    if !MODIFIABLE.iter().any(|field| change.has(field)) {
        return Ok(None);
    }
    let want = &change.want;
    let version = Some(&want.version).filter(|_| change.has("version"));
    let class = Some(&want.class).filter(|_| change.has("class"));
    let storage = Some(want.storage_gb).filter(|_| change.has("storage_gb"));
    let storage_type = want.storage_type.filter(|_| change.has("storage_type"));
    let groups = security_groups(want).filter(|_| change.has("security_groups"));
    let parameters = want.parameter_group.as_ref().filter(|_| change.has("parameter_group"));
    let request = cloud
        .rds
        .modify_db_instance()
        .db_instance_identifier(name)
        .apply_immediately(want.apply_immediately.unwrap_or(true))
        .set_engine_version(version.cloned())
        // The stack says so.
        .set_allow_major_version_upgrade(version.map(|_| true))
        .set_db_instance_class(class.cloned())
        .set_allocated_storage(storage.map(int))
        .set_max_allocated_storage(change_of(
            change,
            "max_storage_gb",
            want.max_storage_gb.map(int),
        ))
        .set_storage_type(storage_type.map(|storage| storage.as_str().to_owned()))
        .set_multi_az(change_of(change, "multi_az", want.multi_az))
        .set_vpc_security_group_ids(groups)
        .set_publicly_accessible(change_of(change, "public", want.public))
        .set_db_port_number(change_of(change, "port", want.port.map(i32::from)))
        .set_manage_master_user_password(change_of(
            change,
            "managed_password",
            want.managed_password,
        ))
        .set_db_parameter_group_name(parameters.map(Id::to_string))
        .set_enable_iam_database_authentication(change_of(
            change,
            "iam_authentication",
            want.iam_authentication,
        ))
        .set_backup_retention_period(change_of(change, "backup_days", want.backup_days.map(int)))
        .set_preferred_backup_window(change_of(change, "backup_window", want.backup_window.clone()))
        .set_preferred_maintenance_window(change_of(
            change,
            "maintenance_window",
            want.maintenance_window.clone(),
        ))
        .set_auto_minor_version_upgrade(change_of(
            change,
            "auto_minor_upgrades",
            want.auto_minor_upgrades,
        ))
        .set_enable_performance_insights(change_of(
            change,
            "performance_insights",
            want.performance_insights,
        ))
        .set_deletion_protection(change_of(
            change,
            "deletion_protection",
            want.deletion_protection,
        ));
    // A password is due where its version changed, and where AWS stops making it.
    let due = change.has("master_password")
        || change.has("managed_password") && want.managed_password == Some(false);
    let password = if due { password(want, change.secrets).await? } else { None };
    Ok(Some(request.set_master_user_password(password)))
}

pub(super) fn delete(
    cloud: &Aws,
    subject: &Subject,
) -> Result<DeleteDBInstanceFluentBuilder, Failure> {
    let name = subject.id()?;
    let request = cloud.rds.delete_db_instance().db_instance_identifier(name);
    Ok(match subject.inputs.get("skip_final_snapshot") {
        Some(Data::Bool(true)) => request.skip_final_snapshot(true),
        _ => {
            let snapshot = final_snapshot(name, subject);
            request.skip_final_snapshot(false).final_db_snapshot_identifier(snapshot)
        }
    })
}

/// A name that no other server's last snapshot has, not even of one that had this one's name.
fn final_snapshot(name: &str, subject: &Subject) -> String {
    let resource_id = subject.outputs.get("resource_id").and_then(Data::as_str);
    let unique = resource_id.unwrap_or(&subject.owner.intent).to_lowercase();
    format!("{name}-final-{unique}")
}

fn security_groups(want: &Instance) -> Option<Vec<String>> {
    let groups = want.security_groups.as_ref()?;
    Some(groups.iter().map(Id::to_string).collect())
}

async fn password(want: &Instance, secrets: &Secrets) -> Result<Option<String>, Failure> {
    let Some(secret) = &want.master_password else { return Ok(None) };
    if want.managed_password == Some(true) {
        return Err(Failure::invalid(
            "`managed_password` and `master_password` exclude each other",
        )
        .hint("give a password, or let AWS manage one"));
    }
    Ok(Some(secrets.reveal(secret).await?.expose_secret().to_owned()))
}

fn change_of<T>(change: &Change<'_, Instance>, field: &str, value: Option<T>) -> Option<T> {
    value.filter(|_| change.has(field))
}

/// AWS refuses what is too large for it by itself.
fn int(number: u32) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use formwork_engine::Owner;

    #[test]
    fn the_last_snapshot_of_each_server_has_a_name_of_its_own() {
        let owner = Owner {
            lineage: "l".into(),
            address: "s/db".parse().unwrap(),
            intent: "0193-a".into(),
        };
        let outputs = Data::from_json(&serde_json::json!({"resource_id": "db-ABC"}));
        let mut subject = Subject {
            owner,
            name: "s-db".into(),
            id: Some("s-db".into()),
            inputs: Data::empty_map(),
            outputs,
        };
        assert_eq!(final_snapshot("s-db", &subject), "s-db-final-db-abc");
        subject.outputs = Data::empty_map();
        assert_eq!(final_snapshot("s-db", &subject), "s-db-final-0193-a");
    }
}
