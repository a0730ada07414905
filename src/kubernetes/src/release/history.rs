//! The revisions of an App in its cluster: begun, settled, listed, dropped.

use super::{
    Draft, Generation, KEPT, Revision, Status, Summary,
    revision::{self, INPUTS},
};
use crate::{
    api::{Served, name, side_by_side, text},
    app::{
        marks::{self, Gvk},
        observe::{self, core},
    },
    cluster::Connection,
};
use formwork_engine::{Failure, FailureKind, Subject};
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// All revisions that are kept of an App, the newest last.
pub async fn history(cluster: &Connection, subject: &Subject) -> Result<Vec<Revision>, Failure> {
    let namespace = observe::namespace(subject)?;
    let config_maps = core(cluster, &Gvk::config_map()).await?;
    let selector = marks::selector_of(&subject.owner, marks::REVISION);
    let found = sorted(cluster.list(&config_maps, namespace, &selector).await?);
    side_by_side(found.into_iter().map(|found| read(cluster, namespace, found)).collect())
        .await
        .map(|mut revisions: Vec<Revision>| {
            revisions.sort_by_key(|revision| revision.number);
            revisions
        })
}

async fn read(
    cluster: &Connection,
    namespace: &str,
    summary: Summary,
) -> Result<Revision, Failure> {
    let object_name = name(&summary.object).to_owned();
    let secret = match text(&summary.object, &["binaryData", INPUTS]) {
        "" => {
            let secrets = core(cluster, &Gvk::secret()).await?;
            cluster.get(&secrets, namespace, &object_name).await?
        }
        _ => None,
    };
    Revision::read(summary, secret.as_ref()).map_err(|error| {
        Failure::service(format!("the revision in ConfigMap {object_name} can't be read: {error}"))
            .hint(format!("what is left of it is of no use: kubectl delete configmap {object_name} -n {namespace}"))
    })
}

/// One revision, to compare or to go back to; a failure names those that are kept.
pub async fn find(
    cluster: &Connection,
    subject: &Subject,
    number: u64,
) -> Result<Revision, Failure> {
    let there = summaries(cluster, subject).await?;
    match there.iter().find(|revision| revision.number == number) {
        Some(revision) => whole(cluster, subject, revision).await,
        None => {
            let kept: Vec<String> = there.iter().map(|r| r.number.to_string()).collect();
            Err(gone(subject, number).hint(match kept.is_empty() {
                true => "none is kept yet: deploy first".to_owned(),
                false => format!("kept are {}", kept.join(", ")),
            }))
        }
    }
}

/// The newest revision that came up, none where none did.
pub async fn last_good(
    cluster: &Connection,
    subject: &Subject,
) -> Result<Option<Revision>, Failure> {
    let there = summaries(cluster, subject).await?;
    match there.iter().rfind(|revision| revision.status == Status::Good) {
        Some(good) => whole(cluster, subject, good).await.map(Some),
        None => Ok(None),
    }
}

/// The number and the status of the newest revision, none before the first apply. One request.
pub async fn newest(
    cluster: &Connection,
    subject: &Subject,
) -> Result<Option<(u64, Status)>, Failure> {
    let newest = summaries(cluster, subject).await?.pop();
    Ok(newest.map(|revision| (revision.number, revision.status)))
}

async fn whole(
    cluster: &Connection,
    subject: &Subject,
    summary: &Summary,
) -> Result<Revision, Failure> {
    let namespace = observe::namespace(subject)?;
    let config_maps = core(cluster, &Gvk::config_map()).await?;
    let object = cluster.get(&config_maps, namespace, name(&summary.object)).await?;
    match object.and_then(Summary::read) {
        Some(summary) => read(cluster, namespace, summary).await,
        // Dropped in this very moment.
        None => Err(gone(subject, summary.number)),
    }
}

fn gone(subject: &Subject, number: u64) -> Failure {
    Failure::invalid(format!("revision {number} of `{}` isn't kept", subject.owner.address))
}

/// Begins a revision for an apply of the subject's inputs, and answers its number.
///
/// The same set that was begun before, and isn't bad, is the same revision: so an apply that was cut off goes
/// on with its own, and one that only mends what others changed begins none. Whatever else was still deploying
/// is superseded. The caller holds the App's [`super::Lease`].
pub async fn begin(cluster: &Connection, subject: &Subject) -> Result<u64, Failure> {
    begin_draft(cluster, subject, &Draft::of(subject)?).await.map(|begun| begun.number)
}

/// The revision of an apply.
pub(crate) struct Begun {
    pub number: u64,
    /// It came up before: this apply only mends what others changed.
    pub good: bool,
}

pub(crate) async fn begin_draft(
    cluster: &Connection,
    subject: &Subject,
    draft: &Draft,
) -> Result<Begun, Failure> {
    let there = summaries(cluster, subject).await?;
    let mut good = false;
    let number = match there.last() {
        Some(newest) if draft.is(newest) => {
            good = newest.status == Status::Good;
            newest.number
        }
        newest => {
            let number = newest.map_or(0, |newest| newest.number) + 1;
            let restores = draft.restores.or_else(|| same_set(&there, &draft.release));
            create(cluster, subject, draft, number, restores).await?;
            number
        }
    };
    let overtaken = there
        .iter()
        .filter(|revision| revision.number != number && revision.status == Status::Deploying);
    let numbers: Vec<u64> = overtaken.map(|revision| revision.number).collect();
    for number in numbers {
        settle(cluster, subject, number, &Status::Superseded).await?;
    }
    Ok(Begun { number, good })
}

async fn create(
    cluster: &Connection,
    subject: &Subject,
    draft: &Draft,
    number: u64,
    restores: Option<u64>,
) -> Result<(), Failure> {
    let namespace = observe::namespace(subject)?;
    for object in draft.objects(subject, namespace, number, restores) {
        let kind = core(cluster, &Gvk::of(&object)).await?;
        let is_secret = text(&object, &["kind"]) == "Secret";
        match cluster.create(&kind, namespace, &object).await {
            Ok(_) => {}
            // The Secret of an apply that was cut off before its ConfigMap: it counts for nothing yet.
            Err(failure) if failure.kind == FailureKind::Taken && is_secret => {
                cluster.apply(&kind, namespace, &object).await?;
            }
            Err(failure) if failure.kind == FailureKind::Taken => {
                return Err(Failure::busy(format!(
                    "another deploy of `{}` began revision {number} just now",
                    subject.owner.address
                )));
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}

/// The newest revision of the same set that wasn't bad: it comes back, whoever asked for it and how.
fn same_set(there: &[Summary], release: &str) -> Option<u64> {
    let fine = |revision: &&Summary| {
        revision.release == release && matches!(revision.status, Status::Good | Status::Superseded)
    };
    there.iter().rev().find(fine).map(|revision| revision.number)
}

/// Writes down what became of a revision.
pub async fn settle(
    cluster: &Connection,
    subject: &Subject,
    number: u64,
    status: &Status,
) -> Result<(), Failure> {
    let namespace = observe::namespace(subject)?;
    let config_maps = core(cluster, &Gvk::config_map()).await?;
    let name = revision::name(subject, number);
    match cluster.patch(&config_maps, namespace, &name, &status.patch()).await? {
        Some(_) => Ok(()),
        None => Err(gone(subject, number)),
    }
}

/// The revisions by their metadata, the newest last.
pub(crate) async fn summaries(
    cluster: &Connection,
    subject: &Subject,
) -> Result<Vec<Summary>, Failure> {
    let namespace = observe::namespace(subject)?;
    let config_maps = core(cluster, &Gvk::config_map()).await?;
    let selector = marks::selector_of(&subject.owner, marks::REVISION);
    Ok(sorted(cluster.list_metadata(&config_maps, namespace, &selector).await?))
}

fn sorted(objects: Vec<Json>) -> Vec<Summary> {
    let mut all: Vec<Summary> = objects.into_iter().filter_map(Summary::read).collect();
    all.sort_by_key(|revision| revision.number);
    all
}

/// Drops the revisions beyond those to be kept, and answers the generations that the others need.
pub(crate) async fn drop_old(
    cluster: &Connection,
    subject: &Subject,
) -> Result<BTreeSet<Generation>, Failure> {
    let keep = subject.inputs.get("keep_releases").and_then(|keep| keep.parse().ok());
    let (kept, old) = divide(summaries(cluster, subject).await?, keep.unwrap_or(KEPT));
    delete(cluster, observe::namespace(subject)?, old).await?;
    Ok(kept.into_iter().flat_map(|revision| revision.generations).collect())
}

/// Deletes all revisions, with the App.
pub(crate) async fn forget(cluster: &Connection, subject: &Subject) -> Result<(), Failure> {
    let all = summaries(cluster, subject).await?;
    delete(cluster, observe::namespace(subject)?, all).await
}

async fn delete(
    cluster: &Connection,
    namespace: &str,
    revisions: Vec<Summary>,
) -> Result<(), Failure> {
    if revisions.is_empty() {
        return Ok(());
    }
    let config_maps: Served = core(cluster, &Gvk::config_map()).await?;
    let secrets = core(cluster, &Gvk::secret()).await?;
    let deletions = revisions.iter().map(async |revision| {
        // The ConfigMap last: what is left half done is found by it.
        if let Some(secret) = cluster.metadata(&secrets, namespace, name(&revision.object)).await? {
            cluster.delete(&secrets, namespace, &secret).await?;
        }
        cluster.delete(&config_maps, namespace, &revision.object).await.map(drop)
    });
    side_by_side(deletions.collect()).await.map(drop)
}

/// Those to be kept, and the others: the last ones are, and the last good one whatever its age.
fn divide(mut all: Vec<Summary>, keep: u16) -> (Vec<Summary>, Vec<Summary>) {
    let last_good = all.iter().rfind(|revision| revision.status == Status::Good);
    let last_good = last_good.map(|revision| revision.number);
    let first = all.len().saturating_sub(usize::from(keep.max(1)));
    let kept = all.split_off(first);
    let (good, old): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|revision| Some(revision.number) == last_good);
    (good.into_iter().chain(kept).collect(), old)
}

#[cfg(test)]
mod tests {
    use super::*;
    use formwork_engine::Data;

    #[test]
    fn the_last_ones_are_kept_and_the_last_good_one_whatever_its_age() {
        let check = |statuses: &str, keep: u16, kept: &[u64], old: &[u64]| {
            let status = |c: char| match c {
                'g' => Status::Good,
                'b' => Status::Bad("crash loop".into()),
                _ => Status::Deploying,
            };
            let all = statuses.chars().zip(1..).map(|(c, number)| Summary {
                number,
                release: String::new(),
                status: status(c),
                generations: BTreeSet::new(),
                object: Json::Null,
            });
            let numbers = |all: Vec<Summary>| all.into_iter().map(|r| r.number).collect::<Vec<_>>();
            let (found, dropped) = divide(all.collect(), keep);
            assert_eq!((numbers(found), numbers(dropped)), (kept.to_vec(), old.to_vec()));
        };
        check("", 3, &[], &[]);
        check("ggg", 3, &[1, 2, 3], &[]);
        check("gggg", 3, &[2, 3, 4], &[1]);
        check("gbbbd", 3, &[1, 3, 4, 5], &[2]);
        check("ggbbbd", 2, &[2, 5, 6], &[1, 3, 4]);
        check("bbd", 1, &[3], &[1, 2]);
        // A count of none would drop what is being deployed.
        check("gd", 0, &[1, 2], &[]);
    }

    #[test]
    fn a_set_that_comes_back_is_known_by_its_content() {
        let check = |there: &[(&str, Status)], expected: Option<u64>| {
            let all: Vec<Summary> = (1..)
                .zip(there)
                .map(|(number, (release, status))| Summary {
                    number,
                    release: (*release).to_owned(),
                    status: status.clone(),
                    generations: BTreeSet::new(),
                    object: Json::Null,
                })
                .collect();
            assert_eq!(same_set(&all, "x"), expected, "{there:?}");
        };
        let bad = || Status::Bad("crash loop".into());
        check(&[], None);
        check(&[("y", Status::Good)], None);
        check(&[("x", Status::Good), ("y", bad())], Some(1));
        check(&[("x", Status::Good), ("x", Status::Superseded), ("y", Status::Good)], Some(2));
        // What was bad isn't restored by trying it again.
        check(&[("x", bad())], None);
        check(&[("x", Status::RolledBack { to: 1, reason: String::new() })], None);
    }

    #[test]
    fn a_status_is_read_back_as_written() {
        let check = |status: Status| {
            let mut object = status.patch();
            object["metadata"]["annotations"]["formwork/revision"] = "3".into();
            assert_eq!(Summary::read(object).unwrap().status, status);
        };
        check(Status::Deploying);
        check(Status::Good);
        check(Status::Bad("1 of 2 pods crash".into()));
        check(Status::Superseded);
        check(Status::RolledBack { to: 2, reason: "1 of 2 pods crash".into() });
    }

    #[test]
    fn inputs_come_back_from_wherever_they_are_kept() {
        let check = |value: Data, kinds: &[&str]| {
            let object = Data::from_json(&serde_json::json!({
                "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
                "metadata": {"name": "a-2222222222"}, "data": {"A": value.to_json()},
            }));
            let objects = Data::Map([("Secret/n/a".to_owned(), object)].into());
            let text = |text: &str| Data::Text(text.to_owned());
            let inputs = Data::Map(
                [
                    ("namespace".to_owned(), text("n")),
                    ("objects".to_owned(), objects),
                    ("commit".to_owned(), text("1f2e")),
                    ("images".to_owned(), Data::Map([("server".to_owned(), text("r:1"))].into())),
                ]
                .into(),
            );
            let owner = formwork_engine::Owner {
                lineage: "0198".into(),
                address: "preview/shop".parse().unwrap(),
                intent: "i".into(),
            };
            let (name, outputs) = (String::new(), Data::empty_map());
            let subject = Subject { owner, name, id: None, inputs, outputs };
            let draft = Draft::of(&subject).unwrap();
            let mut objects = draft.objects(&subject, "n", 7, Some(3));
            let found: Vec<&str> = objects.iter().map(|o| text_of(o, "kind")).collect();
            assert_eq!(found, kinds);
            let summary = Summary::read(objects.pop().unwrap()).unwrap();
            assert!(draft.is(&summary));
            assert_eq!(Generation::write(&summary.generations), "Secret a-2222222222");
            let secret = objects.pop();
            let revision = Revision::read(summary, secret.as_ref()).unwrap();
            assert_eq!(revision.inputs, subject.inputs);
            assert_eq!((revision.number, revision.commit.as_deref()), (7, Some("1f2e")));
            assert_eq!(revision.restores, Some(3));
            assert_eq!(revision.images["server"], "r:1");
            assert_eq!(revision.status, Status::Deploying);
        };
        fn text_of<'a>(object: &'a Json, key: &str) -> &'a str {
            text(object, &[key])
        }
        let reference =
            serde_json::json!({"$secret": [{"ref": {"store": "s", "key": "k", "version": "1"}}]});
        check(Data::from_json(&reference), &["ConfigMap"]);
        check(Data::Text("aHVudGVyMg==".into()), &["Secret", "ConfigMap"]);
    }
}
