//! The built objects as a cluster sees them: workloads and their pods, and who selects whom.

use crate::built::{Built, Object};
use crate::yaml::{Dialect, Node, Scalar, Sequence, Typed, typed};
use std::collections::{HashMap, HashSet};

/// Where a kind that isn't a plain Pod keeps its pods' template.
const TEMPLATE: &[&str] = &["spec", "template"];
const CRON_JOB_TEMPLATE: &[&str] = &["spec", "jobTemplate", "spec", "template"];
/// The namespace of objects that don't say.
const DEFAULT_NAMESPACE: &str = "default";

/// The objects of a build, indexed.
pub struct Cluster<'a> {
    pub objects: Vec<&'a Object>,
    pub workloads: Vec<Workload<'a>>,
    by_name: HashMap<(&'a str, &'a str, &'a str), &'a Object>,
    /// Positions of the workloads of a namespace by one label of their pods.
    by_label: HashMap<(&'a str, &'a str, &'a str), Vec<usize>>,
    /// Positions of autoscalers' targets in `workloads`, with the autoscaler.
    scalers: HashMap<(&'a str, &'a str, &'a str), &'a Object>,
}

/// Something that makes pods, or a pod.
pub struct Workload<'a> {
    pub object: &'a Object,
    pub namespace: &'a str,
    /// The pods' labels; `None` where there are none.
    labels: Option<&'a Node>,
    /// The pods' `spec`.
    pub pod: &'a Node,
    /// The path of `pod`: `spec.template.spec`.
    pub path: String,
}

/// A container, or an init container that stays.
pub struct Container<'a> {
    pub node: &'a Node,
    pub path: String,
}

impl<'a> Cluster<'a> {
    pub fn of(built: &'a Built) -> Self {
        let objects: Vec<&Object> = built.objects().collect();
        let key = |object: &'a Object| (object.kind(), namespace_of(object), object.name());
        let by_name = objects.iter().map(|object| (key(object), *object)).collect();
        let workloads: Vec<_> = objects.iter().filter_map(|object| Workload::of(object)).collect();
        let mut by_label: HashMap<_, Vec<usize>> = HashMap::new();
        for (position, workload) in workloads.iter().enumerate() {
            for (label, value) in pairs(workload.labels) {
                by_label.entry((workload.namespace, label, value)).or_default().push(position);
            }
        }
        let scalers = objects.iter().filter_map(|object| {
            let (kind, name) = scale_target(object)?;
            Some(((kind, namespace_of(object), name), *object))
        });
        Self { workloads, by_name, by_label, scalers: scalers.collect(), objects }
    }

    pub fn of_kind(&self, kind: &'static str) -> impl Iterator<Item = &'a Object> {
        self.objects.iter().copied().filter(move |object| object.kind() == kind)
    }

    pub fn find(&self, kind: &str, namespace: &str, name: &str) -> Option<&'a Object> {
        self.by_name.get(&(kind, namespace, name)).copied()
    }

    /// The workloads whose pods have all of these labels; none for a selector without labels.
    pub fn with_labels(&self, namespace: &str, labels: &Node) -> Vec<&Workload<'a>> {
        let wanted: Vec<(&str, &str)> = pairs(Some(labels)).collect();
        let candidates =
            wanted.iter().map(|(label, value)| self.by_label.get(&(namespace, *label, *value)));
        // Few pods share the label that tells them apart.
        let Some(fewest) = candidates
            .map(|found| found.map_or(&[][..], Vec::as_slice))
            .min_by_key(|found| found.len())
        else {
            return Vec::new();
        };
        let fewest = fewest.iter().map(|position| &self.workloads[*position]);
        fewest
            .filter(|workload| {
                wanted.iter().all(|(label, value)| workload.label(label) == Some(value))
            })
            .collect()
    }

    /// The workloads that a label selector takes, matchExpressions included; an empty one takes all of the namespace.
    pub fn selected(&self, namespace: &str, selector: &Node) -> Vec<&Workload<'a>> {
        let taken = |workload: &&Workload<'_>| {
            workload.namespace == namespace && workload.is_selected(selector)
        };
        match selector.get("matchLabels").filter(|labels| !labels.is_null_or_empty()) {
            Some(labels) => self.with_labels(namespace, labels).into_iter().filter(taken).collect(),
            None => self.workloads.iter().filter(taken).collect(),
        }
    }

    /// The autoscaler that decides how many pods a workload has.
    pub fn scaler_of(&self, workload: &Workload<'_>) -> Option<&'a Object> {
        let object = workload.object;
        self.scalers.get(&(object.kind(), workload.namespace, object.name())).copied()
    }

    /// How many pods a workload has at least: by its autoscaler where there is one.
    pub fn replicas(&self, workload: &Workload<'_>) -> i64 {
        let count = match self.scaler_of(workload) {
            Some(scaler) => at(scaler.node(), &["spec", "minReplicas"])
                .or_else(|| at(scaler.node(), &["spec", "minReplicaCount"])),
            None => at(workload.object.node(), &["spec", "replicas"]),
        };
        count.and_then(integer).unwrap_or(1)
    }
}

impl<'a> Workload<'a> {
    fn of(object: &'a Object) -> Option<Self> {
        let node = object.node();
        let (labels, path) = match object.kind() {
            "Pod" => (at(node, &["metadata", "labels"]), &[][..]),
            "CronJob" => {
                (at(at(node, CRON_JOB_TEMPLATE)?, &["metadata", "labels"]), CRON_JOB_TEMPLATE)
            }
            _ => (at(at(node, TEMPLATE)?, &["metadata", "labels"]), TEMPLATE),
        };
        let pod = at(node, path)?.get("spec")?;
        pod.get("containers")?.as_sequence()?;
        let path: Vec<&str> = path.iter().copied().chain(["spec"]).collect();
        Some(Self { object, namespace: namespace_of(object), labels, pod, path: path.join(".") })
    }

    pub fn label(&self, name: &str) -> Option<&'a str> {
        self.labels?.get(name).map(Node::text)
    }

    /// Whether a label selector takes its pods.
    pub fn is_selected(&self, selector: &Node) -> bool {
        let mut labels = pairs(selector.get("matchLabels"));
        let expressions = items(selector.get("matchExpressions"));
        labels.all(|(label, value)| self.label(label) == Some(value))
            && expressions.iter().all(|expression| self.fits(expression))
    }

    /// Whether its pods fit one of `matchExpressions`; an operator that isn't known is the API server's to refuse.
    fn fits(&self, expression: &Node) -> bool {
        let value = self.label(text(expression, "key"));
        let listed =
            || items(expression.get("values")).iter().any(|known| Some(known.text()) == value);
        match text(expression, "operator") {
            "In" => listed(),
            "NotIn" => !listed(),
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            _ => true,
        }
    }

    /// The containers that run as long as the pod does.
    pub fn containers(&self) -> impl Iterator<Item = Container<'a>> {
        let stays = |node: &&Node| text(node, "restartPolicy") == "Always";
        let init = self.list("initContainers").filter(move |container| stays(&container.node));
        self.list("containers").chain(init)
    }

    /// Every container, in whatever role.
    pub fn all_containers(&self) -> impl Iterator<Item = Container<'a>> {
        self.list("containers").chain(self.list("initContainers"))
    }

    fn list(&self, field: &'static str) -> impl Iterator<Item = Container<'a>> + use<'a> {
        let path = format!("{}.{field}", self.path);
        let containers = items(self.pod.get(field)).iter().enumerate();
        containers.map(move |(at, node)| Container { node, path: format!("{path}[{at}]") })
    }
}

impl<'a> Container<'a> {
    pub fn name(&self) -> &'a str {
        text(self.node, "name")
    }

    /// Whether it has declared a port of that number or name.
    pub fn has_port(&self, port: &Node) -> bool {
        items(self.node.get("ports")).iter().any(|known| match integer(port) {
            Some(number) => known.get("containerPort").and_then(integer) == Some(number),
            None => text(known, "name") == port.text(),
        })
    }
}

/// What an autoscaler scales: kind and name.
pub fn scale_target(object: &Object) -> Option<(&str, &str)> {
    let target = at(object.node(), &["spec", "scaleTargetRef"])?;
    let kind = match (object.kind(), text(target, "kind")) {
        ("HorizontalPodAutoscaler", kind) => kind,
        // KEDA scales a Deployment where it isn't told what.
        ("ScaledObject", "") => "Deployment",
        ("ScaledObject", kind) => kind,
        _ => return None,
    };
    Some((kind, text(target, "name")))
}

pub fn namespace_of(object: &Object) -> &str {
    object.namespace().unwrap_or(DEFAULT_NAMESPACE)
}

/// The node at a path.
pub fn at<'a>(node: &'a Node, path: &[&str]) -> Option<&'a Node> {
    path.iter().try_fold(node, |node, name| node.get(name))
}

/// A field's text; empty where it isn't there.
pub fn text<'a>(node: &'a Node, field: &str) -> &'a str {
    node.get(field).filter(|node| !node.is_null()).map_or("", Node::text)
}

/// A list's items; none where it isn't a list.
pub fn items(node: Option<&Node>) -> &[Node] {
    node.and_then(Node::as_sequence).map_or(&[], |Sequence { items, .. }| items)
}

/// A map's keys and texts.
pub fn pairs(node: Option<&Node>) -> impl Iterator<Item = (&str, &str)> {
    let map = node.and_then(Node::as_mapping).into_iter();
    map.flat_map(|map| map.iter().map(|(key, value)| (key.text.as_str(), value.text())))
}

pub fn integer(node: &Node) -> Option<i64> {
    match value(node)? {
        Typed::Int(number) => Some(number),
        _ => None,
    }
}

pub fn is_true(node: Option<&Node>) -> bool {
    node.and_then(value) == Some(Typed::Bool(true))
}

fn value(node: &Node) -> Option<Typed<'_>> {
    let scalar: &Scalar = node.as_scalar()?;
    typed(scalar, node.at, Dialect::V3).ok()
}

/// An integer, or a part of a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    Count(i64),
    Percent(i64),
}

impl Amount {
    pub fn read(node: &Node) -> Option<Self> {
        let percent = || node.text().strip_suffix('%')?.parse().ok().map(Self::Percent);
        integer(node).map(Self::Count).or_else(percent)
    }

    pub fn is_zero(self) -> bool {
        matches!(self, Self::Count(0) | Self::Percent(0))
    }

    pub fn rounded_down(self, whole: i64) -> i64 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => percent.saturating_mul(whole).div_euclid(100),
        }
    }

    pub fn rounded_up(self, whole: i64) -> i64 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => {
                -percent.saturating_mul(whole).saturating_neg().div_euclid(100)
            }
        }
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// Names of a kind that other objects of the build have made in the cluster.
pub fn made_elsewhere<'a>(cluster: &Cluster<'a>) -> HashSet<(&'static str, &'a str, &'a str)> {
    let mut made = HashSet::new();
    for object in &cluster.objects {
        let (node, namespace) = (object.node(), namespace_of(object));
        let named = |path: &[&str]| {
            at(node, path).map(Node::text).filter(|name| !name.is_empty()).unwrap_or(object.name())
        };
        let secret = match object.kind() {
            "ExternalSecret" => named(&["spec", "target", "name"]),
            "SealedSecret" => named(&["spec", "template", "metadata", "name"]),
            "Certificate" => named(&["spec", "secretName"]),
            _ => continue,
        };
        made.insert(("Secret", namespace, secret));
    }
    made
}
