//! What several steps ask of plans.

use crate::{Rehearsal, clients::Said};
use serde_json::Value;

/// The images that the rehearsal deploys; nothing pulls them, since kwok runs no containers.
pub const IMAGES: [&str; 4] =
    ["--image", "client=registry.example/client:1", "--image", "server=registry.example/server:1"];

/// The arguments of a command about a stack, with its images.
pub fn with_images<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, &IMAGES].concat()
}

/// Plans as JSON.
pub fn plan(r: &Rehearsal, site: &str, stack: &[&str], code: i32) -> Result<Value, String> {
    let arguments = [&["plan", "--format", "json"], stack].concat();
    let said = r.formwork(site, &arguments)?.code_is(code)?;
    serde_json::from_str(&said.stdout).map_err(|error| format!("{error} in\n{}", said.stdout))
}

/// The changes of a plan as `action address path` lines, sorted.
pub fn changes(plan: &Value) -> Vec<String> {
    let mut lines = vec![];
    for step in plan["changes"].as_array().into_iter().flatten() {
        let action = step["action"].as_str().unwrap_or_default();
        let address = step["address"].as_str().unwrap_or_default();
        for change in step["changes"].as_array().into_iter().flatten() {
            lines.push(format!(
                "{action} {address} {}",
                change["path"].as_str().unwrap_or_default()
            ));
        }
    }
    lines.sort();
    lines
}

/// The addresses of a plan with an action.
pub fn addresses(plan: &Value, action: &str) -> Vec<String> {
    let steps = plan["changes"].as_array().into_iter().flatten();
    let with_action = steps.filter(|step| step["action"] == action);
    with_action.map(|step| step["address"].as_str().unwrap_or_default().to_owned()).collect()
}

/// An error that shows both, unless they are equal.
pub fn equal<T: PartialEq + std::fmt::Debug>(
    what: &str,
    found: T,
    expected: T,
) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}:\n  found    {found:#?}\n  expected {expected:#?}"))
}

/// An error unless the text holds the part.
pub fn holds(what: &str, text: &str, part: &str) -> Result<(), String> {
    if text.contains(part) { Ok(()) } else { Err(format!("{what} lacks `{part}`:\n{text}")) }
}

/// An error unless the command was refused with this in its message.
pub fn refused(said: Said, why: &str) -> Result<(), String> {
    let said = said.code_is(1)?;
    holds("the message", &said.stderr, why)
}
