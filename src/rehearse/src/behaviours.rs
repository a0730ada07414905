//! Behaviours of pods: kwok Stages that imitate what goes wrong in containers. The label
//! `formwork.test/behaviour` of a pod says what; a command whose second word is `foo` crashes by itself.
//!
//! A behaviour is a list of steps. Each is taken when the one before has been, so the last one stays.

use serde_json::{Value as Json, json};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The label whose value is the behaviour.
pub const BEHAVIOUR: &str = "formwork.test/behaviour";
/// The one behaviour that is a command's: `yarn foo`.
const FOO: &str = "foo";
/// The condition whose reason says how far a pod is.
const STEP: &str = "formwork.test/step";

/// One step: what the kubelet would say next.
struct Step {
    after_ms: u64,
    phase: &'static str,
    /// The containers that it is about: `containers` or `initContainers`.
    of: &'static str,
    ready: bool,
    /// Without names: every container has it.
    status: Json,
    /// Reason and message of a Warning event.
    event: Option<(&'static str, &'static str)>,
}

fn step(after_ms: u64, phase: &'static str, status: Json) -> Step {
    Step { after_ms, phase, of: "containers", ready: false, status, event: None }
}

impl Step {
    fn ready(self) -> Self {
        Self { ready: true, ..self }
    }
    fn event(self, reason: &'static str, message: &'static str) -> Self {
        Self { event: Some((reason, message)), ..self }
    }
    fn init(self) -> Self {
        Self { of: "initContainers", ..self }
    }
}

fn waiting(reason: &str, message: &str) -> Json {
    json!({"restartCount": 0, "state": {"waiting": {"reason": reason, "message": message}}})
}

fn running(restarts: u32) -> Json {
    json!({"restartCount": restarts, "started": true, "state": {"running": {}}})
}

fn ended(restarts: u32, reason: &str, code: u32) -> Json {
    json!({
        "restartCount": restarts,
        "state": {"terminated": {"reason": reason, "exitCode": code}},
    })
}

fn backing_off(restarts: u32, reason: &str, code: u32) -> Json {
    json!({
        "restartCount": restarts,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container"}},
        "lastState": {"terminated": {"reason": reason, "exitCode": code}},
    })
}

/// All behaviours.
fn behaviours() -> Vec<(&'static str, Vec<Step>)> {
    let pull = r#"rpc error: code = NotFound desc = failed to pull "server:2": not found"#;
    let mount = r#"MountVolume.SetUp failed for volume "keys" : secret "keys" not found"#;
    let exec = r#"exec: "yarn": executable file not found in $PATH"#;
    let crash_loop = || {
        vec![
            step(0, "Running", running(0)),
            step(300, "Running", ended(0, "Error", 127)),
            step(300, "Running", running(1)),
            step(300, "Running", backing_off(1, "Error", 127)),
        ]
    };
    vec![
        (FOO, crash_loop()),
        ("crash-loop", crash_loop()),
        (
            "slow",
            vec![
                step(0, "Pending", waiting("ContainerCreating", "")),
                step(2000, "Running", running(0)),
                step(3000, "Running", running(0)).ready(),
            ],
        ),
        (
            "crash-once",
            vec![
                step(0, "Running", ended(0, "Error", 1)),
                step(1000, "Running", running(1)),
                step(1000, "Running", running(1)).ready(),
            ],
        ),
        (
            "crash-when-up",
            vec![
                step(0, "Running", running(0)).ready(),
                step(2000, "Running", ended(0, "Error", 1)),
                step(300, "Running", backing_off(1, "Error", 1)),
            ],
        ),
        (
            "crash-late",
            vec![
                step(0, "Running", running(0)).ready(),
                step(120_000, "Running", ended(0, "Error", 1)),
                step(300, "Running", running(1)),
                step(300, "Running", backing_off(1, "Error", 1)),
            ],
        ),
        (
            "very-slow",
            vec![
                step(0, "Pending", waiting("ContainerCreating", "")),
                step(20_000, "Running", running(0)),
                step(120_000, "Running", running(0)).ready(),
            ],
        ),
        (
            "out-of-memory",
            vec![
                step(0, "Running", running(0)),
                step(300, "Running", ended(0, "OOMKilled", 137)),
                step(300, "Running", backing_off(1, "OOMKilled", 137)),
            ],
        ),
        (
            "image-pull",
            vec![
                step(0, "Pending", waiting("ErrImagePull", pull)),
                step(500, "Pending", waiting("ImagePullBackOff", pull)),
            ],
        ),
        (
            "missing-config",
            vec![step(
                0,
                "Pending",
                waiting("CreateContainerConfigError", r#"configmap "settings" not found"#),
            )],
        ),
        ("no-program", vec![step(0, "Running", waiting("RunContainerError", exec))]),
        (
            "no-mount",
            vec![
                step(0, "Pending", waiting("ContainerCreating", "")).event("FailedMount", mount),
                step(10_000, "Pending", waiting("ContainerCreating", "")),
            ],
        ),
        (
            "unready",
            vec![step(0, "Running", running(0)).event(
                "Unhealthy",
                "Readiness probe failed: HTTP probe failed with statuscode: 503",
            )],
        ),
        (
            "init-crash",
            vec![
                step(0, "Pending", ended(0, "Error", 1)).init(),
                step(300, "Pending", backing_off(1, "Error", 1)).init(),
            ],
        ),
        ("fails", vec![step(0, "Failed", ended(0, "Error", 3))]),
        ("succeeds", vec![step(0, "Succeeded", ended(0, "Completed", 0))]),
    ]
}

/// Writes the stages, and the logs that all pods have, into `folder`; the path of kwok's configuration.
pub(crate) fn write(folder: &Path) -> io::Result<PathBuf> {
    let log = |name: &str, lines: &[&str]| {
        // As container runtimes write them.
        let line = |text: &&str| format!("2026-01-01T00:00:00.000000000Z stdout F {text}\n");
        let path = folder.join(name);
        fs::write(&path, lines.iter().map(line).collect::<String>()).map(|()| path)
    };
    let current = log("current.log", &["starting", "error Command \"foo\" not found."])?;
    let previous = log("previous.log", &["the first try", "error Command \"foo\" not found."])?;
    let mut documents = vec![json!({
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "ClusterLogs",
        "metadata": {"name": "logs"},
        "spec": {"logs": [{"logsFile": current, "previousLogsFile": previous}]},
    })];
    for (name, steps) in behaviours() {
        documents.extend(steps.iter().enumerate().map(|(number, step)| stage(name, number, step)));
        documents.push(end(name, steps.len()));
    }
    let documents: Vec<String> = documents.iter().map(Json::to_string).collect();
    let path = folder.join("behaviours.yaml");
    fs::write(&path, documents.join("\n---\n")).map(|()| path)
}

/// A stage that pods of a behaviour are in at a step, and that is never over: no other stage of the cloud
/// takes them.
fn end(name: &str, number: usize) -> Json {
    let (mut stage, day) = (skeleton(name, number), 24 * 60 * 60 * 1000);
    stage["spec"]["delay"] = json!({"durationMilliseconds": day});
    stage["spec"]["next"] = json!({});
    stage
}

fn skeleton(name: &str, number: usize) -> Json {
    let key = format!(".status.conditions.[] | select( .type == {STEP:?} ) | .reason");
    let at = match number {
        0 => json!({"key": key, "operator": "DoesNotExist"}),
        _ => json!({"key": key, "operator": "In", "values": [number.to_string()]}),
    };
    let who = match name {
        FOO => json!({"key": ".spec.containers.[].command.[1]", "operator": "In", "values": [FOO]}),
        _ => json!({
            "key": format!(".metadata.labels[{BEHAVIOUR:?}]"), "operator": "In", "values": [name],
        }),
    };
    json!({
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": format!("{name}-{number}")},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": "Pod"},
            "selector": {
                "matchExpressions": [
                    {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"},
                    at,
                    who,
                ],
            },
            // Before the cloud's own stages, which have none.
            "weight": 1,
        },
    })
}

fn stage(name: &str, number: usize, step: &Step) -> Json {
    let mut stage = skeleton(name, number);
    stage["spec"]["delay"] = json!({"durationMilliseconds": step.after_ms});
    let status = step.status.as_object();
    let fields: String =
        status.into_iter().flatten().map(|(key, value)| format!(", {key}: {value}")).collect();
    let (ready, statuses) = match step.of {
        "initContainers" => (false, "initContainerStatuses"),
        _ => (step.ready, "containerStatuses"),
    };
    let template = format!(
        r#"
phase: {phase}
startTime: {{{{ Now | Quote }}}}
conditions:
- {{type: {STEP}, status: "True", reason: "{next}"}}
- {{type: Ready, status: "{truth}", lastTransitionTime: {{{{ Now | Quote }}}}}}
- {{type: ContainersReady, status: "{truth}", lastTransitionTime: {{{{ Now | Quote }}}}}}
{statuses}:
{{{{ range .spec.{of} }}}}
- {{name: {{{{ .name | Quote }}}}, image: {{{{ .image | Quote }}}}, imageID: "", ready: {ready}{fields}}}
{{{{ end }}}}
"#,
        next = number + 1,
        phase = step.phase,
        truth = if ready { "True" } else { "False" },
        of = step.of,
    );
    stage["spec"]["next"] = json!({"statusTemplate": template});
    if let Some((reason, message)) = step.event {
        stage["spec"]["next"]["event"] =
            json!({"type": "Warning", "reason": reason, "message": message});
    }
    stage
}
