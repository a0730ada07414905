//! Entries of `helmCharts`.

use crate::decode::Reading;
use crate::error::Result;
use crate::yaml::{Mark, Node};

/// Settings for all charts of a kustomization.
#[derive(Clone, Debug, Default)]
pub struct HelmGlobals {
    pub chart_home: String,
    pub config_home: String,
}

/// A chart to inflate.
#[derive(Clone, Debug, Default)]
pub struct HelmChart {
    pub name: String,
    pub version: String,
    pub repo: String,
    pub release_name: String,
    pub namespace: String,
    pub values_file: String,
    pub additional_values_files: Vec<String>,
    pub values_inline: Option<Node>,
    pub values_merge: String,
    pub include_crds: bool,
    pub skip_hooks: bool,
    pub skip_tests: bool,
    pub api_versions: Vec<String>,
    pub kube_version: String,
    pub name_template: String,
    pub debug: bool,
    pub devel: bool,
    pub at: Mark,
}

pub fn read_globals(reading: Reading<'_>, node: &Node) -> Result<HelmGlobals> {
    let fields = reading.fields("helmGlobals", node)?;
    let globals = HelmGlobals {
        chart_home: fields.string("chartHome")?,
        config_home: fields.string("configHome")?,
    };
    fields.finish()?;
    Ok(globals)
}

pub fn read_chart(reading: Reading<'_>, node: &Node) -> Result<HelmChart> {
    let fields = reading.fields("an entry of helmCharts", node)?;
    let chart = HelmChart {
        name: fields.string("name")?,
        version: fields.string("version")?,
        repo: fields.string("repo")?,
        release_name: fields.string("releaseName")?,
        namespace: fields.string("namespace")?,
        values_file: fields.string("valuesFile")?,
        additional_values_files: fields.strings("additionalValuesFiles")?,
        values_inline: fields.get("valuesInline").cloned(),
        values_merge: fields.string("valuesMerge")?,
        include_crds: fields.bool("includeCRDs")?,
        skip_hooks: fields.bool("skipHooks")?,
        skip_tests: fields.bool("skipTests")?,
        api_versions: fields.strings("apiVersions")?,
        kube_version: fields.string("kubeVersion")?,
        name_template: fields.string("nameTemplate")?,
        debug: fields.bool("debug")?,
        devel: fields.bool("devel")?,
        at: node.at,
    };
    fields.finish()?;
    Ok(chart)
}

/// Reads an entry of the deprecated `helmChartInflationGenerator`.
pub fn read_inline_chart(reading: Reading<'_>, node: &Node) -> Result<(HelmChart, HelmGlobals)> {
    let fields = reading.fields("an entry of helmChartInflationGenerator", node)?;
    let chart = HelmChart {
        name: fields.string("chartName")?,
        version: fields.string("chartVersion")?,
        repo: fields.string("chartRepoUrl")?,
        values_file: fields.string("values")?,
        values_inline: fields.get("valuesLocal").cloned(),
        values_merge: fields.string("valuesMerge")?,
        release_name: fields.string("releaseName")?,
        at: node.at,
        ..HelmChart::default()
    };
    let globals = HelmGlobals {
        chart_home: fields.string("chartHome")?,
        config_home: fields.string("helmHome")?,
    };
    for unused in ["chartRepoName", "helmBin", "releaseNamespace"] {
        fields.string(unused)?;
    }
    fields.strings("extraArgs")?;
    fields.finish()?;
    Ok((chart, globals))
}
