//! One kustomization: what it loads, in what order it changes it, and how it joins what is above it.

mod transformers;

use crate::config::{Config, from_crds, read_config};
use crate::decode::{Reading, Text};
use crate::error::{Error, ErrorKind, Result, fail};
use crate::generate;
use crate::kustomization::{
    BEHAVIORS, GeneratorArgs, GeneratorOptions, Kustomization, Variable, file_names,
    read_kustomization,
};
use crate::load::Loader;
use crate::origin::{ConfiguredBy, Origin};
use crate::refs::variables;
use crate::remote::{self, Repository};
use crate::resource::Resource;
use crate::resources::Resources;
use crate::suggest;
use crate::transform::plugin;
use crate::warning::WarningKind;
use crate::yaml::{Dialect, Mark, ParseOptions, Repeated, parse_noting};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a kustomization has gathered so far.
#[derive(Default)]
pub struct Accumulator {
    pub resources: Resources,
    pub config: Option<Arc<Config>>,
    pub variables: Vec<Variable>,
}

impl Accumulator {
    fn merge_config(&mut self, config: &Arc<Config>) -> Result<()> {
        self.config = Some(match &self.config {
            Some(own) => Config::merge(own, config)?,
            None => Arc::clone(config),
        });
        Ok(())
    }

    fn absorb(&mut self, other: Self) -> Result<()> {
        self.resources.append_all(other.resources)?;
        if let Some(config) = &other.config {
            self.merge_config(config)?;
        }
        variables::merge(&mut self.variables, other.variables)
    }

    /// The field configuration, kustomize's own where nothing was added.
    pub fn config(&self) -> Arc<Config> {
        self.config.clone().unwrap_or_else(Config::builtin)
    }
}

/// A kustomization that is being built.
pub struct Target<'a> {
    pub loader: Loader<'a>,
    pub kustomization: Kustomization,
    /// The kustomization file, as messages name it.
    file: PathBuf,
    /// The way here from the directory that was built, where origins are asked for.
    origin: Option<Origin>,
    /// The namespace of an outer kustomization, for helm charts.
    outer_namespace: String,
}

impl<'a> Target<'a> {
    /// Reads the kustomization file of a directory.
    pub fn load(loader: Loader<'a>) -> Result<Self> {
        let names: Vec<&str> =
            file_names().iter().copied().filter(|name| loader.exists(name)).collect();
        let name = match names[..] {
            [name] => name,
            [] => return Err(no_kustomization(&loader)),
            _ => {
                return Err(Error::from(ErrorKind::ManyKustomizations(names.join(", ")))
                    .in_file(&loader.root)
                    .with_help("keep one of them"));
            }
        };
        let file = loader.path(name);
        let text = loader.text(name).map_err(|error| error.in_file(&file))?;
        let mut repeated = Vec::new();
        let node = parse_noting(&text, ParseOptions::CONFIG, &mut repeated)
            .map_err(|error| Error::yaml(&error, &file))?;
        for Repeated { key, at, first } in repeated {
            loader.context.warn(WarningKind::RepeatedKey { key, first }, &file, at);
        }
        let node = node.unwrap_or_else(crate::yaml::Node::null);
        let reading = Reading {
            file: &file,
            dialect: Dialect::V2,
            unknown_fields: false,
            loose_types: false,
        };
        let kustomization = read_kustomization(reading, &node)?;
        for (field, instead, at) in &kustomization.deprecated {
            loader.context.warn(WarningKind::Deprecated { field, instead }, &file, *at);
        }
        Ok(Self { loader, kustomization, file, origin: None, outer_namespace: String::new() })
    }

    /// Starts to note where objects come from, if the kustomization asks for it.
    pub fn start_origin(&mut self) {
        self.origin = (!self.kustomization.build_metadata.is_empty()).then(Origin::default);
    }

    /// Lets the `openapi` field choose the schema.
    pub fn choose_schema(&self) -> Result<()> {
        let chosen = self.loader.choose_schema(&self.kustomization.openapi);
        chosen.map_err(|error| error.at(&self.file, self.kustomization.openapi_at))
    }

    /// An error of something that an entry names: where the entry stands, and on the way to what.
    fn loading(&self, error: Error, entry: &Text) -> Error {
        let below = error.place.is_some();
        let error = error.at(&self.file, entry.at);
        // An error of the entry itself doesn't need to hear of it twice.
        if !below {
            return error;
        }
        let (name, line) = (first_line(entry), entry.at.line);
        error.doing(format!("loading {name:?}, which {}:{line} names", self.file.display()))
    }

    /// Loads, generates and changes everything, in kustomize's order.
    pub fn accumulate(&mut self, mut acc: Accumulator) -> Result<Accumulator> {
        let resources = std::mem::take(&mut self.kustomization.resources);
        for entry in &resources {
            self.add_resource(&mut acc, entry).map_err(|error| self.loading(error, entry))?;
        }
        self.add_config(&mut acc)?;
        self.run_generators(&mut acc)?;
        let components = std::mem::take(&mut self.kustomization.components);
        for entry in &components {
            acc = self.add_component(acc, entry).map_err(|error| self.loading(error, entry))?;
        }
        self.run_transformers(&mut acc)?;
        self.run_validators(&mut acc)?;
        variables::attach(&mut acc.resources, &self.kustomization.variables)
            .map_err(|error| error.in_file(&self.file))?;
        variables::merge(&mut acc.variables, std::mem::take(&mut self.kustomization.variables))
            .map_err(|error| error.in_file(&self.file))?;
        Ok(acc)
    }

    fn add_resource(&self, acc: &mut Accumulator, path: &str) -> Result<()> {
        if path.is_empty() {
            return Err(fail!(BadObject, "this entry is empty")
                .with_help("name a file or a directory, or take the dash out"));
        }
        let is_remote = Repository::parse(path).is_some();
        if is_remote || self.loader.is_directory(path) {
            let below = self.child(path, false)?.accumulate(Accumulator::default())?;
            return acc.absorb(below);
        }
        if !self.loader.exists(path) && !remote::is_url(path) {
            return Err(self.loader.missing(path));
        }
        for mut resource in
            self.loader.objects(&self.loader.text(path)?, &self.loader.path(path), Mark::NOWHERE)?
        {
            resource.origin = self.origin.as_ref().map(|origin| Box::new(origin.join(path)));
            acc.resources.append(resource)?;
        }
        Ok(())
    }

    /// A component works on what is already there.
    fn add_component(&self, acc: Accumulator, path: &str) -> Result<Accumulator> {
        let below = self.child(path, true)?.accumulate(acc)?;
        let mut acc = Accumulator::default();
        acc.absorb(below)?;
        Ok(acc)
    }

    fn child(&self, path: &str, component: bool) -> Result<Target<'a>> {
        let mut child = Target::load(self.loader.enter(path)?)?;
        child.choose_schema()?;
        match (component, child.kustomization.is_component) {
            (true, false) => {
                return Err(fail!(BadObject, "{path:?} is listed as a component but is none")
                    .with_help(format!(
                        "list it under `resources`, or say `kind: Component` in {}",
                        child.file.display()
                    )));
            }
            (false, true) => {
                return Err(fail!(BadObject, "{path:?} is a component, not a base")
                    .with_help("list it under `components`"));
            }
            _ => {}
        }
        child.kustomization.build_metadata.clone_from(&self.kustomization.build_metadata);
        child.origin = self.origin.as_ref().map(|origin| match Repository::parse(path) {
            Some(url) => Origin {
                path: url.directory.clone(),
                repo: url.clone_url,
                reference: url.reference,
                ..Origin::default()
            },
            None => origin.join(path),
        });
        let own = &self.kustomization.namespace;
        child.outer_namespace =
            if own.is_empty() { self.outer_namespace.clone() } else { own.clone() };
        Ok(child)
    }

    fn add_config(&self, acc: &mut Accumulator) -> Result<()> {
        let mut config = Config::builtin();
        for entry in &self.kustomization.configurations {
            let path = self.loader.path(entry);
            let merged = self
                .loader
                .settings(entry)
                .and_then(|node| read_config(self.loader.reading(&path), &node))
                .and_then(|read| {
                    Config::merge(&config, &Arc::new(read)).map_err(|error| error.in_file(&path))
                });
            config = merged.map_err(|error| self.loading(error, entry))?;
        }
        acc.merge_config(&config)?;
        for entry in &self.kustomization.crds {
            let added = self.loader.json(entry).and_then(|document| from_crds(&document)).and_then(
                |config| {
                    let merged = acc.merge_config(&Arc::new(config));
                    merged.map_err(|error| error.in_file(&self.loader.path(entry)))
                },
            );
            added.map_err(|error| self.loading(error, entry))?;
        }
        Ok(())
    }

    fn run_generators(&self, acc: &mut Accumulator) -> Result<()> {
        let global = self.kustomization.generator_options.as_ref();
        type Make = fn(&Loader<'_>, &Path, &GeneratorArgs, &GeneratorOptions) -> Result<Resource>;
        let kinds: [(&str, &[GeneratorArgs], Make); 2] = [
            ("ConfigMapGenerator", &self.kustomization.config_maps, generate::config_map),
            ("SecretGenerator", &self.kustomization.secrets, generate::secret),
        ];
        for (kind, entries, make) in kinds {
            for args in entries {
                if let Some(behavior) = &args.unknown_behavior {
                    let near = suggest::nearest(behavior, BEHAVIORS).map(str::to_owned);
                    let kind =
                        WarningKind::UnknownBehavior { behavior: behavior.text.clone(), near };
                    self.loader.context.warn(kind, &self.file, behavior.at);
                }
                let options = GeneratorOptions::merged(args.options.as_ref(), global);
                let made = make(&self.loader, &self.file, args, &options).map(|mut resource| {
                    resource.origin = self.builtin_origin(kind).map(Box::new);
                    resource.file = Some(Arc::from(self.file.as_path()));
                    vec![resource]
                });
                made.and_then(|made| generate::absorb(&mut acc.resources, made))
                    .map_err(|error| error.at(&self.file, args.at))?;
            }
        }
        let globals = self.kustomization.helm_globals.clone().unwrap_or_default();
        for chart in &self.kustomization.helm_charts {
            let mut chart = chart.clone();
            for namespace in [&self.kustomization.namespace, &self.outer_namespace] {
                if chart.namespace.is_empty() {
                    chart.namespace.clone_from(namespace);
                }
            }
            let mut inflated = generate::inflate(&self.loader, &chart, &globals)
                .map_err(|error| error.at(&self.file, chart.at))?;
            for resource in &mut inflated {
                resource.origin = self.builtin_origin("HelmChartInflationGenerator").map(Box::new);
            }
            generate::absorb(&mut acc.resources, inflated)
                .map_err(|error| error.at(&self.file, chart.at))?;
        }
        for plugin in self.plugins(&self.kustomization.generators)? {
            let mut generated = plugin::generate(&self.loader, &plugin)?;
            for resource in &mut generated {
                resource.origin = plugin_origin(&plugin).map(Box::new);
                resource.file.get_or_insert_with(|| Arc::from(self.file.as_path()));
            }
            generate::absorb(&mut acc.resources, generated)
                .map_err(|error| error.in_file(&self.file))?;
        }
        Ok(())
    }

    fn builtin_origin(&self, kind: &str) -> Option<Origin> {
        let name = self
            .file
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        self.origin.as_ref().map(|origin| origin.builtin(&name, kind))
    }

    /// The settings of transformers or generators: written out in the list, or in files or directories.
    fn plugins(&self, entries: &[Text]) -> Result<Vec<Resource>> {
        let mut acc = Accumulator::default();
        let mut paths = Vec::new();
        for entry in entries {
            match self.loader.objects(entry, &self.file, entry.before()) {
                Ok(inline) => {
                    for mut resource in inline {
                        let name =
                            self.file.file_name().map(|name| name.to_string_lossy().into_owned());
                        let name = name.unwrap_or_default();
                        resource.origin =
                            self.origin.as_ref().map(|origin| Box::new(origin.join(&name)));
                        acc.resources.append(resource)?;
                    }
                }
                Err(error) if entry.contains('\n') => return Err(error),
                Err(_) => paths.push(entry),
            }
        }
        for entry in paths {
            self.add_resource(&mut acc, entry).map_err(|error| self.loading(error, entry))?;
        }
        Ok(acc.resources.into_list())
    }
}

/// A directory without a kustomization file, and what is in it instead.
fn no_kustomization(loader: &Loader<'_>) -> Error {
    let names = loader.context.files.names(&loader.root);
    let visible = || names.iter().map(String::as_str).filter(|name| !name.starts_with('.'));
    let near = file_names().iter().find_map(|name| suggest::nearest(name, visible()));
    let help = match near {
        Some(near) => Some(format!("rename {near:?} to {:?}", file_names()[0])),
        None => suggest::listed(visible()).map(|listed| format!("it has: {listed}")),
    };
    Error::from(ErrorKind::NoKustomization).in_file(&loader.root).maybe_help(help)
}

/// The start of an entry, which may be a whole transformer.
fn first_line(entry: &Text) -> &str {
    entry.lines().next().unwrap_or_default()
}

/// The origin of what a plugin makes or changes.
fn plugin_origin(plugin: &Resource) -> Option<Origin> {
    let origin = plugin.origin.as_ref()?;
    Some(Origin {
        path: String::new(),
        configured_in: origin.path.clone(),
        configured_by: Some(ConfiguredBy {
            api_version: plugin.api_version().to_owned(),
            kind: plugin.kind().to_owned(),
            name: plugin.name().to_owned(),
            namespace: plugin.namespace().to_owned(),
        }),
        ..(**origin).clone()
    })
}
