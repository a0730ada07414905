//! Progress of an apply, on standard error: a live view for people, lines without a terminal, JSON for programs.

mod json;
mod lines;
mod live;
mod words;

use clap::{Arg, ArgMatches, builder::PossibleValue};
use formwork_engine::apply::Reporter;
use std::io::IsTerminal as _;

/// How progress is shown.
pub(crate) fn argument() -> Arg {
    let value = |name: &'static str, help: &'static str| PossibleValue::new(name).help(help);
    Arg::new("progress")
        .long("progress")
        .value_name("HOW")
        .help("How progress is shown, on standard error")
        .value_parser([
            value("auto", "`live` on a terminal, else `lines`"),
            value("live", "what is under way, in place"),
            value("lines", "a line when something starts, changes or ends"),
            value("json", "a JSON object on a line for each event"),
        ])
        .default_value("auto")
}

/// What takes the events of a run.
pub(crate) fn reporter(matches: &ArgMatches) -> Box<dyn Reporter> {
    match matches.get_one::<String>("progress").map(String::as_str) {
        Some("json") => Box::new(json::Json),
        Some("live") => Box::new(live::Live::new()),
        Some("auto") if std::io::stderr().is_terminal() => Box::new(live::Live::new()),
        _ => Box::new(lines::Lines::new()),
    }
}
