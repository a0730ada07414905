//! Errors as the command line shows them: what failed, where, why, and the next step.

use formwork_engine::{
    Failure, GraphError, StateError, apply::ApplyError, rollback::RollbackError,
    session::SessionError,
};
use miette::Report;

/// An error on its way to the terminal.
#[derive(Debug)]
pub(crate) struct CliError(Report);

impl CliError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(Report::msg(message.into()))
    }

    pub(crate) fn with_help(message: impl Into<String>, help: impl Into<String>) -> Self {
        let diagnostic = miette::MietteDiagnostic::new(message.into()).with_help(help.into());
        Self(Report::new(diagnostic))
    }

    pub(crate) fn maybe_help(message: String, help: Option<String>) -> Self {
        match help {
            Some(help) => Self::with_help(message, help),
            None => Self::new(message),
        }
    }

    /// Puts what it is about before the message.
    pub(crate) fn context(self, about: impl std::fmt::Display) -> Self {
        let (message, help) = (self.0.to_string(), self.0.help().map(|help| help.to_string()));
        Self::maybe_help(format!("{about}: {message}"), help)
    }

    pub(crate) fn from_report(report: Report) -> Self {
        Self(report)
    }

    pub(crate) fn into_report(self) -> Report {
        self.0
    }
}

impl From<SessionError> for CliError {
    fn from(error: SessionError) -> Self {
        Self::maybe_help(error.to_string(), error.hint())
    }
}

impl From<StateError> for CliError {
    fn from(error: StateError) -> Self {
        Self::maybe_help(error.to_string(), error.hint())
    }
}

impl From<ApplyError> for CliError {
    fn from(error: ApplyError) -> Self {
        Self::maybe_help(error.to_string(), error.hint())
    }
}

impl From<RollbackError> for CliError {
    fn from(error: RollbackError) -> Self {
        Self::maybe_help(error.to_string(), error.hint())
    }
}

impl From<Failure> for CliError {
    fn from(failure: Failure) -> Self {
        Self::maybe_help(failure.message, failure.hint)
    }
}

impl From<GraphError> for CliError {
    fn from(error: GraphError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<crate::StackError> for CliError {
    fn from(error: crate::StackError) -> Self {
        match error.downcast::<crate::EnvironmentError>() {
            Ok(error) => Self(Report::new(*error)),
            Err(error) => Self::new(error.to_string()),
        }
    }
}
