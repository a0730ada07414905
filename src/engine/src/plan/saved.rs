//! Saved plans: a plan with everything that it was made from, in one file.
//!
//! The first line is a header; the rest is the body, whose SHA-256 the header holds. A plan that was
//! read back is checked by planning again from what it carries: [`SavedPlan::verify`].

use super::{Plan, Scope};
use crate::{Address, Graph, refresh::Observed};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;

/// The version of the file that this program writes and reads.
pub const SAVED_FORMAT: u32 = 1;

/// A plan with what it was made from: the graph, what was observed, and the scope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedPlan {
    pub plan: Plan,
    pub graph: Graph,
    pub observed: Observed,
    pub scope: Scope,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    formwork_plan: u32,
    /// The digest of the program that made it.
    program: String,
    sha256: String,
}

/// Why a saved plan can't be used. Nothing was called.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    #[error("this is no saved plan: {0}")]
    NoPlan(String),
    #[error("the plan has format {0}, and this program reads format {SAVED_FORMAT}")]
    Format(u32),
    #[error("the plan is damaged or was changed: its content doesn't have the digest that it says")]
    Digest,
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
            Self::Digest | Self::Forged(_) => {
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
    pub fn to_bytes(&self, program: &str) -> Result<Vec<u8>, SavedError> {
        let failed = |error: serde_json::Error| SavedError::Write(error.to_string());
        let body = serde_json::to_vec(self).map_err(failed)?;
        let sha256 = hex::encode(Sha256::digest(&body));
        let header = Header { formwork_plan: SAVED_FORMAT, program: program.to_owned(), sha256 };
        let mut bytes = serde_json::to_vec(&header).map_err(failed)?;
        bytes.push(b'\n');
        bytes.extend(body);
        Ok(bytes)
    }

    /// Reads a file's content back, and refuses what isn't as it was written, or by another program.
    pub fn from_bytes(bytes: &[u8], program: &str) -> Result<Self, SavedError> {
        let none = |error: serde_json::Error| SavedError::NoPlan(error.to_string());
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let end = end.ok_or_else(|| SavedError::NoPlan("it has no header".into()))?;
        let (head, body) = (&bytes[..end], &bytes[end + 1..]);
        let head: serde_json::Value = serde_json::from_slice(head).map_err(none)?;
        let format = head.get("formwork_plan").and_then(serde_json::Value::as_u64);
        match format.map(u32::try_from) {
            Some(Ok(SAVED_FORMAT)) => {}
            Some(format) => return Err(SavedError::Format(format.unwrap_or(u32::MAX))),
            None => return Err(SavedError::NoPlan("its header doesn't say so".into())),
        }
        let header: Header = serde_json::from_value(head).map_err(none)?;
        if header.sha256 != hex::encode(Sha256::digest(body)) {
            return Err(SavedError::Digest);
        }
        if header.program != program {
            return Err(SavedError::Program);
        }
        serde_json::from_slice(body).map_err(none)
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
