//! Failures of providers: what kind of trouble, in whose words, and what to do next.

/// What kind of trouble a call ran into; it decides what the engine may conclude from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The service couldn't be reached: nothing is known of the call's effect.
    Unreachable,
    /// The caller may not do this: nothing happened.
    Denied,
    /// Something of that name or key is there and isn't ours: nothing happened.
    Taken,
    /// The request was refused for what it asks: nothing happened.
    Invalid,
    /// Something else still uses it, or it is in a state that forbids the call for now.
    Busy,
    /// It was done, and it is clear that what was done won't come up.
    Hopeless,
    /// The run was told to stop before the call was sent: nothing happened.
    Stopped,
    /// The service failed; the call may have had its effect.
    Service,
}

/// An error with all that led to it, each said once; the outermost often says only that it failed.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

/// A failed call.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub kind: FailureKind,
    pub message: String,
    /// The next step, where one is known.
    pub hint: Option<String>,
    /// Nothing was sent: the failure came before the call.
    pub unsent: bool,
}

impl Failure {
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, unsent: false }
    }
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Invalid, message)
    }
    pub fn unreachable(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Unreachable, message)
    }
    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Denied, message)
    }
    pub fn taken(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Taken, message)
    }
    pub fn busy(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Busy, message)
    }
    pub fn service(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Service, message)
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Puts what was being done before the message.
    pub fn context(mut self, doing: impl std::fmt::Display) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }

    /// Says that nothing was sent, such as when there was no connection to send it by.
    pub fn before_the_call(mut self) -> Self {
        self.unsent = true;
        self
    }

    /// Whether the call certainly had no effect.
    pub fn had_no_effect(&self) -> bool {
        self.unsent
            || matches!(
                self.kind,
                FailureKind::Denied
                    | FailureKind::Taken
                    | FailureKind::Invalid
                    | FailureKind::Busy
                    | FailureKind::Stopped
            )
    }
}
