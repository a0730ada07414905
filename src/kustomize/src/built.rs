//! What a build gives: objects in order, warnings, and the files it read.

use crate::error::{Error, ErrorKind, Place, Result};
use crate::id::{CLUSTER, effective_namespace, split_api_version};
use crate::resource::Resource;
use crate::sources::Sources;
use crate::warning::Warning;
use crate::yaml::{Dialect, Mark, Node, Part, SEPARATOR, check, to_json, to_yaml};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A finished build.
#[derive(Debug)]
pub struct Built {
    objects: Vec<Object>,
    warnings: Vec<Warning>,
    files_read: BTreeSet<PathBuf>,
    sources: Sources,
}

/// A finished object.
#[derive(Clone, Debug)]
pub struct Object {
    node: Node,
    file: Option<Arc<Path>>,
}

impl Built {
    pub(crate) fn new(
        objects: Vec<Object>,
        warnings: Vec<Warning>,
        files_read: BTreeSet<PathBuf>,
        sources: Sources,
    ) -> Self {
        Self { objects, warnings, files_read, sources }
    }

    /// The objects, in the order of the output.
    pub fn objects(&self) -> impl ExactSizeIterator<Item = &Object> {
        self.objects.iter()
    }

    /// What `kustomize build` prints.
    pub fn to_yaml(&self) -> String {
        // Every object was checked when it was made.
        to_yaml(self.objects.iter().map(|object| &object.node)).unwrap_or_default()
    }

    /// Writes what `kustomize build` prints, object by object, so that the whole text is never held.
    ///
    /// Each object is one call of `write_all`, or two: give it something buffered.
    pub fn write_yaml(&self, out: &mut dyn io::Write) -> io::Result<()> {
        for (index, object) in self.objects.iter().enumerate() {
            if index > 0 {
                out.write_all(SEPARATOR.as_bytes())?;
            }
            out.write_all(object.to_yaml().as_bytes())?;
        }
        Ok(())
    }

    /// The objects with the names that `kustomize build -o DIR` gives their files.
    ///
    /// Names begin with the namespace where there is more than one.
    pub fn files(&self) -> impl Iterator<Item = (String, &Object)> {
        let namespaces: BTreeSet<&str> = self
            .objects
            .iter()
            .map(Object::effective_namespace)
            .filter(|namespace| *namespace != CLUSTER)
            .collect();
        let several = namespaces.len() > 1;
        self.objects.iter().map(move |object| {
            let namespace = object.effective_namespace();
            let prefix = if several && namespace != CLUSTER {
                format!("{namespace}_")
            } else {
                String::new()
            };
            let (group, version) = split_api_version(object.api_version());
            let parts = [group, version, object.kind()].into_iter().filter(|part| !part.is_empty());
            let kind = parts.collect::<Vec<_>>().join("_");
            (format!("{prefix}{kind}_{}.yaml", object.name()).to_lowercase(), object)
        })
    }

    /// Remarks that didn't stop the build.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Where a field of one of its objects was written, or what is left of the way to it.
    pub(crate) fn place_of(&self, object: &Object, field: &str, part: Part) -> Option<Place> {
        let mark = object.node.place_of(field, part)?;
        Some(Place::new(self.sources.file(mark.file)?, mark))
    }

    /// Every file that the build read, absolute and without symbolic links.
    pub fn files_read(&self) -> impl Iterator<Item = &Path> {
        self.files_read.iter().map(PathBuf::as_path)
    }
}

impl Object {
    pub(crate) fn new(resource: Resource) -> Result<Self> {
        check(&resource.node, true).map_err(|error| {
            let at = error.at;
            let error = Error::from(ErrorKind::from(error))
                .doing(format!("writing {}", resource.describe()));
            match &resource.file {
                Some(file) => error.at(file, at),
                None => error,
            }
        })?;
        Ok(Self { node: resource.node, file: resource.file })
    }

    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    fn text(&self, field: &str) -> &str {
        self.node.get(field).map_or("", Node::text)
    }

    fn metadata(&self, field: &str) -> &str {
        self.node.get("metadata").and_then(|metadata| metadata.get(field)).map_or("", Node::text)
    }

    pub(crate) fn annotation(&self, name: &str) -> Option<&str> {
        self.node.get("metadata")?.get("annotations")?.get(name).map(Node::text)
    }

    fn effective_namespace(&self) -> &str {
        effective_namespace(self.api_version(), self.kind(), self.metadata("namespace"))
    }

    pub fn api_version(&self) -> &str {
        self.text("apiVersion")
    }

    pub fn kind(&self) -> &str {
        self.text("kind")
    }

    pub fn name(&self) -> &str {
        self.metadata("name")
    }

    /// The namespace; `None` where the object doesn't say.
    pub fn namespace(&self) -> Option<&str> {
        Some(self.metadata("namespace")).filter(|namespace| !namespace.is_empty())
    }

    /// Kind, namespace and name, for messages: `Deployment shop/web`.
    pub fn title(&self) -> String {
        match self.namespace() {
            Some(namespace) => format!("{} {namespace}/{}", self.kind(), self.name()),
            None => format!("{} {}", self.kind(), self.name()),
        }
    }

    /// Where the object begins in the file it was read from; the file alone for what a generator made.
    pub(crate) fn place(&self) -> Option<Place> {
        self.file.as_deref().map(|file| Place::new(file, self.node.at))
    }

    /// The object as JSON, with the types that Kubernetes reads.
    pub fn to_json(&self) -> serde_json::Value {
        // The object was checked when it was made.
        to_json(&self.node, Dialect::V3).unwrap_or_default()
    }

    /// The object alone, as `kustomize build` prints it.
    pub fn to_yaml(&self) -> String {
        to_yaml([&self.node]).unwrap_or_default()
    }

    /// The file that the object was read from, or whose generator made it.
    pub fn origin_file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The line in that file where the object begins, counted from 1; `None` for generated objects.
    pub fn origin_line(&self) -> Option<u32> {
        let Mark { line, .. } = self.node.at;
        (line > 0).then_some(line)
    }
}
