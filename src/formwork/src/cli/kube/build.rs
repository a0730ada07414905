//! `formwork kube build`: what `kustomize build` and `kubectl kustomize` do, with their arguments.

use super::{
    super::{graph, out::note},
    CliError, Ended, directory, report,
    tools::HostTools,
};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use formwork_kustomize::{Built, Disk, LoadRestrictor, Options, Reorder, build};
use std::{
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Arguments of kustomize that are for functions in containers and programs, which are never run.
const FOR_FUNCTIONS: [(&str, bool); 7] = [
    ("env", true),
    ("mount", true),
    ("network-name", true),
    ("network", false),
    ("as-current-user", false),
    ("enable-alpha-plugins", false),
    ("enable-exec", false),
];

pub(super) fn command() -> Command {
    Command::new("build")
        .about("Build a kustomization, as `kustomize build` does")
        .long_about(
            "Build a kustomization, as `kustomize build` does: the same arguments, the same output.\n\n\
             Exit code: 0 built, 1 an error, or with --strict a warning.",
        )
        .arg(directory())
        .arg(
            Arg::new("output")
                .long("output")
                .short('o')
                .value_name("PATH")
                .help("Write to this file, or one file per object into this folder")
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(strict())
        .args(building())
        .args(helm())
        .args(for_functions())
}

/// `--strict`.
pub(super) fn strict() -> Arg {
    Arg::new("strict").long("strict").help("Fail on warnings too").action(ArgAction::SetTrue)
}

/// The arguments that change what is built.
pub(super) fn building() -> [Arg; 3] {
    [
        Arg::new("load-restrictor")
            .long("load-restrictor")
            .help("Whether files may lie outside of their kustomization's folder")
            .default_value("LoadRestrictionsRootOnly")
            .value_parser(["LoadRestrictionsRootOnly", "LoadRestrictionsNone"]),
        Arg::new("reorder")
            .long("reorder")
            .help("Namespaces and definitions first, or as written")
            .default_value("legacy")
            .value_parser(["legacy", "none"]),
        Arg::new("enable-managedby-label")
            .long("enable-managedby-label")
            .help("Label every object with app.kubernetes.io/managed-by")
            .action(ArgAction::SetTrue),
    ]
}

/// The arguments about helm charts.
pub(super) fn helm() -> [Arg; 5] {
    [
        Arg::new("enable-helm")
            .long("enable-helm")
            .help("Inflate helm charts, with the `helm` of this machine")
            .action(ArgAction::SetTrue),
        Arg::new("helm-command")
            .long("helm-command")
            .value_name("PROGRAM")
            .help("The helm to run")
            .default_value("helm"),
        Arg::new("helm-kube-version")
            .long("helm-kube-version")
            .value_name("VERSION")
            .help("The Kubernetes version that charts are told"),
        Arg::new("helm-api-versions")
            .long("helm-api-versions")
            .value_name("VERSIONS")
            .help("API versions that charts are told; may be given more than once")
            .action(ArgAction::Append),
        Arg::new("helm-debug")
            .long("helm-debug")
            .help("Pass --debug to helm")
            .action(ArgAction::SetTrue),
    ]
}

fn for_functions() -> impl Iterator<Item = Arg> {
    let arguments = FOR_FUNCTIONS.into_iter().map(|(name, takes_value)| {
        let action = if takes_value { ArgAction::Append } else { ArgAction::SetTrue };
        Arg::new(name).long(name).action(action).hide(true)
    });
    arguments
        .map(|argument| if argument.get_id() == "env" { argument.short('e') } else { argument })
}

pub(super) fn run(matches: &ArgMatches) -> Result<Ended, CliError> {
    for (name, takes_value) in FOR_FUNCTIONS {
        if if takes_value { matches.contains_id(name) } else { matches.get_flag(name) } {
            errln!("--{name} changes nothing: it is for functions, which are not run here");
        }
    }
    let options = options(matches);
    let built = build(&Disk, graph::path(matches, "dir"), &options)
        .map_err(|error| report::error(&error))?;
    let warnings = report::warnings(built.warnings());
    if matches.get_flag("strict") && warnings > 0 {
        let count =
            if warnings == 1 { "a warning".to_owned() } else { format!("{warnings} warnings") };
        return Err(CliError::with_help(
            format!("{count}, which --strict doesn't let pass; nothing was written"),
            "mend what is warned about, or leave --strict out",
        ));
    }
    write(&built, matches.get_one::<PathBuf>("output").map(PathBuf::as_path))?;
    // The program ends here. To give back the memory of thousands of objects piece by piece would take a twentieth of its time.
    std::mem::forget(built);
    Ok(Ended::Fine)
}

/// The options of a build, with the programs of this machine.
pub(super) fn options(matches: &ArgMatches) -> Options {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    Options {
        load_restrictor: match text("load-restrictor").as_deref() {
            Some("LoadRestrictionsNone") => LoadRestrictor::None,
            _ => LoadRestrictor::RootOnly,
        },
        reorder: match text("reorder").as_deref() {
            Some("none") => Reorder::None,
            _ => Reorder::Legacy,
        },
        enable_managedby_label: matches.get_flag("enable-managedby-label"),
        enable_helm: matches.get_flag("enable-helm"),
        helm_command: text("helm-command").unwrap_or_else(|| "helm".to_owned()),
        helm_kube_version: text("helm-kube-version").unwrap_or_default(),
        helm_api_versions: matches
            .get_many::<String>("helm-api-versions")
            .into_iter()
            .flatten()
            .cloned()
            .collect(),
        helm_debug: matches.get_flag("helm-debug"),
        tools: Arc::new(HostTools::default()),
    }
}

/// Writes to standard output, into a file, or one file an object into a folder.
fn write(built: &Built, output: Option<&Path>) -> Result<(), CliError> {
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |error: io::Error| CliError::new(format!("can't write {path}: {error}"))
    };
    match output {
        None => {
            let mut out = BufWriter::new(io::stdout().lock());
            note(built.write_yaml(&mut out).and_then(|()| out.flush()));
            Ok(())
        }
        Some(folder) if folder.is_dir() => {
            for (name, object) in built.files() {
                let path = folder.join(name);
                std::fs::write(&path, object.to_yaml()).map_err(failed(&path))?;
            }
            Ok(())
        }
        Some(file) => std::fs::write(file, built.to_yaml()).map_err(failed(file)),
    }
}
