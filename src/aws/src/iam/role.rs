//! A role.
//!
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>

use super::{
    Grant, Trust, read,
    statement::{self, complete, policy_document, trust_document},
    tags,
};
use crate::{
    Aws,
    call::{calls, half_made},
    named::{made_or_ours, name_of, predict_by_name, predicted_name},
    tags::Tags,
};
use formwork_engine::*;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The inline policy that holds a role's grants.
const POLICY: &str = "formwork";

/// A role: a set of permissions, and who may take it on.
///
/// All its permissions are what `grants` and `managed_policies` say: policies put on it from outside
/// are drift, and applying takes them off.
#[derive(Resource, Deserialize)]
#[resource(kind = "aws.iam.Role", outputs = RoleOutputs, identity = name(64))]
pub struct Role {
    /// Its name in the account, up to 64 characters. Default: made of the address.
    #[replace]
    pub name: Option<String>,
    /// The path in front of its name, such as `/ci/`. Default: `/`.
    #[replace]
    pub path: Option<String>,
    /// Who may take it on, such as `Trust::pods()`.
    #[unordered]
    pub assumed_by: Vec<Trust>,
    /// What it may do, as one inline policy of up to 10,240 characters. Default: nothing.
    #[unordered]
    pub grants: Option<Vec<Grant>>,
    /// ARNs of policies that AWS or the account keeps, at most 20. Default: none.
    #[unordered]
    pub managed_policies: Option<Vec<Arn>>,
    /// The ARN of a policy that bounds what it can be granted.
    #[default("")]
    pub permissions_boundary: Option<Arn>,
    /// The longest session, in seconds, 3,600 to 43,200. Default: 3,600.
    #[default(3600)]
    pub max_session_seconds: Option<u32>,
    #[default("")]
    pub description: Option<String>,
    pub tags: Option<Tags>,
}

/// What is known of a role.
#[derive(Outputs, Serialize)]
pub struct RoleOutputs {
    /// Its unique identifier, `AROA…`, which no role of the same name has had.
    pub id: Id<Role>,
    #[predicted]
    pub arn: Arn,
    #[predicted]
    pub name: String,
}

calls! { Role + read::CALLS:
    CREATE = IAM.CreateRole on ["role{path}{name}"],
        and "iam:TagRole" on ["role{path}{name}"];
    UPDATE = IAM.UpdateRole on ["role{path}{id}"];
    UPDATE_TRUST = IAM.UpdateAssumeRolePolicy on ["role{path}{id}"];
    PUT_POLICY = IAM.PutRolePolicy on ["role{path}{id}"];
    DELETE_POLICY = IAM.DeleteRolePolicy on ["role{path}{id}"];
    ATTACH = IAM.AttachRolePolicy on ["role{path}{id}"];
    DETACH = IAM.DetachRolePolicy on ["role{path}{id}"];
    SET_BOUNDARY = IAM.PutRolePermissionsBoundary on ["role{path}{id}"];
    REMOVE_BOUNDARY = IAM.DeleteRolePermissionsBoundary on ["role{path}{id}"];
    TAG = IAM.TagRole on ["role{path}{id}"];
    UNTAG = IAM.UntagRole on ["role{path}{id}"];
    LIST_PROFILES = IAM.ListInstanceProfilesForRole on ["role{path}{id}"];
    REMOVE_FROM_PROFILE = IAM.RemoveRoleFromInstanceProfile on ["instance-profile/*"];
    DELETE = IAM.DeleteRole on ["role{path}{id}"];
}

impl Reconcile for Role {
    type Cloud = Aws;

    async fn list(cloud: &Aws, wanted: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
        let described = read::all(cloud, wanted).await?;
        Ok(described.into_iter().map(found).collect())
    }

    async fn read(cloud: &Aws, subject: &Subject) -> Result<Option<Found<Self>>, Failure> {
        Ok(read::one(cloud, name_of(subject)).await?.map(found))
    }

    async fn create(
        cloud: &Aws,
        subject: &Subject,
        want: Self,
        _: &Secrets,
    ) -> Result<String, Failure> {
        let name = name_of(subject).to_owned();
        let request = cloud
            .iam
            .create_role()
            .role_name(&name)
            .set_path(want.path.clone())
            .assume_role_policy_document(trust_document(&want.assumed_by))
            .set_description(want.description.clone().filter(|text| !text.is_empty()))
            .set_max_session_duration(want.max_session_seconds.map(seconds).transpose()?)
            .set_permissions_boundary(boundary(&want).map(str::to_owned))
            .set_tags(Some(tags::at_creation(subject, want.tags.as_ref())?));
        let made = cloud.send(CREATE, request.send()).await.map_err(principal_may_be_new);
        made_or_ours::<Self, _>(cloud, subject, made).await?;
        let permissions = async {
            set_grants(cloud, &name, want.grants.as_deref().unwrap_or_default()).await?;
            for policy in want.managed_policies.iter().flatten() {
                attach(cloud, &name, policy.as_str()).await?;
            }
            Ok(())
        };
        permissions.await.map_err(half_made(&name))?;
        Ok(name)
    }

    async fn update(
        cloud: &Aws,
        subject: &Subject,
        change: Change<'_, Self>,
    ) -> Result<(), Failure> {
        let (name, want) = (subject.id()?, &change.want);
        if change.has("assumed_by") {
            let document = trust_document(&want.assumed_by);
            let request = cloud.iam.update_assume_role_policy().role_name(name);
            let sent = cloud.send(UPDATE_TRUST, request.policy_document(document).send()).await;
            sent.map_err(principal_may_be_new)?;
        }
        if change.has("description") || change.has("max_session_seconds") {
            update_settings(cloud, name, want).await?;
        }
        if change.has("permissions_boundary") {
            set_boundary(cloud, name, boundary(want)).await?;
        }
        if change.has("grants") {
            set_grants(cloud, name, want.grants.as_deref().unwrap_or_default()).await?;
        }
        if change.has("managed_policies") {
            set_managed(cloud, name, want.managed_policies.as_deref().unwrap_or_default()).await?;
        }
        match &want.tags {
            Some(want) if change.has("tags") => set_tags(cloud, name, want).await,
            _ => Ok(()),
        }
    }

    async fn delete(cloud: &Aws, subject: &Subject) -> Result<(), Failure> {
        let name = subject.id()?;
        // IAM deletes no role that has policies or stands in an instance profile.
        set_grants(cloud, name, &[]).await?;
        set_managed(cloud, name, &[]).await?;
        leave_profiles(cloud, name).await?;
        cloud.find(DELETE, cloud.iam.delete_role().role_name(name).send()).await.map(drop)
    }

    fn expand(mut fields: Data) -> Result<Data, Failure> {
        let Data::Map(map) = &mut fields else { return Ok(fields) };
        let none = || Data::List(vec![]);
        map.entry("path".to_owned()).or_insert_with(|| Data::Text("/".to_owned()));
        map.entry("managed_policies".to_owned()).or_insert_with(none);
        complete(map.entry("grants".to_owned()).or_insert_with(none));
        map.entry("assumed_by".to_owned()).and_modify(complete);
        Ok(fields)
    }

    fn predict(of: &Prediction<'_>) -> BTreeMap<&'static str, String> {
        let Some(path) = of.text("path") else {
            return predicted_name(of).map(|name| ("name", name.to_owned())).into_iter().collect();
        };
        predict_by_name(of, "name", "iam", &format!("role{path}"))
    }
}

fn found(role: read::Described) -> Found<Role> {
    let (owner, own_tags) = tags::split(Some(role.tags));
    let grants = role.inline.iter().flat_map(|(_, document)| statement::grants_of(document));
    Found {
        observed: RoleObserved {
            name: Some(role.name.clone()),
            path: Some(role.path),
            assumed_by: Some(statement::trusts_of(&role.trust)),
            grants: Some(grants.collect()),
            managed_policies: Some(role.attached.into_iter().map(Arn::new).collect()),
            permissions_boundary: Some(Arn::new(role.boundary.unwrap_or_default())),
            max_session_seconds: role.max_session.and_then(|seconds| seconds.try_into().ok()),
            description: Some(role.description.unwrap_or_default()),
            tags: Some(own_tags),
        },
        outputs: RoleOutputs {
            id: Id::existing(role.id),
            arn: Arn::new(role.arn),
            name: role.name.clone(),
        },
        id: role.name,
        status: Status::Ready,
        owner,
    }
}

fn seconds(seconds: u32) -> Result<i32, Failure> {
    seconds.try_into().map_err(|_| {
        Failure::invalid(format!("`max_session_seconds` can't be {seconds}: 43,200 is the most"))
    })
}

/// The boundary, if there is to be one; an empty one is the field's default.
fn boundary(want: &Role) -> Option<&str> {
    want.permissions_boundary.as_ref().map(Arn::as_str).filter(|arn| !arn.is_empty())
}

/// IAM refuses a principal that it doesn't see yet with the code of a document that is malformed.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>
fn principal_may_be_new(failure: Failure) -> Failure {
    match failure.message.contains("Invalid principal") {
        true => Failure { kind: FailureKind::Busy, ..failure },
        false => failure,
    }
}

/// Sets description and session length together: what one call leaves out, IAM may set back.
async fn update_settings(cloud: &Aws, name: &str, want: &Role) -> Result<(), Failure> {
    let current = read::role(cloud, name).await?;
    let (description, session) =
        current.map(|role| (role.description, role.max_session_duration)).unwrap_or_default();
    let request = cloud
        .iam
        .update_role()
        .role_name(name)
        .set_description(want.description.clone().or(description))
        .set_max_session_duration(want.max_session_seconds.map(seconds).transpose()?.or(session));
    cloud.send(UPDATE, request.send()).await.map(drop)
}

/// Makes the grants the role's only inline policy.
async fn set_grants(cloud: &Aws, name: &str, grants: &[Grant]) -> Result<(), Failure> {
    if !grants.is_empty() {
        let document = policy_document(grants);
        let request = cloud.iam.put_role_policy().role_name(name).policy_name(POLICY);
        cloud.send(PUT_POLICY, request.policy_document(document).send()).await?;
    }
    for policy in read::inline_policies(cloud, name).await?.unwrap_or_default() {
        if grants.is_empty() || policy != POLICY {
            let request = cloud.iam.delete_role_policy().role_name(name).policy_name(policy);
            cloud.find(DELETE_POLICY, request.send()).await?;
        }
    }
    Ok(())
}

/// Makes these the managed policies that are attached.
async fn set_managed(cloud: &Aws, name: &str, policies: &[Arn]) -> Result<(), Failure> {
    let want: BTreeSet<&str> = policies.iter().map(Arn::as_str).collect();
    let attached = read::attached_policies(cloud, name).await?.unwrap_or_default();
    for policy in want.iter().filter(|policy| !attached.iter().any(|a| a == *policy)) {
        attach(cloud, name, policy).await?;
    }
    for policy in attached.iter().filter(|policy| !want.contains(policy.as_str())) {
        let request = cloud.iam.detach_role_policy().role_name(name).policy_arn(policy);
        cloud.find(DETACH, request.send()).await?;
    }
    Ok(())
}

async fn attach(cloud: &Aws, name: &str, policy: &str) -> Result<(), Failure> {
    let request = cloud.iam.attach_role_policy().role_name(name).policy_arn(policy);
    cloud.send(ATTACH, request.send()).await.map(drop)
}

async fn set_boundary(cloud: &Aws, name: &str, policy: Option<&str>) -> Result<(), Failure> {
    match policy {
        Some(policy) => {
            let request = cloud.iam.put_role_permissions_boundary().role_name(name);
            cloud.send(SET_BOUNDARY, request.permissions_boundary(policy).send()).await.map(drop)
        }
        None => {
            let request = cloud.iam.delete_role_permissions_boundary().role_name(name);
            cloud.find(REMOVE_BOUNDARY, request.send()).await.map(drop)
        }
    }
}

async fn set_tags(cloud: &Aws, name: &str, want: &Tags) -> Result<(), Failure> {
    let current = read::role(cloud, name).await?.and_then(|role| role.tags);
    let (set, gone) = tags::changes(current, want)?;
    if !set.is_empty() {
        let request = cloud.iam.tag_role().role_name(name).set_tags(Some(set));
        cloud.send(TAG, request.send()).await?;
    }
    if !gone.is_empty() {
        let request = cloud.iam.untag_role().role_name(name).set_tag_keys(Some(gone));
        cloud.send(UNTAG, request.send()).await?;
    }
    Ok(())
}

async fn leave_profiles(cloud: &Aws, name: &str) -> Result<(), Failure> {
    let request = cloud.iam.list_instance_profiles_for_role().role_name(name);
    // A role stands in few profiles: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
    let profiles = cloud.find(LIST_PROFILES, request.send()).await?;
    for profile in profiles.map(|found| found.instance_profiles).unwrap_or_default() {
        let request = cloud
            .iam
            .remove_role_from_instance_profile()
            .instance_profile_name(profile.instance_profile_name)
            .role_name(name);
        cloud.find(REMOVE_FROM_PROFILE, request.send()).await?;
    }
    Ok(())
}
