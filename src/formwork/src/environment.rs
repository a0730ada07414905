//! Environment files: the values that differ between a stack's environments, in TOML.

use miette::{Diagnostic, NamedSource, SourceSpan};
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// Why an environment file can't be used.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum EnvironmentError {
    #[error("can't read the environment file {}: {error}", path.display())]
    #[diagnostic(help(
        "name another by --environment, or run in the project's folder; `stacks/environments` has this team's"
    ))]
    Read { path: PathBuf, error: std::io::Error },
    #[error("{}: {message}", path.display())]
    #[diagnostic(help("the fields are documented at the environment's type in `stacks`"))]
    Invalid {
        path: PathBuf,
        message: String,
        #[source_code]
        source_code: NamedSource<String>,
        #[label("here")]
        at: Option<SourceSpan>,
    },
}

/// Reads an environment file. An error names the file, the line and the field.
pub fn read_environment<T: DeserializeOwned>(path: &Path) -> Result<T, EnvironmentError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| EnvironmentError::Read { path: path.to_owned(), error })?;
    toml::from_str(&text).map_err(|error| EnvironmentError::Invalid {
        path: path.to_owned(),
        message: error.message().to_owned(),
        at: error.span().map(SourceSpan::from),
        source_code: NamedSource::new(path.display().to_string(), text),
    })
}
