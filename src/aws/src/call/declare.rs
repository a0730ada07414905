//! Declarations of calls: operation, IAM action, resources, conditions, and dependent actions.

use formwork_engine::Reconcile;

/// An AWS service, as its SDK, IAM and ARNs name it.
#[derive(Debug)]
pub struct Service {
    /// The SDK's name, as its requests carry it.
    pub id: &'static str,
    /// The prefix of its IAM actions.
    pub prefix: &'static str,
    /// What its ARNs start with.
    pub arn: &'static str,
    /// The page of the service authorization reference that its declarations follow.
    pub page: &'static str,
}

macro_rules! services {
    ($($NAME:ident = $id:literal, $prefix:literal, $arn:literal, $page:literal;)*) => {
        /// The services that this crate calls.
        pub mod service {
            use super::Service;
            $(pub const $NAME: Service = Service {
                id: $id,
                prefix: $prefix,
                arn: $arn,
                page: concat!(
                    "https://docs.aws.amazon.com/service-authorization/latest/reference/list_",
                    $page,
                    ".html"
                ),
            };)*
            pub(super) const ALL: &[Service] = &[$($NAME),*];
        }
    };
}

services! {
    EC2 = "EC2", "ec2", "arn:{partition}:ec2:{region}:{account}:", "amazonec2";
    ECR = "ECR", "ecr", "arn:{partition}:ecr:{region}:{account}:", "amazonelasticcontainerregistry";
    EKS = "EKS", "eks", "arn:{partition}:eks:{region}:{account}:", "amazonelastickubernetesservice";
    ELASTICACHE = "ElastiCache", "elasticache", "arn:{partition}:elasticache:{region}:{account}:", "amazonelasticache";
    IAM = "IAM", "iam", "arn:{partition}:iam::{account}:", "awsidentityandaccessmanagementiam";
    KMS = "KMS", "kms", "arn:{partition}:kms:{region}:{account}:", "awskeymanagementservice";
    RDS = "RDS", "rds", "arn:{partition}:rds:{region}:{account}:", "amazonrds";
    SECRETS_MANAGER = "Secrets Manager", "secretsmanager", "arn:{partition}:secretsmanager:{region}:{account}:", "awssecretsmanager";
    STS = "STS", "sts", "arn:{partition}:sts::{account}:", "awssecuritytokenservice";
}

/// A call that a kind makes, declared with [`calls!`].
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub service: &'static Service,
    /// The operation, as the SDK names it.
    pub operation: &'static str,
    /// The IAM action, where it isn't called as the operation is.
    pub(crate) action: Option<&'static str>,
    /// The resources it is checked against, written without the service's part of the ARN.
    pub(crate) on: &'static [&'static str],
    /// What the service checks beside it, some of it on the caller's behalf.
    pub(crate) also: &'static [Also],
}

/// A dependent action, as declared.
#[derive(Clone, Copy, Debug)]
pub struct Also {
    pub(crate) action: &'static str,
    pub(crate) on: &'static [&'static str],
    pub(crate) conditions: &'static [Condition],
}

/// A condition that a policy can hold a permission to, tested for equality.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    pub key: &'static str,
    pub value: &'static str,
}

/// One thing that IAM checks when a call is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    pub action: String,
    /// ARNs with the holes `{partition}`, `{region}`, `{account}`, `{id}`, `{name}` and the names of
    /// the kind's own fields; or `*`.
    pub resources: Vec<String>,
    pub conditions: &'static [Condition],
}

impl Call {
    /// Everything that IAM checks when this call is made, the call's own action first.
    pub fn permissions(&self) -> Vec<Permission> {
        let own = Permission {
            action: self.action.map_or_else(
                || format!("{}:{}", self.service.prefix, self.operation),
                str::to_owned,
            ),
            resources: resources(self.service, self.on),
            conditions: &[],
        };
        let also = self.also.iter().map(|also| Permission {
            action: also.action.to_owned(),
            resources: resources(service_of(also.action).unwrap_or(self.service), also.on),
            conditions: also.conditions,
        });
        std::iter::once(own).chain(also).collect()
    }
}

fn resources(service: &Service, on: &[&str]) -> Vec<String> {
    let whole = |on: &&str| match *on {
        "*" => "*".to_owned(),
        arn if arn.starts_with("arn:") => arn.to_owned(),
        own => format!("{}{own}", service.arn),
    };
    on.iter().map(whole).collect()
}

fn service_of(action: &str) -> Option<&'static Service> {
    let prefix = action.split(':').next()?;
    service::ALL.iter().find(|service| service.prefix == prefix)
}

/// A kind whose calls are declared.
pub trait Declared: Reconcile {
    /// Every call that reading, making, changing and deleting one can take.
    fn calls() -> Vec<Call>;
}

/// Declares the calls of a kind, each with what IAM checks on it, as the service authorization
/// reference has it.
///
/// ```ignore
/// calls! { Vpc + tags::CALLS:
///     CREATE = EC2.CreateVpc on ["vpc/*"],
///         and "ec2:CreateTags" on ["vpc/*"] if "ec2:CreateAction" = "CreateVpc";
///     DELETE = EC2.DeleteVpc on ["vpc/{id}"];
/// }
/// ```
///
/// `as "service:Action"` after the operation says an action of another name; `+ path` adds calls that
/// kinds share. Resources are written without the service's part of the ARN.
macro_rules! calls {
    (shared: $($calls:tt)*) => { $crate::call::calls!(@list [] $($calls)*); };
    ($Kind:ident $(+ $shared:path)* : $($calls:tt)*) => {
        $crate::call::calls!(@list [$Kind $(+ $shared)*] $($calls)*);
    };
    (@list [$($Kind:ident $(+ $shared:path)*)?] $(
        $(#[$doc:meta])*
        $NAME:ident = $service:ident.$operation:ident $(as $action:literal)? on [$($on:literal),* $(,)?]
        $(, and $also:literal on [$($also_on:literal),* $(,)?] $(if $key:literal = $value:literal)?)*;
    )*) => {
        $(
            $(#[$doc])*
            const $NAME: $crate::call::Call = $crate::call::Call {
                service: &$crate::call::service::$service,
                operation: stringify!($operation),
                action: $crate::call::calls!(@action $($action)?),
                on: &[$($on),*],
                also: &[$($crate::call::Also {
                    action: $also,
                    on: &[$($also_on),*],
                    conditions: &[$($crate::call::Condition { key: $key, value: $value })?],
                }),*],
            };
        )*
        $crate::call::calls!(@into [$($Kind $(+ $shared)*)?] $($NAME)*);
    };
    (@into [$Kind:ident $(+ $shared:path)*] $($NAME:ident)*) => {
        impl $crate::call::Declared for $Kind {
            fn calls() -> Vec<$crate::call::Call> {
                [&[$($NAME),*][..] $(, &$shared[..])*].concat()
            }
        }
    };
    (@into [] $($NAME:ident)*) => {
        /// The calls declared here.
        pub(super) const CALLS: &[$crate::call::Call] = &[$($NAME),*];
    };
    (@action) => { None };
    (@action $action:literal) => { Some($action) };
}
pub(crate) use calls;

#[cfg(test)]
mod tests {
    use crate::all_calls;

    /// What may stand in a hole of any kind's ARNs.
    const HOLES: [&str; 5] = ["partition", "region", "account", "id", "name"];

    #[test]
    fn every_declaration_names_a_service_an_action_and_holes_that_can_be_filled() {
        for (schema, calls) in all_calls() {
            assert!(!calls.is_empty(), "{} makes no call", schema.kind);
            for call in calls {
                let place = format!("{} {}", schema.kind, call.operation);
                for permission in call.permissions() {
                    let (prefix, action) = permission.action.split_once(':').unwrap();
                    let known = super::service::ALL.iter().any(|s| s.prefix == prefix);
                    assert!(known, "{place}: no service has the prefix of {prefix}:{action}");
                    assert!(action.chars().all(char::is_alphanumeric), "{place}: {action}");
                    assert!(!permission.resources.is_empty(), "{place}: {action} on nothing");
                    for arn in permission.resources {
                        check_holes(&arn, &place, |hole| {
                            HOLES.contains(&hole) || schema.field(hole).is_some()
                        });
                    }
                }
            }
        }
    }

    fn check_holes(arn: &str, place: &str, known: impl Fn(&str) -> bool) {
        assert!(arn == "*" || arn.starts_with("arn:{partition}:"), "{place}: {arn}");
        assert_eq!(arn.matches('{').count(), arn.matches('}').count(), "{place}: {arn}");
        for hole in arn.split('{').skip(1) {
            let hole = hole.split('}').next().unwrap();
            assert!(known(hole), "{place}: nothing fills {{{hole}}} in {arn}");
        }
    }
}
