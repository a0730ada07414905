//! Following a rollout: the feed, the judge, the clock, and pods made anew.

use super::{
    feed::Feed,
    judge::{Judge, Recreate},
    target::{Target, Tolerance},
    verdict::{Progress, Verdict},
    world::Sort,
};
use crate::{api::name, cluster::Connection};
use formwork_engine::{Failure, FailureKind};
use k8s_openapi::jiff::Timestamp;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The least time between two looks: news of hundreds of pods is looked at together.
const LOOK: Duration = Duration::from_millis(100);
/// The longest time between two looks: patience ends without any news.
const IDLE: Duration = Duration::from_millis(500);
/// How long the API server may be away.
pub const MAX_AWAY: Duration = Duration::from_secs(300);
/// Refusals in a row after which a watch is given up.
const MAX_REFUSALS: usize = 3;

/// Follows what a deploy changed until all of it is up, or it is clear that some of it won't be.
///
/// Only pods of the targets' new revisions count; a target that somebody changes or deletes meanwhile
/// is no longer judged. `tell` is called with each change of a workload. Watches of the namespace are
/// the only cost: one list and one watch for each kind, however many targets there are.
///
/// Fails where the namespace can't be watched, or its API server is away for longer than [`MAX_AWAY`];
/// while it is away, nobody's patience runs out.
pub async fn follow(
    cluster: &Connection,
    namespace: &str,
    targets: &[Target],
    tolerance: &Tolerance,
    tell: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Verdict, Failure> {
    if targets.is_empty() {
        return Ok(Verdict::Healthy { notes: vec![] });
    }
    let sorts = Sort::needed(targets.iter().map(|target| target.kind));
    let mut feed = Feed::open(cluster, namespace, sorts);
    let mut judge = Judge::new(targets, tolerance);
    let mut clock = Clock::new();
    let mut message = Message { tell, said: false };
    loop {
        // News first, then a look; what comes within a moment is looked at together.
        let began = Instant::now();
        if timeout_at(began + IDLE, feed.next()).await.is_ok() {
            let until = Instant::now() + LOOK;
            // Asked for the time as well: a stream that always has news is never late.
            while Instant::now() < until && timeout_at(until, feed.next()).await.is_ok() {}
        }
        let now = clock.tick(feed.is_complete());
        if !feed.is_complete() {
            if let Some((failure, times)) = feed.trouble() {
                let refused = matches!(failure.kind, FailureKind::Denied | FailureKind::Invalid);
                if refused && times >= MAX_REFUSALS || clock.away > MAX_AWAY {
                    return Err(failure.clone());
                }
                // Once is usual: a token that ended, a version that is too old (410 Gone).
                if times > 1 {
                    message.say(format!("{failure}; trying again"));
                }
            }
            continue;
        }
        message.over();
        let ruling = judge.look(&feed.world, now, &Timestamp::now().to_string());
        ruling.progress.into_iter().for_each(tell);
        if let Some(verdict) = ruling.verdict {
            return Ok(verdict);
        }
        for Recreate { pod, why } in &ruling.recreate {
            let what = match cluster.delete(&Sort::POD.served(), namespace, pod).await {
                Ok(_) => "it is made anew".to_owned(),
                // The judge sees that it is still there.
                Err(failure) => failure.to_string(),
            };
            tell(Progress::Message { text: format!("pod {}: {why}: {what}", name(pod)) });
        }
    }
}

/// The rollout's clock, which stands while the cluster can't be seen.
struct Clock {
    last: Instant,
    seen: Duration,
    /// How long the cluster has been away by now.
    away: Duration,
}

impl Clock {
    fn new() -> Self {
        Self { last: Instant::now(), seen: Duration::ZERO, away: Duration::ZERO }
    }

    fn tick(&mut self, complete: bool) -> Duration {
        let now = Instant::now();
        let passed = now - std::mem::replace(&mut self.last, now);
        match complete {
            true => (self.seen, self.away) = (self.seen + passed, Duration::ZERO),
            false => self.away += passed,
        }
        self.seen
    }
}

/// Words about the cluster being away: said once, until it is back.
struct Message<'a> {
    tell: &'a (dyn Fn(Progress) + Send + Sync),
    said: bool,
}

impl Message<'_> {
    fn say(&mut self, text: String) {
        if !std::mem::replace(&mut self.said, true) {
            (self.tell)(Progress::Message { text });
        }
    }

    fn over(&mut self) {
        if std::mem::take(&mut self.said) {
            (self.tell)(Progress::Message { text: "the cluster answers again".into() });
        }
    }
}
