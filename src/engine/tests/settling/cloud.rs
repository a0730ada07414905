//! A cloud for random tests: kinds of every identity, and every way in which a call can go wrong.
//!
//! It is strict: it refuses a name that is taken, a reference to what isn't there, and the deletion of what
//! is still referred to. Each changing call can be cut off before or after its effect, lose its answer,
//! land late, be refused, be throttled, or happen twice.

use formwork_engine::*;
use futures::future::BoxFuture;
use serde_json::Value as Json;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

const fn field(name: &'static str, shape: Shape, flags: Flags) -> Field {
    Field { name, required: false, shape, flags, default: None }
}
const REPLACE: Flags = Flags { replace: true, ..Flags::NONE };
const BINDING: Flags = Flags { binding: true, ..Flags::NONE };
const fn output(name: &'static str, nature: Nature, ready: bool) -> OutputField {
    OutputField { name, nature, ready, secret: false }
}

const FIELDS: &[Field] = &[
    field("label", Shape::Leaf, Flags::NONE),
    field("shape", Shape::Leaf, REPLACE),
    field("uses", Shape::List(&Shape::Leaf), Flags::NONE),
    field("within", Shape::Leaf, REPLACE),
];
const GUEST_FIELDS: &[Field] = &[
    field("label", Shape::Leaf, Flags::NONE),
    field("shape", Shape::Leaf, REPLACE),
    field("uses", Shape::List(&Shape::Leaf), Flags::NONE),
    field("via", Shape::Leaf, BINDING),
];
const OUTPUTS: &[OutputField] = &[
    output("id", Nature::Stable, false),
    output("banner", Nature::ChangesWith(&["label"]), false),
];
const SERVER_OUTPUTS: &[OutputField] = &[
    output("id", Nature::Stable, false),
    output("banner", Nature::ChangesWith(&["label"]), false),
    output("endpoint", Nature::Stable, true),
];

const fn kind(
    kind: &'static str,
    fields: &'static [Field],
    outputs: &'static [OutputField],
    identity: Identity,
) -> Schema {
    Schema { kind, fields, outputs, identity, stateful: false, hosts: false }
}
pub const TAGGED: &str = "sim.Tagged";
pub const TOKEN: &str = "sim.Token";
pub const NAMED: &str = "sim.Named";
pub const KEYED: &str = "sim.Keyed";
pub const VAULT: &str = "sim.Vault";
pub const SERVER: &str = "sim.Server";
pub const GUEST: &str = "sim.Guest";
static SCHEMAS: [Schema; 7] = [
    kind(TAGGED, FIELDS, OUTPUTS, Identity::Tag),
    kind(TOKEN, FIELDS, OUTPUTS, Identity::Token),
    kind(NAMED, FIELDS, OUTPUTS, Identity::Name(16)),
    kind(KEYED, FIELDS, OUTPUTS, Identity::Key),
    Schema { stateful: true, ..kind(VAULT, FIELDS, OUTPUTS, Identity::Name(24)) },
    Schema { hosts: true, ..kind(SERVER, FIELDS, SERVER_OUTPUTS, Identity::Name(24)) },
    kind(GUEST, GUEST_FIELDS, OUTPUTS, Identity::Name(24)),
];

/// What goes wrong with a changing call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// The run is killed before the call has its effect.
    KilledBefore,
    /// The run is killed after its effect.
    KilledAfter,
    /// The run is killed, and the effect comes so many calls later.
    KilledLandsLate(usize),
    /// Only where it creates: it has its effect twice, and the second answers.
    Twice,
    TwiceAndKilled,
    /// It has its effect, is sent again below us, and the second is told that the name is taken.
    ToldTaken,
    Refused,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub kind: &'static str,
    pub name: String,
    pub fields: BTreeMap<String, Json>,
    pub owner: Option<Owner>,
    /// The server that it lives on.
    pub host: Option<String>,
    /// Reads until it is ready.
    pending: usize,
    /// Reads that don't show it yet.
    hidden: usize,
}

impl Item {
    pub fn refers_to(&self, id: &str) -> bool {
        let used = self.fields.get("uses").and_then(Json::as_array);
        let used = used.into_iter().flatten().any(|used| used.as_str() == Some(id));
        let within = self.fields.get("within").and_then(Json::as_str);
        used || within == Some(id) || self.host.as_deref() == Some(id)
    }

    fn references(&self) -> Vec<String> {
        let used = self.fields.get("uses").and_then(Json::as_array).into_iter().flatten();
        let within = self.fields.get("within");
        used.chain(within).filter_map(Json::as_str).map(str::to_owned).collect()
    }
}

#[derive(Clone, Debug)]
enum Effect {
    Create(String, Item),
    Update(String, BTreeMap<String, Json>),
    Delete(String),
}

#[derive(Default)]
struct Inner {
    items: BTreeMap<String, Item>,
    next: usize,
    calls: usize,
    reads: usize,
    faults: BTreeMap<usize, Fault>,
    read_faults: BTreeMap<usize, Fault>,
    late: Vec<(usize, Effect)>,
    log: Vec<String>,
    /// New ones show after so many reads, and are ready after so many more.
    lag: VecDeque<usize>,
}

#[derive(Default)]
pub struct Sim {
    inner: Mutex<Inner>,
    /// Told when a run is to be killed.
    pub kill: tokio::sync::Notify,
}

impl Inner {
    fn apply(&mut self, effect: &Effect) -> Result<String, Failure> {
        match effect {
            Effect::Create(id, item) => {
                if let Some(there) = self.items.get(id) {
                    let same = there.owner.is_some() && there.owner == item.owner;
                    let taken = || Failure::taken(format!("{id} is taken"));
                    return if same { Ok(id.clone()) } else { Err(taken()) };
                }
                if let Some(missing) =
                    item.references().iter().find(|r| !self.items.contains_key(*r))
                {
                    return Err(Failure::invalid(format!("{id} refers to {missing}, not there")));
                }
                if let Some(host) =
                    item.host.as_ref().filter(|host| !self.items.contains_key(*host))
                {
                    return Err(Failure::unreachable(format!("{host} isn't there")));
                }
                self.log.push(format!("create {id}"));
                self.items.insert(id.clone(), item.clone());
                Ok(id.clone())
            }
            Effect::Update(id, fields) => {
                let old = self.items.get(id).ok_or_else(|| Failure::invalid(format!("no {id}")))?;
                let new = Item { fields: fields.clone(), ..old.clone() };
                for fixed in ["shape", "within"] {
                    if new.fields.get(fixed) != old.fields.get(fixed) {
                        return Err(Failure::invalid(format!("{fixed} of {id} is fixed")));
                    }
                }
                if let Some(missing) =
                    new.references().iter().find(|r| !self.items.contains_key(*r))
                {
                    return Err(Failure::invalid(format!("{id} refers to {missing}, not there")));
                }
                self.log.push(format!("update {id}"));
                self.items.insert(id.clone(), new);
                Ok(id.clone())
            }
            Effect::Delete(id) => {
                if let Some((user, _)) = self.items.iter().find(|(_, item)| item.refers_to(id)) {
                    return Err(Failure::invalid(format!("{id} is used by {user}")));
                }
                if self.items.remove(id).is_some() {
                    self.log.push(format!("delete {id}"));
                }
                Ok(id.clone())
            }
        }
    }

    /// Lets effects happen that were under way.
    fn land(&mut self) {
        let (now, all): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.late).into_iter().partition(|(wait, _)| *wait == 0);
        self.late = all.into_iter().map(|(wait, effect)| (wait - 1, effect)).collect();
        for (_, effect) in now {
            // Who sent it is gone, and so is whom a refusal could tell.
            let _ = self.apply(&effect);
        }
    }
}

impl Sim {
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// What goes wrong from now on: with changing calls, and with reads, counted from here.
    pub fn faults(&self, calls: BTreeMap<usize, Fault>, reads: BTreeMap<usize, Fault>) {
        let mut inner = self.lock();
        (inner.calls, inner.reads) = (0, 0);
        (inner.faults, inner.read_faults) = (calls, reads);
    }

    /// How many reads new ones stay unseen, one after the other.
    pub fn lag(&self, lag: impl IntoIterator<Item = usize>) {
        self.lock().lag = lag.into_iter().collect();
    }

    /// Nothing goes wrong any more, and what was under way happens now.
    pub fn calm(&self) {
        self.faults(BTreeMap::new(), BTreeMap::new());
        let mut inner = self.lock();
        inner.lag.clear();
        while !inner.late.is_empty() {
            inner.land();
        }
    }

    /// Reads hide nothing any more.
    pub fn reveal(&self) {
        self.lock().items.values_mut().for_each(|item| item.hidden = 0);
    }

    pub fn items(&self) -> BTreeMap<String, Item> {
        self.lock().items.clone()
    }

    pub fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().log)
    }

    /// Somebody else changes something.
    pub fn meddle(&self, change: impl FnOnce(&mut BTreeMap<String, Item>)) {
        change(&mut self.lock().items);
    }

    async fn change(&self, effect: Effect) -> Result<String, Failure> {
        let (fault, result) = {
            let mut inner = self.lock();
            inner.land();
            let number = inner.calls;
            inner.calls += 1;
            let fault = inner.faults.remove(&number);
            let result = match fault {
                None | Some(Fault::KilledAfter) => inner.apply(&effect),
                Some(Fault::Twice | Fault::TwiceAndKilled) => {
                    let first = inner.apply(&effect);
                    match (&effect, &first) {
                        (Effect::Create(id, item), Ok(_))
                            if item.owner.is_some() && !item.is_named() =>
                        {
                            inner.apply(&Effect::Create(format!("{id}-again"), item.clone()))
                        }
                        _ => first,
                    }
                }
                Some(Fault::KilledLandsLate(wait)) => {
                    inner.late.push((wait, effect));
                    Err(Failure::service("timed out"))
                }
                Some(Fault::KilledBefore) => Err(Failure::service("killed")),
                Some(Fault::ToldTaken) => {
                    inner.apply(&effect).and(Err(Failure::taken("the name is taken")))
                }
                Some(Fault::Refused) => Err(Failure::denied("not allowed")),
            };
            (fault, result)
        };
        if matches!(
            fault,
            Some(
                Fault::KilledBefore
                    | Fault::KilledAfter
                    | Fault::KilledLandsLate(_)
                    | Fault::TwiceAndKilled
            )
        ) {
            self.kill.notify_one();
            std::future::pending::<()>().await;
        }
        tokio::task::yield_now().await;
        result
    }

    async fn reading(&self) -> Result<(), Failure> {
        let fault = {
            let mut inner = self.lock();
            inner.land();
            let number = inner.reads;
            inner.reads += 1;
            inner.read_faults.remove(&number)
        };
        tokio::task::yield_now().await;
        match fault {
            None => Ok(()),
            Some(_) => Err(Failure::denied("not allowed")),
        }
    }
}

impl Item {
    fn is_named(&self) -> bool {
        let schema = SCHEMAS.iter().find(|schema| schema.kind == self.kind);
        schema.is_some_and(|s| matches!(s.identity, Identity::Name(_) | Identity::Key))
    }
}

struct Kind {
    sim: Arc<Sim>,
    schema: &'static Schema,
}

impl Kind {
    fn host(binding: &Data) -> Option<String> {
        binding.as_str().map(|endpoint| endpoint.trim_start_matches("at:").to_owned())
    }

    /// The identifier that something has or will have, where its name or key makes it.
    fn named(&self, host: Option<&str>, subject: &Subject) -> Option<String> {
        let name = &subject.name;
        match self.schema.identity {
            Identity::Name(_) => Some(match host {
                Some(host) => format!("{host}:{name}"),
                None => format!("{}:{name}", self.schema.kind),
            }),
            Identity::Key => {
                let within = subject.inputs.get("within").and_then(Data::as_str).unwrap_or("-");
                let shape = subject.inputs.get("shape").map(Data::plain_json).unwrap_or_default();
                Some(format!("{within}/{}/{shape}", subject.owner.address.name()))
            }
            _ => None,
        }
    }

    fn reachable(&self, binding: &Data) -> Result<Option<String>, Failure> {
        let host = match self.schema.kind {
            GUEST => Self::host(binding),
            _ => None,
        };
        match &host {
            Some(host) if !self.sim.lock().items.contains_key(host) => {
                Err(Failure::unreachable(format!("nobody answers at {host}")).before_the_call())
            }
            _ => Ok(host),
        }
    }

    fn observation(&self, id: &str, item: &mut Item) -> Option<Observation> {
        if item.hidden > 0 {
            item.hidden -= 1;
            return None;
        }
        let status = match item.pending {
            0 => Status::Ready,
            _ => {
                item.pending -= 1;
                Status::Pending("starting".into())
            }
        };
        let text = |text: String| Data::Text(text);
        let label = item.fields.get("label").map(Json::to_string).unwrap_or_default();
        let mut outputs = BTreeMap::from([
            ("id".to_owned(), text(id.to_owned())),
            ("banner".to_owned(), text(format!("banner {label}"))),
        ]);
        if item.kind == SERVER && status == Status::Ready {
            outputs.insert("endpoint".to_owned(), text(format!("at:{id}")));
        }
        let fields = item.fields.iter();
        let fields = fields.map(|(name, json)| (name.clone(), Data::from_json(json))).collect();
        let owner = item.owner.clone();
        Some(Observation { id: id.to_owned(), fields, outputs, status, owner })
    }

    fn all(&self, host: Option<&str>) -> Vec<Observation> {
        let mut inner = self.sim.lock();
        let mine = inner
            .items
            .iter_mut()
            .filter(|(_, item)| item.kind == self.schema.kind && item.host.as_deref() == host);
        mine.filter_map(|(id, item)| self.observation(id, item)).collect()
    }

    fn fields(&self, subject: &Subject) -> BTreeMap<String, Json> {
        let binding = self.schema.binding().map(|field| field.name);
        let fields = subject.inputs.as_map().cloned().unwrap_or_default();
        fields
            .into_iter()
            .filter(|(name, value)| Some(name.as_str()) != binding && *value != Data::Null)
            .map(|(name, value)| (name, value.to_json()))
            .collect()
    }
}

impl Provider for Kind {
    fn schema(&self) -> &'static Schema {
        self.schema
    }

    fn list<'a>(
        &'a self,
        binding: &'a Data,
        wanted: &'a [Subject],
    ) -> BoxFuture<'a, Result<Vec<Observation>, Failure>> {
        Box::pin(async move {
            let host = self.reachable(binding)?;
            self.sim.reading().await?;
            // As on AWS: one subject is asked for as itself, several as their lineage.
            let all = self.all(host.as_deref());
            let [one] = wanted else { return Ok(all) };
            let is_it = |found: &Observation| match &one.id {
                Some(id) => *id == found.id,
                None => found.owner.as_ref() == Some(&one.owner),
            };
            Ok(all.into_iter().filter(is_it).collect())
        })
    }

    fn read<'a>(
        &'a self,
        binding: &'a Data,
        subject: &'a Subject,
    ) -> BoxFuture<'a, Result<Option<Observation>, Failure>> {
        Box::pin(async move {
            let host = self.reachable(binding)?;
            self.sim.reading().await?;
            let id = subject.id.clone().or_else(|| self.named(host.as_deref(), subject));
            if let Some(id) = id {
                let mut inner = self.sim.lock();
                return Ok(inner.items.get_mut(&id).and_then(|item| self.observation(&id, item)));
            }
            let all = self.all(host.as_deref());
            Ok(all.into_iter().find(|found| found.owner.as_ref() == Some(&subject.owner)))
        })
    }

    fn create<'a>(
        &'a self,
        binding: &'a Data,
        subject: &'a Subject,
        _: &'a Secrets,
    ) -> BoxFuture<'a, Result<String, Failure>> {
        Box::pin(async move {
            let host = self.reachable(binding)?;
            let (id, item) = {
                let mut inner = self.sim.lock();
                inner.next += 1;
                let id = self.named(host.as_deref(), subject);
                let id = id.unwrap_or_else(|| format!("{}-{}", self.schema.kind, inner.next));
                let marked = self.schema.identity != Identity::Key;
                let item = Item {
                    kind: self.schema.kind,
                    name: subject.name.clone(),
                    fields: self.fields(subject),
                    owner: marked.then(|| subject.owner.clone()),
                    host,
                    pending: if self.schema.kind == SERVER { 2 } else { 0 },
                    hidden: inner.lag.pop_front().unwrap_or_default(),
                };
                (id, item)
            };
            self.sim.change(Effect::Create(id, item)).await
        })
    }

    fn update<'a>(
        &'a self,
        binding: &'a Data,
        subject: &'a Subject,
        _: &'a [String],
        _: &'a Secrets,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            self.reachable(binding)?;
            let id = subject.id()?.to_owned();
            self.sim.change(Effect::Update(id, self.fields(subject))).await.map(drop)
        })
    }

    fn delete<'a>(
        &'a self,
        binding: &'a Data,
        subject: &'a Subject,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            self.reachable(binding)?;
            self.sim.change(Effect::Delete(subject.id()?.to_owned())).await.map(drop)
        })
    }
}

pub fn registry(sim: &Arc<Sim>) -> Registry {
    let mut registry = Registry::new(Secrets::default());
    for schema in &SCHEMAS {
        registry.add(Box::new(Kind { sim: sim.clone(), schema }));
    }
    registry
}
