//! What a build has to say without failing.

use crate::error::Place;
use std::fmt;

/// A remark about a build that went through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub kind: WarningKind,
    pub place: Option<Place>,
}

/// What a remark is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WarningKind {
    /// A field that kustomize will drop one day.
    Deprecated { field: &'static str, instead: &'static str },
    /// A patch with a target that selects nothing.
    PatchMatchesNothing,
    /// An entry of `images` that no container uses.
    ImageMatchesNothing(String),
    /// Variables that nothing refers to.
    UnusedVariables(Vec<String>),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        match &self.kind {
            WarningKind::Deprecated { field, instead } => {
                write!(f, "{field} is deprecated, use {instead}")
            }
            WarningKind::PatchMatchesNothing => write!(f, "this patch's target matches no object"),
            WarningKind::ImageMatchesNothing(name) => {
                write!(f, "no container uses the image {name:?}")
            }
            WarningKind::UnusedVariables(names) => {
                write!(f, "nothing refers to the variables {}", names.join(", "))
            }
        }
    }
}
