//! Evidence: what is to be seen of a failed rollout, gathered before anything is put back.

use super::{
    verdict::Reason,
    world::{REVISION_NOTE, Sort, controller, list, uid},
};
use crate::{
    api::{at, name, side_by_side, text, title},
    cluster::Connection,
};
use formwork_engine::Failure;
use kube::api::LogParams;
use serde::Serialize;
use serde_json::Value as Json;
use std::fmt::{self, Write as _};

/// Reasons that evidence is gathered for; a hundred crash loops of one cause need no hundred logs.
pub const MAX_EXHIBITS: usize = 10;
/// Lines of each log, from its end.
pub const LOG_LINES: i64 = 100;
/// Bytes that are kept of those lines, the last ones.
pub const LOG_BYTES: usize = 64 * 1024;
/// Bytes that are read of them; an API server counts from the first of them.
const LOG_BYTES_READ: i64 = 1024 * 1024;
/// Containers of one pod whose logs are read.
pub const MAX_CONTAINERS: usize = 8;
/// Events of each object, the newest ones.
pub const MAX_EVENTS: usize = 20;
/// Controllers above a pod: a ReplicaSet and its Deployment, and one to spare.
const MAX_OWNERS: usize = 3;

/// What is to be seen of a failed rollout. As text it is for people and for a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    pub exhibits: Vec<Exhibit>,
    /// Reasons that nothing was gathered for.
    pub left_out: usize,
}

/// What is to be seen of one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exhibit {
    pub reason: Reason,
    /// Conditions of the pod and of those above it, such as `Pod server-1: Ready is False: ...`.
    pub conditions: Vec<String>,
    /// Events of the same, oldest first.
    pub events: Vec<String>,
    pub logs: Vec<Log>,
    /// What couldn't be had.
    pub missing: Vec<String>,
}

/// The end of a container's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Log {
    pub container: String,
    /// Of the container that ran before the last restart.
    pub previous: bool,
    pub text: String,
}

/// Gathers what there is: what can't be had is named, and no reason for a failure.
pub async fn evidence(cluster: &Connection, namespace: &str, reasons: &[Reason]) -> Evidence {
    let (taken, left) = reasons.split_at(reasons.len().min(MAX_EXHIBITS));
    let gather = taken.iter().map(|reason| async {
        Ok::<_, Failure>(Gathering { cluster, namespace }.exhibit(reason).await)
    });
    let numbered = gather.enumerate().map(|(i, exhibit)| async move { Ok((i, exhibit.await?)) });
    // No exhibit fails.
    let mut exhibits = side_by_side(numbered.collect()).await.unwrap_or_default();
    exhibits.sort_by_key(|(index, _)| *index);
    let exhibits = exhibits.into_iter().map(|(_, exhibit)| exhibit).collect();
    Evidence { exhibits, left_out: left.len() }
}

struct Gathering<'a> {
    cluster: &'a Connection,
    namespace: &'a str,
}

impl Gathering<'_> {
    async fn exhibit(&self, reason: &Reason) -> Exhibit {
        let reason = reason.clone();
        let mut exhibit =
            Exhibit { reason, conditions: vec![], events: vec![], logs: vec![], missing: vec![] };
        let pod = match exhibit.reason.pod.clone() {
            None => None,
            Some(pod) => self.object("v1", "Pod", &pod, &mut exhibit).await,
        };
        let mut chain = vec![];
        match pod {
            Some(pod) => {
                self.logs(&pod, &mut exhibit).await;
                chain.push(pod);
            }
            None => {
                if let Some((kind, name)) = exhibit.reason.object.clone().split_once('/') {
                    let version = match kind {
                        "Pod" => "v1",
                        "Job" => "batch/v1",
                        _ => "apps/v1",
                    };
                    chain.extend(self.object(version, kind, name, &mut exhibit).await);
                }
            }
        }
        if let Some(set) = self.below(chain.first(), &mut exhibit).await {
            chain.insert(0, set);
        }
        for _ in 0..MAX_OWNERS {
            let Some(above) = chain.last().and_then(owner) else { break };
            let (version, kind, name) = above;
            let Some(owner) = self.object(&version, &kind, &name, &mut exhibit).await else {
                break;
            };
            chain.push(owner);
        }
        let mut events = vec![];
        for object in &chain {
            exhibit.conditions.extend(conditions(object));
            match self.events(object).await {
                Ok(found) => events.extend(found),
                Err(failure) => exhibit.missing.push(failure.to_string()),
            }
        }
        events.sort();
        exhibit.events = events.into_iter().map(|(_, line)| line).collect();
        exhibit
    }

    async fn object(
        &self,
        version: &str,
        kind: &str,
        name: &str,
        exhibit: &mut Exhibit,
    ) -> Option<Json> {
        let found = match self.cluster.served(version, kind).await {
            Ok(Some(served)) => self.cluster.get(&served, self.namespace, name).await,
            Ok(None) => Ok(None),
            Err(failure) => Err(failure),
        };
        match found {
            Ok(Some(object)) => return Some(object),
            Ok(None) => exhibit.missing.push(format!("{kind} {name} is gone")),
            Err(failure) => exhibit.missing.push(failure.to_string()),
        }
        None
    }

    /// The newest ReplicaSet of a Deployment: what the API server says to its pods is said to it.
    async fn below(&self, object: Option<&Json>, exhibit: &mut Exhibit) -> Option<Json> {
        let deployment = object.filter(|object| text(object, &["kind"]) == "Deployment")?;
        let all = self.cluster.first_page(&Sort::ReplicaSet.served(), self.namespace, "").await;
        let all = all.map_err(|failure| exhibit.missing.push(failure.to_string())).ok()?;
        let theirs = all.into_iter().filter(|set| controller(set) == Some(uid(deployment)));
        let revision = |set: &Json| {
            let revision = text(set, &["metadata", "annotations", REVISION_NOTE]);
            revision.parse::<u64>().unwrap_or(0)
        };
        theirs.max_by_key(revision)
    }

    /// The logs of the container that the reason is about, else of all.
    async fn logs(&self, pod: &Json, exhibit: &mut Exhibit) {
        let all = ["initContainerStatuses", "containerStatuses"];
        let all = all.iter().flat_map(|key| list(pod, &["status", key]));
        let about = exhibit.reason.container.clone();
        let meant = |status: &&Json| about.as_ref().is_none_or(|a| a == text(status, &["name"]));
        for status in all.filter(meant).take(MAX_CONTAINERS) {
            let container = text(status, &["name"]);
            let ran_before = at(status, &["lastState", "terminated"]).is_some();
            let runs = at(status, &["state", "running"]).is_some()
                || at(status, &["state", "terminated"]).is_some();
            // What waits for its next start has the log of the start before, as current and as previous.
            for previous in [false, true] {
                if !(runs && !previous || ran_before) {
                    continue;
                }
                match self.log(name(pod), container, previous).await {
                    Ok(text) => {
                        let container = container.to_owned();
                        let text = tail(&text).to_owned();
                        exhibit.logs.push(Log { container, previous, text });
                    }
                    Err(failure) => exhibit.missing.push(failure.to_string()),
                }
            }
        }
    }

    async fn log(&self, pod: &str, container: &str, previous: bool) -> Result<String, Failure> {
        let params = LogParams {
            container: Some(container.to_owned()),
            previous,
            tail_lines: Some(LOG_LINES),
            limit_bytes: Some(LOG_BYTES_READ),
            ..LogParams::default()
        };
        self.cluster.log(&Sort::POD.served(), self.namespace, pod, &params).await
    }

    /// Events about an object, each with the time to sort it by.
    async fn events(&self, object: &Json) -> Result<Vec<(String, String)>, Failure> {
        let fields = format!("involvedObject.uid={}", uid(object));
        let kind = Sort::Event.served();
        let found = self.cluster.first_page(&kind, self.namespace, &fields).await?;
        let mut events: Vec<_> = found.iter().map(|event| event_line(object, event)).collect();
        events.sort();
        Ok(events.split_off(events.len().saturating_sub(MAX_EVENTS)))
    }
}

/// API version, kind and name of an object's controller.
fn owner(object: &Json) -> Option<(String, String, String)> {
    let owners = list(object, &["metadata", "ownerReferences"]);
    let owner = owners.iter().find(|owner| owner.get("controller") == Some(&Json::Bool(true)))?;
    let part = |key| text(owner, &[key]).to_owned();
    Some((part("apiVersion"), part("kind"), part("name")))
}

fn conditions(object: &Json) -> Vec<String> {
    let line = |condition: &Json| {
        let (kind, status) = (text(condition, &["type"]), text(condition, &["status"]));
        let mut line = format!("{}: {kind} is {status}", title(object));
        for key in ["reason", "message"] {
            match text(condition, &[key]) {
                "" => {}
                said => line = format!("{line}: {said}"),
            }
        }
        line
    };
    list(object, &["status", "conditions"]).iter().map(line).collect()
}

fn event_line(object: &Json, event: &Json) -> (String, String) {
    let times = [
        text(event, &["lastTimestamp"]),
        text(event, &["series", "lastObservedTime"]),
        text(event, &["eventTime"]),
        text(event, &["metadata", "creationTimestamp"]),
    ];
    let time = times.into_iter().find(|time| !time.is_empty()).unwrap_or_default();
    let count = match at(event, &["count"]).and_then(Json::as_i64) {
        None | Some(0 | 1) => String::new(),
        Some(count) => format!(" ({count} times)"),
    };
    let (reason, message) = (text(event, &["reason"]), text(event, &["message"]));
    (time.to_owned(), format!("{time} {}: {reason}: {message}{count}", title(object)))
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for exhibit in &self.exhibits {
            write!(f, "{exhibit}")?;
        }
        match self.left_out {
            0 => Ok(()),
            left => writeln!(f, "and {left} more"),
        }
    }
}

impl fmt::Display for Exhibit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "== {} (since {})", self.reason, self.reason.since)?;
        for (title, lines) in [
            ("conditions", &self.conditions),
            ("events", &self.events),
            ("not to be had", &self.missing),
        ] {
            if !lines.is_empty() {
                writeln!(f, "-- {title}")?;
                lines.iter().try_for_each(|line| writeln!(f, "{}", printable(line)))?;
            }
        }
        for log in &self.logs {
            let which = if log.previous { "previous log" } else { "log" };
            writeln!(f, "-- {which} of container {}, last {LOG_LINES} lines", log.container)?;
            log.text.lines().try_for_each(|line| writeln!(f, "{}", printable(line)))?;
        }
        f.write_char('\n')
    }
}

/// A line without control characters: a container's output doesn't get to move the reader's cursor.
pub fn printable(line: &str) -> String {
    let kept = |c: &char| !c.is_control() || *c == '\t';
    line.chars().filter(kept).collect()
}

/// The last [`LOG_BYTES`] of a log, from the beginning of a line where there is one.
fn tail(log: &str) -> &str {
    let Some(least) = log.len().checked_sub(LOG_BYTES) else { return log };
    let start = (least..=log.len()).find(|at| log.is_char_boundary(*at)).unwrap_or(log.len());
    match log[start..].split_once('\n') {
        Some((_, whole)) if !whole.is_empty() => whole,
        _ => &log[start..],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::ReasonKind;
    use serde_json::json;

    #[test]
    fn a_log_keeps_its_end() {
        assert_eq!(tail("one\ntwo\n"), "one\ntwo\n");
        let long = format!("{}\nlast\n", "ä".repeat(LOG_BYTES));
        assert_eq!(tail(&long), "last\n");
        let endless = "ä".repeat(LOG_BYTES);
        assert_eq!(tail(&endless).len(), LOG_BYTES);
        let odd = format!("x{endless}");
        assert!(tail(&odd).len() <= LOG_BYTES);
    }

    #[test]
    fn evidence_is_readable() {
        let reason = Reason {
            object: "Deployment/server".into(),
            pod: Some("server-1".into()),
            container: Some("main".into()),
            kind: ReasonKind::CrashLoop,
            message: "ended with exit code 1".into(),
            since: "2026-01-01T00:00:00Z".into(),
        };
        let object = json!({
            "kind": "Pod", "metadata": {"name": "server-1"},
            "status": {"conditions": [
                {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": "main"},
            ]},
        });
        let event = json!({
            "lastTimestamp": "2026-01-01T00:00:01Z", "count": 3, "reason": "BackOff",
            "message": "restarting",
        });
        let log =
            |previous, text: &str| Log { container: "main".into(), previous, text: text.into() };
        let exhibit = Exhibit {
            reason,
            conditions: conditions(&object),
            events: vec![event_line(&object, &event).1],
            logs: vec![log(false, "a\u{1b}[31mb\n"), log(true, "c\n")],
            missing: vec!["ReplicaSet r is gone".into()],
        };
        let evidence = Evidence { exhibits: vec![exhibit], left_out: 2 };
        let expected = "\
== Deployment/server, pod server-1, container main: crash loop: ended with exit code 1 (since 2026-01-01T00:00:00Z)
-- conditions
Pod server-1: Ready is False: ContainersNotReady: main
-- events
2026-01-01T00:00:01Z Pod server-1: BackOff: restarting (3 times)
-- not to be had
ReplicaSet r is gone
-- log of container main, last 100 lines
a[31mb
-- previous log of container main, last 100 lines
c

and 2 more
";
        assert_eq!(evidence.to_string(), expected);
    }
}
