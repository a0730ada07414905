//! What a build says, as a person reads it: the message, the lines it is about, what to do.

use super::{CliError, excerpt};
use formwork_kustomize::{
    Disk, Error, ErrorKind, Files, Finding, Place, Severity as Gravity, Warning,
};
use miette::{Diagnostic, LabeledSpan, NamedSource, Report, Severity, SourceCode};
use std::path::{Path, PathBuf};

/// An error or a warning, with its lines.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(super) struct Shown {
    message: String,
    help: Option<String>,
    severity: Severity,
    file: Option<NamedSource<String>>,
    label: Option<LabeledSpan>,
    related: Vec<Shown>,
}

impl Diagnostic for Shown {
    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn std::fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.file.as_ref().map(|file| file as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = self.label.clone()?;
        Some(Box::new(std::iter::once(label)))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        let related = self.related.iter().map(|shown| shown as &dyn Diagnostic);
        (!self.related.is_empty()).then(|| Box::new(related) as Box<dyn Iterator<Item = _>>)
    }
}

impl Shown {
    /// A message about a place; where the place has no lines to show, the file's name begins the message.
    fn at(files: &dyn Files, place: Option<&Place>, message: String, label: Option<&str>) -> Self {
        let mut shown = Self {
            message,
            help: None,
            severity: Severity::Error,
            file: None,
            label: None,
            related: Vec::new(),
        };
        let Some(place) = place else { return shown };
        let name = name(&place.file);
        let text = files.read(&place.file).ok().and_then(|text| String::from_utf8(text).ok());
        let span = text.as_deref().and_then(|text| excerpt::span(text, place));
        match (text, span) {
            (Some(text), Some(span)) => {
                shown.file = Some(NamedSource::new(name, text).with_language("YAML"));
                shown.label = Some(LabeledSpan::new_with_span(label.map(str::to_owned), span));
            }
            _ if place.line > 0 => {
                shown.message =
                    format!("{name}:{}:{}: {}", place.line, place.column, shown.message);
            }
            _ => shown.message = format!("{name}: {}", shown.message),
        }
        shown
    }

    pub(super) fn error(files: &dyn Files, error: &Error) -> Self {
        let place = error.place.as_ref();
        let mut shown = Self::at(files, place, error.kind.to_string(), label(&error.kind));
        let here = here().map(|here| format!("{}/", here.display())).unwrap_or_default();
        let short = |text: &str| match here.as_str() {
            "" | "/" => text.to_owned(),
            here => text.replace(here, ""),
        };
        let on_the_way = error.while_doing.iter().map(|doing| format!("while {}", short(doing)));
        let help: Vec<String> = error.help().map(short).into_iter().chain(on_the_way).collect();
        shown.help = (!help.is_empty()).then(|| help.join("\n"));
        shown.related = error
            .related()
            .map(|(place, what)| {
                let related = Self::at(files, Some(place), what.to_owned(), None);
                Self { severity: Severity::Advice, ..related }
            })
            .collect();
        shown
    }

    pub(super) fn warning(files: &dyn Files, warning: &Warning) -> Self {
        let shown = Self::at(files, warning.place.as_ref(), warning.kind.to_string(), None);
        Self { severity: Severity::Warning, help: warning.help(), ..shown }
    }

    fn finding(files: &dyn Files, finding: &Finding) -> Self {
        let severity = match finding.severity {
            Gravity::Note => Severity::Advice,
            Gravity::Warning => Severity::Warning,
            Gravity::Error => Severity::Error,
        };
        let shown = Self::at(files, finding.place.as_ref(), finding.to_string(), None);
        Self { severity, help: finding.help.clone(), ..shown }
    }
}

/// A few words beside the place itself.
fn label(kind: &ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::UnknownField { .. } => Some("there is no such field"),
        ErrorKind::NoSuchPath(_) | ErrorKind::NoKustomization => Some("named here"),
        ErrorKind::Cycle(_) => Some("this leads back"),
        ErrorKind::WrongType { .. } => Some("this value"),
        _ => None,
    }
}

/// A path as the person who is in the working directory would write it.
fn name(path: &Path) -> String {
    let relative = here().and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned));
    relative.as_deref().unwrap_or(path).display().to_string()
}

fn here() -> Option<PathBuf> {
    std::env::current_dir().and_then(|here| here.canonicalize()).ok()
}

pub(super) fn error(error: &Error) -> CliError {
    CliError::from_report(Report::new(Shown::error(&Disk, error)))
}

/// A finding with the lines it is about.
pub(super) fn finding(finding: &Finding) -> String {
    format!("{:?}", Report::new(Shown::finding(&Disk, finding)))
}

/// Prints warnings, and says how many there were.
pub(super) fn warnings(warnings: &[Warning]) -> usize {
    for warning in warnings {
        errln!("{:?}", Report::new(Shown::warning(&Disk, warning)));
    }
    warnings.len()
}
