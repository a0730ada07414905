//! Entries of `configMapGenerator` and `secretGenerator`.

use crate::decode::{Reading, Text};
use crate::error::Result;
use crate::resource::Behavior;
use crate::yaml::{Mark, Node};

/// An entry of `configMapGenerator` or `secretGenerator`.
#[derive(Clone, Debug, Default)]
pub struct GeneratorArgs {
    pub name: String,
    pub namespace: String,
    pub behavior: Behavior,
    /// A behavior that kustomize doesn't know, and therefore takes for none.
    pub unknown_behavior: Option<Text>,
    pub sources: KeyValueSources,
    pub options: Option<GeneratorOptions>,
    /// The type of a Secret.
    pub secret_type: String,
    pub at: Mark,
}

/// Where the data of a generated object comes from.
#[derive(Clone, Debug, Default)]
pub struct KeyValueSources {
    /// `key=value`
    pub literals: Vec<Text>,
    /// `path` or `key=path`
    pub files: Vec<Text>,
    /// Files of `key=value` lines.
    pub envs: Vec<Text>,
}

/// What else generated objects get.
#[derive(Clone, Debug, Default)]
pub struct GeneratorOptions {
    pub labels: Vec<(String, String)>,
    pub annotations: Vec<(String, String)>,
    pub disable_name_suffix_hash: bool,
    pub immutable: bool,
}

impl GeneratorOptions {
    /// These options, and those of the whole kustomization where these say nothing.
    pub fn merged(own: Option<&Self>, global: Option<&Self>) -> Self {
        let mut merged = own.cloned().unwrap_or_default();
        let Some(global) = global else { return merged };
        let fill = |own: &mut Vec<(String, String)>, more: &[(String, String)]| {
            for (key, value) in more {
                if !own.iter().any(|(known, _)| known == key) {
                    own.push((key.clone(), value.clone()));
                }
            }
        };
        fill(&mut merged.labels, &global.labels);
        fill(&mut merged.annotations, &global.annotations);
        merged.disable_name_suffix_hash |= global.disable_name_suffix_hash;
        merged.immutable |= global.immutable;
        merged
    }
}

/// The behaviors there are.
pub const BEHAVIORS: [&str; 3] = ["create", "merge", "replace"];

/// Nothing and `unspecified` are good as well.
fn is_behavior(text: &str) -> bool {
    matches!(text, "" | "unspecified") || BEHAVIORS.contains(&text)
}

/// Reads an entry of a generator list, or the configuration of a generator in a file of its own.
pub fn read_generator(reading: Reading<'_>, node: &Node, secret: bool) -> Result<GeneratorArgs> {
    let what =
        if secret { "an entry of secretGenerator" } else { "an entry of configMapGenerator" };
    let fields = reading.fields(what, node)?;
    let mut envs = fields.texts("envs")?;
    envs.extend(Some(fields.text("env")?).filter(|path| !path.is_empty()));
    let behavior = fields.text("behavior")?;
    let args = GeneratorArgs {
        name: fields.string("name")?,
        namespace: fields.string("namespace")?,
        behavior: match &*behavior {
            "create" => Behavior::Create,
            "replace" => Behavior::Replace,
            "merge" => Behavior::Merge,
            _ => Behavior::Unspecified,
        },
        unknown_behavior: Some(behavior).filter(|text| !is_behavior(text)),
        sources: KeyValueSources {
            literals: fields.texts("literals")?,
            files: fields.texts("files")?,
            envs,
        },
        options: fields.optional("options", read_options)?,
        secret_type: if secret { fields.string("type")? } else { String::new() },
        at: node.at,
    };
    fields.finish()?;
    Ok(args)
}

pub fn read_options(reading: Reading<'_>, node: &Node) -> Result<GeneratorOptions> {
    let fields = reading.fields("generatorOptions", node)?;
    let options = GeneratorOptions {
        labels: fields.string_map("labels")?,
        annotations: fields.string_map("annotations")?,
        disable_name_suffix_hash: fields.bool("disableNameSuffixHash")?,
        immutable: fields.bool("immutable")?,
    };
    fields.finish()?;
    Ok(options)
}
