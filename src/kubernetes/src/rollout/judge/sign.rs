//! Signs of trouble, and how long each may stand before it is a verdict.

use super::super::{
    target::Tolerance,
    verdict::{Reason, ReasonKind},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// What another controller, or the node's cache, may just not have made yet.
pub const SETTLING: Duration = Duration::from_secs(3);

/// How long a sign may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grace {
    /// It can't heal.
    Hopeless,
    /// It is hopeless unless it is over in a moment.
    Settling,
    /// It may heal; patience decides.
    Patience,
    /// Slow, but alive: only the workload's own deadline decides.
    Deadline,
}

impl Grace {
    fn limit(self, tolerance: &Tolerance) -> Option<Duration> {
        match self {
            Self::Hopeless => Some(Duration::ZERO),
            Self::Settling => Some(SETTLING.min(tolerance.patience)),
            Self::Patience => Some(tolerance.patience),
            Self::Deadline => None,
        }
    }
}

/// Something that stands in a workload's way.
#[derive(Clone, Debug)]
pub struct Sign {
    pub kind: ReasonKind,
    pub grace: Grace,
    pub message: String,
    /// The pod's uid and name.
    pub pod: Option<(String, String)>,
    pub container: Option<String>,
    /// When it began, where the status says so.
    pub since: Option<String>,
}

impl Sign {
    pub fn new(kind: ReasonKind, grace: Grace, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { kind, grace, message, pod: None, container: None, since: None }
    }

    pub fn since(mut self, time: &str) -> Self {
        self.since = (!time.is_empty()).then(|| time.to_owned());
        self
    }

    /// In words, for a progress display.
    pub fn words(&self) -> String {
        let at = match (&self.pod, &self.container) {
            (Some((_, pod)), Some(container)) => format!("{pod}/{container}: "),
            (Some((_, pod)), None) => format!("{pod}: "),
            _ => String::new(),
        };
        format!("{at}{}", self.message)
    }
}

/// A sign as it is recognised again: target, pod, container, kind.
type Key = (usize, String, String, ReasonKind);
/// A container: the pod's uid and the container's name.
pub type ContainerKey = (String, String);

/// What earlier looks have seen.
#[derive(Debug, Default)]
pub struct Memory {
    /// When a sign was first seen: on the rollout's clock, and in words.
    first: BTreeMap<Key, (Duration, String)>,
    /// Restarts that aren't this deploy's: what a pod that was up at first sight had had.
    baselines: BTreeMap<ContainerKey, i64>,
    /// Containers whose image couldn't be pulled, and whether their next try is under way.
    pulls: BTreeMap<ContainerKey, bool>,
    /// When a target's counts last changed.
    pub counts: BTreeMap<usize, (Vec<i64>, Duration)>,
    /// The template that a target was first seen with.
    pub templates: BTreeMap<usize, u64>,
    /// Since when a Deployment's progress deadline was over when it was first seen: not this deploy's.
    pub overdue: BTreeMap<usize, Option<String>>,
    /// Jobs that have succeeded.
    pub finished: BTreeSet<usize>,
    /// Pods without credentials, by uid, and when they were first seen.
    pub lacking: BTreeMap<String, Duration>,
    /// Pods of a target that were to be made anew for lack of credentials, and when.
    pub recreated: BTreeMap<usize, BTreeMap<String, Duration>>,
    /// Pods of earlier revisions that hold a rollout up, by uid, and when they were first seen to.
    pub stuck: BTreeMap<String, Duration>,
    /// Those that were to be made anew.
    pub freed: BTreeSet<String>,
    /// Since when all is up.
    pub up: Option<Duration>,
    /// What made workloads bad, and since when one is.
    pub bad: BTreeMap<usize, Vec<Sign>>,
    pub bad_since: Option<Duration>,
}

impl Memory {
    /// The signs that have stood for too long, as reasons; signs that are over are forgotten.
    pub fn weigh(
        &mut self,
        signs: &BTreeMap<usize, Vec<Sign>>,
        tolerance: &Tolerance,
        now: Duration,
        clock: &str,
    ) -> BTreeMap<usize, Vec<Sign>> {
        let mut first = BTreeMap::new();
        let mut over: BTreeMap<usize, Vec<Sign>> = BTreeMap::new();
        for (target, sign) in signs.iter().flat_map(|(t, signs)| signs.iter().map(|s| (*t, s))) {
            let key = key(target, sign);
            let since = self.first.remove(&key).or_else(|| first.get(&key).cloned());
            let (at, words) = since.unwrap_or_else(|| (now, clock.to_owned()));
            if sign.grace.limit(tolerance).is_some_and(|limit| now.saturating_sub(at) >= limit) {
                let sign =
                    Sign { since: sign.since.clone().or(Some(words.clone())), ..sign.clone() };
                over.entry(target).or_default().push(sign);
            }
            first.insert(key, (at, words));
        }
        self.first = first;
        over
    }

    /// Restarts of a container since the deploy began.
    pub fn restarts(&mut self, key: ContainerKey, count: i64, up: bool) -> i64 {
        let baseline = self.baselines.entry(key).or_insert(if up { count } else { 0 });
        count - *baseline
    }

    /// Notes that a container waits with `ErrImagePull`; says whether it did so before, and something
    /// else in between.
    pub fn pull_failed(&mut self, key: ContainerKey) -> bool {
        *self.pulls.entry(key).or_insert(false)
    }

    /// Notes that a container is in another state than `ErrImagePull`.
    pub fn pull_passed(&mut self, key: &ContainerKey) {
        if let Some(retried) = self.pulls.get_mut(key) {
            *retried = true;
        }
    }

    /// Forgets pods that are gone.
    pub fn forget(&mut self, there: impl Fn(&str) -> bool) {
        self.baselines.retain(|(pod, _), _| there(pod));
        self.pulls.retain(|(pod, _), _| there(pod));
        self.lacking.retain(|pod, _| there(pod));
        self.stuck.retain(|pod, _| there(pod));
        self.freed.retain(|pod| there(pod));
    }
}

fn key(target: usize, sign: &Sign) -> Key {
    let pod = sign.pod.as_ref().map(|(uid, _)| uid.clone()).unwrap_or_default();
    (target, pod, sign.container.clone().unwrap_or_default(), sign.kind)
}

/// Signs of a workload as reasons: one per container and kind, of the first pod that shows it; those that
/// say more than that it took too long come first.
pub fn reasons(object: &str, mut signs: Vec<Sign>, clock: &str) -> Vec<Reason> {
    signs.sort_by_key(|sign| sign.kind == ReasonKind::Deadline);
    let mut seen = BTreeSet::new();
    let signs = signs.into_iter().filter(|sign| seen.insert((sign.container.clone(), sign.kind)));
    signs
        .map(|sign| Reason {
            object: object.to_owned(),
            pod: sign.pod.map(|(_, name)| name),
            container: sign.container,
            kind: sign.kind,
            message: sign.message,
            since: sign.since.unwrap_or_else(|| clock.to_owned()),
        })
        .collect()
}
