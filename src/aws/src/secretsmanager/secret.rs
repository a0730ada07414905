//! A secret.
//!
//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html>

use super::{Generate, generate::LENGTHS};
use crate::{
    Aws,
    call::{absent, calls, half_made},
    each::each,
    iam::Grant,
    named::{name_of, predicted_name, taken},
    secrets,
    tags::{self, Tags},
};
use aws_sdk_secretsmanager::{operation::describe_secret::DescribeSecretOutput, types::Tag};
use formwork_engine::*;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// Days that a deleted secret can be restored, unless the author says otherwise.
const RECOVERY_DAYS: i64 = 30;
/// The rotation that a secret starts with.
const FIRST: u32 = 1;
/// The label of the version that readers get.
const CURRENT: &str = "AWSCURRENT";
/// What stands in a version's identifier between the intent that made the secret and the rotation.
const ROTATION: &str = "-r";

/// A secret whose text is made here, once, and is never seen in a stack, a plan or a state.
///
/// A version is called after its rotation, so that the service itself tells which one is in use. One
/// that is put from outside is drift (it shows as rotation 0), and applying puts the stack's own back;
/// `.ignore("rotation")` leaves it.
#[derive(Resource, Deserialize)]
#[resource(kind = "aws.secretsmanager.Secret", outputs = SecretOutputs, identity = name(256), stateful)]
pub struct Secret {
    /// Its name: letters, digits and `/_+=.@-`, up to 512. Default: made of the address.
    #[replace]
    pub name: Option<String>,
    /// How its text is made. A change of it counts from the next rotation on.
    #[write_only]
    pub generate: Generate,
    /// Which text it holds, from 1. Raise it to get a new one; the one before can still be fetched
    /// by those that hold its reference, until the rotation after. Default: 1.
    #[default(1)]
    pub rotation: Option<u32>,
    #[default("")]
    pub description: Option<String>,
    /// Days that it can be restored after it is deleted, 7 to 30; 0 deletes it for good at once.
    /// Default: 30.
    #[write_only]
    pub recovery_days: Option<u32>,
    /// The identifier of the account's KMS key that encrypts it. Default: AWS's own key
    /// `aws/secretsmanager`.
    pub kms_key: Option<String>,
    pub tags: Option<Tags>,
}

/// What is known of a secret.
#[derive(Outputs, Serialize)]
pub struct SecretOutputs {
    pub arn: Arn,
    #[predicted]
    pub name: String,
    /// Its text, as a reference to the version in use.
    #[ready]
    #[secret]
    #[changes_with(rotation)]
    pub value: Option<formwork_engine::Secret>,
}

impl SecretOutputsRefs {
    /// Permission to read it, and no other.
    ///
    /// With a `kms_key` of its own the reader needs `kms:Decrypt` on that key as well.
    pub fn read(&self) -> Value<Grant> {
        Grant::allow(["secretsmanager:GetSecretValue"], self.arn)
    }
}

calls! { Secret:
    READ = SECRETS_MANAGER.DescribeSecret on ["secret:{name}-*"];
    CREATE = SECRETS_MANAGER.CreateSecret on ["secret:{name}-*"],
        and "secretsmanager:TagResource" on ["secret:{name}-*"];
    PUT = SECRETS_MANAGER.PutSecretValue on ["secret:{name}-*"],
        and "kms:GenerateDataKey" on ["key/{kms_key}"],
        and "kms:Decrypt" on ["key/{kms_key}"];
    PROMOTE = SECRETS_MANAGER.UpdateSecretVersionStage on ["secret:{name}-*"];
    UPDATE = SECRETS_MANAGER.UpdateSecret on ["secret:{name}-*"],
        and "kms:GenerateDataKey" on ["key/{kms_key}"],
        and "kms:Encrypt" on ["key/{kms_key}"],
        and "kms:Decrypt" on ["key/{kms_key}"];
    TAG = SECRETS_MANAGER.TagResource on ["secret:{name}-*"];
    UNTAG = SECRETS_MANAGER.UntagResource on ["secret:{name}-*"];
    RESTORE = SECRETS_MANAGER.RestoreSecret on ["secret:{name}-*"];
    DELETE = SECRETS_MANAGER.DeleteSecret on ["secret:{name}-*"];
}

impl Reconcile for Secret {
    type Cloud = Aws;

    /// One by one: `ListSecrets` may be five minutes behind, and would tell a version before.
    ///
    /// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html>
    async fn list(cloud: &Aws, wanted: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
        each(cloud, wanted).await
    }

    async fn read(cloud: &Aws, subject: &Subject) -> Result<Option<Found<Self>>, Failure> {
        let there = describe(cloud, name_of(subject)).await?.filter(|s| s.deleted_date.is_none());
        there.map(|described| found(cloud, described)).transpose()
    }

    async fn create(
        cloud: &Aws,
        subject: &Subject,
        want: Self,
        _: &Secrets,
    ) -> Result<String, Failure> {
        let name = name_of(subject).to_owned();
        let tags = tags::at_creation(subject, want.tags.as_ref());
        // Without a text: one that is given here could be lost with the answer and not be told apart.
        let request = cloud
            .secrets_manager
            .create_secret()
            .name(&name)
            .set_description(want.description.clone().filter(|text| !text.is_empty()))
            .set_kms_key_id(want.kms_key.clone())
            .set_tags(Some(list(tags.clone())));
        match cloud.send(CREATE, request.send()).await {
            Ok(_) => {
                let put = set_version(cloud, subject, &name, &want, &HashMap::new()).await;
                put.map_err(half_made(&name))?;
            }
            Err(refusal) => {
                let held = held_by_us(cloud, subject, &name, refusal).await?;
                let took = take_over(cloud, subject, &name, &want, held, &tags).await;
                took.map_err(half_made(&name))?;
            }
        }
        Ok(name)
    }

    async fn update(
        cloud: &Aws,
        subject: &Subject,
        change: Change<'_, Self>,
    ) -> Result<(), Failure> {
        let (name, want) = (subject.id()?, &change.want);
        if change.has("description") || change.has("kms_key") {
            set_details(cloud, name, want).await?;
        }
        if !change.has("rotation") && !change.has("tags") {
            return Ok(());
        }
        let described = describe(cloud, name).await?.ok_or_else(|| {
            Failure::invalid(format!("the secret `{name}` is gone")).hint("plan again")
        })?;
        if change.has("rotation") {
            let versions = described.version_ids_to_stages.unwrap_or_default();
            set_version(cloud, subject, name, want, &versions).await?;
        }
        match &want.tags {
            Some(tags) if change.has("tags") => set_tags(cloud, name, described.tags, tags).await,
            _ => Ok(()),
        }
    }

    async fn delete(cloud: &Aws, subject: &Subject) -> Result<(), Failure> {
        let name = subject.id()?;
        let days = subject.inputs.get("recovery_days").and_then(|days| days.parse::<i64>().ok());
        let request = cloud.secrets_manager.delete_secret().secret_id(name);
        let request = match days.unwrap_or(RECOVERY_DAYS) {
            0 => request.force_delete_without_recovery(true),
            days => request.recovery_window_in_days(days),
        };
        match cloud.find(DELETE, request.send()).await {
            // One that is in its recovery window is refused, and gone as far as anybody can tell.
            Err(refusal) if refusal.kind == FailureKind::Invalid => {
                match Self::read(cloud, subject).await? {
                    Some(_) => Err(refusal),
                    None => Ok(()),
                }
            }
            answer => answer.map(drop),
        }
    }

    fn expand(mut fields: Data) -> Result<Data, Failure> {
        let number = |data: Option<&Data>| data.and_then(|data| data.parse::<u32>().ok());
        let length = number(fields.get("generate").and_then(|generate| generate.get("length")));
        if let Some(length) = length.filter(|length| !LENGTHS.contains(length)) {
            let (least, most) = LENGTHS.into_inner();
            return Err(Failure::invalid(format!(
                "`generate.length` can't be {length}: {least} to {most} characters"
            )));
        }
        let days = number(fields.get("recovery_days"));
        if let Some(days) = days.filter(|days| *days != 0 && !(7..=30).contains(days)) {
            return Err(Failure::invalid(format!(
                "`recovery_days` can't be {days}: 7 to 30, or 0 to delete at once"
            )));
        }
        if number(fields.get("rotation")) == Some(0) {
            return Err(Failure::invalid(format!("`rotation` can't be 0: it starts at {FIRST}")));
        }
        if let Data::Map(map) = &mut fields {
            map.entry("rotation".to_owned()).or_insert_with(|| Data::Number(FIRST.into()));
        }
        Ok(fields)
    }

    fn predict(of: &Prediction<'_>) -> BTreeMap<&'static str, String> {
        predicted_name(of).map(|name| ("name", name.to_owned())).into_iter().collect()
    }
}

async fn describe(cloud: &Aws, name: &str) -> Result<Option<DescribeSecretOutput>, Failure> {
    cloud.find(READ, cloud.secrets_manager.describe_secret().secret_id(name).send()).await
}

fn found(cloud: &Aws, described: DescribeSecretOutput) -> Result<Found<Secret>, Failure> {
    let arn = described.arn.ok_or_else(|| absent(READ, "an ARN"))?;
    let name = described.name.ok_or_else(|| absent(READ, "a name"))?;
    let versions = described.version_ids_to_stages.unwrap_or_default();
    let version = current(&versions);
    let (owner, own_tags) = tags::split(pairs(described.tags));
    Ok(Found {
        observed: SecretObserved {
            name: Some(name.clone()),
            rotation: Some(version.and_then(rotation_of).unwrap_or(0)),
            description: Some(described.description.unwrap_or_default()),
            kms_key: described.kms_key_id,
            tags: Some(own_tags),
        },
        status: match version {
            Some(_) => Status::Ready,
            None => Status::Pending("without a text yet".into()),
        },
        outputs: SecretOutputs {
            value: version.map(|version| secrets::stored(cloud, &arn, version)),
            arn: Arn::new(arn),
            name: name.clone(),
        },
        id: name,
        owner,
    })
}

/// The secret that holds the name, if an earlier creation at the same address made it.
async fn held_by_us(
    cloud: &Aws,
    subject: &Subject,
    name: &str,
    refusal: Failure,
) -> Result<DescribeSecretOutput, Failure> {
    // A name in its recovery window is refused as an invalid request.
    if !matches!(refusal.kind, FailureKind::Taken | FailureKind::Invalid) {
        return Err(refusal);
    }
    let Some(held) = describe(cloud, name).await? else { return Err(refusal) };
    let deleted = held.deleted_date.is_some();
    if refusal.kind == FailureKind::Invalid && !deleted {
        return Err(refusal);
    }
    let (owner, _) = tags::split(pairs(held.tags.clone()));
    let us = &subject.owner;
    if owner.as_ref().is_some_and(|o| o.lineage == us.lineage && o.address == us.address) {
        return Ok(held);
    }
    let refused = taken::<Secret>(name, owner.as_ref());
    Err(match deleted {
        false => refused,
        true => refused.hint(
            "it is deleted, but its recovery window holds the name: choose another, or run \
             `aws secretsmanager delete-secret --force-delete-without-recovery` on it",
        ),
    })
}

/// Brings a secret of ours to what a new one would be: out of its recovery window, with a new text.
async fn take_over(
    cloud: &Aws,
    subject: &Subject,
    name: &str,
    want: &Secret,
    held: DescribeSecretOutput,
    tags: &Tags,
) -> Result<(), Failure> {
    if held.deleted_date.is_some() {
        let request = cloud.secrets_manager.restore_secret().secret_id(name);
        cloud.send(RESTORE, request.send()).await?;
    }
    set_details(cloud, name, want).await?;
    let versions = held.version_ids_to_stages.unwrap_or_default();
    set_version(cloud, subject, name, want, &versions).await?;
    // Its marks come last: until then it isn't what this intent made.
    set_tags(cloud, name, held.tags, tags).await
}

/// What the version of a rotation is called: the same for every try, and unlike any other secret's.
fn version_of(subject: &Subject, want: &Secret) -> String {
    format!("{}{ROTATION}{}", subject.owner.intent, want.rotation.unwrap_or(FIRST))
}

/// The rotation of a version that was made here.
fn rotation_of(version: &str) -> Option<u32> {
    version.rsplit_once(ROTATION)?.1.parse().ok()
}

fn current(versions: &HashMap<String, Vec<String>>) -> Option<&str> {
    let labelled = |labels: &[String]| labels.iter().any(|label| label == CURRENT);
    versions.iter().find(|(_, labels)| labelled(labels)).map(|(version, _)| version.as_str())
}

/// Makes the wanted rotation the current version; its text is made if there is none yet.
///
/// AWS refuses another text for a version that exists, so a repeated try changes nothing.
async fn set_version(
    cloud: &Aws,
    subject: &Subject,
    name: &str,
    want: &Secret,
    versions: &HashMap<String, Vec<String>>,
) -> Result<(), Failure> {
    let (version, current) = (version_of(subject, want), current(versions));
    if current == Some(version.as_str()) {
        return Ok(());
    }
    if !versions.contains_key(&version) {
        let text = want.generate.text()?;
        let request = cloud
            .secrets_manager
            .put_secret_value()
            .secret_id(name)
            .client_request_token(&version)
            .secret_string(text.expose_secret());
        match cloud.send(PUT, request.send()).await {
            // It is there, without any label: only the label is to be set.
            Err(failure) if failure.kind == FailureKind::Taken => {}
            answer => return answer.map(drop),
        }
    }
    let request = cloud
        .secrets_manager
        .update_secret_version_stage()
        .secret_id(name)
        .version_stage(CURRENT)
        .move_to_version_id(version)
        .set_remove_from_version_id(current.map(str::to_owned));
    cloud.send(PROMOTE, request.send()).await.map(drop)
}

async fn set_details(cloud: &Aws, name: &str, want: &Secret) -> Result<(), Failure> {
    let request = cloud
        .secrets_manager
        .update_secret()
        .secret_id(name)
        .description(want.description.clone().unwrap_or_default())
        .set_kms_key_id(want.kms_key.clone());
    cloud.send(UPDATE, request.send()).await.map(drop)
}

async fn set_tags(
    cloud: &Aws,
    name: &str,
    current: Option<Vec<Tag>>,
    want: &Tags,
) -> Result<(), Failure> {
    let (set, gone) = tags::changes(&pairs(current).collect(), want);
    if !set.is_empty() {
        let request = cloud.secrets_manager.tag_resource().secret_id(name);
        cloud.send(TAG, request.set_tags(Some(list(set))).send()).await?;
    }
    if !gone.is_empty() {
        let request = cloud.secrets_manager.untag_resource().secret_id(name);
        cloud.send(UNTAG, request.set_tag_keys(Some(gone)).send()).await?;
    }
    Ok(())
}

fn list(tags: Tags) -> Vec<Tag> {
    tags.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

fn pairs(tags: Option<Vec<Tag>>) -> impl Iterator<Item = (String, String)> {
    let tags = tags.unwrap_or_default().into_iter();
    tags.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_version_that_was_made_here_has_a_rotation() {
        assert_eq!(rotation_of("0199b9c4-1111-7222-8333-444455556666-r12"), Some(12));
        assert_eq!(rotation_of("0199b9c4-1111-7222-8333-444455556666"), None);
        assert_eq!(rotation_of("terraform-20260101"), None);
    }

    #[test]
    fn values_out_of_range_are_refused_before_anything_is_called() {
        let expand = |json: serde_json::Value| Secret::expand(Data::literal(&json));
        let refused = |json| expand(json).unwrap_err().message;
        let message = refused(serde_json::json!({"generate": {"length": 7}}));
        assert_eq!(message, "`generate.length` can't be 7: 8 to 4096 characters");
        assert!(refused(serde_json::json!({"recovery_days": 6})).contains("7 to 30"));
        assert!(refused(serde_json::json!({"rotation": 0})).contains("starts at 1"));
        let fields = expand(serde_json::json!({"recovery_days": 0})).unwrap();
        assert_eq!(fields.get("rotation").unwrap().plain_text(), "1");
    }
}
