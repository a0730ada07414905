//! Amazon Relational Database Service: database servers, and what they are placed and set up by.

mod instance;
mod parameter_group;
mod subnet_group;
mod tags;

pub use instance::{Instance, InstanceOutputs, InstanceOutputsRefs, StorageType};
pub use parameter_group::{ParameterGroup, ParameterGroupOutputs, ParameterGroupOutputsRefs};
pub use subnet_group::{SubnetGroup, SubnetGroupOutputs, SubnetGroupOutputsRefs};
