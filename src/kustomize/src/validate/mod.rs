//! Built objects held against the OpenAPI schemas of a Kubernetes version, offline.
//!
//! The schemas come from a real API server (`formwork kube schemas` reads them); those of custom resources from the
//! CustomResourceDefinitions in the same build.

mod custom;
mod formats;
mod lifecycle;
mod pack;
mod schemas;
mod types;
mod walk;

pub use schemas::Schemas;

use crate::built::{Built, Object};
use crate::checks::placed;
use crate::finding::{Finding, Rule, Severity};
use crate::suggest::nearest;
use custom::CustomTypes;
use lifecycle::{Release, retirement};

/// Why schemas can't be packed or unpacked.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    #[error("not an OpenAPI document of Kubernetes: {0}")]
    NotOpenApi(String),
    #[error("not a file of schemas that `formwork kube schemas` wrote: {0}")]
    NotPacked(String),
}

const fn refused(
    code: &'static str,
    name: &'static str,
    why: &'static str,
    fix: &'static str,
) -> Rule {
    Rule { code, name, severity: Severity::Error, why, fix, can_be_ignored: false }
}

pub(crate) const UNKNOWN_FIELD: Rule = refused(
    "FWK001",
    "unknown field",
    "The API server drops or refuses a field that its type doesn't have: what it was to set isn't set.",
    "Correct the spelling or the indentation; `kubectl explain` lists the fields.",
);
pub(crate) const WRONG_TYPE: Rule = refused(
    "FWK002",
    "wrong type",
    "The API server refuses a string where a number belongs, and the other way round.",
    "Add or remove the quotes, or the dash that makes a list.",
);
pub(crate) const MISSING: Rule = refused(
    "FWK003",
    "required field missing",
    "The API server refuses an object without its required fields.",
    "Add the field.",
);
pub(crate) const VALUE: Rule = refused(
    "FWK004",
    "value not allowed",
    "The API server refuses values that are not listed, out of range, or not in the field's format.",
    "Use one of the values, or the format, that the message names.",
);
pub(crate) const DUPLICATE: Rule = refused(
    "FWK005",
    "duplicate list entry",
    "Entries of this list are told apart by these keys; of two with the same keys one is lost, or the object refused.",
    "Remove one, or give it another name. Two patches that both add it are a usual cause.",
);
pub(crate) const UNKNOWN_KIND: Rule = Rule {
    code: "FWK006",
    name: "unknown kind",
    severity: Severity::Error,
    why: "This Kubernetes version has no such kind in this group and version, unless the cluster has switched it on.",
    fix: "Correct `apiVersion` or `kind`; `kubectl api-resources` lists them.",
    can_be_ignored: true,
};
pub(crate) const REMOVED: Rule = refused(
    "FWK007",
    "removed API",
    "This Kubernetes version doesn't serve this API version any more: the object can't be applied.",
    "Change to the API version that the message names, and to what changed in its fields.",
);
pub(crate) const DEPRECATED: Rule = Rule {
    code: "FWK008",
    name: "deprecated API",
    severity: Severity::Warning,
    why: "A later Kubernetes version doesn't serve this API version: the cluster can't be upgraded before this is changed.",
    fix: "Change to the API version that the message names.",
    can_be_ignored: true,
};
pub(crate) const NOT_VALIDATED: Rule = Rule {
    code: "FWK009",
    name: "not validated",
    severity: Severity::Note,
    why: "The type of a custom resource is known only where its CustomResourceDefinition is in the same build.",
    fix: "Nothing needs to be done; the API server validates it when it is applied.",
    can_be_ignored: true,
};

/// What validation looks for.
pub(crate) const RULES: &[&Rule] = &[
    &UNKNOWN_FIELD,
    &WRONG_TYPE,
    &MISSING,
    &VALUE,
    &DUPLICATE,
    &UNKNOWN_KIND,
    &REMOVED,
    &DEPRECATED,
    &NOT_VALIDATED,
];

/// Holds every object against its type, in the order of the output.
pub fn validate(built: &Built, schemas: &Schemas) -> Vec<Finding> {
    placed(built, validated(built, schemas)).map(|(_, finding)| finding).collect()
}

/// The same, with findings that still point to where their objects begin.
pub(crate) fn validated(built: &Built, schemas: &Schemas) -> Vec<Finding> {
    let mut findings = Vec::new();
    let custom = CustomTypes::of(built.objects());
    for object in built.objects() {
        validate_object(object, schemas, &custom, &mut findings);
    }
    findings
}

fn validate_object(
    object: &Object,
    schemas: &Schemas,
    custom: &CustomTypes,
    findings: &mut Vec<Finding>,
) {
    let (api_version, kind) = (object.api_version(), object.kind());
    let known = schemas.of(api_version, kind).map(Some).or_else(|| custom.get(api_version, kind));
    retired(object, schemas, known.is_some(), findings);
    match known {
        Some(Some(kind)) => walk::walk(object, kind, schemas, findings),
        Some(None) => {
            let message =
                format!("not validated: the CustomResourceDefinition of {kind} gives no schema");
            findings.push(Finding::new(&NOT_VALIDATED, object, message));
        }
        None if api_version.is_empty() => {
            findings
                .push(Finding::new(&MISSING, object, "this field is required").at("apiVersion"));
        }
        None if schemas.has_group(api_version) => {
            if retirement(api_version, kind).is_none() {
                findings.push(unknown_kind(object, schemas));
            }
        }
        None if retirement(api_version, kind).is_some() => {}
        None => {
            let message = format!(
                "not validated: the definition of {api_version} {kind} isn't in this build"
            );
            findings.push(Finding::new(&NOT_VALIDATED, object, message));
        }
    }
}

/// What is said of a deprecated API version is what the named Kubernetes version does about it.
fn retired(object: &Object, schemas: &Schemas, served: bool, findings: &mut Vec<Finding>) {
    let Some(retirement) = retirement(object.api_version(), object.kind()) else { return };
    let version = Release::parse(schemas.version());
    let title = format!("{} {}", object.api_version(), object.kind());
    let finding = match (retirement.removed, version) {
        (Some(removed), version) if !served && version.is_none_or(|version| version >= removed) => {
            Finding::new(&REMOVED, object, format!("{title} is gone since Kubernetes {removed}"))
        }
        (removed, Some(version)) if version >= retirement.deprecated => {
            let since = format!("{title} is deprecated since Kubernetes {}", retirement.deprecated);
            let goes = removed.map(|removed| format!(", and gone in {removed}"));
            Finding::new(&DEPRECATED, object, since + &goes.unwrap_or_default())
        }
        _ => return,
    };
    findings.push(finding.at("apiVersion").help(retirement.instead));
}

fn unknown_kind(object: &Object, schemas: &Schemas) -> Finding {
    let (api_version, kind) = (object.api_version(), object.kind());
    let version = schemas.version();
    let message = format!("Kubernetes {version} has no {kind} in {api_version}");
    let finding = Finding::new(&UNKNOWN_KIND, object, message);
    let elsewhere =
        schemas.kinds().filter(|(_, known)| *known == kind).map(|(place, _)| place).min();
    let here = schemas.kinds().filter(|(place, _)| *place == api_version).map(|(_, kind)| kind);
    match (elsewhere, nearest(kind, here)) {
        (Some(place), _) => finding.at("apiVersion").help(format!("{kind} is in {place}")),
        (None, Some(near)) => finding.at("kind").help(format!("did you mean {near}?")),
        (None, None) => finding.at("kind"),
    }
}
