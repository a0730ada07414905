//! A StatefulSet that waits for a broken pod of an earlier revision, and would do so for ever.
//!
//! Its controller goes on to the next pod once each is ready, and doesn't replace one that never will be, though its
//! template is mended by now (kubernetes/kubernetes#67250; "Forced rollback" in the reference of StatefulSets).

use super::{
    super::{
        target::WorkloadKind,
        verdict::ReasonKind,
        world::{World, uid},
    },
    Judge, Recreate, pod,
    sign::{Grace, SETTLING, Sign},
    workload::Workload,
};
use crate::api::name;
use std::time::Duration;

const WHY: &str = "it is broken, of an earlier revision, and holds the rollout up";

impl Judge<'_> {
    /// Says which pods are to be made anew, since nothing else would replace them: each once, and not at first sight.
    pub(super) fn stuck(
        &mut self,
        workload: &mut Workload<'_>,
        kind: WorkloadKind,
        world: &World,
        now: Duration,
        recreate: &mut Vec<Recreate>,
    ) {
        for pod in std::mem::take(&mut workload.waited_for) {
            let (signs, _) = pod::look(pod, kind, world, self.tolerance, &mut self.memory);
            let uid = uid(pod).to_owned();
            let Some(broken) = signs.into_iter().find(|sign| sign.grace < Grace::Deadline) else {
                self.memory.stuck.remove(&uid);
                continue;
            };
            let message = format!("pod {} of an earlier revision: {}", name(pod), broken.message);
            workload.signs.push(Sign::new(ReasonKind::Controller, Grace::Deadline, message));
            let first = *self.memory.stuck.entry(uid.clone()).or_insert(now);
            if now >= first + SETTLING && self.memory.freed.insert(uid) {
                recreate.push(Recreate { pod: pod.clone(), why: WHY });
            }
        }
    }
}
