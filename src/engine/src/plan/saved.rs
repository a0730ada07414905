//! Saved plans: a plan with everything that it was made from, in one file.
//!
//! It lies in an envelope, which shows damage and may be sealed. A plan that was read back is checked by
//! planning again from what it carries: [`SavedPlan::verify`].

use super::{Plan, Scope};
use crate::{
    Address, Graph,
    refresh::Observed,
    state::{EnvelopeError, Seal, envelope},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The version of the file that this program writes and reads.
pub const SAVED_FORMAT: u32 = 1;
/// What the envelope says that it holds.
const WHAT: &str = "plan";

/// A plan with what it was made from: the graph, what was observed, and the scope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedPlan {
    pub plan: Plan,
    pub graph: Graph,
    pub observed: Observed,
    pub scope: Scope,
}

/// The content of the file: the plan, and the digest of the program that made it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content<P> {
    program: String,
    saved: P,
}

/// Why a saved plan can't be used. Nothing was called.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    #[error("this is no saved plan: {0}")]
    NoPlan(String),
    #[error("the plan has format {0}, and this program reads format {SAVED_FORMAT}")]
    Format(u32),
    #[error("the plan can't be used: {0}")]
    Envelope(EnvelopeError),
    #[error("the plan was made by another program")]
    Program,
    #[error("the plan can't be written: {0}")]
    Write(String),
    #[error(
        "the plan isn't what its own content leads to; it differs at {}",
        .0.iter().map(|a| format!("`{a}`")).collect::<Vec<_>>().join(", ")
    )]
    Forged(Vec<Address>),
}

impl SavedError {
    /// The next step.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoPlan(_) => Some("write one with `formwork plan STACK --out FILE`".into()),
            Self::Format(_) => Some("use the formwork that wrote it, or plan again".into()),
            Self::Envelope(EnvelopeError::Seal(_)) => {
                Some("give the key that it was sealed with, by --encryption".into())
            }
            Self::Envelope(_) | Self::Forged(_) => {
                Some("don't apply it; find out who changed it, and plan again".into())
            }
            Self::Program => Some(
                "plan again with this program, or apply with the one that made the plan".into(),
            ),
            Self::Write(_) => None,
        }
    }
}

impl SavedPlan {
    /// The file's content, bound to the program that made the plan.
    pub fn to_bytes(
        &self,
        program: &str,
        by: &str,
        seal: Option<&Seal>,
    ) -> Result<Vec<u8>, SavedError> {
        let content = Content { program: program.to_owned(), saved: self };
        let json = serde_json::to_vec(&content);
        let json = json.map_err(|error| SavedError::Write(error.to_string()))?;
        let wrapped = envelope::wrap(WHAT, SAVED_FORMAT, by, json, seal);
        wrapped.map(|(_, bytes)| bytes).map_err(SavedError::Envelope)
    }

    /// Reads a file's content back, and refuses what isn't as it was written, or by another program.
    pub fn from_bytes(
        bytes: &[u8],
        program: &str,
        seal: Option<&Seal>,
    ) -> Result<Self, SavedError> {
        let (header, content) =
            envelope::open(WHAT, SAVED_FORMAT, bytes).map_err(|error| match error {
                EnvelopeError::Future(format) => SavedError::Format(format),
                EnvelopeError::Digest => SavedError::Envelope(error),
                error => SavedError::NoPlan(error.to_string()),
            })?;
        let json = envelope::unseal(&header, content, seal).map_err(SavedError::Envelope)?;
        let content: Content<Self> =
            serde_json::from_slice(&json).map_err(|error| SavedError::NoPlan(error.to_string()))?;
        if content.program != program {
            return Err(SavedError::Program);
        }
        Ok(content.saved)
    }

    /// Holds the plan against what planning again from the same graph and observations gives.
    pub fn verify(&self, again: &Plan) -> Result<(), SavedError> {
        if self.plan == *again {
            return Ok(());
        }
        Err(SavedError::Forged(differences(&self.plan, again)))
    }
}

/// The addresses whose steps differ.
pub(crate) fn differences(a: &Plan, b: &Plan) -> Vec<Address> {
    let all: BTreeSet<&Address> = a.steps.keys().chain(b.steps.keys()).collect();
    all.into_iter()
        .filter(|address| a.steps.get(address) != b.steps.get(address))
        .copied()
        .collect()
}
