//! What the engine asks of a kind: list, read, create, update, delete; and who answers.
//!
//! A resource file implements [`Reconcile`], typed; the engine sees [`Provider`], untyped, so that
//! graphs, plans and state work without the program's types. [`Registry`] holds the kinds.

mod failure;
mod follow;
mod naming;
mod reconcile;
mod registry;

pub use failure::{Failure, FailureKind, causes};
pub use follow::{Followed, Part, Progress};
pub use naming::{generation_name, physical_name};
pub use reconcile::{Change, Connect, Found, Prediction, Reconcile};
pub use registry::Registry;

use crate::{Address, Data, Expr, Schema, Secrets, plan::Versions};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::Path, time::Duration};

/// The longest that a changing call may take, its retries included. A run begins one only while its hold
/// on the stack lasts longer.
pub const CALL_DEADLINE: Duration = Duration::from_secs(120);

/// The marks that formwork leaves on what it makes, so that it is known again without any state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The lineage of the state that it belongs to; a second state of the same name has another.
    pub lineage: String,
    pub address: Address,
    /// The intent that made it.
    pub intent: String,
}

/// The tag keys of [`Owner`], for services that have tags.
pub const TAG_LINEAGE: &str = "formwork:lineage";
pub const TAG_ADDRESS: &str = "formwork:address";
pub const TAG_INTENT: &str = "formwork:intent";

impl Owner {
    pub fn tags(&self) -> [(&'static str, String); 3] {
        [
            (TAG_LINEAGE, self.lineage.clone()),
            (TAG_ADDRESS, self.address.to_string()),
            (TAG_INTENT, self.intent.clone()),
        ]
    }

    /// Whether marks are these: where this one has no intent or no lineage, whatever they are.
    pub fn covers(&self, marks: &Owner) -> bool {
        let same = |ours: &str, theirs: &str| ours.is_empty() || ours == theirs;
        self.address == marks.address
            && same(&self.lineage, &marks.lineage)
            && same(&self.intent, &marks.intent)
    }

    /// Reads the marks back from tags, where all three are there.
    pub fn from_tags<K: AsRef<str>, V: AsRef<str>>(
        tags: impl IntoIterator<Item = (K, V)>,
    ) -> Option<Self> {
        let (mut lineage, mut address, mut intent) = (None, None, None);
        for (key, value) in tags {
            let value = value.as_ref();
            match key.as_ref() {
                TAG_LINEAGE => lineage = Some(value.to_owned()),
                TAG_ADDRESS => address = value.parse().ok(),
                TAG_INTENT => intent = Some(value.to_owned()),
                _ => {}
            }
        }
        Some(Self { lineage: lineage?, address: address?, intent: intent? })
    }
}

/// The one resource that a call is about.
#[derive(Clone, Debug)]
pub struct Subject {
    pub owner: Owner,
    /// The physical name derived for it, within the kind's longest; kept for its whole life.
    pub name: String,
    /// The service's identifier, once it exists.
    pub id: Option<String>,
    /// The inputs: as desired now, or as recorded where it is being deleted or read.
    pub inputs: Data,
    /// The outputs as recorded, where it exists.
    pub outputs: Data,
}

impl Subject {
    /// An input that is a text; a failure names the field where it isn't one.
    pub fn input(&self, field: &str) -> Result<&str, Failure> {
        self.inputs.get(field).and_then(Data::as_str).ok_or_else(|| {
            Failure::invalid(format!("`{}` has no text in its field `{field}`", self.owner.address))
        })
    }

    /// The service's identifier; a failure where there is none yet.
    pub fn id(&self) -> Result<&str, Failure> {
        self.id.as_deref().ok_or_else(|| {
            Failure::invalid(format!("`{}` has no identifier yet", self.owner.address))
        })
    }
}

/// Whether a resource can be used yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Ready,
    /// The service is at work; the text is its own word for it.
    Pending(String),
    /// The service gave up; the text is its reason.
    Failed(String),
    /// A part of what it was told failed, and is tried again by the next update; the text is the reason.
    Unfinished(String),
    /// On its way out.
    Deleting,
}

/// A resource as found in the service, untyped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    pub id: String,
    /// The properties that the service tells; fields that it doesn't are absent.
    pub fields: BTreeMap<String, Data>,
    pub outputs: BTreeMap<String, Data>,
    pub status: Status,
    pub owner: Option<Owner>,
}

/// Who changed something, where a service keeps that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// As the service knows them, such as a field manager.
    pub who: String,
    /// When they last did, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
}

/// A kind of resource, as the engine works with it.
pub trait Provider: Send + Sync {
    fn schema(&self) -> &'static Schema;

    /// Reads what a field names outside of the stack (an overlay's files) into the graph.
    fn embed(&self, _project: &Path, _fields: &mut BTreeMap<String, Expr>) -> Result<(), Failure> {
        Ok(())
    }

    /// Makes the fields that are compared from the fields that the author wrote. Pure.
    fn expand(&self, fields: Data) -> Result<Data, Failure> {
        Ok(fields)
    }

    /// What an author would want to know of expanded fields that can be applied. Pure.
    fn remarks(&self, _: &Data) -> Vec<String> {
        vec![]
    }

    /// What a change of an existing one brings with it that the changed fields don't say. Pure.
    fn consequences(&self, _: &Versions<'_>) -> Vec<String> {
        vec![]
    }

    /// The predicted outputs of one that doesn't exist yet. Pure.
    fn predict(&self, _prediction: &Prediction<'_>) -> BTreeMap<String, Data> {
        BTreeMap::new()
    }

    /// Everything of this kind behind a binding, by as few calls as can be; it must hold the wanted
    /// ones if they exist, and may hold others. Of kinds that are found again by a tag or a token, a
    /// subject without identifier and intent ([`Subject::anything`]) wants all of its lineage, or where it is
    /// the only one and tells no lineage, all of its address.
    fn list<'a>(
        &'a self,
        binding: &'a Data,
        wanted: &'a [Subject],
    ) -> BoxFuture<'a, Result<Vec<Observation>, Failure>>;

    /// One resource, by its identifier, name or key.
    fn read<'a>(
        &'a self,
        binding: &'a Data,
        subject: &'a Subject,
    ) -> BoxFuture<'a, Result<Option<Observation>, Failure>>;

    /// Who could have changed these paths of one that exists, beside us; nothing where the service
    /// doesn't tell.
    fn authors<'a>(
        &'a self,
        _binding: &'a Data,
        _subject: &'a Subject,
        _paths: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<(String, Author)>, Failure>> {
        Box::pin(std::future::ready(Ok(vec![])))
    }

    /// Creates it and answers its identifier, without waiting until it is ready.
    fn create<'a>(
        &'a self,
        binding: &'a Data,
        subject: &'a Subject,
        secrets: &'a Secrets,
    ) -> BoxFuture<'a, Result<String, Failure>>;

    /// Changes what differs, without waiting until it is ready.
    fn update<'a>(
        &'a self,
        binding: &'a Data,
        subject: &'a Subject,
        changed: &'a [String],
        secrets: &'a Secrets,
    ) -> BoxFuture<'a, Result<(), Failure>>;

    /// Whether changes are followed, rather than read again and again until they are through.
    fn follows(&self) -> bool {
        false
    }

    /// Follows what was just created or changed to its end, telling how far it is.
    fn follow<'a>(
        &'a self,
        _binding: &'a Data,
        _subject: &'a Subject,
        _tell: &'a (dyn Fn(Progress) + Send + Sync),
    ) -> BoxFuture<'a, Result<Followed, Failure>> {
        Box::pin(std::future::ready(Ok(Followed::Ready)))
    }

    /// The inputs that it was well with last, to go back to after a change that was hopeless.
    fn last_good<'a>(
        &'a self,
        _binding: &'a Data,
        _subject: &'a Subject,
    ) -> BoxFuture<'a, Result<Option<Data>, Failure>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Deletes it; one that is gone already is a success.
    fn delete<'a>(
        &'a self,
        binding: &'a Data,
        subject: &'a Subject,
    ) -> BoxFuture<'a, Result<(), Failure>>;
}
