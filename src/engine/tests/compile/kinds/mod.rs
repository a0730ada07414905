//! The kinds that the cases wire.

use formwork_engine::*;
use serde::{Deserialize, Serialize};

#[derive(Resource, Deserialize)]
#[resource(kind = "test.Cluster", outputs = ClusterOutputs, identity = name(100))]
pub struct Cluster {
    pub version: String,
}

#[derive(Outputs, Serialize)]
pub struct ClusterOutputs {
    pub id: Id<Cluster>,
    pub security_group: Id<SecurityGroup>,
}

#[derive(Resource, Deserialize)]
#[resource(kind = "test.SecurityGroup", outputs = SecurityGroupOutputs, identity = tag)]
pub struct SecurityGroup {
    pub cluster: Id<Cluster>,
    pub note: Option<String>,
}

#[derive(Outputs, Serialize)]
pub struct SecurityGroupOutputs {
    pub id: Id<SecurityGroup>,
}

#[derive(Resource, Deserialize)]
#[resource(kind = "test.Password", outputs = PasswordOutputs, identity = name(100))]
pub struct Password {
    pub length: u32,
}

#[derive(Outputs, Serialize)]
pub struct PasswordOutputs {
    #[secret]
    pub value: Secret,
}

#[derive(Resource, Deserialize)]
#[resource(kind = "test.Login", outputs = LoginOutputs, identity = name(63))]
pub struct Login {
    pub name: String,
    #[secret]
    pub password: Secret,
}

#[derive(Outputs, Serialize)]
pub struct LoginOutputs {
    pub name: String,
}
