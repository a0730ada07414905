//! A revision: what one apply was to bring about, and what became of it.

use super::{Generation, SchemaRange, pack};
use crate::{
    api::text,
    app::{App, Manifest, marks},
};
use formwork_engine::{
    Data, Failure, Resource as _, Subject,
    plan::{self, Change, Versions},
};
use serde::Serialize;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// Characters of a reason that are kept; what is cut off is in the evidence.
pub const LONGEST_REASON: usize = 4096;
/// The key of the packed input.
pub const INPUTS: &str = "inputs";

/// On a revision: its number, from 1.
const NUMBER: &str = "formwork/revision";
/// On a revision: the digest of the objects, as in the App's output `release`.
const RELEASE: &str = "formwork/release";
/// On a revision: the word of its status, and what goes with it.
const STATUS: &str = "formwork/status";
const REASON: &str = "formwork/reason";
const ROLLED_BACK_TO: &str = "formwork/rolled-back-to";
/// On a revision: the one whose set it puts back.
const RESTORES: &str = "formwork/restores";
/// On a revision: where it comes from, as the App says.
const COMMIT: &str = "formwork/commit";
const AUTHOR: &str = "formwork/author";
/// On a revision: the generated ConfigMaps and Secrets that it needs.
const GENERATIONS: &str = "formwork/generations";

/// One apply of an App, as it is kept in the cluster.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Revision {
    /// From 1, in the order of applies; never used twice while the App exists.
    pub number: u64,
    pub status: Status,
    /// The digest of the objects, 16 characters: equal where nothing but the provenance differs.
    pub release: String,
    /// The revision whose set it puts back.
    pub restores: Option<u64>,
    pub commit: Option<String>,
    pub author: Option<String>,
    /// When it was begun, by the cluster's clock, in RFC 3339.
    pub time: String,
    /// The database schema that it tolerates.
    pub schema: Option<SchemaRange>,
    /// The image for each image name of the overlay.
    pub images: BTreeMap<String, String>,
    /// Everything to apply it again: the App's fields as they were, `objects` rendered.
    pub inputs: Data,
}

/// What became of a revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Being applied, or being watched.
    Deploying,
    /// It came up.
    Good,
    /// It didn't, for this reason.
    Bad(String),
    /// Another one came before anybody knew.
    Superseded,
    /// It was bad, and the set of another revision was put back.
    RolledBack { to: u64, reason: String },
}

impl Status {
    /// In the words of an annotation: status, reason, number.
    fn annotations(&self) -> [(&'static str, Json); 3] {
        let cut = |reason: &String| json!(reason.chars().take(LONGEST_REASON).collect::<String>());
        let (word, reason, to) = match self {
            Status::Deploying => ("deploying", Json::Null, Json::Null),
            Status::Good => ("good", Json::Null, Json::Null),
            Status::Bad(reason) => ("bad", cut(reason), Json::Null),
            Status::Superseded => ("superseded", Json::Null, Json::Null),
            Status::RolledBack { to, reason } => {
                ("rolled back", cut(reason), json!(to.to_string()))
            }
        };
        [(STATUS, word.into()), (REASON, reason), (ROLLED_BACK_TO, to)]
    }

    fn read(object: &Json) -> Self {
        let reason = || annotation(object, REASON).to_owned();
        match annotation(object, STATUS) {
            "deploying" => Status::Deploying,
            "good" => Status::Good,
            "bad" => Status::Bad(reason()),
            "rolled back" => {
                let to = annotation(object, ROLLED_BACK_TO).parse().unwrap_or_default();
                Status::RolledBack { to, reason: reason() }
            }
            _ => Status::Superseded,
        }
    }

    /// A patch of the revision's object.
    pub(super) fn patch(&self) -> Json {
        json!({"metadata": {"annotations": Json::Object(
            self.annotations().into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        )}})
    }
}

fn annotation<'a>(object: &'a Json, key: &str) -> &'a str {
    text(object, &["metadata", "annotations", key])
}

/// What an apply needs to know of a revision: all of it is in the metadata.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    pub number: u64,
    pub release: String,
    pub status: Status,
    pub generations: BTreeSet<Generation>,
    /// As the API server tells it.
    pub object: Json,
}

impl Summary {
    /// From the metadata of a ConfigMap; none where somebody took the number off it.
    pub fn read(object: Json) -> Option<Self> {
        Some(Self {
            number: annotation(&object, NUMBER).parse().ok()?,
            release: annotation(&object, RELEASE).to_owned(),
            status: Status::read(&object),
            generations: Generation::read(annotation(&object, GENERATIONS)),
            object,
        })
    }
}

impl Revision {
    /// From its ConfigMap, and the Secret that holds its input where the ConfigMap doesn't.
    pub(super) fn read(summary: Summary, secret: Option<&Json>) -> Result<Self, String> {
        let Summary { number, release, status, object, .. } = summary;
        let packed = match secret {
            Some(secret) => text(secret, &["data", INPUTS]),
            None => text(&object, &["binaryData", INPUTS]),
        };
        let inputs = pack::unpack(packed)?;
        let own = |key: &str| Some(annotation(&object, key).to_owned()).filter(|t| !t.is_empty());
        let parsed = |field: &str| inputs.get(field).filter(|value| **value != Data::Null);
        Ok(Self {
            number,
            status,
            release,
            restores: own(RESTORES).and_then(|number| number.parse().ok()),
            commit: own(COMMIT),
            author: own(AUTHOR),
            time: text(&object, &["metadata", "creationTimestamp"]).to_owned(),
            schema: parsed("schema").and_then(|schema| schema.parse().ok()),
            images: parsed("images").and_then(|images| images.parse().ok()).unwrap_or_default(),
            inputs,
        })
    }
}

/// A revision that is about to be made.
pub struct Draft {
    pub release: String,
    pub generations: BTreeSet<Generation>,
    /// As the inputs say.
    pub restores: Option<u64>,
    commit: Option<String>,
    author: Option<String>,
    packed: String,
    /// Whether a Secret must hold the input, since it has the text of one.
    confidential: bool,
}

/// Characters of the digest of a release.
const DIGEST: usize = 16;

impl Draft {
    /// What an apply of these inputs is; refused where it can't be kept.
    pub fn of(subject: &Subject) -> Result<Self, Failure> {
        let inputs = &subject.inputs;
        let own = |field: &str| inputs.get(field).and_then(Data::as_str).map(str::to_owned);
        let nothing = Data::empty_map();
        let objects = inputs.get("objects").unwrap_or(&nothing);
        let parsed: BTreeMap<String, Manifest> = objects.parse().map_err(|error| {
            Failure::invalid(format!("the objects of `{}`: {error}", subject.owner.address))
        })?;
        let restores = inputs.get("restores").and_then(|number| number.parse().ok());
        Ok(Self {
            release: objects.digest().chars().take(DIGEST).collect(),
            generations: Generation::all(parsed.values().map(|Manifest(object)| object)),
            restores,
            commit: own("commit"),
            author: own("author"),
            packed: pack::pack(inputs)?,
            confidential: objects.as_map().is_some_and(|all| all.values().any(has_secret_text)),
        })
    }

    /// Whether a revision is this one, begun before and not known to be bad.
    pub fn is(&self, summary: &Summary) -> bool {
        let open = matches!(summary.status, Status::Deploying | Status::Good);
        open && summary.release == self.release
    }

    /// The objects that keep it, the ConfigMap last.
    pub fn objects(
        &self,
        subject: &Subject,
        namespace: &str,
        number: u64,
        restores: Option<u64>,
    ) -> Vec<Json> {
        let Self { release, generations, commit, author, packed, confidential, .. } = self;
        let mut annotations = json!({
            NUMBER: number.to_string(),
            RELEASE: release,
            GENERATIONS: Generation::write(generations),
            STATUS: "deploying",
        });
        let restores = restores.map(|number| number.to_string());
        for (key, value) in [(RESTORES, &restores), (COMMIT, commit), (AUTHOR, author)] {
            if let Some(value) = value {
                annotations[key] = json!(value);
            }
        }
        let object = |kind: &str| {
            let mut object = json!({
                "apiVersion": "v1",
                "kind": kind,
                "metadata": {"name": name(subject, number), "namespace": namespace},
            });
            marks::mark_kept(&mut object, &subject.owner, marks::REVISION);
            object
        };
        let mut config_map = object("ConfigMap");
        config_map["metadata"]["annotations"] = annotations;
        if !confidential {
            config_map["binaryData"] = json!({ INPUTS: packed });
            return vec![config_map];
        }
        let mut secret = object("Secret");
        secret["type"] = json!("formwork/revision");
        secret["data"] = json!({ INPUTS: packed });
        vec![secret, config_map]
    }
}

/// The name of a revision's objects.
pub fn name(subject: &Subject, number: u64) -> String {
    format!("{}.{number}", marks::record_name(subject.owner.address))
}

/// Whether an object is a Secret that holds a text, not a reference to one.
fn has_secret_text(object: &Data) -> bool {
    let is_secret = object.get("kind").and_then(Data::as_str) == Some("Secret");
    let data = object.get("data").and_then(Data::as_map);
    let is_text = |value: &Data| matches!(value, Data::Text(text) if !text.is_empty());
    is_secret && data.is_some_and(|data| data.values().any(is_text))
}

#[cfg(test)]
impl Revision {
    /// One that says nothing but this.
    pub(crate) fn of(number: u64, status: Status, inputs: Data) -> Self {
        Self {
            number,
            status,
            release: String::new(),
            restores: None,
            commit: None,
            author: None,
            time: String::new(),
            schema: None,
            images: BTreeMap::new(),
            inputs,
        }
    }
}

/// What differs between the sets of two revisions, as a plan says it: `before` is of the first.
///
/// Paths are `objects["Deployment/shop/server"].spec.replicas`.
pub fn diff(a: &Revision, b: &Revision) -> Vec<Change> {
    let versions =
        Versions { desired: &b.inputs, recorded: &a.inputs, observed: None, ignore: &[] };
    plan::diff(App::SCHEMA, &versions)
}
