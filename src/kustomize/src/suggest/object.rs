//! A selector that selects nothing: the one condition that keeps it from doing so.

use super::near::{listed, nearest};
use crate::id::Id;
use crate::resource::Resource;
use crate::resources::Resources;
use crate::selector::Selector;
use smol_str::SmolStr;

/// Why no object has this identity, and which one was probably meant.
pub fn for_id(resources: &Resources, id: &Id) -> Option<String> {
    let same = |resource: &&Resource| {
        resource.kind() == id.gvk.kind
            && resource.all_ids().iter().any(|own| own.name == id.name)
            && resource.effective_namespace() == id.namespace
    };
    if let Some(found) = resources.iter().find(same) {
        return Some(format!("{} here is of apiVersion {}", found.describe(), found.api_version()));
    }
    for_selector(resources, &Selector::exactly(&id.gvk, &id.name, &id.namespace))
}

/// Why a selector selects nothing, and what was probably meant.
pub fn for_selector(resources: &Resources, selector: &Selector) -> Option<String> {
    if resources.len() == 0 {
        return Some("there are no objects at this point of the build".to_owned());
    }
    let all = |selector: &Selector| -> Vec<&Resource> {
        let matcher = selector.compile();
        let matches = matcher
            .iter()
            .flat_map(|matcher| resources.iter().filter(|resource| matcher.matches(resource)));
        matches.collect()
    };
    // One condition after the other is left out: the one without which something matches is to blame.
    let without = |change: &dyn Fn(&mut Selector)| {
        let mut selector = selector.clone();
        change(&mut selector);
        all(&selector)
    };
    let kinds = || resources.iter().map(Resource::kind);
    let kind = &selector.gvk.kind;
    if !kinds().any(|known| known == kind)
        && let Some(near) = nearest(kind, kinds())
    {
        return Some(format!("did you mean kind {near:?}?"));
    }
    let named = without(&|selector| selector.name.clear());
    if !selector.name.is_empty() && !named.is_empty() {
        let names = || named.iter().map(|resource| resource.name());
        let kind = one_kind(&named);
        return Some(match nearest(&selector.name, names()) {
            Some(near) => format!("there is a {kind} {near:?}; did you mean that?"),
            None => format!("of {kind} there are: {}", listed(names()).unwrap_or_default()),
        });
    }
    type Clear = fn(&mut Selector);
    let conditions: [(&str, &str, Clear); 6] = [
        ("kind", &selector.gvk.kind, |selector| selector.gvk.kind = SmolStr::default()),
        ("group", &selector.gvk.group, |selector| selector.gvk.group = SmolStr::default()),
        ("version", &selector.gvk.version, |selector| selector.gvk.version = SmolStr::default()),
        ("namespace", &selector.namespace, |selector| selector.namespace.clear()),
        ("labelSelector", &selector.labels, |selector| selector.labels.clear()),
        ("annotationSelector", &selector.annotations, |selector| selector.annotations.clear()),
    ];
    for (field, value, clear) in conditions {
        let found = if value.is_empty() { Vec::new() } else { without(&clear) };
        let Some(first) = found.first() else { continue };
        let others = match found.len() - 1 {
            0 => String::new(),
            1 => " and one more".to_owned(),
            more => format!(" and {more} more"),
        };
        let name = format!("{}{others}", first.describe());
        return Some(match field {
            "kind" if found.len() == 1 => {
                format!("{:?} is a {} here", first.name(), first.kind())
            }
            "namespace" if first.namespace().is_empty() => format!("{name} has no namespace here"),
            "namespace" => format!("{name} is in namespace {:?} here", first.namespace()),
            field => format!("without {field} {value:?} it would be {name}"),
        });
    }
    Some(format!("the kinds at this point of the build are: {}", listed(kinds())?))
}

/// The kind of all these objects, or the word for several.
fn one_kind<'a>(resources: &[&'a Resource]) -> &'a str {
    let first = resources.first().map_or("object", |resource| resource.kind());
    let same = resources.iter().all(|resource| resource.kind() == first);
    if same { first } else { "object" }
}
