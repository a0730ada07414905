//! What validation and checks have to say about a built object.

use crate::built::Object;
use crate::error::Place;
use serde::Serialize;
use std::fmt;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something wasn't looked at, and why.
    Note,
    /// It may work, and a team would want to know.
    Warning,
    /// The API server refuses it, or it can't work.
    Error,
}

/// Something that validation or a check looks for.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// A code that stays (`FWK101`).
    pub code: &'static str,
    /// What it is about, in a few words.
    pub name: &'static str,
    pub severity: Severity,
    /// Why it matters.
    pub why: &'static str,
    /// How to put it right.
    pub fix: &'static str,
    /// Whether an object may say that it is meant so; what the API server refuses can't be.
    pub can_be_ignored: bool,
}

/// One thing that is wrong with one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A code that stays (`FWK101`), by which `formwork kube checks` explains it.
    pub code: &'static str,
    pub severity: Severity,
    /// Kind and name (`Deployment shop/web`).
    pub object: String,
    /// The field, as in `spec.template.spec.containers[0].image`; empty for the object as a whole.
    pub field: String,
    pub message: String,
    /// The next step.
    pub help: Option<String>,
    /// Where the field was written; for one that the build made, what it is in, or where the object begins.
    #[serde(serialize_with = "as_text")]
    pub place: Option<Place>,
}

fn as_text<S: serde::Serializer>(place: &Option<Place>, serializer: S) -> Result<S::Ok, S::Error> {
    match place {
        Some(place) => serializer.collect_str(place),
        None => serializer.serialize_none(),
    }
}

impl Finding {
    pub(crate) fn new(rule: &Rule, object: &Object, message: impl Into<String>) -> Self {
        Self {
            code: rule.code,
            severity: rule.severity,
            object: object.title(),
            field: String::new(),
            message: message.into(),
            help: None,
            place: object.place(),
        }
    }

    pub(crate) fn at(self, field: impl Into<String>) -> Self {
        Self { field: field.into(), ..self }
    }

    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// `FWK001 Deployment web: spec.replica: there is no such field`; place and help are for whoever shows it.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.code, self.object)?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)
    }
}
