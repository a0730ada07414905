//! What whoever runs formwork needs at AWS: grants derived from the calls of the kinds.

use super::{Condition, Grant};
use crate::{
    all_calls,
    call::{Call, Permission},
    connection_calls, secret_calls,
};
use formwork_engine::{Identity, IntoValue as _, Value, each};
use std::collections::{BTreeMap, BTreeSet};

/// What a run of formwork needs at AWS, derived from the calls that its kinds make.
///
/// The calls of every kind are declared beside them with what IAM checks; this puts the declarations
/// of some kinds together to grants on one account, region and set of names.
///
/// ```
/// # use formwork_aws::iam::Operator;
/// let operator = Operator::new("111111111111", "eu-central-1").names(|service| match service {
///     "secretsmanager" => "shop/production/*".into(),
///     _ => "production-*".into(),
/// });
/// let (plan, apply) = (operator.reads(), operator.changes());
/// assert!(plan.len() < apply.len());
/// ```
pub struct Operator {
    account: String,
    region: String,
    names: Box<dyn Fn(&str) -> String>,
    kinds: Option<Vec<&'static str>>,
}

/// Kinds of access that a call can be.
#[derive(Clone, Copy, PartialEq)]
enum Access {
    Read,
    Change,
}

fn access(call: &Call) -> Access {
    let reads = ["Describe", "List", "Get"];
    match reads.iter().any(|verb| call.operation.starts_with(verb)) {
        true => Access::Read,
        false => Access::Change,
    }
}

impl Operator {
    /// All kinds, under all names of an account and region.
    pub fn new(account: impl Into<String>, region: impl Into<String>) -> Self {
        let names = Box::new(|_: &str| "*".to_owned());
        Self { account: account.into(), region: region.into(), names, kinds: None }
    }

    /// Only things whose names match; the pattern for each service, by its prefix such as `rds`.
    ///
    /// It holds where the name is part of the ARN; VPCs and the like are known by identifiers alone.
    pub fn names(self, names: impl Fn(&str) -> String + 'static) -> Self {
        Self { names: Box::new(names), ..self }
    }

    /// Only these kinds, such as `aws.secretsmanager.Secret`.
    pub fn kinds(self, kinds: impl IntoIterator<Item = &'static str>) -> Self {
        Self { kinds: Some(kinds.into_iter().collect()), ..self }
    }

    /// All kinds but these, which another stack keeps.
    pub fn without(self, kinds: impl IntoIterator<Item = &'static str>) -> Self {
        let left_out: Vec<&str> = kinds.into_iter().collect();
        let all = all_calls().into_iter().map(|(schema, _)| schema.kind);
        let kinds = all.filter(|kind| !left_out.contains(kind)).collect();
        Self { kinds: Some(kinds), ..self }
    }

    /// What planning needs: every read, and no secret's value.
    pub fn reads(&self) -> Vec<Value<Grant>> {
        grants(self.statements(|call| access(call) == Access::Read))
    }

    /// What applying needs: every call.
    pub fn changes(&self) -> Vec<Value<Grant>> {
        grants(self.statements(|_| true))
    }

    /// What reading the values of these secrets needs; patterns of names.
    pub fn secret_values<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Vec<Value<Grant>> {
        let mut statements = Statements::default();
        for name in names {
            for permission in secret_calls().iter().flat_map(Call::permissions) {
                let only = permission.resources.iter().map(|arn| {
                    // The six random characters that end the ARN of a secret.
                    let arn = arn.replace("secret:*", &format!("secret:{name}-??????"));
                    self.filled(&arn, &permission.action, true)
                });
                add(&mut statements, &permission, only.collect());
            }
        }
        grants(statements)
    }

    fn statements(&self, wanted: impl Fn(&Call) -> bool) -> Statements {
        let mut statements = Statements::default();
        for (schema, calls) in all_calls() {
            if self.kinds.as_ref().is_some_and(|kinds| !kinds.contains(&schema.kind)) {
                continue;
            }
            let named = matches!(schema.identity, Identity::Name(_));
            self.add(&mut statements, calls.into_iter().filter(&wanted), named);
        }
        self.add(&mut statements, connection_calls().iter().copied().filter(&wanted), true);
        statements
    }

    fn add(&self, statements: &mut Statements, calls: impl Iterator<Item = Call>, named: bool) {
        for permission in calls.flat_map(|call| call.permissions()) {
            let action = &permission.action;
            let on = permission.resources.iter().map(|arn| self.filled(arn, action, named));
            add(statements, &permission, on.collect());
        }
    }

    /// An ARN with its holes filled as narrowly as what is known before anything exists allows;
    /// `named` where the thing's identifier is its name.
    fn filled(&self, arn: &str, action: &str, named: bool) -> String {
        let service = action.split(':').next().unwrap_or_default();
        let name = (self.names)(service);
        // EC2 makes identifiers of its own, whatever the names.
        let own = if named && service != "ec2" { name.as_str() } else { "*" };
        let known = [
            ("partition", "aws"),
            ("account", self.account.as_str()),
            ("region", self.region.as_str()),
            ("path", "/"),
            ("cluster", name.as_str()),
            ("name", own),
            ("id", own),
        ];
        let mut filled = arn.to_owned();
        for (hole, value) in known {
            filled = filled.replace(&format!("{{{hole}}}"), value);
        }
        // A role that is passed on is one of the stack's.
        if action == "iam:PassRole" || action == "iam:GetRole" {
            filled = filled.replace("role/*", &format!("role/{name}"));
        }
        any_type(&stars(&filled))
    }
}

/// The ARN without its type of resource, which the action implies: so that one statement holds all
/// actions on the things of one name. A role's path is no type.
fn any_type(arn: &str) -> String {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [_, _, service, _, _, resource] = parts[..] else { return arn.to_owned() };
    let typed = match service {
        // Without a name, the type is all that narrows it.
        "rds" | "elasticache" if resource.ends_with(":*") => None,
        "ec2" | "eks" => resource.split_once('/').map(|(_, rest)| format!("*/{rest}")),
        "rds" | "elasticache" => resource.split_once(':').map(|(_, rest)| format!("*:{rest}")),
        _ => None,
    };
    match typed {
        // Several segments deep, everything below a cluster is below its name.
        Some(typed) if service == "eks" => {
            let cluster = typed.splitn(3, '/').take(2).collect::<Vec<_>>().join("/");
            let below = if typed.matches('/').count() > 1 { "/*" } else { "" };
            [&parts[..5].join(":"), ":", &cluster, below].concat()
        }
        Some(typed) => format!("{}:{typed}", parts[..5].join(":")),
        None => arn.to_owned(),
    }
}

/// Holes that nothing fills stand for anything; two stars in a row are one.
fn stars(arn: &str) -> String {
    let mut out = String::with_capacity(arn.len());
    let mut rest = arn;
    while let Some(start) = rest.find('{') {
        out.push_str(&rest[..start]);
        out.push('*');
        rest = rest[start..].find('}').map_or("", |end| &rest[start + end + 1..]);
    }
    out.push_str(rest);
    while out.contains("**") {
        out = out.replace("**", "*");
    }
    out
}

/// What an action is granted on, and the key of the request that must have one of the values.
type Where = (BTreeSet<String>, Option<&'static str>);
/// For each place the actions, each with the values of the key.
type Statements = BTreeMap<Where, BTreeMap<String, BTreeSet<&'static str>>>;

fn add(statements: &mut Statements, permission: &Permission, on: BTreeSet<String>) {
    // AWS's own keys let an account use them through the service; a team's own key has a policy of its
    // own, and a grant beside these.
    if permission.action.starts_with("kms:") {
        return;
    }
    let key = permission.conditions.first().map(|condition| condition.key);
    let actions = statements.entry((on, key)).or_default();
    let values = actions.entry(permission.action.clone()).or_default();
    values.extend(permission.conditions.iter().map(|condition| condition.value));
}

/// One grant for each place and set of values, without what another one allows already.
fn grants(statements: Statements) -> Vec<Value<Grant>> {
    let everywhere = |((on, key), _): &(&Where, &BTreeMap<_, _>)| on.contains("*") && key.is_none();
    let everywhere: BTreeSet<String> = statements
        .iter()
        .filter(everywhere)
        .flat_map(|(_, actions)| actions.keys().cloned())
        .collect();
    let mut merged: BTreeMap<(Where, BTreeSet<&str>), BTreeSet<String>> = BTreeMap::new();
    for ((on, key), actions) in statements {
        let whole = on.contains("*") && key.is_none();
        for (action, values) in actions {
            if whole || !everywhere.contains(&action) {
                merged.entry(((on.clone(), key), values)).or_default().insert(action);
            }
        }
    }
    let grant = |(((on, key), values), actions): ((Where, BTreeSet<&str>), BTreeSet<String>)| {
        let grant = Grant::new().actions(each(actions)).resources(each(on));
        match key {
            None => grant.into_value(),
            Some(key) => grant.conditions([Condition::equals(key, values)]).into_value(),
        }
    };
    merged.into_iter().map(grant).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operator() -> Operator {
        Operator::new("111111111111", "eu-central-1").names(|service| match service {
            "secretsmanager" => "shop/production/*".into(),
            _ => "production-*".into(),
        })
    }

    fn on(statements: &Statements, action: &str) -> Vec<String> {
        let found = statements.iter().filter(|(_, actions)| actions.contains_key(action));
        found.flat_map(|((on, _), _)| on.clone()).collect()
    }

    fn reads(action: &str) -> bool {
        let verb = action.split(':').nth(1).unwrap();
        ["Describe", "List", "Get"].iter().any(|read| verb.starts_with(read))
    }

    #[test]
    fn planning_reads_and_changes_nothing() {
        let statements = operator().statements(|call| access(call) == Access::Read);
        for action in statements.values().flat_map(BTreeMap::keys) {
            assert!(reads(action) && action != "secretsmanager:GetSecretValue", "{action}");
        }
        assert!(!on(&statements, "eks:DescribeCluster").is_empty());
    }

    #[test]
    fn names_hold_wherever_an_arn_has_them() {
        let statements = operator().statements(|_| true);
        let expected = [
            ("rds:DeleteDBInstance", "rds:eu-central-1:111111111111:*:production-*"),
            ("iam:PutRolePolicy", "iam::111111111111:role/production-*"),
            ("iam:PassRole", "iam::111111111111:role/production-*"),
            ("eks:DeleteCluster", "eks:eu-central-1:111111111111:*/production-*"),
            ("eks:DeleteAddon", "eks:eu-central-1:111111111111:*/production-*/*"),
            ("eks:DeletePodIdentityAssociation", "eks:eu-central-1:111111111111:*/production-*/*"),
            ("ec2:DeleteVpc", "ec2:eu-central-1:111111111111:*/*"),
            ("ec2:DeleteSecurityGroup", "ec2:eu-central-1:111111111111:*/*"),
            (
                "secretsmanager:DeleteSecret",
                "secretsmanager:eu-central-1:111111111111:secret:shop/production/*-*",
            ),
        ];
        for (action, resource) in expected {
            let mut found = on(&statements, action);
            found.dedup();
            assert_eq!(found, [format!("arn:aws:{resource}")], "{action}");
        }
        for ((on, _), actions) in &statements {
            assert!(on.iter().all(|arn| !arn.contains(['{', '}'])), "{on:?}");
            // Only network interfaces, which others make on our behalf, and tags of EKS have no ARN.
            let known = |a: &str| a.contains("NetworkInterface") || a.starts_with("eks:");
            let change = actions.keys().find(|action| !reads(action) && !known(action));
            assert!(!on.contains("*") || change.is_none(), "{change:?} on {on:?}");
            assert!(on.iter().all(|arn| !arn.ends_with(":*:*")), "{on:?}");
        }
    }
}
