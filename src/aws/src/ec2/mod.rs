//! Amazon EC2: networks and what belongs to them.

mod elastic_ip;
mod find;
mod internet_gateway;
mod nat_gateway;
mod route_table;
mod security_group;
mod subnet;
mod tags;
mod vpc;

pub use elastic_ip::{ElasticIp, ElasticIpOutputs, ElasticIpOutputsRefs};
pub use internet_gateway::{InternetGateway, InternetGatewayOutputs, InternetGatewayOutputsRefs};
pub use nat_gateway::{NatGateway, NatGatewayOutputs, NatGatewayOutputsRefs};
pub use route_table::{Route, RouteTable, RouteTableOutputs, RouteTableOutputsRefs};
pub use security_group::{Rule, SecurityGroup, SecurityGroupOutputs, SecurityGroupOutputsRefs};
pub use subnet::{Subnet, SubnetOutputs, SubnetOutputsRefs};
pub use vpc::{Vpc, VpcOutputs, VpcOutputsRefs};
