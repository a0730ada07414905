//! The local cloud: real parts on loopback, started and stopped by formwork itself.
//!
//! [`Parts::ensure`] installs what is missing; [`LocalCloud::start`] starts it all in a scratch folder; each [`Site`]
//! says how one environment is reached. Nothing here is a fake of ours: the one part that isn't the real thing is the
//! emulator of the AWS APIs.
//!
//! Invariant: no process outlives the one that started the cloud. Each is started through `setpriv --pdeathsig KILL` by a
//! thread that lives as long as the cloud; `tests/leaks.rs` looks at the process table.

mod behaviours;
mod cache;
mod cloud;
mod command;
pub mod inventory;
mod kubeconfig;
mod launch;
mod log;
mod parts;
mod pki;
mod ports;
mod process;
mod process_table;
mod progress;
mod proxy;
mod scratch;
mod setup_error;
mod signals;
mod site;
mod start_error;

pub use crate::{
    behaviours::BEHAVIOUR,
    cloud::{LocalCloud, Options},
    inventory::{Inventory, InventoryError},
    parts::{
        Actionlint, CargoDeny, Etcd, Helm, Kubernetes, Kustomize, Kwok, Ministack, Moto, OpenTofu,
        Parts, Postgres, Redis,
    },
    process::MARKER,
    process_table::processes_of,
    progress::Progress,
    proxy::{Aim, Fault, FaultProxy},
    setup_error::SetupError,
    signals::interrupted,
    site::{Site, Tools},
    start_error::StartError,
};
