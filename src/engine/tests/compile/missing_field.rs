//! A required field that nobody set.
mod kinds;
use formwork_engine::*;
use kinds::*;

fn main() {
    let mut s = Stack::new("prod");
    s.add("group", SecurityGroup::new().note("for the cluster"));
}
