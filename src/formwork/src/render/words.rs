//! The words and values that all renderings share.

use formwork_engine::{
    Data,
    plan::{Action, Change, Plan, Step},
};

/// Characters of a value that are shown before it is cut.
const LONGEST_VALUE: usize = 120;

/// The sign of an action, in the left margin.
pub(super) fn sign(action: Action) -> &'static str {
    match action {
        Action::Keep | Action::Leave => " ",
        Action::Create => "+",
        Action::Update => "~",
        Action::Replace => "±",
        Action::Delete => "-",
        Action::Forget => "·",
    }
}

/// What will be done, as a verb.
pub(crate) fn verb(action: Action) -> &'static str {
    match action {
        Action::Keep => "keep",
        Action::Leave => "leave",
        Action::Create => "create",
        Action::Update => "update",
        Action::Replace => "replace",
        Action::Delete => "delete",
        Action::Forget => "forget",
    }
}

/// The counts of a plan, such as `3 to create, 1 to update`; `no changes` where there are none.
pub(super) fn counts(plan: &Plan) -> String {
    let actions = [Action::Create, Action::Update, Action::Replace, Action::Delete, Action::Forget];
    let counts: Vec<String> = actions
        .into_iter()
        .map(|action| (plan.count(action), verb(action)))
        .filter(|(count, _)| *count > 0)
        .map(|(count, verb)| format!("{count} to {verb}"))
        .collect();
    let old = |step: &&Step| !step.action.is_change() && !step.deposed.is_empty();
    let old = plan.changes().filter(old).count();
    let held = plan.changes().filter(|step| step.blocked.is_some()).count();
    let more = [(old, "old self to delete"), (plan.moves.len(), "to move"), (held, "held back")];
    let more = more.into_iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> =
        counts.into_iter().chain(more.map(|(count, what)| format!("{count} {what}"))).collect();
    if counts.is_empty() { "no changes".to_owned() } else { counts.join(", ") }
}

/// A value in one line; secrets and unknowns as such.
pub(super) fn value(data: &Data) -> String {
    let text = inline(data);
    match text.char_indices().nth(LONGEST_VALUE) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

fn inline(data: &Data) -> String {
    match data {
        Data::Unknown(unknown) => unknown.to_string(),
        Data::Secret(secret) => format!("({secret})"),
        Data::List(items) => {
            let items: Vec<String> = items.iter().map(inline).collect();
            format!("[{}]", items.join(", "))
        }
        Data::Map(map) => {
            let entries: Vec<String> =
                map.iter().map(|(key, value)| format!("{key}: {}", inline(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        scalar => scalar.plain_json(),
    }
}

/// A change in one line: `size: 1 → 2`, with what matters about it.
pub(crate) fn change(change: &Change) -> String {
    let values = match (&change.before, &change.after) {
        (Some(before), Some(after)) => format!("{} → {}", value(before), value(after)),
        (None, Some(after)) => value(after),
        (Some(before), None) => format!("{} → gone", value(before)),
        (None, None) => String::new(),
    };
    let notes = [
        (change.drift, "changed outside of formwork"),
        (change.forces_replacement, "forces replacement"),
        (change.outage, "interrupts the service"),
    ];
    let notes: Vec<&str> = notes.iter().filter(|(on, _)| *on).map(|(_, note)| *note).collect();
    let notes = if notes.is_empty() { String::new() } else { format!("  ({})", notes.join("; ")) };
    format!("{}: {values}{notes}", change.path)
}
