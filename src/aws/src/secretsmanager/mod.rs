//! AWS Secrets Manager: texts that are made here, kept there, and known elsewhere by reference only.

mod generate;
mod secret;

pub use generate::Generate;
pub use secret::{Secret, SecretOutputs, SecretOutputsRefs};
