//! Variables: `$(NAME)` in known fields stands for a field of some object.

use crate::config::{Config, Create, apply};
use crate::error::{Result, fail};
use crate::fieldpath;
use crate::id::Id;
use crate::kustomization::Variable;
use crate::resources::Resources;
use crate::selector::Selector;
use crate::suggest;
use crate::yaml::{Dialect, Node, Scalar, Style, Tag, Typed, Value, go_json_number, typed};
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};

/// What a variable stands for.
#[derive(Clone, Debug)]
struct Replacement {
    text: SmolStr,
    tag: Tag,
}

/// Adds variables to those of the bases; each name may be used once.
pub fn merge(all: &mut Vec<Variable>, more: Vec<Variable>) -> Result<()> {
    for variable in more {
        if let Some(known) = all.iter().find(|known| known.name == variable.name) {
            let error = fail!(Conflict, "the variable {:?} is defined twice", variable.name);
            let first = format!("the other one is in {}:{}", known.file.display(), known.at.line);
            return Err(error.at(&variable.file, variable.at).with_help(first));
        }
        all.push(variable);
    }
    Ok(())
}

/// Notes at each object which variables read from it, before it gets another name.
pub fn attach(resources: &mut Resources, variables: &[Variable]) -> Result<()> {
    for variable in variables {
        // Without a namespace the variable means the object wherever it is.
        let anywhere = variable.target_namespace.is_empty();
        let target = Id {
            gvk: variable.target.clone(),
            name: variable.target_name.as_str().into(),
            namespace: variable.target_namespace.as_str().into(),
        };
        let named = resources.find_name(&target.name).into_iter().filter(|position| {
            let ids = resources.get(*position).all_ids();
            let same = |id: &Id| id.gvk == target.gvk && id.name == target.name;
            ids.iter().any(|id| same(id) && (anywhere || id.namespace == target.namespace))
        });
        match named.collect::<Vec<_>>()[..] {
            [] => {}
            [position] => resources.contents_mut()[position].variables.push(variable.name.clone()),
            ref several => {
                let count = several.len();
                let error =
                    fail!(Ambiguous, "the variable {:?} could mean {count} objects", variable.name);
                return Err(error
                    .at(&variable.file, variable.at)
                    .with_help("say the namespace in its objref"));
            }
        }
    }
    Ok(())
}

/// Replaces every variable; returns those that nothing refers to.
pub fn resolve<'a>(
    resources: &mut Resources,
    variables: &'a [Variable],
    config: &Config,
) -> Result<Vec<&'a Variable>> {
    if variables.is_empty() {
        return Ok(Vec::new());
    }
    let mut values = BTreeMap::new();
    for variable in variables {
        let value =
            value_of(resources, variable).map_err(|error| error.at(&variable.file, variable.at))?;
        values.insert(variable.name.clone(), value);
    }
    let mut used = BTreeSet::new();
    let mut change = |node: &mut Node| replace(node, &values, &mut used);
    for resource in resources.contents_mut() {
        for spec in &config.variable_references {
            apply(resource, spec, Create::Nothing, &mut change)?;
        }
    }
    Ok(variables.iter().filter(|variable| !used.contains(&variable.name)).collect())
}

fn value_of(resources: &Resources, variable: &Variable) -> Result<Option<Replacement>> {
    let holder = resources.iter().find(|resource| resource.variables.contains(&variable.name));
    let Some(holder) = holder else {
        let error =
            fail!(NoMatch, "the variable {:?} refers to no object of this build", variable.name);
        let target =
            Selector::exactly(&variable.target, &variable.target_name, &variable.target_namespace);
        return Err(error.maybe_help(suggest::for_selector(resources, &target)));
    };
    // `a[0]` is written for what is `a.0` elsewhere.
    let path = fieldpath::split(&variable.field_path.replace('[', ".[")).into_iter().map(|part| {
        let inner = part.strip_prefix('[').and_then(|part| part.strip_suffix(']'));
        inner
            .filter(|inner| inner.parse::<usize>().is_ok())
            .map_or_else(|| part.clone(), str::to_owned)
    });
    let path: Vec<String> = path.filter(|part| !part.is_empty()).collect();
    let found = fieldpath::lookup(&holder.node, &path)?;
    let Some(node) = found else {
        let message =
            format!("the variable {:?} reads {}, which", variable.name, variable.field_path);
        return Err(fail!(NoMatch, "{message} {} doesn't have", holder.describe())
            .maybe_help(suggest::in_object(&holder.node, &path)));
    };
    let Some(scalar) = node.as_scalar() else { return Ok(None) };
    let mut text = scalar.text.clone();
    let tag = match scalar.tag {
        Tag::Int | Tag::Bool => scalar.tag,
        Tag::Float => {
            if let Ok(Typed::Float(value)) =
                typed(&Scalar { style: Style::Plain, ..scalar.clone() }, node.at, Dialect::V3)
            {
                text = go_json_number(value).into();
            }
            Tag::Float
        }
        _ => Tag::Str,
    };
    Ok(Some(Replacement { text, tag }))
}

fn replace(
    node: &mut Node,
    values: &BTreeMap<String, Option<Replacement>>,
    used: &mut BTreeSet<String>,
) -> Result<()> {
    match &mut node.value {
        Value::Scalar(scalar) => {
            if scalar.is_stringlike() {
                expand(scalar, values, used);
            }
            Ok(())
        }
        Value::Mapping(mapping) => {
            for (_, value) in mapping.iter_mut() {
                if let Some(scalar) = value.as_scalar_mut().filter(|scalar| scalar.is_stringlike())
                {
                    expand(scalar, values, used);
                }
            }
            Ok(())
        }
        Value::Sequence(sequence) => {
            for item in &mut sequence.items {
                match item.as_scalar_mut().filter(|scalar| scalar.is_stringlike()) {
                    Some(scalar) => expand(scalar, values, used),
                    None => {
                        return Err(fail!(Field, "a list with variables must hold strings only"));
                    }
                }
            }
            Ok(())
        }
    }
}

/// Replaces the variables of one text; a text that is nothing but a variable takes over its type.
fn expand(
    scalar: &mut Scalar,
    values: &BTreeMap<String, Option<Replacement>>,
    used: &mut BTreeSet<String>,
) {
    let text = std::mem::take(&mut scalar.text);
    let mut out = String::with_capacity(text.len());
    (scalar.tag, scalar.style, scalar.tagged) = (Tag::Str, Style::Plain, false);
    let mut rest = text.as_str();
    while let Some(at) = rest.find('$') {
        let after = &rest[at + 1..];
        let mut chars = after.chars();
        match chars.next() {
            None => break,
            Some('(') => {
                out.push_str(&rest[..at]);
                let Some(end) = after.find(')') else {
                    out.push_str("$(");
                    rest = &after[1..];
                    continue;
                };
                let name = &after[1..end];
                match values.get(name) {
                    Some(Some(value)) => {
                        used.insert(name.to_owned());
                        if text == format!("$({name})") {
                            scalar.text.clone_from(&value.text);
                            scalar.tag = value.tag;
                            return;
                        }
                        out.push_str(&value.text);
                    }
                    _ => out.push_str(&format!("$({name})")),
                }
                rest = &after[end + 1..];
            }
            Some('$') => {
                out.push_str(&rest[..at]);
                out.push('$');
                rest = &after[1..];
            }
            Some(c) => {
                out.push_str(&rest[..at]);
                out.push('$');
                out.push(c);
                rest = chars.as_str();
            }
        }
    }
    out.push_str(rest);
    scalar.text = out.into();
}
