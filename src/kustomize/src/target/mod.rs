//! One kustomization: what it loads, in what order it changes it, and how it joins what is above it.

mod transformers;

use crate::config::{Config, from_crds, read_config};
use crate::decode::Reading;
use crate::error::{Error, ErrorKind, Result, fail};
use crate::generate;
use crate::kustomization::{
    GeneratorArgs, GeneratorOptions, Kustomization, Variable, file_names, read_kustomization,
};
use crate::load::Loader;
use crate::objects::parse_objects;
use crate::origin::{ConfiguredBy, Origin};
use crate::refs::variables;
use crate::resource::Resource;
use crate::resources::Resources;
use crate::transform::plugin;
use crate::warning::{Warning, WarningKind};
use crate::yaml::{Dialect, ParseOptions, parse_document};
use std::path::PathBuf;
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
            [] => return Err(Error::from(ErrorKind::NoKustomization).in_file(&loader.root)),
            _ => {
                return Err(Error::from(ErrorKind::ManyKustomizations(names.join(", ")))
                    .in_file(&loader.root));
            }
        };
        let file = loader.path(name);
        let text = loader.text(name)?;
        let node = parse_document(&text, ParseOptions::CONFIG)
            .map_err(|error| Error::yaml(&error, &file))?;
        let node = node.unwrap_or_else(crate::yaml::Node::null);
        let reading = Reading {
            file: &file,
            dialect: Dialect::V2,
            unknown_fields: false,
            loose_types: false,
        };
        let kustomization = read_kustomization(reading, &node)?;
        for (field, instead) in &kustomization.deprecated {
            let place = crate::error::Place { file: file.clone(), line: 0, column: 0 };
            loader.context.warn(Warning {
                kind: WarningKind::Deprecated { field, instead },
                place: Some(place),
            });
        }
        Ok(Self { loader, kustomization, file, origin: None, outer_namespace: String::new() })
    }

    /// Starts to note where objects come from, if the kustomization asks for it.
    pub fn start_origin(&mut self) {
        self.origin = (!self.kustomization.build_metadata.is_empty()).then(Origin::default);
    }

    /// Loads, generates and changes everything, in kustomize's order.
    pub fn accumulate(&mut self, mut acc: Accumulator) -> Result<Accumulator> {
        let resources = std::mem::take(&mut self.kustomization.resources);
        for (path, at) in &resources {
            self.add_resource(&mut acc, path).map_err(|error| {
                error
                    .at(&self.file, *at)
                    .doing(format!("loading {path:?} for {}", self.file.display()))
            })?;
        }
        self.add_config(&mut acc)?;
        self.run_generators(&mut acc)?;
        let components = std::mem::take(&mut self.kustomization.components);
        for (path, at) in &components {
            acc = self.add_component(acc, path).map_err(|error| {
                error
                    .at(&self.file, *at)
                    .doing(format!("loading {path:?} for {}", self.file.display()))
            })?;
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
        let is_remote = crate::remote::RepositoryUrl::parse(path).is_some();
        if is_remote || (self.loader.is_directory(path) && !path.is_empty()) {
            let below = self.child(path, false)?.accumulate(Accumulator::default())?;
            return acc.absorb(below);
        }
        if !self.loader.exists(path) && !path.starts_with("http") {
            return Err(ErrorKind::NoSuchPath(path.to_owned()).into());
        }
        for mut resource in parse_objects(&self.loader.text(path)?, &self.loader.path(path), 0)? {
            resource.origin = self.origin.as_ref().map(|origin| origin.join(path));
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
        child
            .loader
            .choose_schema(&child.kustomization.openapi)
            .map_err(|error| error.in_file(&child.file))?;
        match (component, child.kustomization.is_component) {
            (true, false) => {
                return Err(fail!(BadObject, "{path:?} is listed as a component but is none")
                    .in_file(&child.file));
            }
            (false, true) => {
                return Err(fail!(BadObject, "{path:?} is a component; list it under components")
                    .in_file(&child.file));
            }
            _ => {}
        }
        child.kustomization.build_metadata.clone_from(&self.kustomization.build_metadata);
        child.origin =
            self.origin.as_ref().map(|origin| match crate::remote::RepositoryUrl::parse(path) {
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
        for name in &self.kustomization.configurations {
            let (path, node) = (self.loader.path(name), self.loader.settings(name)?);
            let read = read_config(self.loader.reading(&path), &node)?;
            config =
                Config::merge(&config, &Arc::new(read)).map_err(|error| error.in_file(&path))?;
        }
        acc.merge_config(&config)?;
        for name in &self.kustomization.crds {
            let config = from_crds(&self.loader.json(name)?)?;
            acc.merge_config(&Arc::new(config))
                .map_err(|error| error.in_file(&self.loader.path(name)))?;
        }
        Ok(())
    }

    fn run_generators(&self, acc: &mut Accumulator) -> Result<()> {
        let global = self.kustomization.generator_options.as_ref();
        type Make = fn(&Loader<'_>, &GeneratorArgs, &GeneratorOptions) -> Result<Resource>;
        let kinds: [(&str, &[GeneratorArgs], Make); 2] = [
            ("ConfigMapGenerator", &self.kustomization.config_maps, generate::config_map),
            ("SecretGenerator", &self.kustomization.secrets, generate::secret),
        ];
        for (kind, entries, make) in kinds {
            for args in entries {
                let options = GeneratorOptions::merged(args.options.as_ref(), global);
                let made = make(&self.loader, args, &options).map(|mut resource| {
                    resource.origin = self.builtin_origin(kind);
                    resource.file = Some(Arc::from(self.file.as_path()));
                    vec![resource]
                });
                made.and_then(|made| generate::absorb(&mut acc.resources, made)).map_err(
                    |error| error.at(&self.file, args.at).doing(format!("running a {kind}")),
                )?;
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
                .map_err(|error| error.in_file(&self.file))?;
            for resource in &mut inflated {
                resource.origin = self.builtin_origin("HelmChartInflationGenerator");
            }
            generate::absorb(&mut acc.resources, inflated)
                .map_err(|error| error.in_file(&self.file))?;
        }
        for plugin in self.plugins(&self.kustomization.generators)? {
            let mut generated = plugin::generate(&self.loader, &plugin)?;
            for resource in &mut generated {
                resource.origin = plugin_origin(&plugin);
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
    fn plugins(&self, entries: &[String]) -> Result<Vec<Resource>> {
        let mut acc = Accumulator::default();
        let mut paths = Vec::new();
        for entry in entries {
            match parse_objects(entry, &self.file, 0) {
                Ok(inline) => {
                    for mut resource in inline {
                        let name =
                            self.file.file_name().map(|name| name.to_string_lossy().into_owned());
                        let name = name.unwrap_or_default();
                        resource.origin = self.origin.as_ref().map(|origin| origin.join(&name));
                        acc.resources.append(resource)?;
                    }
                }
                Err(_) => paths.push(entry),
            }
        }
        for path in paths {
            self.add_resource(&mut acc, path)
                .map_err(|error| error.in_file(&self.file).doing(format!("loading {path:?}")))?;
        }
        Ok(acc.resources.into_list())
    }
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
        ..origin.clone()
    })
}
