//! What a plan says of an overlay's objects before a cluster sees them.

use super::holes::MARK;
use formwork_engine::Failure;
use formwork_kustomize::{Built, Finding, Schemas, Severity, inspect};

/// More errors than this are counted, not listed.
const MAX_LISTED: usize = 10;

/// Fails on what the API server would refuse, or can't work.
pub fn refuse(built: &Built) -> Result<(), Failure> {
    let findings = inspect(built, Schemas::stored());
    let errors: Vec<Finding> =
        findings.into_iter().filter(|finding| finding.severity == Severity::Error).collect();
    if errors.is_empty() {
        return Ok(());
    }
    let mut lines: Vec<String> = errors.iter().take(MAX_LISTED).map(line).collect();
    if errors.len() > MAX_LISTED {
        lines.push(format!("and {} more", errors.len() - MAX_LISTED));
    }
    let version = Schemas::stored().version();
    let message = format!("the objects don't fit Kubernetes {version}:\n{}", lines.join("\n"));
    Err(Failure::invalid(message)
        .hint("mend the overlay; `formwork kube checks` says of each code why and how"))
}

/// What a team would want to know, in one line each.
pub fn remarks(built: &Built) -> Vec<String> {
    let findings = inspect(built, Schemas::stored());
    findings
        .iter()
        .filter(|finding| finding.severity == Severity::Warning)
        // What stands for a value that isn't known yet has no tag, or whatever the value will have.
        .filter(|finding| !finding.message.contains(MARK))
        .map(line)
        .collect()
}

/// In one line, with the file as the project names it.
fn line(finding: &Finding) -> String {
    let mut line = finding.to_string();
    if let Some(help) = &finding.help {
        line.push_str(&format!("; {help}"));
    }
    if let Some(place) = &finding.place {
        let place = place.to_string();
        line.push_str(&format!(" ({})", place.trim_start_matches('/')));
    }
    line
}
