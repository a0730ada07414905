//! Helm charts, inflated by the `helm` command.

use crate::error::{Error, ErrorKind, Result, fail};
use crate::kustomization::{HelmChart, HelmGlobals};
use crate::load::Loader;
use crate::patch::strategic;
use crate::resource::Resource;
use crate::schema::Schemas;
use crate::yaml::{Dialect, Mark, Node, ParseOptions, parse_document, to_yaml};
use std::path::{Path, PathBuf};

/// Where charts are when nothing else is said, under the kustomization's directory.
const CHART_HOME: &str = "charts";

/// Runs `helm template` and reads what it prints.
pub fn inflate(
    loader: &Loader<'_>,
    chart: &HelmChart,
    globals: &HelmGlobals,
) -> Result<Vec<Resource>> {
    let options = loader.context.options;
    if !options.enable_helm {
        let error = Error::new(ErrorKind::Unsupported(format!("the helm chart {:?}", chart.name)));
        return Err(error.with_help("pass --enable-helm, and have the helm command installed"));
    }
    if chart.name.is_empty() {
        return Err(fail!(Field, "an entry of helmCharts needs the name of a chart"));
    }
    if chart.name.starts_with('-') || chart.release_name.starts_with('-') {
        return Err(fail!(Field, "names of charts and releases must not begin with a dash"));
    }
    let home = chart_home(loader, chart, globals);
    let directory = home.join(&chart.name);
    if !loader.context.files.is_dir(&directory) {
        pull(loader, chart, globals, &home)?;
    }
    let values = values_file(loader, chart, &directory)?;
    let output = run(loader, globals, &template_arguments(loader, chart, &directory, &values))?;
    let text = String::from_utf8(output).map_err(|_| Error::new(ErrorKind::NotText))?;
    let mut resources = loader.objects(&text, &directory, Mark::NOWHERE)?;
    for resource in &mut resources {
        resource.from_helm = true;
    }
    Ok(resources)
}

fn chart_home(loader: &Loader<'_>, chart: &HelmChart, globals: &HelmGlobals) -> PathBuf {
    let home = if globals.chart_home.is_empty() { CHART_HOME } else { &globals.chart_home };
    let home = loader.root.join(home);
    if chart.version.is_empty() || chart.repo.is_empty() {
        home
    } else {
        home.join(format!("{}-{}", chart.name, chart.version))
    }
}

fn run(loader: &Loader<'_>, globals: &HelmGlobals, arguments: &[String]) -> Result<Vec<u8>> {
    let options = loader.context.options;
    let io = |error| fail!(Tool, "{} {}: {error}", options.helm_command, arguments.join(" "));
    let home = if globals.config_home.is_empty() {
        text(&options.tools.scratch_directory().map_err(io)?.join("helm"))
    } else {
        globals.config_home.clone()
    };
    let variable = |name: &str, below: &str| (name.to_owned(), format!("{home}{below}"));
    let environment = [
        variable("HELM_CONFIG_HOME", ""),
        variable("HELM_CACHE_HOME", "/.cache"),
        variable("HELM_DATA_HOME", "/.data"),
    ];
    options.tools.run(&options.helm_command, arguments, &environment, &loader.root).map_err(io)
}

fn pull(loader: &Loader<'_>, chart: &HelmChart, globals: &HelmGlobals, home: &Path) -> Result<()> {
    if chart.repo.is_empty() {
        return Err(fail!(
            NoMatch,
            "there is no chart at {:?} and no repo to pull it from",
            home.join(&chart.name)
        ));
    }
    let mut arguments =
        vec!["pull".to_owned(), "--untar".to_owned(), "--untardir".to_owned(), text(home)];
    if chart.repo.starts_with("oci://") {
        arguments.push(format!("{}/{}", chart.repo.trim_end_matches('/'), chart.name));
    } else {
        arguments.extend(["--repo".to_owned(), chart.repo.clone(), chart.name.clone()]);
    }
    if !chart.version.is_empty() {
        arguments.extend(["--version".to_owned(), chart.version.clone()]);
    }
    if chart.devel {
        arguments.push("--devel".to_owned());
    }
    run(loader, globals, &arguments).map(drop)
}

/// The values that helm is given: the chart's or another file, with the inline values laid over or under it.
fn values_file(loader: &Loader<'_>, chart: &HelmChart, directory: &Path) -> Result<PathBuf> {
    let tools = &loader.context.options.tools;
    let file = if chart.values_file.is_empty() {
        text(&directory.join("values.yaml"))
    } else {
        chart.values_file.clone()
    };
    let content = match &chart.values_inline {
        Some(inline) if !inline.is_null_or_empty() => merged_values(loader, chart, &file, inline)?,
        _ => loader.text(&file)?,
    };
    let io = |error| fail!(Tool, "can't write the values for helm: {error}");
    let path = tools
        .scratch_directory()
        .map_err(io)?
        .join(format!("{}-kustomize-values.yaml", chart.name));
    tools.write(&path, content.as_bytes()).map_err(io)?;
    Ok(path)
}

fn merged_values(
    loader: &Loader<'_>,
    chart: &HelmChart,
    file: &str,
    inline: &Node,
) -> Result<String> {
    let read = || -> Result<Node> {
        let text = loader.text(file)?;
        let node = parse_document(&text, ParseOptions::EMBEDDED);
        let node = node.map_err(|error| Error::yaml(&error, &loader.path(file)))?;
        Ok(node.unwrap_or_else(Node::empty_mapping))
    };
    // Inline values were read by YAML 1.1; from here on their types must not change.
    let json = crate::yaml::to_json(inline, Dialect::V2).map_err(ErrorKind::from)?;
    let inline = crate::yaml::from_json(&json);
    let values = match chart.values_merge.as_str() {
        "" | "override" => {
            let mut values = read()?;
            strategic::merge(&mut values, inline, Schemas::default())?;
            values
        }
        "merge" => {
            let mut values = inline;
            strategic::merge(&mut values, read()?, Schemas::default())?;
            values
        }
        "replace" => inline,
        other => {
            return Err(fail!(
                Field,
                "valuesMerge must be override, merge or replace, not {other:?}"
            ));
        }
    };
    Ok(to_yaml([&values]).map_err(ErrorKind::from)?)
}

fn template_arguments(
    loader: &Loader<'_>,
    chart: &HelmChart,
    directory: &Path,
    values: &Path,
) -> Vec<String> {
    let options = loader.context.options;
    let mut arguments = vec!["template".to_owned()];
    let mut add = |parts: &[&str]| arguments.extend(parts.iter().map(|part| (*part).to_owned()));
    add(&[if chart.release_name.is_empty() { "--generate-name" } else { &chart.release_name }]);
    add(&[&text(directory)]);
    if !chart.namespace.is_empty() {
        add(&["--namespace", &chart.namespace]);
    }
    if !chart.name_template.is_empty() {
        add(&["--name-template", &chart.name_template]);
    }
    add(&["-f", &text(values)]);
    for file in &chart.additional_values_files {
        add(&["-f", &text(&loader.path(file))]);
    }
    let from_chart = !chart.api_versions.is_empty();
    for version in if from_chart { &chart.api_versions } else { &options.helm_api_versions } {
        add(&["--api-versions", version]);
    }
    let version = if chart.kube_version.is_empty() {
        &options.helm_kube_version
    } else {
        &chart.kube_version
    };
    if !version.is_empty() {
        add(&["--kube-version", version]);
    }
    let flags = [
        (chart.include_crds, "--include-crds"),
        (chart.skip_tests, "--skip-tests"),
        (chart.skip_hooks, "--no-hooks"),
        (chart.debug || options.helm_debug, "--debug"),
        (chart.devel, "--devel"),
    ];
    for (_, flag) in flags.into_iter().filter(|(wanted, _)| *wanted) {
        add(&[flag]);
    }
    arguments
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
