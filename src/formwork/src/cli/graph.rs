//! Getting the graph of a stack: from the program, or from a file.

use super::{CliError, Ended};
use crate::{Program, registry::registry};
use formwork_engine::{Graph, Registry};
use std::path::{Path, PathBuf};

/// A path argument that has a default, or one that was given.
pub(crate) fn path<'m>(matches: &'m clap::ArgMatches, name: &str) -> &'m Path {
    matches.get_one::<PathBuf>(name).map_or(Path::new("."), PathBuf::as_path)
}

/// The graph that the arguments name, checked, with everything embedded that it names outside of itself.
pub(crate) fn read(
    program: &Program,
    registry: &Registry,
    matches: &clap::ArgMatches,
) -> Result<Graph, CliError> {
    let from_file = matches.try_get_one::<PathBuf>("graph").ok().flatten();
    let mut graph = match (from_file, matches.subcommand()) {
        (Some(file), None) => from_json(file)?,
        (None, Some((name, arguments))) => match program.stacks.get(name) {
            Some(known) => (known.define)(arguments)?,
            None => return Err(unknown(program, name)),
        },
        (Some(_), Some((name, _))) => {
            return Err(CliError::new(format!("give either --graph or the stack `{name}`")));
        }
        (None, None) => return Err(unknown(program, "")),
    };
    if let Some(expected) = matches.try_get_one::<String>("stack").ok().flatten()
        && *expected != graph.stack
    {
        return Err(CliError::with_help(
            format!(
                "the graph is of stack `{}`, not of `{expected}`; nothing was changed",
                graph.stack
            ),
            "give the graph of that stack, or name the other one by --stack",
        ));
    }
    registry.check(&graph)?;
    registry.embed(path(matches, "project"), &mut graph)?;
    Ok(graph)
}

/// A name that is no stack's.
pub(crate) fn unknown(program: &Program, name: &str) -> CliError {
    let known: Vec<&str> = program.stacks.keys().copied().collect();
    let what = match name {
        "" => "which stack?".to_owned(),
        name => format!("no stack `{name}`"),
    };
    CliError::with_help(what, format!("this program has: {}", known.join(", ")))
}

fn from_json(file: &Path) -> Result<Graph, CliError> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        CliError::new(format!("can't read the graph {}: {error}", file.display()))
    })?;
    serde_json::from_str(&text).map_err(|error| {
        CliError::with_help(
            format!("{}:{}:{}: no graph: {error}", file.display(), error.line(), error.column()),
            "write it with `formwork emit STACK > FILE`",
        )
    })
}

/// `formwork emit`: the graph as data, so that it can be planned where its program isn't trusted.
pub(crate) fn emit(program: &Program, matches: &clap::ArgMatches) -> Result<Ended, CliError> {
    let graph = read(program, &registry(), matches)?;
    let json = serde_json::to_string_pretty(&graph)
        .map_err(|error| CliError::new(format!("can't write the graph: {error}")))?;
    outln!("{json}");
    Ok(Ended::Fine)
}
