//! This team's stacks: the shop, once in production, once in staging, and once for each pull request.
//!
//! - [`Foundation`]: what an account needs before anything else: image repositories, roles for CI.
//! - [`Production`] and [`Staging`]: one function, [`platform`], with two environments.
//! - [`Preview`]: one pull request's environment on the platform of staging.
//!
//! To add a service: a base under `kube/bases`, and a line in [`services::SERVICES`].

mod app;
mod data;
mod environment;
mod foundation;
mod network;
mod platform;
mod preview;
pub mod services;

pub use environment::Environment;
pub use foundation::Foundation;
pub use platform::{Platform, Production, Staging, platform};
pub use preview::Preview;

/// The program: every stack under its name.
pub fn program() -> formwork::Program {
    formwork::Program::new("shop")
        .stack::<Foundation>()
        .stack::<Production>()
        .stack::<Staging>()
        .stack::<Preview>()
}
