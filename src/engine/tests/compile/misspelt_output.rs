//! An output that the resource doesn't have.
mod kinds;
use formwork_engine::*;
use kinds::*;

fn main() {
    let mut s = Stack::new("prod");
    let cluster = s.add("cluster", Cluster::new().version("1.33"));
    s.add("group", SecurityGroup::new().cluster(cluster.idd));
}
