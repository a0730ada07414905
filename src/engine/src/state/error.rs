//! What can go wrong with stored state.

use super::{EnvelopeError, STATE_FORMAT};

/// What can go wrong with stored state. Nothing was changed, and nothing is lost.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("{place}: {doing}: {why}")]
    Store { place: String, doing: &'static str, why: String },
    #[error("{place}: the {what} is damaged: {why}")]
    Damaged { place: String, what: &'static str, why: String, previous: Option<Previous> },
    #[error("{place}: {error}")]
    Sealed { place: String, error: super::SealError },
    #[error(
        "{place}: the {what} has format {found}, and this program reads formats up to {STATE_FORMAT}"
    )]
    Format { place: String, what: &'static str, found: u32 },
    #[error("serial {serial} of stack `{stack}` was written by someone else meanwhile")]
    Conflict { stack: String, serial: u64 },
    #[error("stack `{stack}` is being changed by another run: {holder}")]
    Locked { stack: String, holder: String },
    #[error("this run lost its hold on stack `{stack}`: {why}")]
    Lost { stack: String, why: String },
    #[error("the journal writer stopped: {0}")]
    Journal(String),
}

/// The version before a damaged one.
#[derive(Debug)]
pub struct Previous {
    pub stack: String,
    pub serial: u64,
}

impl StateError {
    pub(super) fn damaged(place: String, what: &'static str, error: EnvelopeError) -> Self {
        match error {
            EnvelopeError::Seal(error) => Self::Sealed { place, error },
            EnvelopeError::Future(found) => Self::Format { place, what, found },
            error => Self::Damaged { place, what, why: error.to_string(), previous: None },
        }
    }

    /// The next step.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Damaged { previous: Some(Previous { stack, serial }), .. } => Some(format!(
                "nothing was changed; the version before is there: `formwork state show {stack} --serial {serial}` \
                 shows it, and `formwork state rollback-to {stack} {serial}` goes on from it"
            )),
            Self::Damaged { place, .. } => Some(format!(
                "nothing was changed, and there is no earlier version; restore {place} from a copy"
            )),
            Self::Store { .. } => {
                Some("check that it can be reached, that you may write there, and that there is space left".into())
            }
            Self::Sealed { .. } => Some("give the key that it was sealed with, by --encryption".into()),
            Self::Format { .. } => Some("use the formwork that wrote it, or a newer one".into()),
            Self::Conflict { .. } => Some("plan again: the state has moved on".into()),
            Self::Locked { stack, .. } => Some(format!(
                "wait for the other run to end, then try again; if it is dead, `formwork unlock {stack}`"
            )),
            Self::Lost { .. } => Some("apply again: what was under way is found out first".into()),
            Self::Journal(_) => None,
        }
    }
}
