//! A secret in a plain text.
mod kinds;
use formwork_engine::*;
use kinds::*;

fn main() {
    let mut s = Stack::new("prod");
    let password = s.add("password", Password::new().length(32));
    s.add("cluster", Cluster::new().version(text!["1.33-", password.value]));
}
