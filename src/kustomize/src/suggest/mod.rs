//! What was probably meant, for errors and warnings. Only asked for when something is wrong already.

mod field;
mod near;
mod object;
mod path;

pub use field::{in_json, in_object};
pub use near::{listed, nearest};
pub use object::{for_id, for_selector};
pub use path::path;
