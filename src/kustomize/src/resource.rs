//! An object in the making: its tree and what the build knows about its past.

use crate::error::{ErrorKind, Result};
use crate::id::{Gvk, Id, effective_namespace, split_api_version};
use crate::origin::{ORIGIN_ANNOTATION, Origin, TRANSFORMATIONS_ANNOTATION};
use crate::yaml::{Key, Mapping, Node, Scalar, Tag, Value};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// An object in the making.
#[derive(Clone, Debug)]
pub struct Resource {
    pub node: Node,
    /// Names it had before, oldest first.
    pub previous: Vec<PreviousName>,
    pub prefixes: Vec<SmolStr>,
    pub suffixes: Vec<SmolStr>,
    /// A hash of its content is to be added to its name.
    pub wants_hash: bool,
    pub behavior: Behavior,
    /// Apart, because few builds ask for origins and all move their objects about.
    pub origin: Option<Box<Origin>>,
    pub transformations: Vec<Origin>,
    /// Variables that read a field of this object.
    pub variables: Vec<String>,
    /// For a patch: it may rename what it is applied to, or change its kind.
    pub may_rename: bool,
    pub may_change_kind: bool,
    /// Inflated from a helm chart, which has seen to the namespace itself.
    pub from_helm: bool,
    pub file: Option<Arc<Path>>,
    /// How many shared values have been numbered; see [`Self::settle_shared`].
    pub shared_values: u32,
}

/// A name that an object once had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviousName {
    pub name: SmolStr,
    /// The effective namespace at that time.
    pub namespace: SmolStr,
    pub kind: SmolStr,
}

/// What a generator does about an object of the same name that is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behavior {
    #[default]
    Unspecified,
    Create,
    Replace,
    Merge,
}

impl Resource {
    pub fn new(node: Node) -> Self {
        Self {
            node,
            previous: Vec::new(),
            prefixes: Vec::new(),
            suffixes: Vec::new(),
            wants_hash: false,
            behavior: Behavior::Unspecified,
            origin: None,
            transformations: Vec::new(),
            variables: Vec::new(),
            may_rename: false,
            may_change_kind: false,
            from_helm: false,
            file: None,
            shared_values: 0,
        }
    }

    /// Deleted by a patch, to be dropped.
    pub fn is_gone(&self) -> bool {
        self.node.is_null_or_empty()
    }

    pub fn api_version(&self) -> &str {
        self.node.get("apiVersion").map_or("", Node::text)
    }

    pub fn kind(&self) -> &str {
        self.node.get("kind").map_or("", Node::text)
    }

    pub fn name(&self) -> &str {
        self.metadata_text("name")
    }

    /// The namespace as written, empty where there is none.
    pub fn namespace(&self) -> &str {
        self.metadata_text("namespace")
    }

    fn metadata_text(&self, field: &str) -> &str {
        let found = self.node.get("metadata").and_then(|metadata| metadata.get(field));
        found.filter(|node| !node.is_null_or_empty()).map_or("", Node::text)
    }

    pub fn effective_namespace(&self) -> &str {
        effective_namespace(self.api_version(), self.kind(), self.namespace())
    }

    pub fn is_cluster_scoped(&self) -> bool {
        self.effective_namespace() == crate::id::CLUSTER
    }

    pub fn gvk(&self) -> Gvk {
        Gvk::new(self.api_version(), self.kind())
    }

    /// The identity it has now.
    pub fn id(&self) -> Id {
        Id {
            gvk: self.gvk(),
            name: self.name().into(),
            namespace: self.effective_namespace().into(),
        }
    }

    /// The identities it had before, oldest first.
    pub fn previous_ids(&self) -> impl Iterator<Item = Id> {
        let (group, version) = split_api_version(self.api_version());
        self.previous.iter().map(move |previous| Id {
            gvk: Gvk { group: group.into(), version: version.into(), kind: previous.kind.clone() },
            name: previous.name.clone(),
            namespace: previous.namespace.clone(),
        })
    }

    /// The identity it came with.
    pub fn original_id(&self) -> Id {
        self.previous_ids().next().unwrap_or_else(|| self.id())
    }

    /// The name it came with.
    pub fn original_name(&self) -> &str {
        self.previous.first().map_or_else(|| self.name(), |previous| previous.name.as_str())
    }

    /// The kind it came with.
    pub fn original_kind(&self) -> &str {
        self.previous.first().map_or_else(|| self.kind(), |previous| previous.kind.as_str())
    }

    /// Every identity it has or had, each once.
    pub fn all_ids(&self) -> Vec<Id> {
        let mut ids: Vec<Id> = Vec::with_capacity(self.previous.len() + 1);
        for id in self.previous_ids().chain(std::iter::once(self.id())) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        ids
    }

    /// Remembers the present name before it changes.
    pub fn store_previous(&mut self) {
        let previous = PreviousName {
            name: self.name().into(),
            namespace: self.effective_namespace().into(),
            kind: self.kind().into(),
        };
        if !previous.name.is_empty() && !previous.kind.is_empty() {
            self.previous.push(previous);
        }
    }

    /// Puts annotations in the place of the notes about origin and transformers, which a patch can take off.
    pub fn write_notes(&mut self) -> Result<()> {
        if self.origin.is_none() {
            return Ok(());
        }
        let mut annotations = self.owned_annotations();
        annotations.push((ORIGIN_ANNOTATION.to_owned(), String::new()));
        if !self.transformations.is_empty() {
            annotations.push((TRANSFORMATIONS_ANNOTATION.to_owned(), String::new()));
        }
        self.set_metadata_map("annotations", annotations)
    }

    /// Drops the notes whose annotations a patch has taken off, and the annotations of the others.
    pub fn take_notes(&mut self) -> Result<()> {
        if self.origin.is_none() {
            return Ok(());
        }
        let mut annotations = self.owned_annotations();
        let mut take = |name: &str| {
            let before = annotations.len();
            annotations.retain(|(key, _)| key != name);
            annotations.len() < before
        };
        let (has_origin, has_transformations) =
            (take(ORIGIN_ANNOTATION), take(TRANSFORMATIONS_ANNOTATION));
        if !has_origin {
            self.origin = None;
        }
        if !has_transformations {
            self.transformations.clear();
        }
        self.set_metadata_map("annotations", annotations)
    }

    fn owned_annotations(&self) -> Vec<(String, String)> {
        let annotations = self.metadata_map("annotations").into_iter();
        annotations.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    /// Gives what was changed in one place to the other places of the same shared value.
    ///
    /// kustomize puts one and the same node into every field that a label or annotation of a kustomization goes to. Whoever
    /// changes one of them later changes all of them, a Service's selector too; an overlay that sets a base's
    /// `commonLabels` anew by `labels` relies on it, or is surprised by it. A JSON patch makes them separate values.
    pub fn settle_shared(&mut self) {
        if self.shared_values == 0 {
            return;
        }
        let mut changed = BTreeMap::new();
        visit_scalars(&mut self.node, &mut |scalar| {
            if std::mem::take(&mut scalar.changed) {
                changed.insert(scalar.shared, scalar.clone());
            }
        });
        if changed.is_empty() {
            return;
        }
        visit_scalars(&mut self.node, &mut |scalar| {
            if let Some(new) = changed.get(&scalar.shared) {
                scalar.clone_from(new);
            }
        });
    }

    pub fn set_name(&mut self, name: &str) -> Result<()> {
        set_text(self.metadata_mut()?, "name", name);
        Ok(())
    }

    pub fn set_namespace(&mut self, namespace: &str) -> Result<()> {
        if namespace.is_empty() {
            if let Some(metadata) = self.node.get_mut("metadata").and_then(Node::as_mapping_mut) {
                metadata.remove("namespace");
            }
            return Ok(());
        }
        set_text(self.metadata_mut()?, "namespace", namespace);
        Ok(())
    }

    pub fn set_kind(&mut self, kind: &str) {
        if let Some(root) = self.node.as_mapping_mut() {
            set_text(root, "kind", kind);
        }
    }

    pub fn set_api_version(&mut self, api_version: &str) {
        if let Some(root) = self.node.as_mapping_mut() {
            set_text(root, "apiVersion", api_version);
        }
    }

    pub fn metadata_mut(&mut self) -> Result<&mut Mapping> {
        let at = self.node.at;
        let file = self.file.clone();
        let root = self.node.as_mapping_mut();
        let metadata = root.and_then(|root| mapping_at(root, "metadata"));
        metadata.ok_or_else(|| {
            let error =
                crate::error::Error::new(ErrorKind::BadObject("metadata must be a map".to_owned()));
            match file {
                Some(file) => error.at(&file, at),
                None => error,
            }
        })
    }

    /// A map under `metadata`, as texts.
    pub fn metadata_map(&self, field: &str) -> Vec<(&str, &str)> {
        let map = self
            .node
            .get("metadata")
            .and_then(|metadata| metadata.get(field))
            .and_then(Node::as_mapping);
        map.map(|map| map.iter().map(|(key, value)| (key.text.as_str(), value.text())).collect())
            .unwrap_or_default()
    }

    pub fn label(&self, name: &str) -> Option<&str> {
        self.metadata_entry("labels", name)
    }

    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.metadata_entry("annotations", name)
    }

    fn metadata_entry(&self, field: &str, name: &str) -> Option<&str> {
        self.node.get("metadata")?.get(field)?.get(name).map(Node::text)
    }

    /// Rewrites a map under `metadata` as strings, sorted; an empty one goes.
    pub fn set_metadata_map(
        &mut self,
        field: &str,
        mut entries: Vec<(String, String)>,
    ) -> Result<()> {
        entries.sort();
        let metadata = self.metadata_mut()?;
        let at = metadata.key(field).map(|key| key.at).unwrap_or_default();
        let before = metadata.remove(field);
        if !entries.is_empty() {
            let map: Mapping =
                entries.into_iter().map(|(key, value)| (key.into(), Node::string(value))).collect();
            let mut made = Node::mapping(map);
            if let Some(before) = before {
                made.stand_like(&before);
            }
            metadata.insert(Key { at, ..Key::from(field) }, made);
        }
        Ok(())
    }

    /// The object's kind and name, for messages.
    pub fn describe(&self) -> String {
        self.id().to_string()
    }
}

/// The map under a key, made where there is none; `None` where something else is in the way.
pub fn mapping_at<'a>(parent: &'a mut Mapping, key: &str) -> Option<&'a mut Mapping> {
    if !parent.contains(key) {
        parent.insert(key, Node::empty_mapping());
    }
    let node = parent.get_mut(key)?;
    if node.is_null() {
        node.value = Value::Mapping(Mapping::default());
    }
    node.as_mapping_mut()
}

/// Sets a field to a text, keeping the quotes it had.
pub fn set_text(parent: &mut Mapping, key: &str, text: &str) {
    set_scalar(parent, key, text, Tag::Unset);
}

/// Sets a field to a scalar of that type, keeping the quotes it had; a new field is a string.
pub fn set_scalar(parent: &mut Mapping, key: &str, text: &str, tag: Tag) {
    match parent.get_mut(key).map(|node| &mut node.value) {
        Some(Value::Scalar(scalar)) => scalar.replace(text, tag),
        Some(value) => *value = Value::Scalar(Scalar { tag, ..Scalar::untyped(text) }),
        None => {
            let tag = if tag == Tag::Unset { Tag::Str } else { tag };
            parent.insert(key, Node::scalar(Scalar { tag, ..Scalar::untyped(text) }));
        }
    }
}

fn visit_scalars(node: &mut Node, visit: &mut dyn FnMut(&mut Scalar)) {
    match &mut node.value {
        Value::Scalar(scalar) => visit(scalar),
        Value::Sequence(sequence) => {
            sequence.items.iter_mut().for_each(|item| visit_scalars(item, visit))
        }
        Value::Mapping(mapping) => {
            mapping.iter_mut().for_each(|(_, value)| visit_scalars(value, visit))
        }
    }
}
