//! Plans as JSON, for programs: the changes, without what apply needs.

use super::words::verb;
use formwork_engine::plan::Plan;
use serde_json::{Value, json};

pub(crate) fn json(plan: &Plan) -> Value {
    let changes: Vec<Value> = plan
        .changes()
        .map(|step| {
            json!({
                "address": step.address,
                "kind": step.kind,
                "action": verb(step.action),
                "reasons": step.reasons,
                "warnings": step.remarks,
                "source": step.source,
                "changes": step.changes,
                "needs_consent": step.needs_consent,
                "old_selves": step.deposed.iter().map(|old| &old.id).collect::<Vec<_>>(),
                "decided_later": step.later,
                "held_back": step.blocked,
            })
        })
        .collect();
    let not_observed: Vec<Value> = plan
        .steps
        .values()
        .filter_map(|step| {
            let why = step.not_observed.as_ref()?;
            Some(json!({ "address": step.address, "why": why }))
        })
        .collect();
    json!({
        "stack": plan.stack,
        "serial": plan.serial,
        "complete": plan.is_complete(),
        "moves": plan.moves,
        "resources": plan.steps.len(),
        "reads": plan.requests,
        "changes": changes,
        "not_observed": not_observed,
    })
}
