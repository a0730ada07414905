//! Making the plan, node by node in dependency order.

use super::{Action, Change, PLAN_FORMAT, Plan, PlanError, Step, Versions, diff, diff::creation};
use crate::{
    Address, Data, Expr, KnownOutputs, Node, Observation, Prediction, Provider, Record, Schema,
    Shape, State, Status, Symbol, provider,
    refresh::{Observed, Reading, World},
    schema::{Identity, Nature},
};
use std::collections::{BTreeMap, BTreeSet};

/// The longest physical name of kinds that aren't identified by their name.
const LONGEST_NAME: usize = 63;

/// Compares desired, recorded and observed. `others` are the states of the other stacks, for imports.
pub fn plan(
    world: World<'_>,
    observed: &Observed,
    others: &BTreeMap<String, State>,
) -> Result<Plan, PlanError> {
    let mut planner = Planner { world, observed, steps: BTreeMap::new(), imports: BTreeMap::new() };
    planner.check_imports()?;
    for node in world.graph.order()? {
        let step = planner.node(node)?;
        planner.steps.insert(node.address, step);
    }
    for (address, record) in &world.state.resources {
        if world.graph.node(*address).is_none() {
            let step = planner.leaving(*address, record)?;
            planner.steps.insert(*address, step);
        }
    }
    planner.check_protection()?;
    planner.check_exports(others)?;
    let Planner { steps, imports, .. } = planner;
    Ok(Plan {
        format: PLAN_FORMAT,
        stack: world.graph.stack.clone(),
        lineage: world.state.lineage.clone(),
        serial: world.state.serial,
        steps,
        exports: world.graph.exports.clone(),
        imports,
        requests: observed.requests,
    })
}

struct Planner<'a> {
    world: World<'a>,
    observed: &'a Observed,
    steps: BTreeMap<Address, Step>,
    imports: BTreeMap<String, BTreeMap<String, Data>>,
}

/// Outputs as planned: of the steps so far, and of the imported stacks.
impl KnownOutputs for Planner<'_> {
    fn output(&self, node: Address, output: Symbol) -> Data {
        let known = if node.is_exports() {
            self.imports.get(node.stack()).and_then(|exports| exports.get(output.as_str()))
        } else {
            self.steps.get(&node).and_then(|step| step.outputs.get(output.as_str()))
        };
        known.cloned().unwrap_or_else(|| Data::unknown(node, output))
    }
}

impl Planner<'_> {
    /// Every export that the graph refers to, from the state of the stack that gives it.
    fn check_imports(&mut self) -> Result<(), PlanError> {
        let graph = self.world.graph;
        let of_nodes = graph.nodes.iter().flat_map(|node| node.fields.values());
        let exprs = of_nodes.chain(graph.exports.values()).chain(graph.bindings.values());
        for (node, output) in exprs.flat_map(Expr::refs) {
            if node.stack() == graph.stack {
                continue;
            }
            let (stack, from) = (graph.stack.clone(), node.stack().to_owned());
            let Some(state) = self.world.imports.get(&from) else {
                return Err(PlanError::MissingStack { stack, from });
            };
            let Some(value) = state.exports.get(output.as_str()) else {
                let export = output.to_string();
                return Err(PlanError::MissingExport { stack, from, export });
            };
            self.imports.entry(from).or_default().insert(output.to_string(), value.clone());
        }
        Ok(())
    }

    fn node(&self, node: &Node) -> Result<Step, PlanError> {
        let address = node.address;
        let provider = self.provider(address, &node.kind)?;
        let schema = provider.schema();
        let in_field = |failure| PlanError::Fields { place: place(node), address, failure };
        let planned = provider.expand(node.evaluate(self)).map_err(in_field)?;
        check_secrets(node, schema, &planned)?;
        let binding = self.world.graph.binding(schema, address).cloned();
        let recorded = self.world.state.resources.get(&address).cloned();
        let reading = self.observed.get(address);
        let mut step = Step {
            address,
            kind: node.kind.clone(),
            action: Action::Keep,
            reasons: vec![],
            changes: vec![],
            source: node.source.clone(),
            options: node.options.clone(),
            binding: binding.unwrap_or(Expr::Literal(serde_json::Value::Null)),
            fields: node.fields.clone(),
            planned,
            outputs: BTreeMap::new(),
            recorded,
            observed: None,
            not_observed: None,
            dependencies: self.dependencies(node),
            needs_consent: false,
        };
        match (&step.recorded, reading) {
            (None, _) => self.create(&mut step, provider),
            (Some(record), _) if record.kind != node.kind => {
                step.reasons.push(format!("it was a {}", record.kind));
                self.replace(&mut step, provider);
            }
            (Some(_), Some(Reading::Absent)) => {
                step.reasons.push("it is gone: something outside of formwork deleted it".into());
                self.create(&mut step, provider);
            }
            (Some(_), Some(Reading::Found(found))) => {
                step.observed = Some(found.clone());
                self.compare(&mut step, provider);
            }
            (Some(_), other) => {
                let why = match other {
                    Some(Reading::NotObserved(why)) => why.clone(),
                    _ => "it wasn't read".to_owned(),
                };
                step.not_observed = Some(why);
                self.compare(&mut step, provider);
            }
        }
        Ok(step)
    }

    fn provider(&self, address: Address, kind: &str) -> Result<&dyn Provider, PlanError> {
        let unknown = || PlanError::UnknownKind { address, kind: kind.to_owned() };
        self.world.registry.get(kind).ok_or_else(unknown)
    }

    fn dependencies(&self, node: &Node) -> BTreeSet<Address> {
        let own = |address: &Address| address.stack() == self.world.graph.stack;
        node.dependencies().into_iter().filter(own).collect()
    }

    fn create(&self, step: &mut Step, provider: &dyn Provider) {
        step.action = Action::Create;
        step.changes = creation(provider.schema(), &step.planned);
        step.outputs = self.new_outputs(step, provider);
    }

    fn replace(&self, step: &mut Step, provider: &dyn Provider) {
        step.action = Action::Replace;
        step.needs_consent = provider.schema().stateful;
        if step.changes.is_empty() {
            step.changes = creation(provider.schema(), &step.planned);
        }
        step.outputs = self.new_outputs(step, provider);
    }

    /// An existing resource: keep, update or replace it.
    fn compare(&self, step: &mut Step, provider: &dyn Provider) {
        let schema = provider.schema();
        let Some(record) = &step.recorded else { return };
        let found = step.observed.as_ref();
        let versions = Versions {
            desired: &step.planned,
            recorded: &record.inputs,
            observed: found.map(|found| &found.fields),
            ignore: &step.options.ignore,
        };
        let mut changes = diff(schema, &versions);
        if record.protect != step.options.protect {
            changes.push(option("protect", record.protect, step.options.protect));
        }
        step.changes = changes;
        if let Some(Observation { status: Status::Failed(why), .. }) = found {
            step.reasons.push(format!("the service says that it failed: {why}"));
        }
        if let Some(Observation { status: Status::Deleting, .. }) = found {
            step.reasons.push("it is being deleted".into());
            return self.replace(step, provider);
        }
        let forcing: Vec<String> = step
            .changes
            .iter()
            .filter(|change| change.forces_replacement)
            .map(|change| format!("`{}` can't be changed in place", change.path))
            .collect();
        if !forcing.is_empty() {
            step.reasons.extend(forcing);
            return self.replace(step, provider);
        }
        step.action = if step.changes.is_empty() { Action::Keep } else { Action::Update };
        step.outputs = existing_outputs(schema, step);
    }

    /// A recorded resource that the stack doesn't have any more.
    fn leaving(&self, address: Address, record: &Record) -> Result<Step, PlanError> {
        let provider = self.provider(address, &record.kind)?;
        let (action, reason) = match self.observed.get(address) {
            Some(Reading::Absent) => (Action::Forget, "it is gone already"),
            _ if record.retain => (Action::Forget, "it is retained"),
            _ => (Action::Delete, "the stack doesn't have it any more"),
        };
        let (observed, not_observed) = match self.observed.get(address) {
            Some(Reading::Found(found)) => (Some(found.clone()), None),
            Some(Reading::NotObserved(why)) => (None, Some(why.clone())),
            _ => (None, None),
        };
        Ok(Step {
            address,
            kind: record.kind.clone(),
            action,
            reasons: vec![reason.to_owned()],
            changes: vec![],
            source: None,
            options: crate::Options::default(),
            binding: Expr::Literal(serde_json::Value::Null),
            fields: BTreeMap::new(),
            planned: Data::empty_map(),
            outputs: BTreeMap::new(),
            recorded: Some(record.clone()),
            observed,
            not_observed,
            dependencies: record.dependencies.clone(),
            needs_consent: action == Action::Delete && provider.schema().stateful,
        })
    }

    /// The outputs of a resource that is yet to be made: predicted, or unknown.
    fn new_outputs(&self, step: &Step, provider: &dyn Provider) -> BTreeMap<String, Data> {
        let name = physical_name(step, provider.schema());
        let binding = step.binding.eval(self);
        let prediction = Prediction { name: &name, fields: &step.planned, binding: &binding };
        let mut predicted = provider.predict(&prediction);
        let outputs = provider.schema().outputs.iter();
        outputs
            .map(|output| {
                let known = predicted.remove(output.name);
                let unknown = || Data::unknown(step.address, Symbol::new(output.name));
                (output.name.to_owned(), known.unwrap_or_else(unknown))
            })
            .collect()
    }

    /// What the state protects can't be deleted or replaced, whatever the stack says by now.
    fn check_protection(&self) -> Result<(), PlanError> {
        let protected: Vec<Address> = self
            .steps
            .values()
            .filter(|step| matches!(step.action, Action::Delete | Action::Replace))
            .filter(|step| step.recorded.as_ref().is_some_and(|record| record.protect))
            .map(|step| step.address)
            .collect();
        if protected.is_empty() { Ok(()) } else { Err(PlanError::Protected(protected)) }
    }

    /// An export that another stack uses can't go.
    fn check_exports(&self, others: &BTreeMap<String, State>) -> Result<(), PlanError> {
        let graph = self.world.graph;
        for export in self.world.state.exports.keys() {
            if graph.exports.contains_key(export) {
                continue;
            }
            let uses = |state: &&State| {
                state.imports.get(&graph.stack).is_some_and(|used| used.contains(export))
            };
            let users: Vec<String> =
                others.values().filter(uses).map(|state| state.stack.clone()).collect();
            if !users.is_empty() {
                let (stack, export) = (graph.stack.clone(), export.clone());
                return Err(PlanError::ExportInUse { stack, export, users });
            }
        }
        Ok(())
    }
}

fn place(node: &Node) -> String {
    node.source.as_ref().map(|source| format!("{source}: ")).unwrap_or_default()
}

fn option(name: &str, before: bool, after: bool) -> Change {
    Change {
        path: format!("({name})"),
        before: Some(Data::Bool(before)),
        after: Some(Data::Bool(after)),
        forces_replacement: false,
        outage: false,
        drift: false,
    }
}

/// The name that a resource has, or will have: derived once, kept after.
pub(crate) fn physical_name(step: &Step, schema: &Schema) -> String {
    let kept = step.recorded.as_ref().filter(|_| step.action != Action::Create);
    match kept {
        Some(record) => record.name.clone(),
        None => {
            let longest = match schema.identity {
                Identity::Name(longest) => longest,
                _ => LONGEST_NAME,
            };
            provider::physical_name(step.address, longest)
        }
    }
}

/// The outputs of a resource that stays: those that follow a changed field become unknown.
fn existing_outputs(schema: &Schema, step: &Step) -> BTreeMap<String, Data> {
    let record = step.recorded.as_ref();
    let found = step.observed.as_ref();
    let changed = |fields: &[&str]| step.changes.iter().any(|c| fields.contains(&c.field()));
    schema
        .outputs
        .iter()
        .map(|output| {
            let unknown = || Data::unknown(step.address, Symbol::new(output.name));
            let told = found.and_then(|found| found.outputs.get(output.name));
            let known = told.or_else(|| record.and_then(|record| record.outputs.get(output.name)));
            let value = match output.nature {
                Nature::ChangesWith(fields) if changed(fields) => unknown(),
                _ => known.cloned().unwrap_or_else(unknown),
            };
            (output.name.to_owned(), value)
        })
        .collect()
}

/// A secret that comes out of another stack's export is only seen when it is evaluated.
fn check_secrets(node: &Node, schema: &Schema, planned: &Data) -> Result<(), PlanError> {
    for field in schema.fields.iter().filter(|field| !field.takes_secrets()) {
        let Some(value) = planned.get(field.name) else { continue };
        // What a provider renders holds secrets where that provider knows to keep them.
        let free = |shape: &Shape| matches!(shape, Shape::Partial | Shape::Exact);
        let rendered =
            free(&field.shape) || matches!(field.shape, Shape::Map(inner) if free(inner));
        if !rendered && has_secret(value) {
            let (address, field) = (node.address, field.name.to_owned());
            return Err(PlanError::SecretInPlain { place: place(node), address, field });
        }
    }
    Ok(())
}

fn has_secret(data: &Data) -> bool {
    match data {
        Data::Secret(_) => true,
        Data::List(items) => items.iter().any(has_secret),
        Data::Map(map) => map.values().any(has_secret),
        _ => false,
    }
}
