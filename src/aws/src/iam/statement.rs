//! Statements of policy documents as typed values: grants, trusts, conditions.
//!
//! Documents are compared by what they say. IAM gives a list of one text back as a text, in any
//! order and URL-encoded; both sides are brought into the same form here, which does no I/O. Grammar:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>.

use formwork_engine::{Data, IntoText, IntoValue, Nested, Value, text};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// The version of the policy language, the only one with policy variables.
const LANGUAGE: &str = "2012-10-17";

/// The audience that tokens for STS are made for.
const STS_AUDIENCE: &str = "sts.amazonaws.com";

/// What has to hold for a statement to count: a key of the request matches one of some values.
#[derive(Nested, Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// The operator, such as `StringEquals`.
    pub operator: String,
    /// The key of the request, such as `aws:SourceAccount`.
    pub key: String,
    #[unordered]
    pub values: Vec<String>,
}

impl Condition {
    /// The key's value is one of these.
    pub fn equals<T: IntoText>(
        key: impl IntoText,
        values: impl IntoIterator<Item = T>,
    ) -> Value<Condition> {
        Self::with("StringEquals", key, values)
    }

    /// The key's value matches one of these patterns, in which `*` and `?` stand for any text.
    pub fn like<T: IntoText>(
        key: impl IntoText,
        patterns: impl IntoIterator<Item = T>,
    ) -> Value<Condition> {
        Self::with("StringLike", key, patterns)
    }

    fn with<T: IntoText>(
        operator: &str,
        key: impl IntoText,
        values: impl IntoIterator<Item = T>,
    ) -> Value<Condition> {
        let values = formwork_engine::each(values.into_iter().map(|value| text![value]));
        Condition::new().operator(operator).key(text![key]).values(values).into_value()
    }
}

/// Permission for some actions on some resources: one `Allow` statement.
#[derive(Nested, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// A word for people; letters and digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// Actions, such as `ecr:BatchGetImage`; `*` stands for any text.
    #[unordered]
    pub actions: Vec<String>,
    /// ARNs; `*` stands for any text. `text![bucket.arn, "/*"]` makes one of an output.
    #[unordered]
    pub resources: Vec<String>,
    /// All of them must hold.
    #[unordered]
    #[serde(default)]
    pub conditions: Option<Vec<Condition>>,
}

impl Grant {
    /// These actions on this one resource.
    pub fn allow<'a>(
        actions: impl IntoIterator<Item = &'a str>,
        resource: impl IntoText,
    ) -> Value<Grant> {
        Self::on_all(actions, [text![resource]])
    }

    /// These actions on these resources.
    pub(crate) fn on_all<'a>(
        actions: impl IntoIterator<Item = &'a str>,
        resources: impl IntoIterator<Item = Value<String>>,
    ) -> Value<Grant> {
        Grant::new()
            .actions(formwork_engine::each(actions))
            .resources(formwork_engine::each(resources))
            .into_value()
    }
}

/// Who may take a role on, and by which call: one `Allow` statement of its trust policy.
#[derive(Nested, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trust {
    /// The kind of principal: `Service`, `AWS` or `Federated`.
    pub kind: String,
    /// Service names, ARNs of accounts, roles and users, or ARNs of identity providers.
    #[unordered]
    pub principals: Vec<String>,
    /// The calls of STS that give the role's credentials.
    #[unordered]
    pub actions: Vec<String>,
    /// All of them must hold.
    #[unordered]
    #[serde(default)]
    pub conditions: Option<Vec<Condition>>,
}

impl Trust {
    /// An AWS service, such as `eks.amazonaws.com`.
    pub fn service(name: impl IntoText) -> Value<Trust> {
        Self::of("Service", text![name], ["sts:AssumeRole"], [])
    }

    /// Pods, by EKS Pod Identity; which ones, each `eks::PodIdentity` says.
    ///
    /// Source: <https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html>
    pub fn pods() -> Value<Trust> {
        let calls = ["sts:AssumeRole", "sts:TagSession"];
        Self::of("Service", text!["pods.eks.amazonaws.com"], calls, [])
    }

    /// Everyone in an account whom that account lets.
    pub fn account(id: impl IntoText) -> Value<Trust> {
        Self::of("AWS", text!["arn:aws:iam::", id, ":root"], ["sts:AssumeRole"], [])
    }

    /// One role or user.
    pub fn principal(arn: impl IntoText) -> Value<Trust> {
        Self::of("AWS", text![arn], ["sts:AssumeRole"], [])
    }

    /// Runs of GitHub workflows whose subject matches one of the patterns, such as
    /// `repo:acme/app:ref:refs/heads/main`.
    ///
    /// `provider` is the ARN of the account's `iam::OidcProvider` for GitHub. Source:
    /// <https://docs.github.com/actions/how-tos/secure-your-work/security-harden-deployments/oidc-in-aws>
    pub fn github<T: IntoText>(
        provider: impl IntoText,
        subjects: impl IntoIterator<Item = T>,
    ) -> Value<Trust> {
        let issuer = super::oidc_provider::GITHUB_ISSUER;
        Self::web_identity(provider, issuer, Condition::like(text![issuer, ":sub"], subjects))
    }

    /// The Kubernetes service account `namespace/name` of a cluster (IAM roles for service accounts).
    ///
    /// `issuer` is the cluster's issuer without `https://`, `provider` the ARN of its
    /// `iam::OidcProvider`. Source:
    /// <https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html>
    pub fn service_account(
        provider: impl IntoText,
        issuer: impl IntoText + Copy,
        namespace: impl IntoText,
        name: impl IntoText,
    ) -> Value<Trust> {
        let subject = text!["system:serviceaccount:", namespace, ":", name];
        Self::web_identity(provider, issuer, Condition::equals(text![issuer, ":sub"], [subject]))
    }

    fn web_identity(
        provider: impl IntoText,
        issuer: impl IntoText,
        subject: Value<Condition>,
    ) -> Value<Trust> {
        let audience = Condition::equals(text![issuer, ":aud"], [STS_AUDIENCE]);
        let calls = ["sts:AssumeRoleWithWebIdentity"];
        Self::of("Federated", text![provider], calls, [audience, subject])
    }

    fn of<const A: usize, const C: usize>(
        kind: &str,
        principal: Value<String>,
        actions: [&str; A],
        conditions: [Value<Condition>; C],
    ) -> Value<Trust> {
        Trust::new()
            .kind(kind)
            .principals([principal])
            .actions(actions)
            .conditions(conditions)
            .into_value()
    }
}

/// The policy document that gives these grants.
pub(crate) fn policy_document(grants: &[Grant]) -> String {
    let statements = grants.iter().map(|grant| {
        let mut statement = Map::new();
        if let Some(sid) = &grant.sid {
            statement.insert("Sid".into(), json!(sid));
        }
        statement.insert("Effect".into(), json!("Allow"));
        statement.insert("Action".into(), json!(grant.actions));
        statement.insert("Resource".into(), json!(grant.resources));
        put_conditions(&mut statement, grant.conditions.as_deref());
        statement
    });
    document(statements)
}

/// The trust policy document of a role.
pub(crate) fn trust_document(trusts: &[Trust]) -> String {
    let statements = trusts.iter().map(|trust| {
        let mut statement = Map::new();
        statement.insert("Effect".into(), json!("Allow"));
        statement.insert("Principal".into(), json!({ &*trust.kind: trust.principals }));
        statement.insert("Action".into(), json!(trust.actions));
        put_conditions(&mut statement, trust.conditions.as_deref());
        statement
    });
    document(statements)
}

fn document(statements: impl Iterator<Item = Map<String, Json>>) -> String {
    json!({ "Version": LANGUAGE, "Statement": statements.collect::<Vec<_>>() }).to_string()
}

fn put_conditions(statement: &mut Map<String, Json>, conditions: Option<&[Condition]>) {
    let mut by_operator: BTreeMap<&str, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    for Condition { operator, key, values } in conditions.unwrap_or_default() {
        let all = by_operator.entry(operator).or_default().entry(key).or_default();
        all.extend(values.iter().map(String::as_str));
    }
    if !by_operator.is_empty() {
        statement.insert("Condition".into(), json!(by_operator));
    }
}

/// The grants of a policy document, as IAM gives it.
///
/// A statement that no grant can say (`Deny`, `NotAction`, ...) comes as a grant whose only action is
/// the statement's JSON, so that it shows as the drift that it is.
pub(crate) fn grants_of(document: &str) -> Vec<Grant> {
    statements(document).into_iter().map(|s| grant_of(&s).unwrap_or_else(|| foreign(&s))).collect()
}

fn foreign(statement: &Json) -> Grant {
    Grant { actions: vec![canonical(statement)], ..Grant::default() }
}

fn grant_of(statement: &Json) -> Option<Grant> {
    only(statement, &["Sid", "Effect", "Action", "Resource", "Condition"])?;
    Some(Grant {
        sid: statement.get("Sid").and_then(Json::as_str).map(str::to_owned),
        actions: texts(statement.get("Action")?)?,
        resources: texts(statement.get("Resource")?)?,
        conditions: Some(conditions_of(statement)?),
    })
}

/// The trusts of a trust policy document, as IAM gives it; a statement with principals of several
/// kinds is one trust for each. Statements that no trust can say come as with [`grants_of`].
pub(crate) fn trusts_of(document: &str) -> Vec<Trust> {
    let foreign = |s: &Json| Trust { actions: vec![canonical(s)], ..Trust::default() };
    statements(document)
        .into_iter()
        .flat_map(|s| trusts_in(&s).unwrap_or_else(|| vec![foreign(&s)]))
        .collect()
}

fn trusts_in(statement: &Json) -> Option<Vec<Trust>> {
    only(statement, &["Sid", "Effect", "Principal", "Action", "Condition"])?;
    let (actions, conditions) = (texts(statement.get("Action")?)?, conditions_of(statement)?);
    let kinds = statement.get("Principal")?.as_object()?.iter();
    kinds
        .map(|(kind, principals)| {
            Some(Trust {
                kind: kind.clone(),
                principals: texts(principals)?,
                actions: actions.clone(),
                conditions: Some(conditions.clone()),
            })
        })
        .collect()
}

/// Whether a statement allows, and says nothing beside these elements.
fn only(statement: &Json, elements: &[&str]) -> Option<()> {
    let known = statement.as_object()?.keys().all(|key| elements.contains(&key.as_str()));
    (known && statement.get("Effect")?.as_str()? == "Allow").then_some(())
}

fn conditions_of(statement: &Json) -> Option<Vec<Condition>> {
    let mut found = vec![];
    let Some(conditions) = statement.get("Condition") else { return Some(found) };
    for (operator, keys) in conditions.as_object()? {
        for (key, values) in keys.as_object()? {
            let (operator, key) = (operator.clone(), key.clone());
            found.push(Condition { operator, key, values: texts(values)? });
        }
    }
    Some(found)
}

/// The statements of a document; a document that isn't one is a single foreign statement.
fn statements(document: &str) -> Vec<Json> {
    let decoded = percent_encoding::percent_decode_str(document).decode_utf8_lossy();
    let parsed: Result<Json, _> = serde_json::from_str(&decoded);
    match parsed.ok().and_then(|mut json| json.get_mut("Statement").map(Json::take)) {
        Some(Json::Array(statements)) => statements,
        Some(statement) => vec![statement],
        None => vec![Json::String(decoded.into_owned())],
    }
}

/// A text, number or boolean, or a list of them, as a list of texts.
fn texts(json: &Json) -> Option<Vec<String>> {
    let text = |json: &Json| match json {
        Json::String(text) => Some(text.clone()),
        Json::Bool(_) | Json::Number(_) => Some(json.to_string()),
        _ => None,
    };
    match json {
        Json::Array(items) => items.iter().map(text).collect(),
        scalar => Some(vec![text(scalar)?]),
    }
}

/// Compact JSON with sorted keys.
pub(crate) fn canonical(json: &Json) -> String {
    Data::literal(json).plain_json()
}

/// Desired statements in the form in which they are read back: conditions that aren't there are none,
/// so that one added from outside is drift.
pub(crate) fn complete(statements: &mut Data) {
    let Data::List(items) = statements else { return };
    for item in items {
        if let Data::Map(statement) = item {
            statement.entry("conditions".to_owned()).or_insert_with(|| Data::List(vec![]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_whatever_iam_does_to_its_form() {
        let grant = Grant {
            sid: Some("Pull".into()),
            actions: vec!["ecr:BatchGetImage".into()],
            resources: vec!["*".into()],
            conditions: Some(vec![Condition {
                operator: "Bool".into(),
                key: "aws:SecureTransport".into(),
                values: vec!["true".into()],
            }]),
        };
        let grant = [grant];
        assert_eq!(grants_of(&policy_document(&grant)), grant);
        // As GetAccountAuthorizationDetails gives it: RFC 3986 encoded, single texts, one statement.
        let given = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%7B%22Sid%22%3A%22Pull\
            %22%2C%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22ecr%3ABatchGetImage%22%2C\
            %22Resource%22%3A%22*%22%2C%22Condition%22%3A%7B%22Bool%22%3A%7B\
            %22aws%3ASecureTransport%22%3Atrue%7D%7D%7D%7D";
        assert_eq!(grants_of(given), grant);
    }

    #[test]
    fn a_plus_in_a_document_stays_a_plus() {
        let document = r#"{"Statement":{"Effect":"Allow","Action":"a:B","Resource":"x+y"}}"#;
        assert_eq!(grants_of(document)[0].resources, ["x+y"]);
    }

    #[test]
    fn statements_that_no_grant_can_say_are_kept_as_they_are() {
        for statement in [
            json!({"Effect": "Deny", "Action": "s3:*", "Resource": "*"}),
            json!({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}),
            json!({"Effect": "Allow", "Action": "s3:*", "NotResource": "x"}),
        ] {
            let found = grants_of(&json!({ "Statement": [statement] }).to_string());
            assert_eq!(found[0].actions, [canonical(&statement)]);
        }
        assert_eq!(grants_of("no JSON")[0].actions, [r#""no JSON""#]);
        let open = json!({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]});
        let [trust] = &*trusts_of(&open.to_string()) else { panic!() };
        assert!(trust.actions[0].contains(r#""Principal":"*""#), "{trust:?}");
    }

    #[test]
    fn principals_of_several_kinds_are_several_trusts() {
        let document = json!({"Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": ["b", "a"], "AWS": "arn:aws:iam::1:root"},
            "Action": ["sts:AssumeRole"],
        }]});
        let trusts = trusts_of(&document.to_string());
        assert_eq!(trusts.len(), 2);
        assert!(trusts.iter().any(|t| t.kind == "AWS" && t.principals == ["arn:aws:iam::1:root"]));
        assert_eq!(trusts_of(&trust_document(&trusts)), trusts);
    }

    #[test]
    fn conditions_on_the_same_operator_and_key_are_one() {
        let condition = |value: &str| Condition {
            operator: "StringLike".into(),
            key: "k".into(),
            values: vec![value.into()],
        };
        let trust = Trust {
            kind: "AWS".into(),
            principals: vec!["p".into()],
            actions: vec!["sts:AssumeRole".into()],
            conditions: Some(vec![condition("a"), condition("b")]),
        };
        let read = trusts_of(&trust_document(&[trust]));
        assert_eq!(read[0].conditions.as_ref().unwrap()[0].values, ["a", "b"]);
    }
}
