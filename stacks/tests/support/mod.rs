//! Running the team's formwork as a person does, without credentials.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{path::Path, process::Command};

/// The images of the services, which every stack with an app wants.
pub const IMAGES: [&str; 4] =
    ["--image", "client=registry/client:1", "--image", "server=registry/server:1"];

/// The project's folder.
pub const PROJECT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Exit code, output and errors of formwork in a folder, with these variables and no others.
pub fn formwork_in(
    folder: &Path,
    environment: &[(&str, &str)],
    arguments: &[&str],
) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_formwork"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("NO_COLOR", "1")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}
