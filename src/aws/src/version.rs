//! Versions: an author asks for `17`, and the service says `17.6`.

/// The version as it was asked for, if what runs is of it; what runs otherwise.
///
/// So a service that chose the newest patch of a version, or moved on to it by itself, is no drift.
pub(crate) fn as_asked(asked: Option<&str>, runs: String) -> String {
    match asked {
        Some(asked) if runs.strip_prefix(asked).is_some_and(|rest| rest.starts_with('.')) => {
            asked.to_owned()
        }
        _ => runs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_asked_for_precision_counts() {
        for (asked, runs, seen) in [
            (Some("17"), "17.6", "17"),
            (Some("17.6"), "17.6", "17.6"),
            (Some("17.6"), "17.7", "17.7"),
            (Some("1"), "17.6", "17.6"),
            (Some("8.1"), "8.1.3", "8.1"),
            (None, "17.6", "17.6"),
        ] {
            assert_eq!(as_asked(asked, runs.into()), seen);
        }
    }
}
