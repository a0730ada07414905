//! The judge: from what is known of the cluster and the time to progress and verdict, without any I/O.
//!
//! Each look collects signs: what stands in the way of a workload or of a pod of its new revision. A
//! sign has a grace; one that has stood for longer is a reason, and a reason makes the verdict bad.

mod container;
mod pod;
mod refusal;
mod sign;
mod stuck;
#[cfg(test)]
mod tests;
mod workload;

use super::{
    target::{Target, Tolerance, WorkloadKind},
    verdict::{Progress, ReasonKind, Superseded, Verdict, WorkloadProgress, WorkloadState},
    world::{Sort, World, going, uid},
};
use crate::api::{name, text};
use serde_json::Value as Json;
use sign::{Grace, Memory, SETTLING, Sign};
use std::{collections::BTreeMap, time::Duration};
use workload::{Owned, Standing, Workload};

/// How long a Pod Identity association may take to reach the webhook: a pod that is made anew sooner may
/// miss it again.
const SPREADING: Duration = Duration::from_secs(3);
/// How long others may still turn out bad when one has: what is put right is put right together.
const GATHERING: Duration = Duration::from_millis(500);
/// How long after a Deployment's own progress deadline its controller has to say so.
const CONTROLLER_LAG: Duration = Duration::from_secs(30);
/// The longest that anything is followed.
pub const MAX_FOLLOWED: Duration = Duration::from_secs(24 * 60 * 60);

/// Judges one rollout.
pub struct Judge<'a> {
    targets: &'a [Target],
    tolerance: &'a Tolerance,
    memory: Memory,
    told: Vec<Option<WorkloadProgress>>,
}

/// What one look says.
#[derive(Debug)]
pub struct Ruling {
    /// Workloads that differ from what was last told.
    pub progress: Vec<Progress>,
    /// Pods that are to be made anew; each is said once.
    pub recreate: Vec<Recreate>,
    pub verdict: Option<Verdict>,
}

/// A pod that is to be made anew.
#[derive(Debug)]
pub struct Recreate {
    pub pod: Json,
    pub why: &'static str,
}

impl<'a> Judge<'a> {
    pub fn new(targets: &'a [Target], tolerance: &'a Tolerance) -> Self {
        Self { targets, tolerance, memory: Memory::default(), told: vec![None; targets.len()] }
    }

    /// Looks at the cluster as it is known `now`, on a clock that stands while nothing is known;
    /// `clock` is the time of day (RFC 3339).
    pub fn look(&mut self, world: &World, now: Duration, clock: &str) -> Ruling {
        let owned = Owned::of(world);
        let mut workloads = vec![];
        let (mut signs, mut recreate) = (BTreeMap::new(), vec![]);
        let mut restarts = vec![];
        for (index, target) in self.targets.iter().enumerate() {
            let mut workload = workload::look(index, target, world, &owned, &mut self.memory);
            restarts.push(self.pods(index, &mut workload, world, now, &mut recreate));
            self.stuck(&mut workload, target.kind, world, now, &mut recreate);
            signs.insert(index, std::mem::take(&mut workload.signs));
            workloads.push(workload);
        }
        self.memory.forget(|pod| world.get(Sort::POD, pod).is_some());

        for (index, workload) in workloads.iter().enumerate() {
            let told =
                |sign: &Sign| sign.kind == ReasonKind::Deadline && sign.grace == Grace::Hopeless;
            let told = signs.get(&index).is_some_and(|signs: &Vec<Sign>| signs.iter().any(told));
            if self.is_late(index, workload, now) || told {
                let late = late(workload, signs.get(&index));
                signs.entry(index).or_default().extend(late);
            }
        }
        let bad = self.memory.weigh(&signs, self.tolerance, now, clock);
        let mut progress = vec![];
        for (index, workload) in workloads.iter().enumerate() {
            let told = self.progress(index, workload, &signs, &bad, restarts[index]);
            if self.told[index].as_ref() != Some(&told) {
                self.told[index] = Some(told.clone());
                progress.push(Progress::Workload(told));
            }
        }
        // A pod without credentials is up, and isn't what was asked for.
        let troubled =
            |sign: &Sign| sign.grace < Grace::Deadline || sign.kind == ReasonKind::Credentials;
        self.memory.bad.extend(bad);
        let verdict = if !self.memory.bad.is_empty() {
            self.bad(&workloads, now, clock)
        } else if signs.values().flatten().any(troubled) {
            None
        } else {
            self.good(&workloads, now)
        };
        Ruling { progress, recreate, verdict }
    }

    /// Adds the signs of a workload's pods; the restarts in them.
    fn pods(
        &mut self,
        index: usize,
        workload: &mut Workload<'_>,
        world: &World,
        now: Duration,
        recreate: &mut Vec<Recreate>,
    ) -> i64 {
        let kind = self.targets[index].kind;
        let (mut all, mut spent) = (0, 0);
        for pod in std::mem::take(&mut workload.pods) {
            let (signs, restarts) = pod::look(pod, kind, world, self.tolerance, &mut self.memory);
            workload.signs.extend(signs);
            workload.signs.extend(self.credentials(index, workload, pod, now, recreate));
            workload.signs.extend(self.overspent(kind, pod, &mut spent));
            all += restarts;
            workload.pods.push(pod);
        }
        all
    }

    /// A pod that was evicted because it used more than its own limit: the next one will too. Counted like
    /// crashes.
    fn overspent(&self, kind: WorkloadKind, pod: &Json, spent: &mut u32) -> Option<Sign> {
        let judged = matches!(kind, WorkloadKind::Job | WorkloadKind::Pod);
        let message = pod::overspent(pod).filter(|_| !judged)?;
        *spent += 1;
        let grace = match *spent > self.tolerance.allowed_failures {
            true => Grace::Hopeless,
            false => Grace::Deadline,
        };
        let mut sign = Sign::new(ReasonKind::PodFailed, grace, format!("evicted: {message}"));
        sign.pod = Some((uid(pod).to_owned(), name(pod).to_owned()));
        Some(sign)
    }

    /// A pod that was to get credentials and didn't: admitted before its association had spread, it
    /// never gets them (aws/amazon-eks-pod-identity-webhook#264). So it is made anew, once.
    fn credentials(
        &mut self,
        index: usize,
        workload: &Workload<'_>,
        pod: &Json,
        now: Duration,
        recreate: &mut Vec<Recreate>,
    ) -> Option<Sign> {
        let account = text(pod, &["spec", "serviceAccountName"]);
        let ended = matches!(text(pod, &["status", "phase"]), "Succeeded" | "Failed");
        let wanted = self.tolerance.credentials.contains(account) && !ended && !going(pod);
        if !wanted || pod::has_credentials(pod) {
            return None;
        }
        let message = format!(
            "the Pod Identity webhook gave it no credentials for the service account {account}; is there \
             an association for it?"
        );
        let first = *self.memory.lacking.entry(uid(pod).to_owned()).or_insert(now);
        let done = self.memory.recreated.entry(index).or_default();
        // As many as there are pods: each replica may be made anew once.
        let allowed = usize::try_from(workload.desired.max(1)).unwrap_or(1);
        let mends = workload.replaces && done.len() < allowed;
        let grace = match done.get(uid(pod)) {
            // It was to go, and is still there.
            Some(at) if now >= *at + SETTLING => Grace::Hopeless,
            Some(_) => Grace::Deadline,
            None if mends && now < first + SPREADING => Grace::Deadline,
            None if mends => {
                done.insert(uid(pod).to_owned(), now);
                recreate.push(Recreate { pod: pod.clone(), why: "it has no credentials" });
                Grace::Deadline
            }
            None => Grace::Hopeless,
        };
        let mut sign = Sign::new(ReasonKind::Credentials, grace, message);
        sign.pod = Some((uid(pod).to_owned(), name(pod).to_owned()));
        Some(sign)
    }

    /// Whether a workload has shown no progress for longer than it may.
    fn is_late(&mut self, index: usize, workload: &Workload<'_>, now: Duration) -> bool {
        let counts = vec![workload.desired, workload.updated, workload.ready];
        let last = self.memory.counts.entry(index).or_insert_with(|| (counts.clone(), now));
        if last.0 != counts {
            *last = (counts, now);
        }
        let (Standing::Waiting(_), Some(own)) = (&workload.standing, workload.deadline) else {
            return now >= MAX_FOLLOWED;
        };
        let own = Duration::from_secs(u64::try_from(own).unwrap_or(0));
        let limit = match own.is_zero() {
            true => self.tolerance.deadline,
            false => own + CONTROLLER_LAG,
        };
        now.saturating_sub(last.1) >= limit || now >= MAX_FOLLOWED
    }

    fn progress(
        &self,
        index: usize,
        workload: &Workload<'_>,
        signs: &BTreeMap<usize, Vec<Sign>>,
        bad: &BTreeMap<usize, Vec<Sign>>,
        restarts: i64,
    ) -> WorkloadProgress {
        let worst = |signs: &BTreeMap<usize, Vec<Sign>>| {
            let worst = signs.get(&index)?.iter().min_by_key(|sign| sign.grace)?;
            Some((worst.grace, worst.words()))
        };
        let (state, reason) = match (worst(bad), &workload.standing, worst(signs)) {
            (Some((_, words)), ..) => (WorkloadState::Bad, Some(words)),
            (_, Standing::Superseded(message), _) => {
                (WorkloadState::Superseded, Some(message.clone()))
            }
            (_, Standing::Up(note), _) => (WorkloadState::Up, note.clone()),
            (_, Standing::Waiting(why), Some((grace, words))) => {
                let state = match grace {
                    Grace::Deadline => WorkloadState::Waiting,
                    _ => WorkloadState::Troubled,
                };
                (state, Some(if words == *why { words } else { format!("{why}; {words}") }))
            }
            (_, Standing::Waiting(why), None) => (WorkloadState::Waiting, Some(why.clone())),
        };
        WorkloadProgress {
            object: self.targets[index].object(),
            desired: workload.desired,
            updated: workload.updated,
            ready: workload.ready,
            restarts,
            state,
            reason,
        }
    }

    /// The verdict when something is bad; `None` for the moment in which more may turn out to be.
    fn bad(&mut self, workloads: &[Workload<'_>], now: Duration, clock: &str) -> Option<Verdict> {
        let since = *self.memory.bad_since.get_or_insert(now);
        let open = |(index, workload): (usize, &Workload<'_>)| {
            let waits = matches!(workload.standing, Standing::Waiting(_));
            waits && !self.memory.bad.contains_key(&index)
        };
        if now < since + GATHERING && workloads.iter().enumerate().any(open) {
            return None;
        }
        let bad = self.memory.bad.iter().flat_map(|(index, signs)| {
            sign::reasons(&self.targets[*index].object(), signs.clone(), clock)
        });
        Some(Verdict::Bad { reasons: bad.collect() })
    }

    /// The verdict when nothing is bad; `None` while something is on its way.
    fn good(&mut self, workloads: &[Workload<'_>], now: Duration) -> Option<Verdict> {
        let (mut notes, mut by) = (vec![], vec![]);
        for (target, workload) in self.targets.iter().zip(workloads) {
            let object = target.object();
            match &workload.standing {
                Standing::Waiting(_) => {
                    self.memory.up = None;
                    return None;
                }
                Standing::Superseded(message) => {
                    by.push(Superseded { object, message: message.clone() });
                }
                Standing::Up(Some(note)) => notes.push(format!("{object}: {note}")),
                Standing::Up(None) => {}
            }
        }
        let up = *self.memory.up.get_or_insert(now);
        let unproved = workloads.iter().any(|workload| workload.unproved && workload.updated > 0);
        let steady = if unproved { self.tolerance.steady } else { Duration::ZERO };
        if now.saturating_sub(up) < steady.max(self.tolerance.bake) {
            return None;
        }
        Some(match by.is_empty() {
            true => Verdict::Healthy { notes },
            false => Verdict::Superseded { by },
        })
    }
}

/// What a workload that is late is told: what stands in its way, if anything is known, and that it is late.
fn late(workload: &Workload<'_>, signs: Option<&Vec<Sign>>) -> Vec<Sign> {
    let standing = signs.into_iter().flatten().filter(|sign| sign.grace != Grace::Hopeless);
    let mut late: Vec<Sign> =
        standing.map(|s| Sign { grace: Grace::Hopeless, ..s.clone() }).collect();
    let why = match &workload.standing {
        Standing::Waiting(why) => why.as_str(),
        _ => "it has been followed for a day",
    };
    late.push(Sign::new(ReasonKind::Deadline, Grace::Hopeless, format!("no progress: {why}")));
    late
}
