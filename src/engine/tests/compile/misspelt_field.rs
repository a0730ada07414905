//! A field that the resource doesn't have.
mod kinds;
use formwork_engine::*;
use kinds::*;

fn main() {
    let mut s = Stack::new("prod");
    s.add("cluster", Cluster::new().verison("1.33"));
}
