//! The build, from a directory to objects in order.

use crate::built::{Built, Object};
use crate::config::FieldSpec;
use crate::error::{Error, ErrorKind, Result};
use crate::files::Files;
use crate::generate;
use crate::kustomization::{Order, SortOptions};
use crate::load::{Context, Loader};
use crate::options::{Options, Reorder};
use crate::order;
use crate::origin::{ORIGIN_ANNOTATION, Origin, TRANSFORMATIONS_ANNOTATION};
use crate::refs::{names, variables};
use crate::resource::Resource;
use crate::resources::Resources;
use crate::target::{Accumulator, Target};
use crate::transform::metadata;
use crate::warning::WarningKind;
use std::path::Path;

/// The version of kustomize whose output this is.
pub const KUSTOMIZE_VERSION: &str = "v5.8.2";

const LOCAL_CONFIG: &str = "config.kubernetes.io/local-config";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// Builds the kustomization in a directory.
pub fn build(files: &dyn Files, root: &Path, options: &Options) -> Result<Built> {
    let context = Context::new(files, options);
    let mut target = Target::load(Loader::new(&context, root)?)?;
    target.choose_schema()?;
    target.start_origin();

    let mut acc = target.accumulate(Accumulator::default())?;
    let config = acc.config();
    let resources = &mut acc.resources;
    generate::add_hashes(resources)?;
    names::fix(resources, &config)?;
    for unused in variables::resolve(resources, &acc.variables, &config)? {
        let kind = WarningKind::UnusedVariable(unused.name.clone());
        context.warn(kind, &unused.file, unused.at);
    }
    drop_local(resources)?;
    sort(resources, target.kustomization.sort_options.as_ref(), options)?;
    let metadata = &target.kustomization.build_metadata;
    let asked = |option: &str| metadata.iter().any(|asked| asked == option);
    if options.enable_managedby_label || asked("managedByLabel") {
        let label = (MANAGED_BY.to_owned(), format!("kustomize-{KUSTOMIZE_VERSION}"));
        metadata::set(
            resources,
            &[label],
            &[FieldSpec::new(Default::default(), "metadata/labels", true)],
        )?;
    }
    let marks = Marks {
        origin: asked("originAnnotations"),
        transformations: asked("transformerAnnotations"),
    };
    let finish = |mut resource: Resource| {
        marks.finish(&mut resource)?;
        Object::new(resource)
    };
    let resources = std::mem::take(resources).into_list();
    let objects: Vec<Object> = resources.into_iter().map(finish).collect::<Result<_>>()?;
    let (files_read, warnings, sources) = context.finish();
    Ok(Built::new(objects, warnings, files_read, sources))
}

/// Objects that are only for the build itself are left out of the output.
fn drop_local(resources: &mut Resources) -> Result<()> {
    let is_local = |resource: &Resource| {
        resource.annotation(LOCAL_CONFIG).is_some_and(|value| value != "false")
    };
    let mut some_local = false;
    for resource in resources.iter() {
        some_local |= is_local(resource);
        if resource.name().is_empty() && !resource.kind().ends_with("List") {
            let message = format!("a {} lost its name", resource.kind());
            return Err(Error::new(ErrorKind::BadObject(message)).at_object(resource));
        }
    }
    if some_local {
        resources.all_mut().retain(|resource| !is_local(resource));
    }
    Ok(())
}

fn sort(resources: &mut Resources, wanted: Option<&SortOptions>, options: &Options) -> Result<()> {
    match (wanted, options.reorder) {
        (Some(wanted), _) => order::sort(resources, wanted),
        (None, Reorder::Legacy) => {
            order::sort(resources, &SortOptions { order: Order::Legacy, legacy: None })
        }
        (None, Reorder::None) => Ok(()),
    }
}

/// Which notes of the build stay on the objects.
struct Marks {
    origin: bool,
    transformations: bool,
}

impl Marks {
    /// Writes the notes that were asked for; taking the others off turns annotations into sorted strings.
    fn finish(&self, resource: &mut Resource) -> Result<()> {
        let annotations = resource.metadata_map("annotations");
        let is_mark = |key: &str| key == ORIGIN_ANNOTATION || key == TRANSFORMATIONS_ANNOTATION;
        let kept = annotations.into_iter().filter(|(key, _)| !is_mark(key));
        let mut annotations: Vec<_> =
            kept.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        if let Some(origin) = resource.origin.as_ref().filter(|_| self.origin) {
            annotations.push((ORIGIN_ANNOTATION.to_owned(), origin.to_text()));
        }
        if self.transformations && !resource.transformations.is_empty() {
            let text = Origin::list_to_text(&resource.transformations);
            annotations.push((TRANSFORMATIONS_ANNOTATION.to_owned(), text));
        }
        resource.set_metadata_map("annotations", annotations)
    }
}
