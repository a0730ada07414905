//! Pods that the API server doesn't take: for good, or for now.

use super::{
    super::verdict::ReasonKind,
    sign::{Grace, Sign},
};

/// Words of refusals that may be over in a while: what was asked could not answer, or is out of date.
const FOR_NOW: &[&str] = &[
    "failed calling webhook",
    "etcdserver",
    "timeout",
    "timed out",
    "connection refused",
    "try again",
    "the object has been modified",
    "not yet ready to handle request",
    "status unknown for quota",
    "already exists",
];
const QUOTA: &str = "exceeded quota";

/// The sign of a refusal; `alone` when no old pod of the same workload will make room.
pub fn refused(message: &str, alone: bool) -> Sign {
    let grace = if message.contains("error looking up service account") {
        Grace::Settling
    } else if FOR_NOW.iter().any(|words| message.contains(words)) {
        Grace::Patience
    } else if message.contains(QUOTA) {
        match alone && nothing_used(message) {
            true => Grace::Hopeless,
            false => Grace::Patience,
        }
    } else {
        Grace::Hopeless
    };
    Sign::new(ReasonKind::Refused, grace, message)
}

/// Whether a quota refuses though nothing of it is used: then nothing that goes makes room.
///
/// The message ends in `requested: pods=1, used: pods=0, limited: pods=0`.
fn nothing_used(message: &str) -> bool {
    let used = message.split_once("used: ").map(|(_, rest)| rest);
    let Some((used, _)) = used.and_then(|rest| rest.split_once(", limited: ")) else {
        return false;
    };
    used.split(',').all(|part| part.split_once('=').is_some_and(|(_, count)| count.trim() == "0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_for_good_or_for_now() {
        let check = |message: &str, alone, grace| {
            assert_eq!(refused(message, alone).grace, grace, "{message}");
        };
        let quota = |used: &str| {
            format!(
                "pods \"a\" is forbidden: exceeded quota: q, requested: cpu=1,pods=1, used: {used}, limited: cpu=1,pods=1"
            )
        };
        check(&quota("cpu=0,pods=0"), true, Grace::Hopeless);
        check(&quota("cpu=0,pods=0"), false, Grace::Patience);
        check(&quota("cpu=0,pods=1"), true, Grace::Patience);
        check(
            "pods \"a\" is forbidden: violates PodSecurity \"restricted\"",
            false,
            Grace::Hopeless,
        );
        check("failed quota: q: must specify limits.cpu", true, Grace::Hopeless);
        check(
            "Internal error occurred: failed calling webhook \"w\": timeout",
            true,
            Grace::Patience,
        );
        check(
            "pods \"a\" is forbidden: error looking up service account n/a: serviceaccount \"a\" not found",
            true,
            Grace::Settling,
        );
    }
}
