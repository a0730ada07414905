//! Reading roles: all of an account's by two lists, one of them by its name.

use crate::{
    Aws,
    call::calls,
    named::{is_wanted, name_of},
};
use aws_sdk_iam::types::{EntityType, Role, RoleDetail, Tag};
use formwork_engine::{Data, Failure, Owner, Subject};
use std::collections::BTreeMap;

calls! { shared:
    LIST_DETAILS = IAM.GetAccountAuthorizationDetails on ["*"];
    LIST = IAM.ListRoles on ["*"];
    READ = IAM.GetRole on ["role{path}{name}"];
    LIST_INLINE = IAM.ListRolePolicies on ["role{path}{name}"];
    READ_INLINE = IAM.GetRolePolicy on ["role{path}{name}"];
    LIST_ATTACHED = IAM.ListAttachedRolePolicies on ["role{path}{name}"];
}

/// A role with all of its policies, documents still as IAM encodes them.
pub(super) struct Described {
    pub name: String,
    pub id: String,
    pub arn: String,
    pub path: String,
    pub trust: String,
    pub description: Option<String>,
    pub max_session: Option<i32>,
    pub boundary: Option<String>,
    /// Inline policies, by name.
    pub inline: Vec<(String, String)>,
    /// ARNs of managed policies.
    pub attached: Vec<String>,
    pub tags: Vec<Tag>,
}

/// The roles of the wanted ones' stacks, and the wanted ones whatever their tags.
pub(super) async fn all(cloud: &Aws, wanted: &[Subject]) -> Result<Vec<Described>, Failure> {
    // The first has policies and tags, the second what the first leaves out.
    let (details, roles) = futures::try_join!(list_details(cloud), list(cloud))?;
    let mut roles: BTreeMap<String, Role> =
        roles.into_iter().map(|role| (role.role_name.clone(), role)).collect();
    let mut found = vec![];
    for detail in details {
        let Some(name) = detail.role_name.clone() else { continue };
        let owner = Owner::from_tags(detail.tags().iter().map(|tag| (tag.key(), tag.value())));
        if !is_wanted(wanted, &name, owner.as_ref()) {
            continue;
        }
        let boundary_wanted = wanted.iter().any(|w| name_of(w) == name && wants_boundary(w));
        let mut described = of_detail(detail, roles.remove(&name));
        // That a boundary is gone is worth a look of its own.
        if described.boundary.is_none() && boundary_wanted {
            described.boundary = role(cloud, &name).await?.and_then(|role| boundary(&role));
        }
        found.push(described);
    }
    Ok(found)
}

fn wants_boundary(subject: &Subject) -> bool {
    subject.inputs.get("permissions_boundary").and_then(Data::as_str).is_some_and(|b| !b.is_empty())
}

async fn list_details(cloud: &Aws) -> Result<Vec<RoleDetail>, Failure> {
    let request = |token| {
        let request = cloud.iam.get_account_authorization_details().filter(EntityType::Role);
        request.set_marker(token).send()
    };
    cloud
        .pages(LIST_DETAILS, request, |page| {
            (page.marker.filter(|_| page.is_truncated), page.role_detail_list.unwrap_or_default())
        })
        .await
}

async fn list(cloud: &Aws) -> Result<Vec<Role>, Failure> {
    let request = |token| cloud.iam.list_roles().set_marker(token).send();
    cloud.pages(LIST, request, |page| (page.marker.filter(|_| page.is_truncated), page.roles)).await
}

fn of_detail(detail: RoleDetail, role: Option<Role>) -> Described {
    let inline = detail.role_policy_list.unwrap_or_default().into_iter();
    let attached = detail.attached_managed_policies.unwrap_or_default().into_iter();
    Described {
        name: detail.role_name.unwrap_or_default(),
        id: detail.role_id.unwrap_or_default(),
        arn: detail.arn.unwrap_or_default(),
        path: detail.path.unwrap_or_default(),
        trust: detail.assume_role_policy_document.unwrap_or_default(),
        boundary: detail.permissions_boundary.and_then(|b| b.permissions_boundary_arn),
        description: role.as_ref().and_then(|role| role.description.clone()),
        max_session: role.as_ref().and_then(|role| role.max_session_duration),
        inline: inline
            .map(|p| (p.policy_name.unwrap_or_default(), p.policy_document.unwrap_or_default()))
            .collect(),
        attached: attached.filter_map(|policy| policy.policy_arn).collect(),
        tags: detail.tags.unwrap_or_default(),
    }
}

/// One role by its name.
pub(super) async fn one(cloud: &Aws, name: &str) -> Result<Option<Described>, Failure> {
    let (role, inline, attached) = futures::try_join!(
        role(cloud, name),
        inline_policies(cloud, name),
        attached_policies(cloud, name),
    )?;
    // A role that goes while it is read is gone.
    let (Some(role), Some(names), Some(attached)) = (role, inline, attached) else {
        return Ok(None);
    };
    let mut inline = vec![];
    for policy in names {
        let request = cloud.iam.get_role_policy().role_name(name).policy_name(&policy);
        if let Some(read) = cloud.find(READ_INLINE, request.send()).await? {
            inline.push((policy, read.policy_document));
        }
    }
    Ok(Some(Described {
        boundary: boundary(&role),
        name: role.role_name,
        id: role.role_id,
        arn: role.arn,
        path: role.path,
        trust: role.assume_role_policy_document.unwrap_or_default(),
        description: role.description,
        max_session: role.max_session_duration,
        inline,
        attached,
        tags: role.tags.unwrap_or_default(),
    }))
}

fn boundary(role: &Role) -> Option<String> {
    role.permissions_boundary.as_ref()?.permissions_boundary_arn.clone()
}

pub(super) async fn role(cloud: &Aws, name: &str) -> Result<Option<Role>, Failure> {
    let read = cloud.find(READ, cloud.iam.get_role().role_name(name).send()).await?;
    Ok(read.and_then(|read| read.role))
}

/// The names of a role's inline policies; `None` where there is no such role.
pub(super) async fn inline_policies(
    cloud: &Aws,
    name: &str,
) -> Result<Option<Vec<String>>, Failure> {
    // One page holds a thousand; what a role's inline policies may hold together is 10,240 characters.
    let request = cloud.iam.list_role_policies().role_name(name).max_items(PAGE);
    Ok(cloud.find(LIST_INLINE, request.send()).await?.map(|page| page.policy_names))
}

/// The ARNs of the managed policies of a role; `None` where there is no such role.
pub(super) async fn attached_policies(
    cloud: &Aws,
    name: &str,
) -> Result<Option<Vec<String>>, Failure> {
    // One page holds a thousand; a role can have twenty at most.
    let request = cloud.iam.list_attached_role_policies().role_name(name).max_items(PAGE);
    let page = cloud.find(LIST_ATTACHED, request.send()).await?;
    let arns = |p: Vec<_>| {
        p.into_iter().filter_map(|p: aws_sdk_iam::types::AttachedPolicy| p.policy_arn).collect()
    };
    Ok(page.map(|page| arns(page.attached_policies.unwrap_or_default())))
}

/// The most items that a page of IAM's lists holds.
const PAGE: i32 = 1_000;
