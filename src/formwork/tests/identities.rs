//! How each kind is found again after a lost answer: the table in ARCHITECTURE.md is the registry's.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use formwork_engine::{Identity, Schema};
use std::path::Path;

const BEGIN: &str =
    "<!-- identities: written by `WRITE=1 cargo test --workspace --test identities` -->\n";
const END: &str = "<!-- end of identities -->\n";

fn row(schema: &Schema) -> String {
    let how = match schema.identity {
        Identity::Token => "its intent's mark; a client token beside it".to_owned(),
        Identity::Tag => "its intent's mark".to_owned(),
        Identity::Name(longest) => {
            format!("its name, at most {longest} characters, if it has its intent's mark")
        }
        Identity::Key => "its key under a parent that is ours".to_owned(),
    };
    format!("| `{}` | {how} |\n", schema.kind)
}

#[test]
fn the_table_of_identities_is_in_sync() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ARCHITECTURE.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let rows: String = formwork::registry().schemas().map(row).collect();
    let table = format!("{BEGIN}| kind | found again by |\n|---|---|\n{rows}{END}");
    let (before, rest) = text.split_once(BEGIN).expect("ARCHITECTURE.md has lost its table");
    let (_, after) = rest.split_once(END).expect("the table in ARCHITECTURE.md has no end");
    let wanted = format!("{before}{table}{after}");
    if std::env::var_os("WRITE").is_some() {
        return std::fs::write(&path, wanted).unwrap();
    }
    assert!(wanted == text, "regenerate: WRITE=1 cargo test --workspace --test identities");
}
