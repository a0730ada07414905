//! How progress is worded, in lines and in the live view.

use formwork_engine::{Part, plan::Action};
use std::time::Duration;

pub(super) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

pub(super) fn doing(action: Action) -> &'static str {
    match action {
        Action::Create => "creating",
        Action::Update => "updating",
        Action::Replace => "replacing",
        Action::Delete => "deleting",
        Action::Forget => "forgetting",
        Action::Keep | Action::Leave => "clearing up behind",
    }
}

pub(super) fn done(action: Action) -> &'static str {
    match action {
        Action::Create => "created",
        Action::Update => "updated",
        Action::Replace => "one half of its replacement done",
        Action::Delete => "deleted",
        Action::Forget => "forgotten",
        Action::Keep | Action::Leave => "cleared up behind",
    }
}

/// How far a part is, such as `Deployment shop-server: 1 of 3 updated, 0 ready; pulling the image`.
pub(super) fn part(part: &Part) -> String {
    let Part { name, desired, updated, ready, restarts, .. } = part;
    let restarts = match restarts {
        0 => String::new(),
        1 => ", 1 restart".to_owned(),
        many => format!(", {many} restarts"),
    };
    let reason = part.reason.as_ref().map(|reason| format!("; {reason}")).unwrap_or_default();
    format!("{name}: {updated} of {desired} updated, {ready} ready{restarts}{reason}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_says_how_far_it_is_and_why_no_further() {
        let new = Part {
            name: "Deployment web".into(),
            desired: 3,
            updated: 2,
            ready: 1,
            ..Part::default()
        };
        assert_eq!(part(&new), "Deployment web: 2 of 3 updated, 1 ready");
        let reason = Some("container web: CrashLoopBackOff".into());
        let crashing = Part { restarts: 1, reason, ..new };
        let expected =
            "Deployment web: 2 of 3 updated, 1 ready, 1 restart; container web: CrashLoopBackOff";
        assert_eq!(part(&crashing), expected);
    }
}
