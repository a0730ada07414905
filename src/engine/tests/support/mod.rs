//! A cloud in memory, stricter than a real one: it refuses what real services refuse, and counts.

pub mod world;

use formwork_engine::*;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

/// A thing of the cloud: a network, a host in it, or a database on a host.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub kind: &'static str,
    pub fields: BTreeMap<String, serde_json::Value>,
    pub parent: Option<String>,
    pub owner: Owner,
}

/// Where the next calls are cut off, to see what is left.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Cut {
    #[default]
    Never,
    /// The call has no effect, and its caller never hears of it.
    Before(usize),
    /// The call has its effect, and its caller never hears of it.
    After(usize),
    /// The call has its effect, and its answer is lost.
    LoseAnswer(usize),
    /// The call is refused.
    Refuse(usize),
}

#[derive(Default)]
pub struct Cloud {
    pub items: Mutex<BTreeMap<String, Item>>,
    next: AtomicUsize,
    /// Changing calls so far.
    pub changes: AtomicUsize,
    pub cut: Mutex<Cut>,
    /// Addresses in the order of their changing calls.
    pub log: Mutex<Vec<String>>,
}

impl Cloud {
    /// Counts a changing call and does it, unless it is the one to be cut off.
    async fn change<T>(
        &self,
        what: String,
        effect: impl FnOnce(&mut BTreeMap<String, Item>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let number = self.changes.fetch_add(1, Ordering::SeqCst);
        let cut = *self.cut.lock().unwrap();
        if cut == Cut::Before(number) {
            std::future::pending::<()>().await;
        }
        if cut == Cut::Refuse(number) {
            return Err(Failure::denied("not allowed"));
        }
        self.log.lock().unwrap().push(what);
        let result = effect(&mut self.items.lock().unwrap());
        if cut == Cut::After(number) {
            std::future::pending::<()>().await;
        }
        if cut == Cut::LoseAnswer(number) {
            return Err(Failure::service("connection reset"));
        }
        // Others get their turn, so that parallel steps interleave.
        tokio::task::yield_now().await;
        result
    }

    pub fn ids(&self, kind: &str) -> Vec<String> {
        let items = self.items.lock().unwrap();
        items.iter().filter(|(_, item)| item.kind == kind).map(|(id, _)| id.clone()).collect()
    }
}

pub struct Mem(Arc<Cloud>);

impl Connect for Mem {
    type Setup = Arc<Cloud>;
    async fn connect(setup: &Arc<Cloud>, _: &Data, _: &Secrets) -> Result<Self, Failure> {
        Ok(Self(setup.clone()))
    }
}

macro_rules! kind {
    ($Kind:ident, $kind:literal, parent: $parent:expr, id: $id:expr) => {
        impl Reconcile for $Kind {
            type Cloud = Mem;

            async fn list(cloud: &Mem, _: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
                let items = cloud.0.items.lock().unwrap();
                let mine = items.iter().filter(|(_, item)| item.kind == $kind);
                Ok(mine.map(|(id, item)| Self::found(id, item)).collect())
            }

            async fn create(
                cloud: &Mem,
                subject: &Subject,
                want: Self,
                _: &Secrets,
            ) -> Result<String, Failure> {
                let parent: fn(&$Kind) -> Option<String> = $parent;
                let id: fn(&Subject, usize) -> String = $id;
                let item = Item {
                    kind: $kind,
                    parent: parent(&want),
                    fields: serde_json::to_value(&want)
                        .unwrap()
                        .as_object()
                        .unwrap()
                        .clone()
                        .into_iter()
                        .collect(),
                    owner: subject.owner.clone(),
                };
                let id = id(subject, cloud.0.next.fetch_add(1, Ordering::SeqCst));
                let what = format!("create {}", subject.owner.address.name());
                cloud
                    .0
                    .change(what, |items| {
                        if items.contains_key(&id) {
                            return Err(Failure::taken(format!("{id} exists")));
                        }
                        if let Some(parent) = &item.parent
                            && !items.contains_key(parent)
                        {
                            return Err(Failure::invalid(format!("no parent {parent}")));
                        }
                        items.insert(id.clone(), item);
                        Ok(id)
                    })
                    .await
            }

            async fn update(
                cloud: &Mem,
                subject: &Subject,
                change: Change<'_, Self>,
            ) -> Result<(), Failure> {
                let id = subject.id()?.to_owned();
                let want = serde_json::to_value(&change.want).unwrap();
                let what = format!("update {}", subject.owner.address.name());
                cloud
                    .0
                    .change(what, |items| {
                        let item =
                            items.get_mut(&id).ok_or_else(|| Failure::invalid("not there"))?;
                        for (name, value) in want.as_object().unwrap() {
                            if Self::SCHEMA.field(name).unwrap().flags.replace
                                && item.fields.get(name) != Some(value)
                            {
                                return Err(Failure::invalid(format!("{name} is fixed")));
                            }
                            item.fields.insert(name.clone(), value.clone());
                        }
                        Ok(())
                    })
                    .await
            }

            async fn delete(cloud: &Mem, subject: &Subject) -> Result<(), Failure> {
                let id = subject.id()?.to_owned();
                let what = format!("delete {}", subject.owner.address.name());
                cloud
                    .0
                    .change(what, |items| {
                        let has_children =
                            items.values().any(|item| item.parent.as_deref() == Some(&id));
                        if has_children {
                            return Err(Failure::invalid(format!("{id} has children")));
                        }
                        if items.get(&id).is_some_and(|item| item.kind != $kind) {
                            return Err(Failure::invalid(format!("{id} is no {}", $kind)));
                        }
                        items.remove(&id);
                        Ok(())
                    })
                    .await
            }

            fn predict(prediction: &Prediction<'_>) -> BTreeMap<&'static str, String> {
                BTreeMap::from([("name", prediction.name.to_owned())])
            }
        }
    };
}

/// A network: found again by its tag.
#[derive(Resource, Serialize, Deserialize, Clone)]
#[resource(kind = "mem.Network", outputs = NetworkOutputs, identity = tag)]
pub struct Network {
    #[replace]
    pub cidr: String,
    pub label: Option<String>,
}

#[derive(Outputs, Serialize)]
pub struct NetworkOutputs {
    pub id: Id<Network>,
    #[predicted]
    pub name: String,
    #[changes_with(label)]
    pub banner: String,
}

impl Network {
    fn found(id: &str, item: &Item) -> Found<Self> {
        let text = |name: &str| item.fields.get(name).and_then(|v| v.as_str()).map(str::to_owned);
        Found {
            id: id.to_owned(),
            observed: NetworkObserved { cidr: text("cidr"), label: text("label") },
            outputs: NetworkOutputs {
                id: Id::existing(id),
                name: physical_name(item.owner.address, 63),
                banner: format!("welcome to {}", text("label").unwrap_or_default()),
            },
            status: Status::Ready,
            owner: Some(item.owner.clone()),
        }
    }
}

kind!(Network, "mem.Network", parent: |_| None, id: |_, n| format!("net-{n}"));

/// A host in a network: found again by its name.
#[derive(Resource, Serialize, Deserialize, Clone)]
#[resource(kind = "mem.Host", outputs = HostOutputs, identity = name(40), stateful)]
pub struct Host {
    #[replace]
    pub network: Id<Network>,
    pub size: u32,
    pub motd: Option<String>,
}

#[derive(Outputs, Serialize)]
pub struct HostOutputs {
    pub id: Id<Host>,
    #[predicted]
    pub name: String,
}

impl Host {
    fn found(id: &str, item: &Item) -> Found<Self> {
        let text = |name: &str| item.fields.get(name).and_then(|v| v.as_str()).map(str::to_owned);
        let size = item.fields["size"].as_u64().and_then(|n| u32::try_from(n).ok());
        Found {
            id: id.to_owned(),
            observed: HostObserved {
                network: text("network").map(Id::existing),
                size,
                motd: text("motd"),
            },
            outputs: HostOutputs { id: Id::existing(id), name: id.to_owned() },
            status: Status::Ready,
            owner: Some(item.owner.clone()),
        }
    }
}

kind!(Host, "mem.Host", parent: |want| Some(want.network.to_string()), id: |subject, _| subject.name.clone());

pub fn registry(cloud: &Arc<Cloud>) -> Registry {
    let mut registry = Registry::new(Secrets::default());
    registry.cloud::<Mem>(cloud.clone()).add::<Network>().add::<Host>();
    registry
}
