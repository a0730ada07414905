//! A strict cloud whose calls go wrong as they are told to: refused, killed before or after their effect,
//! with lost answers, landing late, twice, or seen only after a while.

use super::kinds;
use formwork_engine::*;
use futures::future::BoxFuture;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::sync::Notify;

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// The run is killed before the call has its effect, or after.
    Kill { after: bool },
    /// The call has its effect, and its answer is lost.
    LoseAnswer,
    /// The call is refused.
    Refuse,
    /// The service is busy.
    Busy,
    /// The service can't be reached, for this call and some more.
    Unreachable { calls: usize },
    /// The effect comes some calls later; the run is killed or hears of a failure.
    Late { calls: usize, kill: bool },
    /// The call has its effect twice, where the service lets it.
    Twice,
    /// What is created isn't seen by so many reads.
    Unseen { reads: usize },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Thing {
    pub kind: &'static str,
    pub name: String,
    pub fields: BTreeMap<String, Data>,
    pub uses: Vec<String>,
    pub on: Option<String>,
    pub owner: Option<Owner>,
    /// Reads that don't see it yet, that see it at work, and that see it going once it is deleted.
    pub unseen: usize,
    pub pending: usize,
    pub going: Option<usize>,
}

type Effect = Box<dyn FnOnce(&mut Things) + Send>;
pub type Things = BTreeMap<String, Thing>;

#[derive(Default)]
pub struct World {
    pub things: Things,
    /// Effects that land after so many more calls.
    late: Vec<(usize, Effect)>,
    next: usize,
    calls: usize,
    unreachable: usize,
    pub faults: BTreeMap<usize, Fault>,
    /// How long services take: reads until something is ready or gone.
    pub slowness: usize,
    /// Calls that a careful caller doesn't make.
    pub careless: Vec<String>,
}

#[derive(Default)]
pub struct Cloud {
    pub world: Mutex<World>,
    pub killed: Notify,
}

impl World {
    /// A new run begins, with its faults by the number of their call.
    pub fn begin(&mut self, faults: BTreeMap<usize, Fault>) {
        (self.faults, self.calls, self.unreachable) = (faults, 0, 0);
    }

    /// Everything that is under way lands.
    pub fn land(&mut self) {
        for (_, effect) in std::mem::take(&mut self.late) {
            effect(&mut self.things);
        }
        for thing in self.things.values_mut() {
            (thing.unseen, thing.pending) = (0, 0);
        }
    }

    fn call(&mut self) -> Option<Fault> {
        let (due, later) = std::mem::take(&mut self.late)
            .into_iter()
            .map(|(calls, effect)| (calls.saturating_sub(1), effect))
            .partition::<Vec<_>, _>(|(calls, _)| *calls == 0);
        self.late = later;
        due.into_iter().for_each(|(_, effect)| effect(&mut self.things));
        let number = self.calls;
        self.calls += 1;
        if self.unreachable > 0 {
            self.unreachable -= 1;
            return Some(Fault::Unreachable { calls: 0 });
        }
        let fault = self.faults.get(&number).copied();
        if let Some(Fault::Unreachable { calls }) = fault {
            self.unreachable = calls;
        }
        fault
    }
}

/// What is there of an effect's things, and what refuses it.
fn create(things: &mut Things, id: &str, thing: &Thing) -> Result<String, Failure> {
    if let Some(there) = things.get(id) {
        let ours = there.owner.is_some() && there.owner == thing.owner;
        return if ours { Ok(id.to_owned()) } else { Err(Failure::taken(format!("{id} exists"))) };
    }
    let needs = thing.uses.iter().chain(&thing.on);
    if let Some(gone) = needs.into_iter().find(|id| !things.contains_key(*id)) {
        return Err(Failure::invalid(format!("there is no {gone}")));
    }
    things.insert(id.to_owned(), thing.clone());
    Ok(id.to_owned())
}

fn users(things: &Things, id: &str) -> Vec<String> {
    let uses = |thing: &Thing| thing.uses.iter().chain(&thing.on).any(|used| used == id);
    let all = things.iter().filter(|(_, thing)| uses(thing));
    all.map(|(id, _)| id.clone()).collect()
}

impl Cloud {
    fn lock(&self) -> std::sync::MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    async fn kill(&self) {
        self.killed.notify_one();
        std::future::pending::<()>().await;
    }

    /// A changing call, with whatever goes wrong with it.
    async fn change<T: Send + 'static>(
        &self,
        may_land_late: bool,
        effect: impl Fn(&mut Things) -> Result<T, Failure> + Send + 'static,
        again: impl FnOnce(&mut World, Option<Fault>),
    ) -> Result<T, Failure> {
        tokio::task::yield_now().await;
        let fault = self.lock().call();
        match fault {
            Some(Fault::Kill { after: false }) => self.kill().await,
            Some(Fault::Refuse) => return Err(Failure::denied("not allowed")),
            Some(Fault::Busy) => return Err(Failure::busy("try later")),
            Some(Fault::Unreachable { .. }) => return Err(Failure::unreachable("no route")),
            Some(Fault::Late { calls, kill }) if may_land_late => {
                let effect: Effect = Box::new(move |things| drop(effect(things)));
                self.lock().late.push((calls + 1, effect));
                if kill {
                    self.kill().await;
                }
                return Err(Failure::service("timed out"));
            }
            _ => {}
        }
        let result = {
            let mut world = self.lock();
            let result = effect(&mut world.things);
            again(&mut world, fault);
            result
        };
        match fault {
            Some(Fault::Kill { after: true }) => self.kill().await,
            Some(Fault::LoseAnswer | Fault::Late { .. }) => {
                return Err(Failure::service("connection reset"));
            }
            _ => {}
        }
        tokio::task::yield_now().await;
        result
    }

    /// A reading call; only killing and unreachability matter to it.
    async fn look(&self) -> Result<(), Failure> {
        tokio::task::yield_now().await;
        let fault = self.lock().call();
        match fault {
            Some(Fault::Kill { .. }) => self.kill().await,
            Some(Fault::Unreachable { .. } | Fault::LoseAnswer) => {
                return Err(Failure::unreachable("no route"));
            }
            _ => {}
        }
        Ok(())
    }
}

/// A kind of the random cloud.
pub struct Kind {
    cloud: Arc<Cloud>,
    schema: &'static Schema,
}

pub fn registry(cloud: &Arc<Cloud>) -> Registry {
    let mut registry = Registry::new(Secrets::default());
    for schema in kinds::ALL {
        registry.add(Box::new(Kind { cloud: cloud.clone(), schema }));
    }
    registry
}

fn text(data: Option<&Data>) -> Option<String> {
    data.and_then(Data::as_str).map(str::to_owned)
}

fn uses(inputs: &Data) -> Vec<String> {
    match inputs.get("uses") {
        Some(Data::List(ids)) => ids.iter().filter_map(|id| text(Some(id))).collect(),
        _ => vec![],
    }
}

impl Kind {
    fn host(&self, binding: &Data) -> Result<Option<String>, Failure> {
        let Some(host) = text(binding.get("cluster")) else { return Ok(None) };
        match self.cloud.lock().things.get(&host) {
            Some(there) if there.going.is_none() => Ok(Some(host)),
            _ => Err(Failure::unreachable(format!("{host} doesn't answer"))),
        }
    }

    /// The identifier that a thing of this kind gets.
    fn id(&self, subject: &Subject, host: Option<&String>, number: usize) -> String {
        let short = self.schema.kind.trim_start_matches("mem.").to_lowercase();
        match (self.schema.identity, host) {
            (Identity::Tag | Identity::Token, _) => format!("{short}-{number}"),
            (_, Some(host)) => format!("{host}/{short}:{}", subject.name),
            (_, None) => format!("{short}:{}", subject.name),
        }
    }

    /// One thing as a read sees it, once: reads pass its time.
    fn see(&self, world: &mut World, id: &str) -> Option<Observation> {
        let thing = world.things.get_mut(id)?;
        if thing.unseen > 0 {
            thing.unseen -= 1;
            return None;
        }
        let status = match (thing.going, thing.pending) {
            (Some(0), _) => {
                world.things.remove(id);
                return None;
            }
            (Some(reads), _) => {
                thing.going = Some(reads - 1);
                Status::Deleting
            }
            (None, 0) => Status::Ready,
            (None, _) => {
                thing.pending -= 1;
                Status::Pending("at work".into())
            }
        };
        let value = thing.fields.get("value").map(Data::plain_json).unwrap_or_default();
        let mut outputs = BTreeMap::from([("id".to_owned(), Data::Text(id.to_owned()))]);
        let mut output = |name: &str, text: String| {
            if self.schema.output(name).is_some_and(|o| !o.ready || status == Status::Ready) {
                outputs.insert(name.to_owned(), Data::Text(text));
            }
        };
        output("name", thing.name.clone());
        output("banner", format!("shows {value}"));
        output("endpoint", format!("https://{id}"));
        let (fields, owner) = (thing.fields.clone(), thing.owner.clone());
        Some(Observation { id: id.to_owned(), fields, outputs, status, owner })
    }
}

impl Provider for Kind {
    fn schema(&self) -> &'static Schema {
        self.schema
    }

    fn predict(&self, prediction: &Prediction<'_>) -> BTreeMap<String, Data> {
        let name = Data::Text(prediction.name.to_owned());
        self.schema.output("name").map(|_| ("name".to_owned(), name)).into_iter().collect()
    }

    fn list<'a>(
        &'a self,
        binding: &'a Data,
        wanted: &'a [Subject],
    ) -> BoxFuture<'a, Result<Vec<Observation>, Failure>> {
        Box::pin(async move {
            self.cloud.look().await?;
            let host = self.host(binding)?;
            let mut world = self.cloud.lock();
            let asked = |id: &String, thing: &Thing| {
                let lineage = |s: &Subject| {
                    let owner = thing.owner.as_ref();
                    owner.is_some_and(|owner| match s.owner.lineage.as_str() {
                        "" => owner.address == s.owner.address,
                        lineage => owner.lineage == lineage,
                    })
                };
                let any = |s: &Subject| s.id.is_none() && s.owner.intent.is_empty() && lineage(s);
                let made = |s: &Subject| s.id.is_none() && thing.owner.as_ref() == Some(&s.owner);
                let one = |s: &Subject| s.id.as_ref() == Some(id) || made(s) || any(s);
                thing.kind == self.schema.kind && thing.on == host && wanted.iter().any(one)
            };
            let ids: Vec<String> = world
                .things
                .iter()
                .filter(|(id, t)| asked(id, t))
                .map(|(i, _)| i.clone())
                .collect();
            Ok(ids.iter().filter_map(|id| self.see(&mut world, id)).collect())
        })
    }

    fn read<'a>(
        &'a self,
        binding: &'a Data,
        subject: &'a Subject,
    ) -> BoxFuture<'a, Result<Option<Observation>, Failure>> {
        Box::pin(async move {
            self.cloud.look().await?;
            let host = self.host(binding)?;
            let mut world = self.cloud.lock();
            let id = match (&subject.id, self.schema.identity) {
                (Some(id), _) => Some(id.clone()),
                (None, Identity::Tag | Identity::Token) => {
                    let ours = |t: &Thing| {
                        t.kind == self.schema.kind && t.owner.as_ref() == Some(&subject.owner)
                    };
                    world.things.iter().find(|(_, t)| ours(t)).map(|(id, _)| id.clone())
                }
                (None, _) => Some(self.id(subject, host.as_ref(), 0)),
            };
            Ok(id.and_then(|id| self.see(&mut world, &id)))
        })
    }

    fn create<'a>(
        &'a self,
        binding: &'a Data,
        subject: &'a Subject,
        _: &'a Secrets,
    ) -> BoxFuture<'a, Result<String, Failure>> {
        Box::pin(async move {
            let host = self.host(binding)?;
            let (number, slowness) = {
                let mut world = self.cloud.lock();
                world.next += 2;
                (world.next, world.slowness)
            };
            let mut fields = subject.inputs.clone().into_map();
            fields.remove("on");
            let thing = Thing {
                kind: self.schema.kind,
                name: subject.name.clone(),
                fields,
                uses: uses(&subject.inputs),
                owner: (self.schema.identity != Identity::Key).then(|| subject.owner.clone()),
                on: host.clone(),
                unseen: 0,
                pending: slowness,
                going: None,
            };
            let id = self.id(subject, host.as_ref(), number);
            let twin = self.id(subject, host.as_ref(), number + 1);
            let address = subject.owner.address;
            let effect = {
                let (id, thing) = (id.clone(), thing.clone());
                move |things: &mut Things| create(things, &id, &thing)
            };
            let result = self.cloud.change(true, effect, move |world, fault| match fault {
                Some(Fault::Twice) => drop(create(&mut world.things, &twin, &thing)),
                Some(Fault::Unseen { reads }) => {
                    world.things.entry(id).and_modify(|thing| thing.unseen = reads);
                }
                _ => {}
            });
            let result = result.await;
            if let Err(failure) = &result
                && failure.kind == FailureKind::Invalid
            {
                self.cloud.lock().careless.push(format!("create {address}: {failure}"));
            }
            result
        })
    }

    fn update<'a>(
        &'a self,
        binding: &'a Data,
        subject: &'a Subject,
        changed: &'a [String],
        _: &'a Secrets,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            self.host(binding)?;
            let id = subject.id()?.to_owned();
            let (inputs, schema, slowness) =
                (subject.inputs.clone(), self.schema, self.cloud.lock().slowness);
            let changed = changed.to_vec();
            let effect = move |things: &mut Things| {
                let used = uses(&inputs);
                if let Some(gone) = used.iter().find(|id| !things.contains_key(*id)) {
                    return Err(Failure::invalid(format!("there is no {gone}")));
                }
                let there = things.get_mut(&id).ok_or_else(|| Failure::invalid("not there"))?;
                for name in &changed {
                    if schema.field(name).is_some_and(|field| field.flags.replace) {
                        return Err(Failure::invalid(format!("{name} is fixed")));
                    }
                    match inputs.get(name) {
                        Some(value) => drop(there.fields.insert(name.clone(), value.clone())),
                        None => drop(there.fields.remove(name)),
                    }
                }
                if changed.iter().any(|name| name == "uses") {
                    there.uses = used;
                }
                there.pending = slowness;
                Ok(())
            };
            self.cloud.change(true, effect, |_, _| {}).await
        })
    }

    fn delete<'a>(
        &'a self,
        binding: &'a Data,
        subject: &'a Subject,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            self.host(binding)?;
            let (id, slowness) = (subject.id()?.to_owned(), self.cloud.lock().slowness);
            let kind = self.schema.kind;
            let (cloud, address) = (self.cloud.clone(), subject.owner.address);
            {
                let mut world = cloud.lock();
                let users = users(&world.things, &id);
                if !users.is_empty() {
                    world.careless.push(format!("delete {address}: {users:?} use {id}"));
                }
                if world.things.get(&id).is_some_and(|thing| thing.kind != kind) {
                    world.careless.push(format!("delete {address}: {id} is no {kind}"));
                }
            }
            let effect = move |things: &mut Things| {
                // A host takes along what lives on it; what is merely used by others stays.
                let hosted: Vec<String> = things
                    .iter()
                    .filter(|(_, thing)| thing.on.as_ref() == Some(&id))
                    .map(|(id, _)| id.clone())
                    .collect();
                let users = users(things, &id);
                if users.iter().any(|user| !hosted.contains(user)) {
                    return Err(Failure::busy(format!("{users:?} use it")));
                }
                let Some(thing) = things.get_mut(&id) else { return Ok(()) };
                match slowness {
                    0 => drop(things.remove(&id)),
                    reads => thing.going = Some(reads),
                }
                hosted.iter().for_each(|id| drop(things.remove(id)));
                Ok(())
            };
            self.cloud.change(false, effect, |_, _| {}).await
        })
    }
}
