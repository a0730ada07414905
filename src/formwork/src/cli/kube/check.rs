//! `formwork kube check`: a build validated against a Kubernetes version, and checked as a whole.

use super::{
    super::{CliError, Ended, graph},
    build, directory, report,
};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use formwork_kustomize::{Built, Disk, Finding, Schemas, Severity, inspect};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

pub(in crate::cli) fn command() -> Command {
    Command::new("check")
        .about("Build a kustomization, and say what a cluster would refuse or a team regret")
        .long_about(
            "Build a kustomization, and say what a cluster would refuse or a team regret.\n\n\
             Every object is held against the types of a Kubernetes version, without a cluster; custom \
             resources against the definitions in the same build. Then the objects are checked together: \
             `formwork kube checks` lists for what. An object that is meant to be as it is says so with a \
             reason, in its annotation `formwork.dev/ignore: FWK104 the queue has one reader`.\n\n\
             Exit code: 0 nothing is wrong, 1 an error, or with --strict a warning.",
        )
        .arg(directory())
        .arg(
            Arg::new("kubernetes")
                .long("kubernetes")
                .value_name("VERSION")
                .help("The Kubernetes version to validate against; the one there is by default")
                .conflicts_with("schemas"),
        )
        .arg(
            Arg::new("schemas")
                .long("schemas")
                .value_name("FILE")
                .help("Validate against the types in this file, which `formwork kube schemas` wrote")
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(build::strict())
        .arg(Arg::new("json").long("json").help("Say it as JSON").action(ArgAction::SetTrue))
        .args(build::building())
        .args(build::helm())
}

pub(super) fn run(matches: &ArgMatches) -> Result<Ended, CliError> {
    let read;
    let schemas = match matches.get_one::<PathBuf>("schemas") {
        Some(file) => {
            read = read_schemas(file)?;
            &read
        }
        None => stored(matches.get_one::<String>("kubernetes").map(String::as_str))?,
    };
    let built =
        formwork_kustomize::build(&Disk, graph::path(matches, "dir"), &build::options(matches))
            .map_err(|error| report::error(&error))?;
    let warnings = report::warnings(built.warnings());
    let findings = inspect(&built, schemas);
    match matches.get_flag("json") {
        true => outln!("{:#}", as_json(&built, schemas, &findings)),
        false => out!("{}", as_text(&built, schemas, &findings)),
    }
    let strict = matches.get_flag("strict");
    let failing = if strict { Severity::Warning } else { Severity::Error };
    let fails = findings.iter().any(|finding| finding.severity >= failing);
    Ok(if fails || (strict && warnings > 0) { Ended::Failed } else { Ended::Fine })
}

/// The schemas that come with the program, if they are those of that version.
fn stored(version: Option<&str>) -> Result<&'static Schemas, CliError> {
    let stored = Schemas::stored();
    let wanted = version.map(|version| version.strip_prefix('v').unwrap_or(version));
    match wanted {
        Some(wanted) if wanted != stored.version() => Err(CliError::with_help(
            format!(
                "the types of Kubernetes {wanted} don't come with formwork, but those of {}",
                stored.version()
            ),
            "read them from a cluster of that version with `formwork kube schemas --output FILE`, and give them \
             with --schemas FILE",
        )),
        _ => Ok(stored),
    }
}

fn read_schemas(file: &Path) -> Result<Schemas, CliError> {
    let bytes = std::fs::read(file)
        .map_err(|error| CliError::new(format!("can't read {}: {error}", file.display())))?;
    Schemas::unpack(&bytes).map_err(|error| {
        CliError::with_help(
            format!("{}: {error}", file.display()),
            "write it with `formwork kube schemas --output FILE`",
        )
    })
}

fn as_text(built: &Built, schemas: &Schemas, findings: &[Finding]) -> String {
    let told = findings.iter().filter(|finding| finding.severity > Severity::Note);
    let mut text: String = told.map(report::finding).collect();
    // Notes say nothing about an object that isn't true of all of its kind.
    let mut notes: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.severity == Severity::Note) {
        *notes.entry(&finding.message).or_default() += 1;
    }
    for (note, count) in notes {
        text.push_str(&format!("note: {count} × {note}\n"));
    }
    let (errors, warnings) = (count(findings, Severity::Error), count(findings, Severity::Warning));
    let objects = counted(built.objects().len(), "object");
    let (errors, warnings) = (counted(errors, "error"), counted(warnings, "warning"));
    let version = schemas.version();
    text.push_str(&format!("{objects}, Kubernetes {version}: {errors}, {warnings}\n"));
    text
}

fn as_json(built: &Built, schemas: &Schemas, findings: &[Finding]) -> Value {
    json!({
        "kubernetes": schemas.version(),
        "objects": built.objects().len(),
        "errors": count(findings, Severity::Error),
        "warnings": count(findings, Severity::Warning),
        "findings": findings,
    })
}

/// `no errors`, `1 error`, `2 errors`.
fn counted(count: usize, what: &str) -> String {
    match count {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

fn count(findings: &[Finding], severity: Severity) -> usize {
    findings.iter().filter(|finding| finding.severity == severity).count()
}
