//! The namespace of objects, and of what they say about namespaces.

use crate::config::{Create, FieldSpec, apply};
use crate::error::{Result, fail};
use crate::id::Id;
use crate::resource::{Resource, mapping_at};
use crate::resources::Resources;
use crate::yaml::{Mapping, Node, Scalar, Tag};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::LazyLock;

/// Where an object says its own namespace.
static FIELD: LazyLock<FieldSpec> =
    LazyLock::new(|| FieldSpec::new(Default::default(), "metadata/namespace", true));

/// Which subjects of role bindings are moved to the namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Subjects {
    /// Those named `default`.
    #[default]
    Default,
    /// All service accounts.
    ServiceAccounts,
    None,
}

impl Subjects {
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "" | "defaultOnly" => Ok(Self::Default),
            "allServiceAccounts" => Ok(Self::ServiceAccounts),
            "none" => Ok(Self::None),
            other => Err(fail!(
                Field,
                "setRoleBindingSubjects must be defaultOnly, allServiceAccounts or none, not {other:?}"
            )),
        }
    }
}

/// Settings of the transformer.
#[derive(Clone, Debug)]
pub struct Namespace<'a> {
    pub namespace: &'a str,
    pub specs: &'a [FieldSpec],
    /// Only fields that are empty are set.
    pub unset_only: bool,
    pub subjects: Subjects,
}

impl Namespace<'_> {
    /// Moves all objects to the namespace; two that become one are an error.
    pub fn set(&self, resources: &mut Resources) -> Result<()> {
        if self.namespace.is_empty() {
            return Ok(());
        }
        let list = resources.all_mut();
        let mut conflict = None;
        let mut taken: HashMap<Id, usize> = HashMap::with_capacity(list.len());
        for resource in list.iter() {
            *taken.entry(resource.id()).or_default() += 1;
        }
        let free = |resource: &Resource| !resource.is_gone() && !resource.from_helm;
        for (position, resource) in
            list.iter_mut().enumerate().filter(|(_, resource)| free(resource))
        {
            let before = resource.id();
            resource.store_previous();
            self.set_one(resource)?;
            let after = resource.id();
            if let Entry::Occupied(mut entry) = taken.entry(before) {
                *entry.get_mut() -= 1;
                if *entry.get() == 0 {
                    entry.remove();
                }
            }
            let count = taken.entry(after).or_default();
            *count += 1;
            if *count > 1 {
                conflict = Some(position);
                break;
            }
        }
        let Some(position) = conflict else { return Ok(()) };
        let second = &list[position];
        let id = second.id();
        let error = fail!(Conflict, "two objects become {}", second.describe());
        let others = list
            .iter()
            .enumerate()
            .filter(|(other, resource)| *other != position && resource.id() == id);
        let error = others.fold(error.at_object(second), |error, (_, other)| {
            error.with_related(other, "the other one")
        });
        Err(error.with_help("give one of them another name before the namespace is set"))
    }

    /// Changes one object, whatever it is.
    pub fn set_one(&self, resource: &mut Resource) -> Result<()> {
        let mut set = |node: &mut Node| self.set_scalar(node);
        if !resource.is_cluster_scoped() {
            apply(resource, &FIELD, Create::Scalar(Tag::Unset), &mut set)?;
        }
        let is_binding = |kind: &str| matches!(kind, "RoleBinding" | "ClusterRoleBinding");
        let binding = is_binding(resource.kind());
        if binding {
            self.set_subjects(resource)?;
        }
        let core = resource.api_version() == "v1";
        for spec in self.specs {
            let path = spec.path.as_str();
            let handled = path == "metadata/namespace"
                || (path == "metadata/name" && !core)
                || (binding && path == "subjects/namespace" && is_binding(&spec.gvk.kind));
            if !handled {
                apply(resource, spec, Create::Scalar(Tag::Str), &mut set)?;
            }
        }
        Ok(())
    }

    fn set_scalar(&self, node: &mut Node) -> Result<()> {
        let shape = node.shape();
        let Some(scalar) = node.as_scalar_mut() else {
            return Err(fail!(Field, "a namespace is a string, not a {shape}"));
        };
        if !self.unset_only || scalar.tag == Tag::Null || scalar.text.is_empty() {
            scalar.replace(self.namespace, Tag::Str);
        }
        Ok(())
    }

    fn set_subjects(&self, resource: &mut Resource) -> Result<()> {
        let wanted = match self.subjects {
            Subjects::None => return Ok(()),
            Subjects::Default => ("name", "default"),
            Subjects::ServiceAccounts => ("kind", "ServiceAccount"),
        };
        let Some(subjects) =
            resource.node.get_mut("subjects").filter(|subjects| !subjects.is_null())
        else {
            return Ok(());
        };
        let Some(subjects) = subjects.as_sequence_mut() else {
            return Err(fail!(Field, "subjects of {} must be a list", resource.describe()));
        };
        for subject in &mut subjects.items {
            let Some(subject) = subject.as_mapping_mut() else { continue };
            if subject
                .get(wanted.0)
                .is_some_and(|value| !value.is_null() && value.text() == wanted.1)
            {
                self.set_subject(subject)?;
            }
        }
        Ok(())
    }

    fn set_subject(&self, subject: &mut Mapping) -> Result<()> {
        if !subject.contains("namespace") {
            subject.insert("namespace", Node::scalar(Scalar::untyped("")));
        }
        match subject.get_mut("namespace") {
            Some(node) => self.set_scalar(node),
            None => Ok(()),
        }
    }
}

/// The namespace that a transformer's settings name under `metadata`.
pub fn of_metadata(root: &mut Mapping) -> String {
    mapping_at(root, "metadata")
        .and_then(|metadata| metadata.get("namespace"))
        .map_or("", Node::text)
        .to_owned()
}
