//! A database server.
//!
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html>

mod found;
mod request;

use super::{ParameterGroup, SubnetGroup, tags};
use crate::{
    Aws,
    call::calls,
    ec2::SecurityGroup,
    iam::Grant,
    named::{is_wanted, made_or_ours, name_of, predict_by_name},
    tags::Tags,
    words::words,
};
use formwork_engine::*;
use found::found;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The engine of every instance of this kind.
const ENGINE: &str = "postgres";

words! {
    /// What the storage of a database server is made of.
    pub enum StorageType {
        Gp2 = "gp2",
        Gp3 = "gp3",
        Io1 = "io1",
        Io2 = "io2",
    }
}

/// A PostgreSQL server.
///
/// Changes hold at once, some of them by a restart or a failover; with `apply_immediately(false)` those
/// wait for the maintenance window, and a change that waits there counts as made.
#[derive(Resource, Deserialize)]
#[resource(
    kind = "aws.rds.Instance",
    outputs = InstanceOutputs,
    identity = name(63),
    stateful,
    hosts
)]
pub struct Instance {
    /// Its name: up to 63 lower-case letters, digits and `-`. Default: made of the address.
    #[replace]
    pub name: Option<String>,
    /// PostgreSQL's version: `17` is any patch of it, `17.6` that one. It never goes down.
    #[outage]
    pub version: String,
    /// What it runs on, such as `db.t4g.micro`.
    #[outage]
    pub class: String,
    /// Its storage in GiB, 20 to 65,536. It never shrinks.
    pub storage_gb: u32,
    /// The size in GiB that its storage may grow to by itself.
    pub max_storage_gb: Option<u32>,
    /// Default: gp3.
    #[default(StorageType::Gp3)]
    pub storage_type: Option<StorageType>,
    /// Whether its storage is encrypted. Default: yes.
    #[replace]
    pub encrypted: Option<bool>,
    /// The key of KMS that encrypts it. Default: AWS's own for RDS.
    #[replace]
    pub kms_key: Option<Arn>,
    /// Whether a second server in another zone stands by. Default: no.
    #[default(false)]
    pub multi_az: Option<bool>,
    /// Where it may be placed. Default: the account's default VPC.
    #[replace]
    pub subnet_group: Option<Id<SubnetGroup>>,
    #[unordered]
    pub security_groups: Option<Vec<Id<SecurityGroup>>>,
    /// Whether it has an address on the internet. Default: no.
    #[default(false)]
    pub public: Option<bool>,
    /// Default: 5432.
    #[outage]
    #[default(5432)]
    pub port: Option<u16>,
    /// A database to make with it. Default: only `postgres`.
    #[replace]
    pub database: Option<String>,
    /// The role that everything else is set up by; it is no superuser.
    #[replace]
    pub master_user: String,
    /// Whether AWS makes the master's password, keeps it in Secrets Manager and changes it every seven
    /// days. Default: yes, unless `master_password` is given.
    pub managed_password: Option<bool>,
    /// The master's password, where AWS doesn't manage it: 8 to 128 characters.
    #[secret]
    pub master_password: Option<Secret>,
    /// Settings of the engine. Default: the engine's own.
    pub parameter_group: Option<Id<ParameterGroup>>,
    /// Whether roles can log in by IAM. Default: no.
    #[default(false)]
    pub iam_authentication: Option<bool>,
    /// Days that automatic backups are kept, 0 to 35; 0 makes none. Default: 1.
    #[default(1)]
    pub backup_days: Option<u32>,
    /// When backups are made, such as `03:00-04:00`, UTC. Default: chosen by AWS.
    pub backup_window: Option<String>,
    /// When changes that wait are made, such as `sun:05:00-sun:06:00`, UTC. Default: chosen by AWS.
    pub maintenance_window: Option<String>,
    /// Whether AWS installs new patches in the maintenance window. Default: yes.
    #[default(true)]
    pub auto_minor_upgrades: Option<bool>,
    /// Default: no.
    #[default(false)]
    pub performance_insights: Option<bool>,
    /// Whether AWS itself refuses to delete it. Default: no.
    #[default(false)]
    pub deletion_protection: Option<bool>,
    /// Whether changes are made at once. Default: yes.
    #[write_only]
    pub apply_immediately: Option<bool>,
    /// Whether it is deleted without a last snapshot. Default: no; the snapshot is called
    /// `NAME-final-` and the resource's identifier.
    #[write_only]
    pub skip_final_snapshot: Option<bool>,
    pub tags: Option<Tags>,
}

/// What is known of a database server.
#[derive(Outputs, Serialize)]
pub struct InstanceOutputs {
    #[predicted]
    #[ready]
    pub name: Id<Instance>,
    #[predicted]
    pub arn: Arn,
    /// Its unique identifier, `db-…`, by which IAM knows it.
    pub resource_id: String,
    /// What the ARNs of its database users start with, as IAM authentication names them.
    pub users_arn: String,
    #[ready]
    pub host: Option<String>,
    #[ready]
    pub port: Option<u16>,
    /// The master's password: AWS's own secret where it manages it, else the one given.
    #[ready]
    #[secret]
    pub master_secret: Option<Secret>,
}

impl InstanceOutputsRefs {
    /// Permission to log in as a role of the database, by IAM authentication.
    ///
    /// Source: <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.IAMPolicy.html>
    pub fn connect(&self, user: impl IntoText) -> Value<Grant> {
        Grant::allow(["rds-db:connect"], text![self.users_arn, "/", user])
    }
}

calls! { Instance + tags::CALLS:
    LIST = RDS.DescribeDBInstances on ["db:*"];
    CREATE = RDS.CreateDBInstance on ["db:{name}", "subgrp:*", "pg:*", "og:*"],
        and "rds:AddTagsToResource" on ["db:{name}"],
        and "iam:CreateServiceLinkedRole" on ["role/aws-service-role/rds.amazonaws.com/*"]
            if "iam:AWSServiceName" = "rds.amazonaws.com",
        and "secretsmanager:CreateSecret" on ["secret:rds!*"],
        and "secretsmanager:TagResource" on ["secret:rds!*"];
    MODIFY = RDS.ModifyDBInstance on ["db:{id}", "pg:*", "og:*"],
        and "secretsmanager:CreateSecret" on ["secret:rds!*"],
        and "secretsmanager:TagResource" on ["secret:rds!*"];
    DELETE = RDS.DeleteDBInstance on ["db:{id}"],
        and "rds:CreateDBSnapshot" on ["db:{id}", "snapshot:{id}-final-*"];
}

impl Reconcile for Instance {
    type Cloud = Aws;

    async fn list(cloud: &Aws, wanted: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
        let request = |token| cloud.rds.describe_db_instances().set_marker(token).send();
        let all = cloud
            .pages(LIST, request, |page| (page.marker, page.db_instances.unwrap_or_default()))
            .await?;
        let found = all.into_iter().map(|described| {
            let name = described.db_instance_identifier.clone().unwrap_or_default();
            let subject = wanted.iter().find(|subject| name_of(subject) == name);
            found(cloud, described, subject)
        });
        let found: Vec<Found<Self>> = found.collect::<Result<_, _>>()?;
        let ours = |found: &Found<Self>| is_wanted(wanted, &found.id, found.owner.as_ref());
        Ok(found.into_iter().filter(ours).collect())
    }

    async fn read(cloud: &Aws, subject: &Subject) -> Result<Option<Found<Self>>, Failure> {
        let request = cloud.rds.describe_db_instances();
        let request = request.db_instance_identifier(name_of(subject)).send();
        let page = cloud.find(LIST, request).await?;
        let described = page.and_then(|page| page.db_instances.unwrap_or_default().pop());
        described.map(|described| found(cloud, described, Some(subject))).transpose()
    }

    async fn create(
        cloud: &Aws,
        subject: &Subject,
        want: Self,
        secrets: &Secrets,
    ) -> Result<String, Failure> {
        let name = name_of(subject);
        let request = request::create(cloud, name, &want, secrets).await?;
        let request = request.set_tags(Some(tags::at_creation(subject, want.tags.as_ref())));
        let made = cloud.send(CREATE, request.send()).await;
        made_or_ours::<Self, _>(cloud, subject, made).await
    }

    async fn update(
        cloud: &Aws,
        subject: &Subject,
        change: Change<'_, Self>,
    ) -> Result<(), Failure> {
        let name = subject.id()?;
        if let Some(request) = request::modify(cloud, name, &change).await? {
            cloud.send(MODIFY, request.send()).await?;
        }
        let arn = cloud.arn("rds", &format!("db:{name}"));
        tags::update(cloud, arn.as_str(), &change, &change.want.tags).await
    }

    async fn delete(cloud: &Aws, subject: &Subject) -> Result<(), Failure> {
        let request = request::delete(cloud, subject)?;
        match cloud.find(DELETE, request.send()).await {
            // It is on its way out already, or busy with something else.
            Err(failure) if failure.kind == FailureKind::Busy => {
                match Self::read(cloud, subject).await? {
                    None | Some(Found { status: Status::Deleting, .. }) => Ok(()),
                    Some(_) => Err(failure),
                }
            }
            Err(failure) if is_protected(&failure) => Err(failure.hint(
                "AWS's own deletion protection is on: apply `deletion_protection(false)` first",
            )),
            deleted => deleted.map(drop),
        }
    }

    fn predict(of: &Prediction<'_>) -> BTreeMap<&'static str, String> {
        predict_by_name(of, "name", "rds", "db:")
    }
}

/// RDS has no code of its own for deletion protection, only words.
fn is_protected(failure: &Failure) -> bool {
    let message = failure.message.to_lowercase().replace(' ', "");
    message.contains("deletionprotection")
}
