//! Approvals: what a person agreed to, independent of when and from which state it is carried out.
//!
//! An approval covers account and region, the changes, and what they start from. It leaves out the
//! serial, the program, values that were only observed, and images, which are bound late. So another
//! apply in between doesn't make it stale, and a run that was half done can be finished by it.

use super::{Action, Change, Plan, Step};
use crate::{Address, Data, Expr, KnownOutputs, Registry, Symbol};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeMap, fmt, str::FromStr};

/// What an approval's text starts with; the number is the version of its form.
const PREFIX: &str = "fw1";
/// Bytes of each digest that are kept: 96 bits, far out of reach of a second preimage.
const KEPT: usize = 12;

type Short = [u8; KEPT];

/// What was approved: for each address the change, and the end that it leads to.
///
/// As text it is `fw1.DIGEST.ENTRIES`, to be passed from `plan --approval-digest` to
/// `apply --approved`: the digest over everything, and the entries, which say what differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    stack: String,
    entries: BTreeMap<Address, Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// The whole change: kind, action, what it starts from, what it leads to.
    change: Short,
    /// Where it leads: the wanted fields, or that it is gone.
    goal: Short,
}

/// A text that is no approval.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no approval: {0}")]
pub struct ApprovalError(&'static str);

/// How a plan departs from what was approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unapproved {
    /// Planned, and not among what was approved.
    Added(Address),
    /// Approved, and now something else is planned for it.
    Changed(Address),
    /// Approved, no longer planned, and not so by now either.
    Missing(Address),
}

impl fmt::Display for Unapproved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added(address) => write!(f, "`{address}`: its change wasn't approved"),
            Self::Changed(address) => {
                write!(f, "`{address}`: another change than the approved one is planned")
            }
            Self::Missing(address) => {
                write!(
                    f,
                    "`{address}`: its change was approved, isn't planned any more, and isn't done"
                )
            }
        }
    }
}

impl Approval {
    /// What approving this plan agrees to.
    pub fn of(plan: &Plan, registry: &Registry) -> Self {
        let changes = plan.changes();
        let entries = changes.map(|step| (step.address, Entry::of(plan, step, registry)));
        let moves = plan.moves.iter().map(|(old, new)| (*new, Entry::of_move(*old, *new)));
        let moves = moves.filter(|(new, _)| !plan.steps.get(new).is_some_and(Step::is_change));
        Self { stack: plan.stack.clone(), entries: moves.chain(entries).collect() }
    }

    /// How a plan departs from this approval: not at all where each of its changes is approved, and all
    /// that was approved besides is so by now.
    pub fn departures(&self, plan: &Plan, registry: &Registry) -> Vec<Unapproved> {
        let now = Self::of(plan, registry);
        let mut departures = vec![];
        for (address, entry) in &now.entries {
            match self.entries.get(address) {
                Some(approved) if approved.change == entry.change => {}
                Some(_) => departures.push(Unapproved::Changed(*address)),
                None => departures.push(Unapproved::Added(*address)),
            }
        }
        for (address, entry) in &self.entries {
            if now.entries.contains_key(address) {
                continue;
            }
            let holds = match plan.steps.get(address) {
                Some(step) if step.action == Action::Keep => {
                    goal(plan, step, registry) == entry.goal
                }
                Some(_) => false,
                None => entry.goal == gone(*address),
            };
            if !holds {
                departures.push(Unapproved::Missing(*address));
            }
        }
        departures
    }

    /// Whether nothing was approved.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn digest(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.stack.as_bytes());
        for (address, entry) in &self.entries {
            hash.update([0]);
            hash.update(address.to_string().as_bytes());
            hash.update([0]);
            hash.update(entry.change);
            hash.update(entry.goal);
        }
        hex::encode(hash.finalize())
    }
}

impl fmt::Display for Approval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = format!("{}\n", self.stack).into_bytes();
        for (address, entry) in &self.entries {
            bytes.extend(address.name().as_bytes());
            bytes.push(b'\n');
            bytes.extend(entry.change);
            bytes.extend(entry.goal);
        }
        write!(f, "{PREFIX}.{}.{}", self.digest(), URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Approval {
    type Err = ApprovalError;

    fn from_str(text: &str) -> Result<Self, ApprovalError> {
        let mut parts = text.trim().split('.');
        let (prefix, digest, entries) = (parts.next(), parts.next(), parts.next());
        let (Some(PREFIX), Some(digest), Some(entries), None) =
            (prefix, digest, entries, parts.next())
        else {
            return Err(ApprovalError("it isn't `fw1.DIGEST.ENTRIES`"));
        };
        let bytes = URL_SAFE_NO_PAD.decode(entries);
        let bytes = bytes.map_err(|_| ApprovalError("its entries aren't base64url"))?;
        let cut = || ApprovalError("its entries are cut off");
        let line = |bytes: &mut &[u8]| -> Result<String, ApprovalError> {
            let end = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(cut)?;
            let (line, rest) = bytes.split_at(end);
            *bytes = &rest[1..];
            String::from_utf8(line.to_vec()).map_err(|_| cut())
        };
        let short = |bytes: &mut &[u8]| -> Result<Short, ApprovalError> {
            let (short, rest) = bytes.split_first_chunk::<KEPT>().ok_or_else(cut)?;
            *bytes = rest;
            Ok(*short)
        };
        let mut left = bytes.as_slice();
        let stack = line(&mut left)?;
        let mut entries = BTreeMap::new();
        while !left.is_empty() {
            let name = line(&mut left)?;
            let address = Address::new(&stack, &name);
            let address = address.map_err(|_| ApprovalError("it names no address"))?;
            entries.insert(address, Entry { change: short(&mut left)?, goal: short(&mut left)? });
        }
        let approval = Self { stack, entries };
        match approval.digest() == digest {
            true => Ok(approval),
            false => Err(ApprovalError("its entries don't have its digest")),
        }
    }
}

impl Entry {
    fn of(plan: &Plan, step: &Step, registry: &Registry) -> Self {
        let goal = goal(plan, step, registry);
        let late = late(step, registry);
        let early = step.changes.iter().filter(|change| !late.is_all_of(change));
        let mut starts_from: Vec<_> =
            early.map(|c| json!([c.path, c.before, c.forces_replacement])).collect();
        starts_from.sort_by_cached_key(ToString::to_string);
        let change = short(&json!({
            "address": step.address,
            "kind": step.kind,
            "action": step.action,
            "goal": hex::encode(goal),
            "starts_from": starts_from,
            "needs_consent": step.needs_consent,
            "old_selves": step.deposed.iter().map(|record| &record.id).collect::<Vec<_>>(),
            "moved_from": plan.moves.iter().find(|(_, new)| **new == step.address).map(|(old, _)| old),
        }));
        Self { change, goal }
    }

    fn of_move(old: Address, new: Address) -> Self {
        let goal = short(&json!({ "moved": new }));
        Self { change: short(&json!({ "moved_from": old, "to": new })), goal }
    }
}

fn short(json: &serde_json::Value) -> Short {
    // Through `Data`, whose keys are sorted: whether JSON's own are is up to a feature.
    let digest = Sha256::digest(Data::literal(json).plain_json().as_bytes());
    let mut short = Short::default();
    short.copy_from_slice(&digest[..KEPT]);
    short
}

fn gone(address: Address) -> Short {
    short(&json!({ "address": address, "gone": true }))
}

/// The end that a step leads to: what is wanted and where, with own outputs left symbolic, so that it
/// is the same before and after the things exist that it refers to.
fn goal(plan: &Plan, step: &Step, registry: &Registry) -> Short {
    if matches!(step.action, Action::Delete | Action::Forget) {
        return gone(step.address);
    }
    let imports = Imports(plan);
    let late = late(step, registry);
    let wanted: BTreeMap<&String, Data> = step
        .fields
        .iter()
        .filter(|(name, _)| !late.fields.contains(&name.as_str()))
        .map(|(name, expr)| (name, expr.eval(&imports)))
        .collect();
    short(&json!({
        "address": step.address,
        "kind": step.kind,
        "through": step.binding.eval(&imports),
        "wanted": wanted,
        "options": step.options,
    }))
}

/// Outputs as an approval sees them: imports have their values, own outputs are names.
struct Imports<'a>(&'a Plan);

impl KnownOutputs for Imports<'_> {
    fn output(&self, node: Address, output: Symbol) -> Data {
        let imported = node.is_exports().then(|| self.0.imports.get(node.stack()));
        let value = imported.flatten().and_then(|exports| exports.get(output.as_str()));
        value.cloned().unwrap_or_else(|| Data::unknown(node, output))
    }
}

/// Fields that are bound late, and the texts in them.
struct Late {
    fields: Vec<&'static str>,
    texts: Vec<String>,
}

fn late(step: &Step, registry: &Registry) -> Late {
    let schema = registry.schema(&step.kind);
    let late = schema.into_iter().flat_map(|schema| schema.fields).filter(|f| f.flags.late);
    let fields: Vec<&'static str> = late.map(|field| field.name).collect();
    let mut texts = vec![];
    let recorded = step.recorded.as_ref().map(|record| &record.inputs);
    for field in &fields {
        if let Some(expr) = step.fields.get(*field) {
            collect_texts(&literal(expr), &mut texts);
        }
        if let Some(value) = recorded.and_then(|inputs| inputs.get(field)) {
            collect_texts(value, &mut texts);
        }
    }
    Late { fields, texts }
}

/// The known part of an expression.
fn literal(expr: &Expr) -> Data {
    struct Nothing;
    impl KnownOutputs for Nothing {
        fn output(&self, node: Address, output: Symbol) -> Data {
            Data::unknown(node, output)
        }
    }
    expr.eval(&Nothing)
}

fn collect_texts(data: &Data, texts: &mut Vec<String>) {
    match data {
        Data::Text(text) => texts.push(text.clone()),
        Data::List(items) => items.iter().for_each(|item| collect_texts(item, texts)),
        Data::Map(map) => map.values().for_each(|item| collect_texts(item, texts)),
        _ => {}
    }
}

impl Late {
    /// Whether a change is nothing but a new late text in the place of another.
    fn is_all_of(&self, change: &Change) -> bool {
        let late = |data: &Option<Data>| match data {
            Some(Data::Text(text)) => self.texts.contains(text),
            _ => false,
        };
        late(&change.before) || late(&change.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn approval() -> Approval {
        let address = |name| Address::new("s", name).unwrap();
        let entry = |n| Entry { change: [n; KEPT], goal: [n + 1; KEPT] };
        Approval {
            stack: "s".into(),
            entries: [(address("a"), entry(1)), (address("long-name"), entry(10))].into(),
        }
    }

    #[test]
    fn an_approval_survives_its_text_and_no_part_of_it_can_be_changed() {
        let text = approval().to_string();
        assert_eq!(text.parse::<Approval>().unwrap(), approval());
        for i in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[i] = if bytes[i] == b'b' { b'c' } else { b'b' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(changed.parse::<Approval>().is_err(), "{changed}");
            assert!(text[..i].parse::<Approval>().is_err(), "{}", &text[..i]);
        }
    }
}
