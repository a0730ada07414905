//! Comparing what is there with what the plan saw, and what is asked with what it showed.

use crate::{
    Data, Observation, Schema,
    plan::{Versions, diff},
};

/// Where a resource isn't any more what the plan saw; the order of what has none tells nothing.
pub(super) fn moved(schema: &Schema, seen: &Observation, now: &Observation) -> Option<String> {
    let nothing = Data::empty_map();
    let differs = |was: &Observation, is: &Observation| {
        let desired = &Data::Map(was.fields.clone());
        let (recorded, observed) = (&nothing, Some(&is.fields));
        let versions = Versions { desired, recorded, observed, ignore: &[] };
        diff(schema, &versions).into_iter().next().map(|change| change.path)
    };
    differs(seen, now).or_else(|| differs(now, seen))
}

/// Where something has more than was seen of it, or other. What is to be deleted may be less: an earlier run's
/// deletion may still be at work.
pub(super) fn exceeds(seen: &Observation, now: &Observation) -> Option<String> {
    exceeds_at(&Data::Map(seen.fields.clone()), &Data::Map(now.fields.clone()), "")
}

fn exceeds_at(seen: &Data, now: &Data, path: &str) -> Option<String> {
    match (seen, now) {
        (Data::Map(seen), Data::Map(now)) => now.iter().find_map(|(key, now)| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match seen.get(key) {
                Some(seen) => exceeds_at(seen, now, &path),
                None => Some(path),
            }
        }),
        (Data::List(seen), Data::List(now)) => {
            now.iter().any(|item| !seen.contains(item)).then(|| path.to_owned())
        }
        (seen, now) => (seen != now).then(|| path.to_owned()),
    }
}

/// Where a value departs from what was planned, leaving aside what wasn't known then.
pub(super) fn departs(planned: &Data, actual: &Data, path: &str) -> Option<String> {
    let here = || Some(path.to_owned());
    match (planned, actual) {
        (Data::Unknown(_), _) => None,
        (Data::Map(planned), Data::Map(actual)) => {
            let under = |key: &str| match path {
                "" => key.to_owned(),
                _ => format!("{path}.{key}"),
            };
            for (key, value) in planned {
                let Some(actual) = actual.get(key) else { return Some(under(key)) };
                if let Some(found) = departs(value, actual, &under(key)) {
                    return Some(found);
                }
            }
            actual.keys().find(|key| !planned.contains_key(*key)).map(|key| under(key))
        }
        (Data::List(planned), Data::List(actual)) => {
            if planned.len() != actual.len() {
                return here();
            }
            let mut pairs = planned.iter().zip(actual).enumerate();
            pairs.find_map(|(i, (planned, actual))| {
                departs(planned, actual, &format!("{path}[{i}]"))
            })
        }
        (planned, actual) if planned == actual => None,
        _ => here(),
    }
}

#[cfg(test)]
mod tests {
    use super::exceeds_at;
    use crate::Data;
    use serde_json::{Value, json};

    #[test]
    fn what_is_deleted_may_be_less_than_was_seen_but_not_more_or_other() {
        let check = |now: Value, expected: Option<&str>| {
            let seen =
                json!({"size": 1, "uses": ["a", "b"], "parts": {"x": {"n": 1}, "y": {"n": 2}}});
            let found = exceeds_at(&Data::from_json(&seen), &Data::from_json(&now), "");
            assert_eq!(found.as_deref(), expected, "{now}");
        };
        check(
            json!({"size": 1, "uses": ["b", "a"], "parts": {"x": {"n": 1}, "y": {"n": 2}}}),
            None,
        );
        check(json!({"size": 1, "uses": ["b"], "parts": {"y": {"n": 2}}}), None);
        check(json!({}), None);
        check(json!({"size": 2}), Some("size"));
        check(json!({"uses": ["a", "c"]}), Some("uses"));
        check(json!({"parts": {"x": {"n": 3}}}), Some("parts.x.n"));
        check(json!({"parts": {"z": {}}}), Some("parts.z"));
    }
}
