//! Random objects, written by hand in as many styles as people have.

use crate::random::Random;
use std::fmt::Write as _;

const KINDS: &[&str] = &[
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "CronJob",
    "Pod",
    "Service",
    "ConfigMap",
    "Secret",
    "Ingress",
    "ServiceAccount",
    "RoleBinding",
    "ClusterRoleBinding",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "NetworkPolicy",
    "PersistentVolumeClaim",
    "Widget",
    "Namespace",
    "CustomResourceDefinition",
];
const NAMES: &[&str] = &["web", "api", "worker", "cache", "db"];
const IMAGES: &[&str] = &[
    "nginx",
    "nginx:1.25",
    "registry.example:5000/shop/web:v1",
    "shop/api@sha256:0123456789abcdef",
    "ghcr.io/shop/worker:1.0",
    "redis:7",
];
/// Texts that YAML likes to take for something else, or to write in another way.
const TEXTS: &[&str] = &[
    "plain",
    "'yes'",
    "\"no\"",
    "\"1\"",
    "'0777'",
    "\"1e3\"",
    "1.0",
    "12",
    "true",
    "~",
    "\"\"",
    "'a: b'",
    "\"a\\tb\"",
    "\"snow ☃ and 😀\"",
    "0x1f",
    "\"on\"",
    "off",
    "2024-05-06",
    "12:30",
    ".5",
    "1_000",
    "\"#x\"",
    "a#b",
    "\"- x\"",
    "\"{x}\"",
    "'it''s'",
    "\"ends with space \"",
    "|-\n{}  two\n{}  lines",
    "|\n{}  one\n{}\n{}  two\n",
    ">-\n{}  folded\n{}  text",
    "http://example.org:80/a?b=c",
    "null",
    "\"null\"",
    "-1",
    "+1",
    "1e3",
    "99999999999999999999",
    "a very long text that goes on and on until it is much longer than eighty columns and would be folded somewhere",
];

/// An object by kind and name.
#[derive(Clone, PartialEq, Eq)]
pub struct Object {
    kind: &'static str,
    name: &'static str,
    namespace: Option<&'static str>,
}

impl Object {
    pub fn random(random: &mut Random) -> Self {
        let kind = random.pick(KINDS);
        let namespaced =
            !matches!(kind, "ClusterRoleBinding" | "Namespace" | "CustomResourceDefinition");
        let namespace = (namespaced && random.percent(15)).then(|| random.pick(&["shop", "other"]));
        Self { kind, name: random.pick(NAMES), namespace }
    }

    pub fn kind(&self) -> &'static str {
        self.kind
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    pub fn api_version(&self) -> &'static str {
        match self.kind {
            "Deployment" | "StatefulSet" | "DaemonSet" => "apps/v1",
            "CronJob" => "batch/v1",
            "Ingress" | "NetworkPolicy" => "networking.k8s.io/v1",
            "RoleBinding" | "ClusterRoleBinding" => "rbac.authorization.k8s.io/v1",
            "HorizontalPodAutoscaler" => "autoscaling/v2",
            "PodDisruptionBudget" => "policy/v1",
            "Widget" => "demo.example/v1",
            "CustomResourceDefinition" => "apiextensions.k8s.io/v1",
            _ => "v1",
        }
    }

    /// Whether it has a template of pods, and where.
    pub fn pods(&self) -> Option<&'static str> {
        match self.kind {
            "Deployment" | "StatefulSet" | "DaemonSet" => Some("spec/template/spec"),
            "CronJob" => Some("spec/jobTemplate/spec/template/spec"),
            "Pod" => Some("spec"),
            _ => None,
        }
    }

    /// Its identity, as patches carry it.
    pub fn head(&self) -> String {
        let namespace = self.namespace.map(|name| format!("\n  namespace: {name}"));
        format!(
            "apiVersion: {}\nkind: {}\nmetadata:\n  name: {}{}\n",
            self.api_version(),
            self.kind,
            self.name,
            namespace.unwrap_or_default()
        )
    }

    pub fn yaml(&self, random: &mut Random) -> String {
        let mut text = String::new();
        if random.percent(10) {
            text.push_str("# What this is.\n");
        }
        text.push_str(&self.head());
        if random.percent(50) {
            let _ = write!(
                text,
                "  labels:\n    app: {}\n    tier: {}\n",
                self.name,
                value(random, "    ")
            );
        }
        if random.percent(30) {
            let _ = writeln!(
                text,
                "  annotations: {{note: \"a, b\", example.org/x: '{}'}}",
                random.below(9)
            );
        }
        let name = self.name;
        let selector = format!("{{app: {name}}}");
        let spec = match self.kind {
            "Deployment" | "StatefulSet" | "DaemonSet" => {
                let mut spec = String::new();
                if self.kind != "DaemonSet" {
                    let _ = writeln!(spec, "  replicas: {}", random.below(4));
                }
                if self.kind == "StatefulSet" {
                    let _ = writeln!(spec, "  serviceName: {}", random.pick(NAMES));
                    if random.percent(50) {
                        spec.push_str("  volumeClaimTemplates:\n  - metadata: {name: data}\n    spec: {accessModes: [ReadWriteOnce]}\n");
                    }
                }
                let _ = write!(
                    spec,
                    "  selector:\n    matchLabels: {selector}\n  template:\n    metadata:\n      labels: {selector}\n    spec:\n"
                );
                spec.push_str(&pod(random, "      "));
                spec
            }
            "CronJob" => format!(
                "  schedule: \"*/5 * * * *\"\n  jobTemplate:\n    spec:\n      template:\n        spec:\n          restartPolicy: Never\n{}",
                pod(random, "          ")
            ),
            "Pod" => pod(random, "  "),
            "Service" => format!(
                "  selector: {selector}\n  ports:\n  - port: 80\n    name: http\n    targetPort: {}\n  - {{port: 443, name: https}}\n",
                random.pick(&["8080", "http", "\"8080\""])
            ),
            "ConfigMap" | "Secret" => {
                let mut data = String::from(if self.kind == "Secret" && random.percent(50) {
                    "stringData:\n"
                } else {
                    "data:\n"
                });
                for key in 0..1 + random.below(4) {
                    let _ = writeln!(data, "  KEY_{key}: {}", value(random, "  "));
                }
                return text + &data;
            }
            "Ingress" => format!(
                "  rules:\n  - host: {name}.example.org\n    http:\n      paths:\n      - path: /\n        pathType: Prefix\n        backend: {{service: {{name: {}, port: {{number: 80}}}}}}\n  tls:\n  - secretName: {}\n",
                random.pick(NAMES),
                random.pick(NAMES)
            ),
            "ServiceAccount" => {
                return text + &format!("imagePullSecrets:\n- name: {}\n", random.pick(NAMES));
            }
            "RoleBinding" | "ClusterRoleBinding" => {
                return text
                    + &format!(
                        "roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: {}, name: {name}}}\nsubjects:\n- kind: ServiceAccount\n  name: {}\n  namespace: {}\n- {{kind: User, name: someone, apiGroup: rbac.authorization.k8s.io}}\n",
                        random.pick(&["Role", "ClusterRole"]),
                        random.pick(&["default", "web", "api", "worker"]),
                        random.pick(&["default", "shop", "other"]),
                    );
            }
            "HorizontalPodAutoscaler" => format!(
                "  scaleTargetRef: {{apiVersion: apps/v1, kind: {}, name: {name}}}\n  minReplicas: 1\n  maxReplicas: {}\n",
                random.pick(&["Deployment", "StatefulSet"]),
                1 + random.below(9)
            ),
            "PodDisruptionBudget" => format!(
                "  maxUnavailable: {}\n  selector:\n    matchLabels: {selector}\n",
                random.pick(&["1", "50%", "\"1\""])
            ),
            "NetworkPolicy" => format!(
                "  podSelector:\n    matchLabels: {selector}\n  ingress:\n  - from:\n    - podSelector: {{matchLabels: {selector}}}\n    - namespaceSelector: {{}}\n"
            ),
            "PersistentVolumeClaim" => {
                "  accessModes: [ReadWriteOnce]\n  resources: {requests: {storage: 1Gi}}\n"
                    .to_owned()
            }
            "Widget" => format!(
                "  size: {}\n  parts: &parts\n  - name: a\n    value: {}\n  - {{name: b, value: [1, 2.50, null]}}\n  again: *parts\n  secretRef: {{name: {}}}\n",
                value(random, "  "),
                value(random, "    "),
                random.pick(NAMES)
            ),
            "CustomResourceDefinition" => format!(
                "  group: demo.example\n  scope: Namespaced\n  names: {{kind: Widget, plural: widgets}}\n  versions:\n  - name: v1\n    served: true\n    storage: true\n    schema: {{openAPIV3Schema: {{type: object, description: {}}}}}\n",
                random.pick(&["x", "\"yes\"", "'a: b'"])
            ),
            _ => return text,
        };
        text + "spec:\n" + &spec
    }
}

/// A value that fits after a key at this indentation.
pub fn value(random: &mut Random, indent: &str) -> String {
    random.pick(TEXTS).replace("{}", indent).trim_end().to_owned()
}

/// The spec of a pod, indented.
fn pod(random: &mut Random, indent: &str) -> String {
    let mut lines = Vec::new();
    if random.percent(40) {
        lines.push(format!("serviceAccountName: {}", random.pick(NAMES)));
    }
    if random.percent(25) {
        lines.push("tolerations: [{key: a, operator: Exists}]".to_owned());
    }
    if random.percent(20) {
        lines.push("initContainers:".to_owned());
        lines.push(format!("- {{name: init, image: '{}'}}", random.pick(IMAGES)));
    }
    lines.push("containers:".to_owned());
    for name in &["main", "side"][..1 + random.below(2)] {
        lines.push(format!("- name: {name}"));
        lines.push(format!("  image: {}", random.pick(IMAGES)));
        if random.percent(50) {
            lines.push(
                "  ports: [{containerPort: 80, name: http}, {containerPort: 80, protocol: UDP}]"
                    .to_owned(),
            );
        }
        if random.percent(60) {
            lines.push("  env:".to_owned());
            for variable in ["A", "B", "C"] {
                lines.push(format!("  - name: {variable}"));
                lines.push(match random.below(4) {
                    0 => format!("    valueFrom: {{configMapKeyRef: {{name: {}, key: k}}}}", random.pick(NAMES)),
                    1 => format!("    valueFrom:\n{indent}      secretKeyRef:\n{indent}        name: {}\n{indent}        key: k", random.pick(NAMES)),
                    _ => format!("    value: {}", value(random, &format!("{indent}    "))),
                });
            }
        }
        if random.percent(40) {
            lines.push(format!(
                "  envFrom:\n{indent}  - configMapRef:\n{indent}      name: {}",
                random.pick(&["settings", "web"])
            ));
        }
        if random.percent(30) {
            lines.push(
                "  volumeMounts:\n".to_owned() + indent + "  - {name: data, mountPath: /data}",
            );
        }
        if random.percent(30) {
            lines.push("  args: ['--x=$(HOST)', \"$(MISSING)\", -v]".to_owned());
        }
    }
    if random.percent(40) {
        lines.push(format!(
            "volumes:\n{indent}- name: data\n{indent}  configMap: {{name: {}}}",
            random.pick(&["settings", "web", "api"])
        ));
    }
    lines.iter().map(|line| format!("{indent}{line}\n")).collect()
}
