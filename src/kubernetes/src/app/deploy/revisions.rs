//! What becomes of an App's revisions by a deploy, and what is gone back to.

use super::super::observe;
use crate::{
    cluster::Connection,
    release::{self, Revision, Status},
};
use formwork_engine::{Data, Failure, Subject};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// The inputs that put the last good revision back.
///
/// Refused where a migration has gone further than that one tolerates: then only forward is a way.
pub async fn last_good(cluster: &Connection, subject: &Subject) -> Result<Option<Data>, Failure> {
    let Some(good) = release::last_good(cluster, subject).await? else { return Ok(None) };
    back_to(&good, &subject.inputs).map(Some)
}

/// The inputs that put a revision back in the place of the current ones.
pub fn back_to(revision: &Revision, current: &Data) -> Result<Data, Failure> {
    let schema = current.get("schema").and_then(|schema| schema.get("oldest"));
    let version = schema.and_then(Data::as_str);
    let tolerated =
        |version: &str| revision.schema.as_ref().is_none_or(|schema| schema.tolerates(version));
    match version.filter(|version| !tolerated(version)) {
        None => release::restored(revision, current),
        Some(version) => Err(Failure::invalid(format!(
            "revision {} doesn't work with schema {version}, which the database has by now",
            revision.number
        ))
        .hint("go forward: mend the release, and deploy it again")),
    }
}

/// What becomes of a bad revision by a good one that put another back.
pub(super) fn undone(newest: &Revision, before: &Revision) -> Option<Status> {
    match (&before.status, newest.restores) {
        (Status::Bad(reason), Some(to)) => Some(Status::RolledBack { to, reason: reason.clone() }),
        _ => None,
    }
}

/// The keys of objects that differ from what one of the revisions since the last good one had.
pub(super) fn changed<'w>(
    wanted: &'w BTreeMap<String, Json>,
    revisions: &[Revision],
) -> Vec<&'w String> {
    let earlier = revisions.split_last().map_or(revisions, |(_, earlier)| earlier);
    let last_good = earlier.iter().rposition(|revision| revision.status == Status::Good);
    let since: Vec<BTreeMap<String, Json>> = match last_good {
        Some(good) => earlier[good..].iter().map(|r| observe::wanted(&r.inputs)).collect(),
        // Nothing was ever good: all of it is new.
        None => vec![BTreeMap::new()],
    };
    let is_new = |key: &String, object: &Json| since.iter().any(|had| had.get(key) != Some(object));
    wanted.iter().filter(|(key, object)| is_new(key, object)).map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn objects(images: &[(&str, &str)]) -> Data {
        let all = images.iter().map(|(name, image)| {
            (format!("Deployment/n/{name}"), json!({"kind": "Deployment", "image": image}))
        });
        let all: serde_json::Map<String, Json> = all.collect();
        Data::from_json(&json!({ "objects": all }))
    }

    fn revision(number: u64, status: Status, images: &[(&str, &str)]) -> Revision {
        Revision::of(number, status, objects(images))
    }

    #[test]
    fn what_differs_from_anything_since_the_last_good_one_is_watched() {
        let check = |revisions: &[Revision], wanted: &[(&str, &str)], expected: &[&str]| {
            let wanted = observe::wanted(&objects(wanted));
            let expected: Vec<String> =
                expected.iter().map(|name| format!("Deployment/n/{name}")).collect();
            assert_eq!(
                changed(&wanted, revisions).into_iter().cloned().collect::<Vec<_>>(),
                expected
            );
        };
        let (one, two) = ([("client", "1"), ("server", "1")], [("client", "1"), ("server", "2")]);
        let bad = || Status::Bad("crash loop".into());
        check(&[], &one, &["client", "server"]);
        check(&[revision(1, Status::Deploying, &one)], &one, &["client", "server"]);
        let first = || revision(1, Status::Good, &one);
        check(&[first(), revision(2, Status::Deploying, &two)], &two, &["server"]);
        // Going back is a change of what the bad one changed.
        let back = [first(), revision(2, bad(), &two), revision(3, Status::Deploying, &one)];
        check(&back, &one, &["server"]);
    }

    #[test]
    fn a_migration_is_not_passed() {
        let schema = |oldest: &str, newest: Option<&str>| {
            let range = json!({"oldest": oldest, "newest": newest});
            Some(serde_json::from_value(range).unwrap())
        };
        let current = Data::from_json(&json!({"schema": {"oldest": "0014"}}));
        let with = |schema| Revision { schema, ..revision(3, Status::Good, &[]) };
        assert!(back_to(&with(None), &current).is_ok());
        assert!(back_to(&with(schema("0012", Some("0014"))), &current).is_ok());
        let refused = back_to(&with(schema("0012", Some("0013"))), &current).unwrap_err();
        assert_eq!(
            refused.message,
            "revision 3 doesn't work with schema 0014, which the database has by now"
        );
    }

    #[test]
    fn a_good_one_that_puts_another_back_says_so_of_the_bad_one() {
        let bad = revision(2, Status::Bad("crash loop".into()), &[]);
        let back = Revision { restores: Some(1), ..revision(3, Status::Deploying, &[]) };
        let status = Status::RolledBack { to: 1, reason: "crash loop".into() };
        assert_eq!(undone(&back, &bad), Some(status));
        assert_eq!(undone(&revision(3, Status::Deploying, &[]), &bad), None);
    }
}
