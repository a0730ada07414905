//! A container's status: whether it comes up, and what stands in its way.

use super::{
    super::{
        target::{Tolerance, WorkloadKind},
        verdict::ReasonKind,
        world::{World, number, uid},
    },
    sign::{Grace, Memory, Sign},
};
use crate::api::{at, text};
use serde_json::Value as Json;

/// Ends of a message by which a container runtime says that what it should run isn't there or isn't a
/// program: no restart changes that.
const UNSTARTABLE: &[&str] = &[
    "executable file not found",
    "no such file or directory",
    "permission denied",
    "exec format error",
    "is a directory",
    "not a directory",
];
/// What a kubelet says while its cache of ConfigMaps and Secrets isn't filled yet.
const CACHE_NOT_FILLED: &str = "failed to sync";

/// How a container lives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Runs to its end before the others start.
    Init,
    /// An init container that stays (`restartPolicy: Always`).
    Sidecar,
    Main,
}

/// A container of a pod.
pub struct Container<'a> {
    pub workload: WorkloadKind,
    pub pod: &'a Json,
    pub role: Role,
    pub spec: &'a Json,
    pub status: &'a Json,
    pub tolerance: &'a Tolerance,
    pub world: &'a World,
}

impl Container<'_> {
    fn name(&self) -> &str {
        text(self.spec, &["name"])
    }

    /// What stands in its way, and its restarts since the deploy began.
    pub fn look(&self, memory: &mut Memory, up: bool) -> (Vec<Sign>, i64) {
        let key = (uid(self.pod).to_owned(), self.name().to_owned());
        let count = number(self.status, &["restartCount"]);
        let restarts = memory.restarts(key.clone(), count, up);
        let waiting = text(self.status, &["state", "waiting", "reason"]);
        let retried = match waiting {
            "ErrImagePull" => memory.pull_failed(key),
            _ => {
                memory.pull_passed(&key);
                false
            }
        };
        let sign = if at(self.status, &["state", "running"]).is_some() {
            self.running(restarts)
        } else if let Some(end) = at(self.status, &["state", "terminated"]) {
            self.terminated(end, restarts)
        } else {
            self.waiting(waiting, restarts, retried)
        };
        let sign = sign.map(|sign| Sign { container: Some(self.name().to_owned()), ..sign });
        (sign.into_iter().collect(), restarts)
    }

    fn waiting(&self, reason: &str, restarts: i64, retried: bool) -> Option<Sign> {
        let said = text(self.status, &["state", "waiting", "message"]);
        let message = match said {
            "" => reason.to_owned(),
            said => format!("{reason}: {said}"),
        };
        let (kind, grace) = match reason {
            // Only who crashed after a restart has to wait.
            "CrashLoopBackOff" => return Some(self.crashed((restarts + 1).max(2), said)),
            "ImagePullBackOff"
            | "InvalidImageName"
            | "ErrImageNeverPull"
            | "ImageInspectError"
            | "SignatureValidationFailed" => (ReasonKind::ImagePull, Grace::Hopeless),
            "ErrImagePull" if retried => (ReasonKind::ImagePull, Grace::Hopeless),
            "ErrImagePull" | "RegistryUnavailable" => (ReasonKind::ImagePull, Grace::Patience),
            "CreateContainerConfigError" if said.contains(CACHE_NOT_FILLED) => {
                (ReasonKind::Config, Grace::Patience)
            }
            "CreateContainerConfigError" => (ReasonKind::Config, Grace::Hopeless),
            "RunContainerError" | "CreateContainerError" if unstartable(said) => {
                (ReasonKind::Start, Grace::Hopeless)
            }
            "RunContainerError"
            | "CreateContainerError"
            | "PostStartHookError"
            | "PreStartHookError"
            | "PreCreateHookError" => (ReasonKind::Start, Grace::Patience),
            _ => return None,
        };
        Some(Sign::new(kind, grace, message))
    }

    fn terminated(&self, end: &Json, restarts: i64) -> Option<Sign> {
        let succeeded = number(end, &["exitCode"]) == 0;
        let stays = match (self.role, text(self.spec, &["restartPolicy"])) {
            (Role::Sidecar, _) => true,
            (Role::Init, _) => false,
            (Role::Main, "") => text(self.pod, &["spec", "restartPolicy"]) == "Always",
            (Role::Main, own) => own == "Always",
        };
        match succeeded && !stays {
            true => None,
            false => Some(self.crashed(restarts + 1, text(end, &["message"]))),
        }
    }

    fn running(&self, restarts: i64) -> Option<Sign> {
        let ready = at(self.status, &["ready"]) == Some(&Json::Bool(true));
        if restarts > i64::from(self.tolerance.allowed_failures) || restarts > 0 && !ready {
            return Some(self.crashed(restarts, ""));
        }
        if ready {
            return None;
        }
        let since = text(self.status, &["state", "running", "startedAt"]);
        if self.role == Role::Init {
            return Some(
                Sign::new(ReasonKind::Deadline, Grace::Deadline, "init container runs")
                    .since(since),
            );
        }
        let said = self.probe(&["Unhealthy"], &["Readiness", "Startup"]);
        if at(self.status, &["started"]) == Some(&Json::Bool(false)) {
            let message = said.unwrap_or("its startup probe hasn't passed yet");
            return Some(Sign::new(ReasonKind::Probe, Grace::Deadline, message).since(since));
        }
        // Only where a startup probe said that it has started can slow be told from sick.
        let grace = match self.spec.get("startupProbe") {
            Some(_) => Grace::Patience,
            None => Grace::Deadline,
        };
        let message = match self.spec.get("readinessProbe") {
            Some(_) => said.unwrap_or("its readiness probe hasn't passed yet"),
            None => said.unwrap_or("it isn't ready yet"),
        };
        Some(Sign::new(ReasonKind::Probe, grace, message).since(since))
    }

    /// A container that ended when it shouldn't have.
    fn crashed(&self, crashes: i64, said: &str) -> Sign {
        let now = at(self.status, &["state", "terminated"]);
        let end = now.or_else(|| at(self.status, &["lastState", "terminated"]));
        let end = end.unwrap_or(&Json::Null);
        let reason = text(end, &["reason"]);
        let last_words = text(end, &["message"]);
        let started_not = matches!(reason, "StartError" | "ContainerCannotRun");
        let killed = self.probe(&["Unhealthy"], &["Liveness", "Startup"]);
        let kind = match reason {
            "OOMKilled" => ReasonKind::OutOfMemory,
            _ if started_not => ReasonKind::Start,
            _ if killed.is_some() => ReasonKind::Probe,
            _ => ReasonKind::CrashLoop,
        };
        let grace = match crashes > i64::from(self.tolerance.allowed_failures) {
            // A Job counts for itself.
            _ if self.workload == WorkloadKind::Job => Grace::Deadline,
            _ if started_not && unstartable(last_words) => Grace::Hopeless,
            true => Grace::Hopeless,
            false => Grace::Patience,
        };
        let mut message = match end.get("exitCode").and_then(Json::as_i64) {
            None => "ended".to_owned(),
            Some(code) if reason.is_empty() => format!("ended with exit code {code}"),
            Some(code) => format!("ended with exit code {code} ({reason})"),
        };
        message += &match crashes {
            0 | 1 => String::new(),
            many => format!(", {many} times"),
        };
        let said = [killed.unwrap_or_default(), last_words, said];
        if let Some(said) = said.iter().find(|said| !said.is_empty()) {
            message = format!("{message}: {}", said.trim());
        }
        Sign::new(kind, grace, message).since(text(end, &["finishedAt"]))
    }

    /// What an event about this container says of probes of these kinds.
    fn probe(&self, reasons: &[&str], probes: &[&str]) -> Option<&str> {
        let note = self.world.event(uid(self.pod), reasons)?;
        let ours = note.container.as_deref().is_none_or(|name| name == self.name());
        let of_kind = probes.iter().any(|probe| note.message.starts_with(probe));
        (ours && of_kind).then_some(note.message.as_str())
    }
}

fn unstartable(message: &str) -> bool {
    UNSTARTABLE.iter().any(|end| message.contains(end))
}
