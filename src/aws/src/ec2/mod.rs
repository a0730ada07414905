//! Amazon EC2: networks and what belongs to them.

mod find;
mod subnet;
mod tags;
mod vpc;

pub use subnet::{Subnet, SubnetOutputs, SubnetOutputsRefs};
pub use vpc::{Vpc, VpcOutputs, VpcOutputsRefs};
