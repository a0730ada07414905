//! Calls to AWS: each is declared with what IAM checks on it, and only declared ones are sent.

mod declare;
mod failure;
mod guard;
mod send;

pub(crate) use declare::calls;
pub use declare::{Also, Call, Condition, Declared, Permission, Service, service};
pub(crate) use failure::{credentials, half_made};
pub use guard::CallLog;
pub(crate) use guard::Guard;
pub(crate) use send::{absent, send_alone};
