//! The feed: lists what there is, then watches, and begins again whenever that breaks off.

use super::world::{Sort, World};
use crate::cluster::{Connection, READ_TIMEOUT};
use formwork_engine::Failure;
use futures::{
    StreamExt as _,
    stream::{BoxStream, SelectAll, select_all, unfold},
};
use kube::{
    Api,
    api::DynamicObject,
    runtime::watcher::{self, Event, watcher},
};
use serde_json::Value as Json;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// A watch ends after this long without an event, and goes on where it was: before the client takes the
/// silence for a dead connection.
const WATCH: Duration = READ_TIMEOUT.saturating_sub(Duration::from_secs(5));
/// Waits before the first and later tries to get a broken watch back; the last one repeats.
const WAITS: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(3),
];

/// What a watch tells.
enum News {
    /// All there is.
    All(Vec<Json>),
    Put(Json),
    Removed(Json),
    /// It broke off, for the so-manieth time in a row.
    Lost(Failure, usize),
}

/// Watches of several kinds in a namespace, and what they have told.
pub struct Feed<'a> {
    streams: SelectAll<BoxStream<'a, (Sort, News)>>,
    pub world: World,
    /// Kinds that are known as of now.
    known: BTreeSet<Sort>,
    sorts: BTreeSet<Sort>,
    lost: BTreeMap<Sort, (Failure, usize)>,
}

impl<'a> Feed<'a> {
    pub fn open(cluster: &'a Connection, namespace: &'a str, sorts: BTreeSet<Sort>) -> Self {
        let streams = select_all(sorts.iter().map(|sort| watch(cluster, namespace, *sort)));
        let (known, lost) = (BTreeSet::new(), BTreeMap::new());
        Self { streams, world: World::default(), known, sorts, lost }
    }

    /// Waits for the next piece of news, and takes it in.
    pub async fn next(&mut self) {
        // The streams have no end.
        let Some((sort, news)) = self.streams.next().await else { return };
        match news {
            News::All(all) => {
                self.world.replace(sort, all);
                self.known.insert(sort);
                self.lost.remove(&sort);
            }
            News::Put(object) => self.world.put(sort, object),
            News::Removed(object) => self.world.remove(sort, &object),
            News::Lost(failure, times) => {
                self.known.remove(&sort);
                self.lost.insert(sort, (failure, times));
            }
        }
    }

    /// Whether all of it is known as of now.
    pub fn is_complete(&self) -> bool {
        self.known == self.sorts
    }

    /// What keeps it from that, and how often in a row it did.
    pub fn trouble(&self) -> Option<(&Failure, usize)> {
        self.lost.values().map(|(failure, times)| (failure, *times)).max_by_key(|(_, times)| *times)
    }
}

type Inner = BoxStream<'static, watcher::Result<Event<DynamicObject>>>;

/// One kind's watch.
struct Watch<'a> {
    cluster: &'a Connection,
    namespace: &'a str,
    sort: Sort,
    inner: Option<Inner>,
    listing: Vec<Json>,
    failures: usize,
}

fn watch<'a>(
    cluster: &'a Connection,
    namespace: &'a str,
    sort: Sort,
) -> BoxStream<'a, (Sort, News)> {
    let watch = Watch { cluster, namespace, sort, inner: None, listing: vec![], failures: 0 };
    let stream = unfold(watch, |mut watch| async move {
        let news = watch.next().await;
        Some(((watch.sort, news), watch))
    });
    stream.boxed()
}

impl Watch<'_> {
    async fn next(&mut self) -> News {
        loop {
            let event = match &mut self.inner {
                Some(inner) => inner.next().await,
                None => {
                    if let Err(failure) = self.begin().await {
                        return self.lost(failure);
                    }
                    continue;
                }
            };
            match event {
                None => self.inner = None,
                Some(Ok(Event::Init)) => self.listing.clear(),
                Some(Ok(Event::InitApply(object))) => self.listing.extend(plain(object)),
                Some(Ok(Event::InitDone)) => {
                    self.failures = 0;
                    return News::All(std::mem::take(&mut self.listing));
                }
                Some(Ok(Event::Apply(object))) => {
                    if let Some(object) = plain(object) {
                        return News::Put(object);
                    }
                }
                Some(Ok(Event::Delete(object))) => {
                    if let Some(object) = plain(object) {
                        return News::Removed(object);
                    }
                }
                Some(Err(error)) => {
                    let failure = self.failure(error);
                    return self.lost(failure);
                }
            }
        }
    }

    /// Begins from a list, logged in anew: a broken watch may have outlived its token, or its version
    /// (410 Gone).
    async fn begin(&mut self) -> Result<(), Failure> {
        if let Some(last) = self.failures.checked_sub(1) {
            tokio::time::sleep(WAITS[last.min(WAITS.len() - 1)]).await;
        }
        let resource = self.sort.served().resource;
        let client = self.cluster.client().await?;
        let api: Api<DynamicObject> = Api::namespaced_with(client, self.namespace, &resource);
        let seconds = u32::try_from(WATCH.as_secs()).unwrap_or(u32::MAX);
        let mut config = watcher::Config::default().timeout(seconds);
        if self.sort == Sort::Event {
            config = config.fields("type=Warning");
        }
        self.inner = Some(watcher(api, config).boxed());
        Ok(())
    }

    fn lost(&mut self, failure: Failure) -> News {
        self.inner = None;
        self.failures += 1;
        News::Lost(failure, self.failures)
    }

    fn failure(&self, error: watcher::Error) -> Failure {
        let doing = format!(
            "watching {}s in namespace {}",
            self.sort.served().resource.kind,
            self.namespace
        );
        match error {
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => self.cluster.failure(doing, error),
            watcher::Error::WatchError(status) => {
                self.cluster.failure(doing, kube::Error::Api(status))
            }
            error => Failure::service(format!("{doing}: {error}")),
        }
    }
}

/// An object as plain JSON; what the API server sent is JSON already.
fn plain(object: DynamicObject) -> Option<Json> {
    serde_json::to_value(object).ok()
}
