//! What a build has to say without failing.

use crate::error::Place;
use std::fmt;

/// A remark about a build that went through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub kind: WarningKind,
    pub place: Option<Place>,
}

/// What a remark is about; `near` says what was probably meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WarningKind {
    /// A field that kustomize will drop one day.
    Deprecated { field: &'static str, instead: &'static str },
    /// A key that stands twice in one map; the first one, at that line, counts for nothing.
    RepeatedKey { key: String, first: u32 },
    /// A generator's `behavior` that doesn't exist; it counts for none.
    UnknownBehavior { behavior: String, near: Option<String> },
    /// A patch with a target that selects nothing.
    PatchMatchesNothing { near: Option<String> },
    /// A target of a replacement that selects nothing.
    ReplacementMatchesNothing { near: Option<String> },
    /// An entry of `images` that no container uses.
    ImageMatchesNothing { name: String, near: Option<String> },
    /// An entry of `images` whose images are already as it wants them.
    ImageChangesNothing(String),
    /// An entry of `replicas` whose objects have that count already.
    ReplicasChangeNothing { name: String, count: i64 },
    /// A variable that nothing refers to.
    UnusedVariable(String),
}

impl Warning {
    /// What to do about it, in one sentence.
    pub fn help(&self) -> Option<String> {
        let meant = |name: &String| format!("did you mean {name:?}?");
        match &self.kind {
            WarningKind::Deprecated { field: "bases", .. } => {
                Some("move its entries to `resources`".to_owned())
            }
            WarningKind::Deprecated { instead, .. } => Some(format!("use `{instead}`")),
            WarningKind::RepeatedKey { first, .. } => {
                Some(format!("the one in line {first} counts for nothing; make them one"))
            }
            WarningKind::UnknownBehavior { near: Some(near), .. } => Some(meant(near)),
            WarningKind::UnknownBehavior { .. } => {
                Some("there are: create, merge, replace".to_owned())
            }
            WarningKind::PatchMatchesNothing { near }
            | WarningKind::ReplacementMatchesNothing { near }
            | WarningKind::ImageMatchesNothing { near, .. } => near.clone(),
            WarningKind::ImageChangesNothing(_) | WarningKind::ReplicasChangeNothing { .. } => {
                Some("take it out, or set what it is to change to".to_owned())
            }
            WarningKind::UnusedVariable(name) => {
                Some(format!("write $({name}) where its value belongs, or take it out"))
            }
        }
    }
}

impl fmt::Display for WarningKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deprecated { field, .. } => write!(f, "{field} is deprecated"),
            Self::RepeatedKey { key, .. } => {
                write!(f, "key {key:?} stands twice in this map; only the last one counts")
            }
            Self::UnknownBehavior { behavior, .. } => {
                write!(f, "there is no behavior {behavior:?}; it counts for none")
            }
            Self::PatchMatchesNothing { .. } => {
                f.write_str("this patch's target matches no object")
            }
            Self::ReplacementMatchesNothing { .. } => {
                f.write_str("this target of a replacement matches no object")
            }
            Self::ImageMatchesNothing { name, .. } => {
                write!(f, "no container uses the image {name:?}")
            }
            Self::ImageChangesNothing(name) => {
                write!(f, "the images {name:?} are so already; this entry changes nothing")
            }
            Self::ReplicasChangeNothing { name, count } => {
                write!(f, "{name:?} has {count} replicas already; this entry changes nothing")
            }
            Self::UnusedVariable(name) => write!(f, "nothing refers to the variable {name:?}"),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}", self.kind)?;
        match self.help() {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}
