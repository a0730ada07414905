//! What the emulator lacks of IAM: pages, encoded documents, boundaries in the list of details.

use crate::replay::{Answer, Replay, ok, refusal};
use formwork_aws::iam::{Role, Trust};
use formwork_engine::{FailureKind, Subject};

/// As in
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html>.
fn details(roles: &str, next: Option<&str>) -> Answer {
    let more = match next {
        Some(marker) => format!("<IsTruncated>true</IsTruncated><Marker>{marker}</Marker>"),
        None => "<IsTruncated>false</IsTruncated>".into(),
    };
    ok(
        "GetAccountAuthorizationDetails",
        format!(
            "<GetAccountAuthorizationDetailsResponse><GetAccountAuthorizationDetailsResult>{more}\
             <RoleDetailList>{roles}</RoleDetailList></GetAccountAuthorizationDetailsResult>\
             </GetAccountAuthorizationDetailsResponse>"
        ),
    )
}

const STRANGER: &str = "<member><RoleName>stranger</RoleName><Path>/</Path><RoleId>AROA2</RoleId>\
    <Arn>arn:aws:iam::123456789012:role/stranger</Arn>\
    <AssumeRolePolicyDocument>%7B%7D</AssumeRolePolicyDocument></member>";

const OURS: &str = "<member><RoleName>test-app</RoleName><Path>/</Path><RoleId>AROA1</RoleId>\
    <Arn>arn:aws:iam::123456789012:role/test-app</Arn>\
    <AssumeRolePolicyDocument>%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B\
    %22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22Service%22%3A%22ec2.amazonaws.com%22%7D%2C\
    %22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D</AssumeRolePolicyDocument>\
    <PermissionsBoundary><PermissionsBoundaryType>Policy</PermissionsBoundaryType>\
    <PermissionsBoundaryArn>arn:aws:iam::aws:policy/ReadOnlyAccess</PermissionsBoundaryArn>\
    </PermissionsBoundary></member>";

const LISTED: &str = "<ListRolesResponse><ListRolesResult><IsTruncated>false</IsTruncated><Roles>\
    <member><RoleName>test-app</RoleName><Path>/</Path><RoleId>AROA1</RoleId>\
    <Arn>arn:aws:iam::123456789012:role/test-app</Arn>\
    <CreateDate>2026-01-01T00:00:00Z</CreateDate><Description>the app</Description>\
    <MaxSessionDuration>7200</MaxSessionDuration></member></Roles></ListRolesResult></ListRolesResponse>";

#[tokio::test]
async fn roles_are_read_by_two_lists_to_their_last_page() {
    let answers = [details(STRANGER, Some("page-2")), details(OURS, None), ok("ListRoles", LISTED)];
    let (bench, replay) = Replay::bench(answers);
    let role = bench.thing("app", Role::new().assumed_by([Trust::service("ec2.amazonaws.com")]));
    let wanted = [Subject { id: Some("test-app".into()), ..role.subject.clone() }];
    let found = role.provider.list(&bench.binding, &wanted).await.unwrap();
    let [found] = &*found else { panic!("strangers are left out: {found:?}") };
    assert_eq!(found.fields["description"].plain_text(), "the app");
    assert_eq!(found.fields["max_session_seconds"].plain_text(), "7200");
    assert_eq!(
        found.fields["permissions_boundary"].plain_text(),
        "arn:aws:iam::aws:policy/ReadOnlyAccess"
    );
    assert_eq!(found.fields["assumed_by"], role.subject.inputs.get("assumed_by").unwrap().clone());
    assert!(replay.sent().iter().any(|body| body.contains("Marker=page-2")));
    replay.done();
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_roles.html>
#[tokio::test]
async fn a_principal_that_iam_does_not_see_yet_is_worth_another_try() {
    let message = "Invalid principal in policy: \"AWS\":\"arn:aws:iam::123456789012:role/new\"";
    let (bench, _) = Replay::bench([refusal("CreateRole", "MalformedPolicyDocument", message)]);
    let trust = Trust::principal("arn:aws:iam::123456789012:role/new");
    let failure = bench.thing("app", Role::new().assumed_by([trust])).create().await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Busy, "{failure}");
}
