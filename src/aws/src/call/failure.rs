//! From the SDK's errors to the engine's failures, in one place.

use super::Call;
use crate::Target;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;
use formwork_engine::{Failure, FailureKind, causes};
use std::error::Error;

type Sdk<E> = SdkError<E, HttpResponse>;

const LOGIN: &str = "set AWS_PROFILE, or log in with `aws sso login`, and see that `aws sts get-caller-identity` answers";

/// The failure that an SDK error is.
pub(super) fn of<E>(call: Call, target: &Target, error: Sdk<E>) -> Failure
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    if let Some(failure) = credentials_in(&error) {
        return failure.context(named(call));
    }
    match &error {
        SdkError::ServiceError(_) => refused(call, &error),
        SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) => unreachable(target, &error),
        // Nothing was sent: the input is incomplete, or the guard refused it.
        SdkError::ConstructionFailure(_) => Failure::invalid(causes(&error)),
        _ => Failure::service(causes(&error)),
    }
    .context(named(call))
}

fn named(call: Call) -> String {
    format!("{} {}", call.service.id, call.operation)
}

/// Whether the service says that what the call is about isn't there.
pub(super) fn is_not_found<E: ProvideErrorMetadata>(error: &Sdk<E>) -> bool {
    matches!(error, SdkError::ServiceError(_))
        && error.code().is_some_and(|code| code.contains("NotFound") || code == "NoSuchEntity")
}

fn refused<E>(call: Call, error: &Sdk<E>) -> Failure
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let code = error.code().unwrap_or("an error without a code");
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    let kind = classify(call.operation, code, status);
    let mut message = format!("{code}: {}", error.message().unwrap_or("no message"));
    if let Some(id) = error.meta().request_id() {
        message.push_str(&format!(" (request {id})"));
    }
    let failure = Failure::new(kind, message);
    match hint(call, kind, code) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Codes of errors that are the caller's own: who they are, and whether their credentials hold.
const IDENTITY: &[&str] = &[
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

const BUSY: &[&str] = &[
    "ConcurrentModification",
    "ConcurrentModificationException",
    "ConflictException",
    "DeleteConflict",
    "DeleteConflictException",
    "DependencyViolation",
    "IncorrectState",
    "OperationAborted",
    // A subnet that moves from one table to another, which doesn't know yet that it has lost it.
    "Resource.AlreadyAssociated",
];

/// What kind of trouble a service's error code is.
///
/// Codes follow the services' error pages, such as
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>.
fn classify(operation: &str, code: &str, status: u16) -> FailureKind {
    let creates =
        ["Create", "Allocate", "Attach", "Associate", "Authorize", "Modify", "Put", "Add"]
            .iter()
            .any(|verb| operation.starts_with(verb));
    let state = code.contains("State") && code.starts_with("Invalid");
    if IDENTITY.contains(&code)
        || ["AccessDenied", "Unauthorized", "NotAuthorized", "OptInRequired"]
            .iter()
            .any(|word| code.contains(word))
    {
        FailureKind::Denied
    } else if ["Throttl", "LimitExceeded", "TooManyRequests"].iter().any(|w| code.contains(w))
        && (code.contains("Request") || code.contains("Throttl"))
        || status >= 500
    {
        FailureKind::Service
    } else if ["AlreadyExist", "Duplicate", "ResourceExists"].iter().any(|w| code.contains(w))
        // EKS says `ResourceInUse` of a name that is taken, and of a thing that is at work.
        || (code.starts_with("ResourceInUse") && operation.starts_with("Create"))
    {
        FailureKind::Taken
    } else if BUSY.contains(&code) || state || code.contains("InUse") {
        FailureKind::Busy
    } else if creates && code.contains("NotFound") {
        // What the call refers to was made a moment ago, and the service doesn't see it yet.
        FailureKind::Busy
    } else {
        FailureKind::Invalid
    }
}

fn hint(call: Call, kind: FailureKind, code: &str) -> Option<String> {
    let allowed = || {
        let permissions = call.permissions();
        let actions: Vec<&str> = permissions.iter().map(|p| p.action.as_str()).collect();
        format!("the credentials in use need {}", actions.join(", "))
    };
    match kind {
        FailureKind::Denied if IDENTITY.contains(&code) => Some(LOGIN.to_owned()),
        FailureKind::Denied => Some(allowed()),
        FailureKind::Invalid if code.contains("LimitExceeded") || code.contains("Quota") => Some(
            "raise the account's quota in Service Quotas, or remove what isn't used".to_owned(),
        ),
        _ => None,
    }
}

fn unreachable<E>(target: &Target, error: &Sdk<E>) -> Failure
where
    E: Error + Send + Sync + 'static,
{
    let failure = Failure::unreachable(causes(error));
    match &target.endpoint {
        Some(endpoint) => failure.hint(format!("is anything listening at {endpoint}?")),
        None => failure.hint(format!(
            "is there a network, and is `{}` a region of this account?",
            target.region
        )),
    }
}

/// A credentials failure inside of another error.
fn credentials_in(error: &(dyn Error + 'static)) -> Option<Failure> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<CredentialsError>() {
            return Some(credentials(found));
        }
        cause = error.source();
    }
    None
}

/// The failure of having no credentials, or none that work.
pub(crate) fn credentials(error: &CredentialsError) -> Failure {
    let text = causes(error);
    match error {
        CredentialsError::CredentialsNotLoaded(_) => {
            Failure::denied("no AWS credentials were found").hint(LOGIN)
        }
        CredentialsError::ProviderTimedOut(_) => {
            Failure::unreachable(format!("AWS credentials could not be fetched in time: {text}"))
                .hint(LOGIN)
        }
        _ => Failure::denied(format!("AWS credentials could not be loaded: {text}")).hint(LOGIN),
    }
}

/// The same failure, after an earlier call of the same step had its effect.
///
/// Without this the engine would take "nothing happened" from it, and forget what was made.
pub(crate) fn half_made(id: &str) -> impl Fn(Failure) -> Failure {
    move |failure| {
        let kind = match failure.had_no_effect() {
            true => FailureKind::Service,
            false => failure.kind,
        };
        Failure { kind, ..failure }.context(format!("{id} was made, but not finished"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_what_kind_of_trouble_it_is() {
        use FailureKind::*;
        for (operation, code, status, kind) in [
            ("CreateVpc", "UnauthorizedOperation", 403, Denied),
            ("CreateRole", "AccessDenied", 403, Denied),
            ("DescribeVpcs", "ExpiredToken", 400, Denied),
            ("CreateVpc", "VpcLimitExceeded", 400, Invalid),
            ("CreateVpc", "RequestLimitExceeded", 503, Service),
            ("DescribeCluster", "ThrottlingException", 400, Service),
            ("DescribeVpcs", "InternalError", 500, Service),
            ("CreateSecurityGroup", "InvalidGroup.Duplicate", 400, Taken),
            ("CreateRole", "EntityAlreadyExists", 409, Taken),
            ("CreateCluster", "ResourceInUseException", 409, Taken),
            ("DeleteCluster", "ResourceInUseException", 409, Busy),
            ("CreateSecret", "ResourceExistsException", 400, Taken),
            ("DeleteVpc", "DependencyViolation", 400, Busy),
            ("ReleaseAddress", "InvalidIPAddress.InUse", 400, Busy),
            ("ModifyDBInstance", "InvalidDBInstanceState", 400, Busy),
            ("CreateSubnet", "InvalidVpcID.NotFound", 400, Busy),
            ("DeleteSubnet", "InvalidSubnetID.NotFound", 400, Invalid),
            ("CreateSubnet", "InvalidSubnet.Range", 400, Invalid),
            ("CreateVpc", "InvalidParameterValue", 400, Invalid),
        ] {
            assert_eq!(classify(operation, code, status), kind, "{operation} {code}");
        }
    }

    #[test]
    fn a_half_made_thing_is_never_reported_as_nothing_happened() {
        let failure = half_made("vpc-1")(Failure::denied("no"));
        assert!(!failure.had_no_effect());
        assert_eq!(failure.message, "vpc-1 was made, but not finished: no");
    }
}
