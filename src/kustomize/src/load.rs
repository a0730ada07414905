//! Where files come from: one root per kustomization, no way out of it, no way back to where the build came from.

use crate::decode::Reading;
use crate::error::{Error, ErrorKind, Place, Result, fail};
use crate::files::{Files, clean};
use crate::objects::parse_objects;
use crate::options::{LoadRestrictor, Options};
use crate::patch::json6902::JsonPatch;
use crate::remote::{self, Repository};
use crate::resource::Resource;
use crate::schema::{BUILTIN_VERSION, CustomSchema, Schemas};
use crate::sources::Sources;
use crate::suggest;
use crate::warning::{Warning, WarningKind};
use crate::yaml::{Dialect, Mark, Node, ParseOptions, parse_document, to_json};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// How deep bases may nest.
const MAX_BASES: usize = 100;

/// What one build shares between its kustomizations.
pub struct Context<'a> {
    pub files: &'a dyn Files,
    pub options: &'a Options,
    read: RefCell<Vec<PathBuf>>,
    warnings: RefCell<Vec<Warning>>,
    schema: RefCell<SchemaChoice>,
    sources: RefCell<Sources>,
}

/// The schema in force: the first that any kustomization asks for, the outermost one first.
#[derive(Clone, Default)]
enum SchemaChoice {
    #[default]
    Unset,
    Builtin,
    Custom(Rc<CustomSchema>),
}

/// A hold on the schema in force.
pub struct SchemaHold(Option<Rc<CustomSchema>>);

impl SchemaHold {
    pub fn schemas(&self) -> Schemas<'_> {
        Schemas { custom: self.0.as_deref(), comments: &[] }
    }
}

impl<'a> Context<'a> {
    pub fn new(files: &'a dyn Files, options: &'a Options) -> Self {
        Self {
            files,
            options,
            read: RefCell::default(),
            warnings: RefCell::default(),
            schema: RefCell::default(),
            sources: RefCell::default(),
        }
    }

    /// What stands before a text in a file, so that the places of what is read from it say in which.
    pub fn within(&self, file: &Path, before: Mark) -> Mark {
        Mark { file: self.sources.borrow_mut().number(file), ..before }
    }

    /// Notes a remark about a place in a file.
    pub fn warn(&self, kind: WarningKind, file: &Path, at: Mark) {
        let place = Some(Place::new(file, at));
        self.warnings.borrow_mut().push(Warning { kind, place });
    }

    pub fn schema(&self) -> SchemaHold {
        match &*self.schema.borrow() {
            SchemaChoice::Custom(schema) => SchemaHold(Some(Rc::clone(schema))),
            _ => SchemaHold(None),
        }
    }

    /// The files that were read, the warnings that were given, and the files by the numbers that places have.
    pub fn finish(self) -> (BTreeSet<PathBuf>, Vec<Warning>, Sources) {
        let read = self.read.into_inner().into_iter().collect();
        (read, self.warnings.into_inner(), self.sources.into_inner())
    }
}

/// Loads what one kustomization names.
#[derive(Clone)]
pub struct Loader<'a> {
    pub context: &'a Context<'a>,
    /// This kustomization's directory, absolute and without symbolic links.
    pub root: PathBuf,
    /// The directories of the kustomizations that led here, outermost first.
    ancestors: Vec<PathBuf>,
    restrictor: LoadRestrictor,
    /// The clone of a repository that bases may not leave.
    clone: Option<PathBuf>,
    /// Repositories that led here.
    repositories: Vec<String>,
}

impl<'a> Loader<'a> {
    pub fn new(context: &'a Context<'a>, root: &Path) -> Result<Self> {
        let loader = Self {
            context,
            root: PathBuf::new(),
            ancestors: Vec::new(),
            restrictor: context.options.load_restrictor,
            clone: None,
            repositories: Vec::new(),
        };
        if let Some(url) = root.to_str().and_then(Repository::parse) {
            return loader.enter_repository(&url);
        }
        Ok(Self { root: loader.directory(root, &root.to_string_lossy())?, ..loader })
    }

    /// Reads the objects of a text of a file; `before` is what of the file stands before it.
    pub fn objects(&self, text: &str, file: &Path, before: Mark) -> Result<Vec<Resource>> {
        parse_objects(text, file, self.context.within(file, before))
    }

    /// Reads a JSON patch in a text of a file; `before` as for objects.
    pub fn json_patch(&self, text: &str, file: &Path, before: Mark) -> Result<JsonPatch> {
        JsonPatch::parse(text, file, self.context.within(file, before))
    }

    fn directory(&self, path: &Path, written: &str) -> Result<PathBuf> {
        let canonical = self.context.files.canonical(path);
        match canonical {
            Ok(canonical) if self.context.files.is_dir(&canonical) => Ok(canonical),
            Ok(_) => Err(ErrorKind::NotADirectory(written.to_owned()).into()),
            Err(_) => Err(self.missing(written)),
        }
    }

    /// A path that leads nowhere, and what there is instead.
    pub fn missing(&self, name: &str) -> Error {
        let error = Error::from(ErrorKind::NoSuchPath(name.to_owned()));
        error.maybe_help(suggest::path(self.context.files, &self.root, name))
    }

    /// The path of a file by the name that a kustomization gives it.
    pub fn path(&self, name: &str) -> PathBuf {
        if remote::is_url(name) { PathBuf::from(name) } else { clean(&self.root.join(name)) }
    }

    /// Whether a name leads to a directory.
    pub fn is_directory(&self, name: &str) -> bool {
        let path = self.context.files.canonical(&self.root.join(name));
        path.is_ok_and(|path| self.context.files.is_dir(&path))
    }

    /// Whether a name leads to anything.
    pub fn exists(&self, name: &str) -> bool {
        self.context.files.canonical(&self.root.join(name)).is_ok()
    }

    /// Reads a file that a kustomization names.
    pub fn bytes(&self, name: &str) -> Result<Vec<u8>> {
        if remote::is_url(name) {
            let content = self.context.options.tools.download(name);
            return content.map_err(|error| {
                fail!(Tool, "can't load {name:?}: {error}")
                    .with_help("keep a copy of the file beside it, and name that")
            });
        }
        let path = self.root.join(name);
        let read_error = |error| Error::new(ErrorKind::Read(error)).in_file(&self.path(name));
        let canonical =
            self.context.files.canonical(&path).map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
                    self.missing(name)
                }
                _ => read_error(error),
            })?;
        if self.context.files.is_dir(&canonical) {
            return Err(ErrorKind::NotAFile(name.to_owned()).into());
        }
        if self.restrictor == LoadRestrictor::RootOnly && !canonical.starts_with(&self.root) {
            return Err(outside(canonical, &self.root).with_help(match self.clone {
                Some(_) => "a remote base takes only files of its own directory",
                None => {
                    "move the file below this kustomization, make its directory a base, or pass \
                     --load-restrictor LoadRestrictionsNone"
                }
            }));
        }
        let content = self.context.files.read(&canonical).map_err(read_error)?;
        self.context.read.borrow_mut().push(canonical);
        Ok(content)
    }

    /// Reads a text file.
    pub fn text(&self, name: &str) -> Result<String> {
        self.as_text(name, self.bytes(name)?)
    }

    /// The text of what was read from a file.
    pub fn as_text(&self, name: &str, content: Vec<u8>) -> Result<String> {
        String::from_utf8(content).map_err(|error| {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let lines = valid.iter().filter(|byte| **byte == b'\n').count();
            let line = u32::try_from(lines).unwrap_or(u32::MAX).saturating_add(1);
            Error::new(ErrorKind::NotText)
                .at(&self.path(name), Mark { line, column: 1, file: 0 })
                .with_help("save the file as UTF-8")
        })
    }

    /// Reads a file of settings, as a tree.
    pub fn settings(&self, name: &str) -> Result<Node> {
        let text = self.text(name)?;
        let path = self.path(name);
        let node = parse_document(&text, ParseOptions::CONFIG)
            .map_err(|error| Error::yaml(&error, &path))?;
        Ok(node.unwrap_or_else(Node::null))
    }

    /// Reads a file of settings, as JSON.
    pub fn json(&self, name: &str) -> Result<serde_json::Value> {
        let node = self.settings(name)?;
        to_json(&node, Dialect::V2)
            .map_err(|error| Error::from(ErrorKind::from(error)).in_file(&self.path(name)))
    }

    /// The loader of a base or a component.
    pub fn enter(&self, name: &str) -> Result<Self> {
        if let Some(url) = Repository::parse(name) {
            return self.enter_repository(&url);
        }
        if name.is_empty() {
            return Err(fail!(BadObject, "an empty path"));
        }
        if Path::new(name).is_absolute() {
            let error = fail!(BadObject, "the path {name:?} of a base must be relative");
            return Err(error.with_help("write it from this kustomization's directory: ../base"));
        }
        let ambiguous = |part: &str| part != ".." && part.contains("..");
        if name.split('/').any(ambiguous) {
            return Err(fail!(
                BadObject,
                "the path {name:?} has \"..\" inside of a name, which is hardly meant"
            ));
        }
        let root = self.directory(&self.root.join(name), name)?;
        if let Some(clone) = &self.clone
            && !root.starts_with(clone)
        {
            return Err(outside(root, clone).with_help("a remote base can't leave its repository"));
        }
        let visited = self.ancestors.iter().chain(std::iter::once(&self.root));
        let chain: Vec<&PathBuf> =
            visited.skip_while(|visited| !visited.starts_with(&root)).collect();
        let Some(first) = chain.first() else { return self.child(root) };
        let help = match **first == root {
            true if chain.len() == 1 => "take it out of its own resources".to_owned(),
            true => "take one of them out of the other's resources".to_owned(),
            false => format!(
                "{} contains {}, which is being built already",
                root.display(),
                first.display()
            ),
        };
        let chain = chain.into_iter().chain([&root]).cloned().collect();
        Err(Error::from(ErrorKind::Cycle(chain)).with_help(help))
    }

    fn child(&self, root: PathBuf) -> Result<Self> {
        let mut ancestors = self.ancestors.clone();
        ancestors.push(self.root.clone());
        if ancestors.len() > MAX_BASES {
            return Err(ErrorKind::TooDeep(MAX_BASES).into());
        }
        Ok(Self { root, ancestors, ..self.clone() })
    }

    fn enter_repository(&self, url: &Repository) -> Result<Self> {
        if self.repositories.iter().any(|visited| visited.starts_with(&url.raw)) {
            return Err(fail!(
                Conflict,
                "the repository {:?} leads back to itself: a cycle",
                url.raw
            ));
        }
        let tools = &self.context.options.tools;
        let clone = tools.clone_repository(url);
        let clone =
            clone.map_err(|error| fail!(Tool, "can't clone {:?}: {error}", url.clone_url))?;
        let canonical = self.context.files.canonical(&clone).unwrap_or(clone);
        let root = self.directory(&canonical.join(&url.directory), &url.raw)?;
        if !root.starts_with(&canonical) {
            return Err(outside(root, &canonical));
        }
        let mut child =
            if self.root.as_os_str().is_empty() { self.clone() } else { self.child(root.clone())? };
        child.root = root;
        child.clone = Some(canonical);
        child.restrictor = LoadRestrictor::RootOnly;
        child.repositories.push(url.raw.clone());
        Ok(child)
    }

    /// Lets the `openapi` field choose the schema, unless an outer kustomization has.
    pub fn choose_schema(&self, openapi: &[(String, String)]) -> Result<()> {
        let field = |name: &str| {
            openapi.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
        };
        let (path, version) = (field("path"), field("version"));
        // The file must be there even where it isn't used.
        let custom = path.map(|path| self.json(path)).transpose()?;
        if !matches!(*self.context.schema.borrow(), SchemaChoice::Unset) {
            return Ok(());
        }
        let choice = match (custom, version) {
            (Some(_), Some(_)) => {
                return Err(fail!(Conflict, "openapi takes a path or a version, not both"));
            }
            (Some(document), None) => SchemaChoice::Custom(Rc::new(CustomSchema::new(document))),
            (None, Some("") | None) => SchemaChoice::Unset,
            (None, Some(BUILTIN_VERSION)) => SchemaChoice::Builtin,
            (None, Some(other)) => {
                return Err(fail!(
                    Conflict,
                    "openapi version {other:?} is not built in, only {BUILTIN_VERSION}"
                ));
            }
        };
        *self.context.schema.borrow_mut() = choice;
        Ok(())
    }

    /// How a file of settings is read: unknown fields refused, numbers allowed for strings.
    pub fn reading<'p>(&self, file: &'p Path) -> Reading<'p> {
        Reading { file, dialect: Dialect::V2, unknown_fields: false, loose_types: true }
    }
}

fn outside(file: PathBuf, root: &Path) -> Error {
    Error::from(ErrorKind::OutsideRoot { file, root: root.to_owned() })
}
