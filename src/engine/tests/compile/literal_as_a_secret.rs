//! A password written into the stack.
mod kinds;
use formwork_engine::*;
use kinds::*;

fn main() {
    let mut s = Stack::new("prod");
    s.add("login", Login::new().name("app").password("hunter2"));
}
