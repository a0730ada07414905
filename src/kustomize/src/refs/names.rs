//! Names of other objects, rewritten after those objects were renamed.
//!
//! Who was ever renamed is indexed by the old names once, so that each reference costs one look-up.

use crate::config::{Config, Create, FieldSpec, apply_to_any};
use crate::error::{Result, fail};
use crate::id::{CLUSTER, Gvk};
use crate::resource::{Resource, set_text};
use crate::resources::Resources;
use crate::yaml::{Mapping, Node, Tag, Value};
use smol_str::SmolStr;
use std::collections::{HashMap, HashSet};

/// An object as references see it.
struct Candidate {
    name: SmolStr,
    /// The namespace as written.
    namespace: SmolStr,
    effective_namespace: SmolStr,
    original_namespace: SmolStr,
    is_service_account: bool,
    /// The names it had, by kind.
    past: Vec<(Gvk, SmolStr)>,
    prefixes: Vec<SmolStr>,
    suffixes: Vec<SmolStr>,
}

/// All objects, found by names they had.
struct Candidates {
    all: Vec<Candidate>,
    by_old_name: HashMap<SmolStr, Vec<usize>>,
    /// For each original namespace, the namespaces that its objects are in now.
    by_original_namespace: HashMap<SmolStr, HashSet<(SmolStr, SmolStr)>>,
}

/// One reference on its way to its target.
struct Reference<'a> {
    candidates: &'a Candidates,
    referrer: &'a Candidate,
    /// The kind that the field refers to.
    target: &'a Gvk,
    /// For `roleRef`, the kind that the binding itself names.
    role: Option<Gvk>,
    /// Namespaces of the service accounts that a role binding names.
    subject_namespaces: &'a HashSet<SmolStr>,
}

/// Rewrites every reference to a renamed object.
pub fn fix(resources: &mut Resources, config: &Config) -> Result<()> {
    let candidates = Candidates::new(resources)?;
    if candidates.by_old_name.is_empty() {
        return Ok(());
    }
    let mut by_kind: HashMap<&str, Vec<(&Gvk, &FieldSpec)>> = HashMap::new();
    let mut any_kind = Vec::new();
    for (order, (target, spec)) in config
        .name_references
        .iter()
        .flat_map(|r| r.referrers.iter().map(|spec| (&r.target, spec)))
        .enumerate()
    {
        if spec.gvk.kind.is_empty() {
            any_kind.push((order, target, spec));
        }
        by_kind.entry(spec.gvk.kind.as_str()).or_default().push((target, spec));
    }
    let mut everywhere = Vec::new();
    for (position, resource) in resources.contents_mut().iter_mut().enumerate() {
        let own = by_kind.get(resource.original_kind()).map_or(&[][..], Vec::as_slice);
        everywhere.clear();
        everywhere.extend(any_kind.iter().map(|(_, target, spec)| (*target, *spec)));
        let specs = own
            .iter()
            .copied()
            .filter(|(_, spec)| !spec.gvk.kind.is_empty())
            .chain(everywhere.iter().copied());
        fix_one(resource, &candidates, position, specs)?;
    }
    Ok(())
}

fn fix_one<'a>(
    resource: &mut Resource,
    candidates: &Candidates,
    position: usize,
    specs: impl Iterator<Item = (&'a Gvk, &'a FieldSpec)>,
) -> Result<()> {
    let original = resource.original_id().gvk;
    let subject_namespaces = subject_namespaces(resource)?;
    for (target, spec) in specs {
        if !spec.gvk.selects_gvk(&original) {
            continue;
        }
        let role = if spec.path.ends_with("roleRef/name") { role_of(&resource.node) } else { None };
        let reference = Reference {
            candidates,
            referrer: &candidates.all[position],
            target,
            role,
            subject_namespaces: &subject_namespaces,
        };
        // The kind was compared with the one that the object came with; it may be another by now.
        apply_to_any(resource, spec, Create::Nothing, &mut |node| reference.fix(node))?;
    }
    Ok(())
}

fn role_of(node: &Node) -> Option<Gvk> {
    let role = node.get("roleRef")?;
    let (group, kind) = (role.get("apiGroup")?, role.get("kind")?);
    Some(Gvk { group: group.text().into(), version: SmolStr::default(), kind: kind.text().into() })
}

fn subject_namespaces(resource: &Resource) -> Result<HashSet<SmolStr>> {
    let mut namespaces = HashSet::new();
    if resource.kind() != "RoleBinding" {
        return Ok(namespaces);
    }
    let subjects = resource.node.get("subjects").and_then(Node::as_sequence);
    for subject in subjects.iter().flat_map(|subjects| &subjects.items) {
        let is_account = subject.get("kind").is_some_and(|kind| kind.text() == "ServiceAccount");
        if let (Some(namespace), true) = (subject.get("namespace"), is_account) {
            match namespace.as_scalar() {
                Some(scalar) if scalar.is_stringlike() => namespaces.insert(scalar.text.clone()),
                _ => {
                    return Err(fail!(
                        BadObject,
                        "a subject of {} has no text for a namespace",
                        resource.describe()
                    ));
                }
            };
        }
    }
    Ok(namespaces)
}

impl Candidates {
    fn new(resources: &Resources) -> Result<Self> {
        let mut by_old_name: HashMap<SmolStr, Vec<usize>> = HashMap::new();
        let mut by_original_namespace: HashMap<SmolStr, HashSet<(SmolStr, SmolStr)>> =
            HashMap::new();
        let mut all = Vec::with_capacity(resources.len());
        for (position, resource) in resources.iter().enumerate() {
            // A role binding that can't be read is an error even where nothing was renamed.
            subject_namespaces(resource)?;
            let candidate = Candidate::new(resource);
            for (_, name) in &candidate.past {
                let positions = by_old_name.entry(name.clone()).or_default();
                if positions.last() != Some(&position) {
                    positions.push(position);
                }
            }
            let now =
                by_original_namespace.entry(candidate.original_namespace.clone()).or_default();
            now.insert((candidate.effective_namespace.clone(), candidate.namespace.clone()));
            all.push(candidate);
        }
        Ok(Self { all, by_old_name, by_original_namespace })
    }
}

impl Candidate {
    fn new(resource: &Resource) -> Self {
        let effective_namespace = SmolStr::from(resource.effective_namespace());
        let first = resource.previous.first();
        Self {
            name: resource.name().into(),
            namespace: resource.namespace().into(),
            original_namespace: first
                .map_or_else(|| effective_namespace.clone(), |first| first.namespace.clone()),
            effective_namespace,
            is_service_account: resource.kind() == "ServiceAccount",
            past: resource.previous_ids().map(|id| (id.gvk, id.name)).collect(),
            prefixes: resource.prefixes.clone(),
            suffixes: resource.suffixes.clone(),
        }
    }

    fn is_cluster_scoped(&self) -> bool {
        self.effective_namespace == CLUSTER
    }

    fn was_selected_by(&self, selector: &Gvk) -> bool {
        self.past.iter().any(|(gvk, _)| selector.selects_gvk(gvk))
    }

    /// Whether both went through the same layers, judged by the prefixes and suffixes that they got there.
    fn has_layers_of(&self, other: &Candidate, lenient: bool) -> bool {
        let same = |a: &[SmolStr], b: &[SmolStr]| {
            (lenient && (a.is_empty() || b.is_empty())) || same_ending(a, b)
        };
        same(&self.prefixes, &other.prefixes) && same(&self.suffixes, &other.suffixes)
    }
}

/// Whether the shorter list ends the longer one; an empty one only ends an empty one.
fn same_ending(a: &[SmolStr], b: &[SmolStr]) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if short.is_empty() { long.is_empty() } else { long.ends_with(short) }
}

impl Reference<'_> {
    fn fix(&self, node: &mut Node) -> Result<()> {
        match &mut node.value {
            Value::Scalar(_) => self.fix_name(node),
            Value::Mapping(mapping) => self.fix_mapping(mapping),
            Value::Sequence(sequence) => {
                sequence.items.iter_mut().try_for_each(|item| match &mut item.value {
                    Value::Scalar(_) => self.fix_name(item),
                    Value::Mapping(mapping) => self.fix_mapping(mapping),
                    Value::Sequence(_) => Err(fail!(Field, "a name is expected, not a list")),
                })
            }
        }
    }

    fn fix_name(&self, node: &mut Node) -> Result<()> {
        let Some(scalar) = node.as_scalar_mut().filter(|scalar| scalar.tag != Tag::Null) else {
            return Ok(());
        };
        let found = self.find(&scalar.text, None, |a, b| a.name == b.name)?;
        if let Some(found) =
            found.filter(|found| found.name != scalar.text && !found.name.is_empty())
        {
            scalar.replace(found.name.as_str(), Tag::Unset);
        }
        Ok(())
    }

    /// A map with `name` and perhaps `namespace`, which is both read and written.
    fn fix_mapping(&self, mapping: &mut Mapping) -> Result<()> {
        let Some(name) = mapping.get("name") else {
            return Err(fail!(Field, "a reference without a name"));
        };
        let name = name.text().to_owned();
        let namespace = mapping.get("namespace").map(|node| node.text().to_owned());
        let found = self.find(&name, namespace.as_deref(), |a, b| {
            a.name == b.name && a.namespace == b.namespace
        })?;
        let Some(found) = found else { return Ok(()) };
        if found.name == name && found.namespace.is_empty() {
            return Ok(());
        }
        set_text(mapping, "name", &found.name);
        if !found.namespace.is_empty() {
            set_text(mapping, "namespace", &found.namespace);
        }
        Ok(())
    }

    /// The object that an old name means, or none where that can't be told apart from another name.
    fn find(
        &self,
        old_name: &str,
        namespace: Option<&str>,
        identical: impl Fn(&Candidate, &Candidate) -> bool,
    ) -> Result<Option<&Candidate>> {
        let Some(positions) = self.candidates.by_old_name.get(old_name) else { return Ok(None) };
        let by_original = namespace.is_some_and(|namespace| self.is_original_namespace(namespace));
        let mut found: Vec<&Candidate> = positions
            .iter()
            .map(|position| &self.candidates.all[*position])
            .filter(|candidate| self.is_within_reach(candidate))
            .filter(|candidate| match namespace {
                None => true,
                Some(CLUSTER) => false,
                Some(namespace) if by_original => candidate.original_namespace == namespace,
                Some(namespace) => candidate.effective_namespace == namespace,
            })
            .filter(|candidate| candidate.was_selected_by(self.target))
            .filter(|candidate| {
                self.role.as_ref().is_none_or(|role| candidate.was_selected_by(role))
            })
            .filter(|candidate| self.is_neighbour(candidate))
            .collect();
        if let [only] = found[..] {
            return Ok(Some(only));
        }
        found.retain(|candidate| candidate.has_layers_of(self.referrer, true));
        if found.len() > 1 {
            found.retain(|candidate| candidate.has_layers_of(self.referrer, false));
        }
        let Some((first, rest)) = found.split_first() else { return Ok(None) };
        if rest.iter().all(|other| identical(first, other)) {
            return Ok(Some(first));
        }
        let names: Vec<String> =
            found.iter().map(|candidate| format!("{:?}", candidate.name)).collect();
        Err(fail!(Ambiguous, "{} {old_name:?} may mean {}", self.target.kind, names.join(" or ")))
    }

    /// Objects without a namespace refer to anything and are referred to by anything; others only to neighbours, role
    /// bindings also to the namespaces of their subjects.
    fn is_within_reach(&self, candidate: &Candidate) -> bool {
        self.reaches(&candidate.effective_namespace, &candidate.namespace)
    }

    fn reaches(&self, effective_namespace: &str, namespace: &str) -> bool {
        self.referrer.is_cluster_scoped()
            || effective_namespace == CLUSTER
            || effective_namespace == self.referrer.effective_namespace
            || self.subject_namespaces.contains(namespace)
    }

    fn is_original_namespace(&self, namespace: &str) -> bool {
        let now = self.candidates.by_original_namespace.get(namespace);
        namespace != CLUSTER
            && now.is_some_and(|now| {
                now.iter().any(|(effective, written)| self.reaches(effective, written))
            })
    }

    fn is_neighbour(&self, candidate: &Candidate) -> bool {
        self.referrer.is_cluster_scoped()
            || candidate.is_cluster_scoped()
            || candidate.is_service_account
            || candidate.effective_namespace == self.referrer.effective_namespace
    }
}
