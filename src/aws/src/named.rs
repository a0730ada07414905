//! Kinds whose identity is their name: the author's own, or the one derived from the address.

use crate::{Aws, target::predict_with_arn};
use formwork_engine::{
    Data, Failure, FailureKind, Owner, Prediction, Reconcile, Resource, Subject,
};
use std::collections::BTreeMap;

/// The field that holds the author's own name, in every kind that lets them choose one.
const FIELD: &str = "name";

/// What a resource is called: by its identifier, by its author, or as derived.
pub(crate) fn name_of(subject: &Subject) -> &str {
    let own = subject.inputs.get(FIELD).and_then(Data::as_str);
    subject.id.as_deref().or(own).unwrap_or(&subject.name)
}

/// What a resource will be called; `None` where its author's name for it isn't known yet.
pub(crate) fn predicted_name<'a>(of: &'a Prediction<'_>) -> Option<&'a str> {
    match of.fields.get(FIELD) {
        None | Some(Data::Null) => Some(of.name),
        Some(name) => name.as_str(),
    }
}

/// What is predicted of a resource by its name: the name, under the output that has it, and the ARN, in
/// which it stands behind what the service calls the kind, such as `repository/`.
pub(crate) fn predict_by_name(
    of: &Prediction<'_>,
    output: &'static str,
    service: &str,
    kind: &str,
) -> BTreeMap<&'static str, String> {
    predicted_name(of)
        .map(|name| predict_with_arn(of, (output, name), service, &format!("{kind}{name}")))
        .unwrap_or_default()
}

/// Whether a resource is one of the wanted ones, or one of their stacks' at least.
pub(crate) fn is_wanted(wanted: &[Subject], name: &str, owner: Option<&Owner>) -> bool {
    let same_lineage = |w: &Subject| owner.is_some_and(|owner| owner.lineage == w.owner.lineage);
    wanted.iter().any(|w| name_of(w) == name || same_lineage(w))
}

/// The identifier that a creation came to: also of one that was refused because the name is taken, if an
/// earlier try of the same intent took it.
pub(crate) async fn made_or_ours<R, T>(
    cloud: &Aws,
    subject: &Subject,
    made: Result<T, Failure>,
) -> Result<String, Failure>
where
    R: Reconcile<Cloud = Aws>,
{
    match made {
        Ok(_) => Ok(name_of(subject).to_owned()),
        Err(refusal) if refusal.kind == FailureKind::Taken => {
            taken_by_us::<R>(cloud, subject, refusal).await
        }
        Err(failure) => Err(failure),
    }
}

/// After a creation was refused because the name is taken: the identifier, if an earlier try of the
/// same intent took it, and else whose it is.
async fn taken_by_us<R>(cloud: &Aws, subject: &Subject, refusal: Failure) -> Result<String, Failure>
where
    R: Reconcile<Cloud = Aws>,
{
    let name = name_of(subject).to_owned();
    let by_name = Subject { id: Some(name.clone()), ..subject.clone() };
    match R::read(cloud, &by_name).await? {
        Some(found) if found.owner.as_ref() == Some(&subject.owner) => Ok(found.id),
        Some(found) => Err(taken::<R>(&name, found.owner.as_ref())),
        // It went away meanwhile, or it can't be seen yet.
        None => Err(refusal),
    }
}

/// The refusal of a name that something else holds.
pub(crate) fn taken<R: Resource>(name: &str, owner: Option<&Owner>) -> Failure {
    let whose = match owner {
        Some(owner) => format!("`{}` of the state {}", owner.address, owner.lineage),
        None => "something that formwork didn't make".to_owned(),
    };
    Failure::taken(format!("the name `{name}` of a {} is taken by {whose}", R::SCHEMA.kind))
        .hint("choose another name for it in the stack, or delete what holds this one")
}
