//! The id of a security group where a cluster's is asked for.
mod kinds;
use formwork_engine::*;
use kinds::*;

fn main() {
    let mut s = Stack::new("prod");
    let cluster = s.add("cluster", Cluster::new().version("1.33"));
    s.add("group", SecurityGroup::new().cluster(cluster.security_group));
}
