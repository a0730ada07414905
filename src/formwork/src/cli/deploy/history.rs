//! `formwork deploy history` and `formwork deploy diff`: the releases that the cluster keeps.

use super::{CliError, Ended, app_argument, known, stack_argument, store};
use clap::{Arg, ArgMatches, Command, builder::PossibleValuesParser, value_parser};
use formwork_kubernetes::release::{self, Revision, Status};
use serde_json::{Value, json};

/// Characters of a commit that are shown.
const COMMIT: usize = 12;

pub(super) fn command() -> Command {
    Command::new("history")
        .about("Show the releases of an app that its cluster keeps, the newest last")
        .args([stack_argument(), app_argument(), format()])
}

pub(super) fn diff_command() -> Command {
    let revision = |name: &'static str| {
        Arg::new(name)
            .value_name(name)
            .required(true)
            .help("A release's number, as the history shows it")
            .value_parser(value_parser!(u64).range(1..))
    };
    Command::new("diff").about("Show what differs between two releases of an app").args([
        stack_argument(),
        revision("A"),
        revision("B"),
        app_argument(),
        format(),
    ])
}

fn format() -> Arg {
    Arg::new("format")
        .long("format")
        .value_name("FORMAT")
        .help("How it is shown")
        .default_value("text")
        .value_parser(PossibleValuesParser::new(["text", "json"]))
}

fn is_json(matches: &ArgMatches) -> bool {
    matches.get_one::<String>("format").is_some_and(|format| format == "json")
}

pub(super) async fn run(matches: &ArgMatches) -> Result<Ended, CliError> {
    let known = known(matches, &store::open(matches).await?).await?;
    let revisions = release::history(&known.connection, &known.subject).await?;
    match is_json(matches) {
        true => outln!("{:#}", Value::Array(revisions.iter().map(object).collect())),
        false => revisions.iter().for_each(|revision| outln!("{}", line(revision))),
    }
    Ok(Ended::Fine)
}

/// A release without its inputs.
fn object(revision: &Revision) -> Value {
    let Revision { number, release, restores, commit, author, time, images, .. } = revision;
    json!({
        "number": number, "status": word(&revision.status), "why": why(&revision.status),
        "release": release, "restores": restores, "commit": commit, "author": author, "time": time,
        "images": images, "schema": revision.schema,
    })
}

fn word(status: &Status) -> &'static str {
    match status {
        Status::Deploying => "deploying",
        Status::Good => "good",
        Status::Bad(_) => "bad",
        Status::Superseded => "superseded",
        Status::RolledBack { .. } => "rolled back",
    }
}

fn why(status: &Status) -> Option<&str> {
    match status {
        Status::Bad(why) | Status::RolledBack { reason: why, .. } => Some(why),
        _ => None,
    }
}

fn line(revision: &Revision) -> String {
    let Revision { number, time, .. } = revision;
    let mut line = format!("{number:>4}  {time}  {:<11}", word(&revision.status));
    let commit: Option<String> =
        revision.commit.as_ref().map(|commit| commit.chars().take(COMMIT).collect());
    line.push_str(&format!("  {:<COMMIT$}", commit.unwrap_or_default()));
    line.push_str(&format!("  {}", revision.author.as_deref().unwrap_or("-")));
    let images = revision.images.iter().map(|(name, image)| format!("{name}={image}"));
    let images: Vec<String> = images.collect();
    if !images.is_empty() {
        line.push_str(&format!("  {}", images.join(" ")));
    }
    if let Some(restores) = revision.restores {
        line.push_str(&format!("  (restores {restores})"));
    }
    if let Status::RolledBack { to, .. } = &revision.status {
        line.push_str(&format!("  (back to {to})"));
    }
    if let Some(why) = why(&revision.status) {
        line.push_str(&format!("\n      {}", why.replace('\n', "\n      ")));
    }
    line
}

pub(super) async fn diff(matches: &ArgMatches) -> Result<Ended, CliError> {
    let known = known(matches, &store::open(matches).await?).await?;
    let revisions = release::history(&known.connection, &known.subject).await?;
    let (a, b) = (find(matches, "A", &revisions)?, find(matches, "B", &revisions)?);
    let changes = release::diff(a, b);
    if is_json(matches) {
        let all = changes.iter().map(
            |change| json!({"path": change.path, "before": change.before, "after": change.after}),
        );
        outln!("{:#}", Value::Array(all.collect()));
    } else if changes.is_empty() {
        outln!("releases {} and {} are the same set", a.number, b.number);
    } else {
        for change in &changes {
            outln!("{}", crate::render::change(change));
        }
    }
    Ok(Ended::Fine)
}

/// The release that an argument names.
pub(super) fn find<'r>(
    matches: &ArgMatches,
    argument: &str,
    revisions: &'r [Revision],
) -> Result<&'r Revision, CliError> {
    let number = matches.get_one::<u64>(argument).copied().unwrap_or_default();
    let kept: Vec<String> = revisions.iter().map(|r| r.number.to_string()).collect();
    revisions.iter().find(|revision| revision.number == number).ok_or_else(|| {
        CliError::with_help(
            format!("there is no release {number}"),
            match kept.is_empty() {
                true => "none is kept".to_owned(),
                false => format!("kept are: {}", kept.join(", ")),
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use formwork_engine::Data;
    use std::collections::BTreeMap;

    #[test]
    fn a_line_says_what_a_person_asks_first() {
        let reason = "Deployment/shop-server: crash loop".to_owned();
        let revision = Revision {
            number: 7,
            status: Status::RolledBack { to: 6, reason },
            release: "0123456789abcdef".into(),
            restores: None,
            commit: Some("1f2e3d4c5b6a79881f2e".into()),
            author: Some("ann".into()),
            time: "2026-11-24T12:00:00Z".into(),
            schema: None,
            images: BTreeMap::from([("server".to_owned(), "r/server:2".to_owned())]),
            inputs: Data::empty_map(),
        };
        let expected = "   7  2026-11-24T12:00:00Z  rolled back  1f2e3d4c5b6a  ann  server=r/server:2  (back to 6)\n      Deployment/shop-server: crash loop";
        assert_eq!(line(&revision), expected);
    }
}
