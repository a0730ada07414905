//! `formwork kube diff`: two overlays, or one at two revisions, compared object by object and field by field.

mod fields;
mod objects;
mod render;
mod revision;

use super::{super::graph, CliError, Ended, build, report, tools::HostTools};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use formwork_kustomize::{Disk, Object};
use std::path::{Path, PathBuf};

pub(super) fn command() -> Command {
    Command::new("diff")
        .about("Compare two kustomizations, or one at two revisions, object by object")
        .long_about(
            "Compare two kustomizations, or one at two revisions, object by object and field by field.\n\n\
             \u{20}   formwork kube diff kube/overlays/staging kube/overlays/production\n    \
             formwork kube diff kube/overlays/production --rev main..HEAD\n    \
             formwork kube diff kube/overlays/production@v1.2 kube/overlays/production\n\n\
             Values of Secrets aren't shown. Exit code: 0 no difference, 2 some, 1 an error.",
        )
        .arg(side("from").help("A kustomization; DIR@REV is the one at a Git revision").required(true))
        .arg(side("to").help("The one to compare it with").required_unless_present("rev"))
        .arg(
            Arg::new("rev")
                .long("rev")
                .value_name("REV..REV")
                .help("Compare DIR at two Git revisions; without the second, with the files as they are")
                .conflicts_with("to"),
        )
        .arg(
            Arg::new("json")
                .long("json")
                .help("Print the differences as JSON")
                .action(ArgAction::SetTrue),
        )
        .args(build::building())
        .args(build::helm())
}

fn side(name: &'static str) -> Arg {
    let value_name = if name == "from" { "DIR" } else { "OTHER" };
    Arg::new(name).value_name(value_name).value_parser(value_parser!(PathBuf))
}

pub(super) fn run(matches: &ArgMatches) -> Result<Ended, CliError> {
    let (from, to) = sides(matches)?;
    let tools = HostTools::default();
    let (before, after) = (built(&from, &tools, matches)?, built(&to, &tools, matches)?);
    let differences = objects::compare(&before, &after);
    if matches.get_flag("json") {
        let json = render::json(&from.to_string(), &to.to_string(), &differences);
        let text = serde_json::to_string_pretty(&json)
            .map_err(|error| CliError::new(format!("can't write the differences: {error}")))?;
        outln!("{text}");
    } else {
        out!("{}", render::text(&from.to_string(), &to.to_string(), &differences));
    }
    Ok(if differences.is_empty() { Ended::Fine } else { Ended::Changes })
}

/// One side of a comparison.
struct Side {
    directory: PathBuf,
    /// The revision, where it isn't the files as they are.
    revision: Option<String>,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.directory.display())?;
        self.revision.iter().try_for_each(|revision| write!(f, "@{revision}"))
    }
}

fn sides(matches: &ArgMatches) -> Result<(Side, Side), CliError> {
    let from = graph::path(matches, "from");
    let Some(range) = matches.get_one::<String>("rev") else {
        return Ok((parse(from), parse(graph::path(matches, "to"))));
    };
    let (old, new) = range.split_once("..").unwrap_or((range, ""));
    if old.is_empty() || new.starts_with('.') {
        return Err(CliError::with_help(
            format!("--rev {range}: write it as REV..REV"),
            "for example --rev main..HEAD; with --rev main, the files as they are come second",
        ));
    }
    let at = |revision: &str| Side {
        directory: from.to_owned(),
        revision: (!revision.is_empty()).then(|| revision.to_owned()),
    };
    Ok((at(old), at(new)))
}

/// `DIR@REV`, unless a directory has just that name.
fn parse(path: &Path) -> Side {
    let split = path.to_str().filter(|_| !path.exists()).and_then(|text| text.rsplit_once('@'));
    match split {
        // An address such as git@github.com:o/r or a URL is a kustomization of its own.
        Some((directory, revision))
            if Path::new(directory).components().next().is_some()
                && !directory.contains("://")
                && !revision.contains([':', '?']) =>
        {
            Side { directory: directory.into(), revision: Some(revision.to_owned()) }
        }
        _ => Side { directory: path.to_owned(), revision: None },
    }
}

fn built(side: &Side, tools: &HostTools, matches: &ArgMatches) -> Result<Vec<Object>, CliError> {
    let directory = match &side.revision {
        Some(revision) => revision::check_out(tools, &side.directory, revision)?,
        None => side.directory.clone(),
    };
    // Remote bases are there as long as the options are, and an error may show their lines.
    let options = build::options(matches);
    match formwork_kustomize::build(&Disk, &directory, &options) {
        Ok(built) => Ok(built.objects().cloned().collect()),
        Err(error) => {
            // The excerpt names a file of the copy; this says what it is a copy of.
            errln!("{side} can't be built");
            Err(report::error(&error))
        }
    }
}
