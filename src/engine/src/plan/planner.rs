//! Making the plan, node by node in dependency order.

use super::{
    Action, Change, PLAN_FORMAT, Plan, PlanError, Scope, Step, Versions, diff, diff::creation,
};
use crate::{
    Address, Data, Expr, Graph, KnownOutputs, Node, Observation, Prediction, Provider, Record,
    Schema, Shape, State, Status, Symbol, provider,
    refresh::{Observed, Reading, World},
    schema::{Identity, Nature},
    state::IntentAction,
};
use std::collections::{BTreeMap, BTreeSet};

/// The longest physical name of kinds that aren't identified by their name.
const LONGEST_NAME: usize = 63;
/// Said of what an earlier run may have created, before any apply has looked.
const UNSETTLED: &str =
    "a run that was cut off may have created it: the next apply finds out first";

/// Said of a kind that is followed, where the run that changed it last was cut off, or left it unwell.
const UNFOLLOWED: &str = "no run has seen yet that it is well";

/// Said of a kind that is followed, where it is as wanted and was told something else.
const BY_OTHERS: &str =
    "it was brought to this by somebody else, and no run has seen yet that it is well";

/// Compares desired, recorded and observed. `others` are the states of the other stacks, for imports.
pub fn plan(
    world: World<'_>,
    observed: &Observed,
    others: &BTreeMap<String, State>,
    scope: &Scope,
) -> Result<Plan, PlanError> {
    let covered = scope.covered(world.graph, world.state);
    let mut planner = Planner {
        world,
        observed,
        scope,
        covered,
        created_first: created_first(world.graph, world.state),
        steps: BTreeMap::new(),
        imports: BTreeMap::new(),
    };
    planner.check_imports()?;
    for node in world.graph.order()? {
        if let Some(step) = planner.node(node)? {
            planner.steps.insert(node.address, step);
        }
    }
    for (address, record) in &world.state.resources {
        if world.graph.node(*address).is_none() {
            let step = planner.leaving(*address, record)?;
            planner.steps.insert(*address, step);
        }
    }
    for (address, records) in &world.state.deposed {
        if !planner.steps.contains_key(address) && planner.covers(*address) && !scope.refresh_only {
            let step = planner.old_selves(*address, records)?;
            planner.steps.insert(*address, step);
        }
    }
    for intent in &world.state.open {
        let Some(why) = world.state.undecided.get(&intent.id) else { continue };
        if !planner.steps.contains_key(&intent.address) && planner.covers(intent.address) {
            let step = Step {
                reasons: vec![why.clone()],
                blocked: Some(why.clone()),
                dependencies: intent.record.dependencies.clone(),
                ..without_a_node(intent.address, &intent.record.kind)
            };
            planner.steps.insert(intent.address, step);
        }
    }
    planner.check_protection()?;
    planner.check_confirmed()?;
    planner.check_exports(others)?;
    let Planner { steps, imports, .. } = planner;
    Ok(Plan {
        format: PLAN_FORMAT,
        stack: world.graph.stack.clone(),
        lineage: world.state.lineage.clone(),
        serial: world.state.serial,
        moves: BTreeMap::new(),
        steps,
        exports: world.graph.exports.clone(),
        imports,
        whole: scope.is_whole(),
        requests: observed.requests,
    })
}

struct Planner<'a> {
    world: World<'a>,
    observed: &'a Observed,
    scope: &'a Scope,
    /// What the plan may touch; `None` is everything.
    covered: Option<BTreeSet<Address>>,
    created_first: BTreeSet<Address>,
    steps: BTreeMap<Address, Step>,
    imports: BTreeMap<String, BTreeMap<String, Data>>,
}

/// What is created before its old self is deleted: whatever says so, and all that it depends on, or
/// depended on, since that can't go before the old self that stands on it.
fn created_first(graph: &Graph, state: &State) -> BTreeSet<Address> {
    let by_address: BTreeMap<Address, &Node> =
        graph.nodes.iter().map(|node| (node.address, node)).collect();
    let says_so = graph.nodes.iter().filter(|node| node.options.create_before_destroy);
    let mut found: BTreeSet<Address> = says_so.map(|node| node.address).collect();
    let mut left: Vec<Address> = found.iter().copied().collect();
    while let Some(node) = left.pop().and_then(|address| by_address.get(&address)) {
        let recorded = state.resources.get(&node.address).map(|record| &record.dependencies);
        let stands_on =
            node.dependencies().into_iter().chain(recorded.into_iter().flatten().copied());
        let own = stands_on.filter(|address| by_address.contains_key(address));
        left.extend(own.filter(|address| found.insert(*address)));
    }
    found
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

    fn covers(&self, address: Address) -> bool {
        self.covered.as_ref().is_none_or(|covered| covered.contains(&address))
    }

    /// The step of a wanted resource; none where it is out of scope and doesn't exist.
    fn node(&self, node: &Node) -> Result<Option<Step>, PlanError> {
        let address = node.address;
        let provider = self.provider(address, &node.kind)?;
        let schema = provider.schema();
        let in_field = |failure| PlanError::Fields { place: place(node), address, failure };
        let planned = provider.expand(node.evaluate(self)).map_err(in_field)?;
        check_secrets(node, schema, &planned)?;
        let binding = self.world.graph.binding(schema, address).cloned();
        let binding = binding.unwrap_or(Expr::Literal(serde_json::Value::Null));
        let unknown = binding.eval(self).unknowns();
        let dependencies = self.dependencies(node);
        let mut step = Step {
            address,
            kind: node.kind.clone(),
            action: Action::Keep,
            reasons: vec![],
            remarks: vec![],
            changes: vec![],
            source: node.source.clone(),
            options: node.options.clone(),
            binding,
            fields: node.fields.clone(),
            planned,
            outputs: BTreeMap::new(),
            recorded: self.world.state.resources.get(&address).cloned(),
            observed: None,
            not_observed: None,
            later: (!unknown.is_empty()).then(|| unknown.to_string()),
            early: self.early(node, &dependencies),
            blocked: None,
            dependencies,
            deposed: self.old(address),
            needs_consent: false,
        };
        step.options.create_before_destroy = self.created_first.contains(&address);
        let reading = self.observed.get(address);
        if !self.covers(address) || self.scope.refresh_only {
            return self.left(step, reading, provider);
        }
        step.needs_consent = schema.stateful && !step.deposed.is_empty();
        match (&step.recorded, reading) {
            (None, _) if self.adopted(node).is_some() => self.adopt(node, &mut step, provider)?,
            (None, _) => self.create(&mut step, provider),
            (Some(record), reading)
                if record.kind != node.kind && reading != Some(&Reading::Absent) =>
            {
                step.reasons.push(format!("it was a {}", record.kind));
                self.replace(&mut step, provider);
            }
            (Some(record), _) if self.left_host(&step, record).is_some() => {
                self.follow_host(&mut step, provider);
            }
            (Some(_), Some(Reading::Absent)) => {
                step.reasons.push("it is gone: something outside of formwork deleted it".into());
                self.create(&mut step, provider);
            }
            (Some(_), _) => {
                self.see(&mut step, reading);
                self.compare(&mut step, provider);
            }
        }
        self.trigger(&mut step, provider);
        self.goes_with_its_host(&mut step, provider);
        if step.action.is_change() {
            step.remarks = provider.remarks(&step.planned);
        }
        if let (Action::Update, Some(record)) = (step.action, &step.recorded) {
            let versions = Versions {
                desired: &step.planned,
                recorded: &record.inputs,
                observed: step.observed.as_ref().map(|seen| &seen.fields),
                ignore: &step.options.ignore,
            };
            step.remarks.extend(provider.consequences(&versions));
        }
        self.check_name(node, &step, schema)?;
        self.hold_back(&mut step);
        Ok(Some(step))
    }

    /// Lets nothing be done to what an earlier run may have created, as far as anybody knows.
    fn hold_back(&self, step: &mut Step) {
        let state = self.world.state;
        for intent in state.open.iter().filter(|intent| intent.address == step.address) {
            if intent.action != IntentAction::Create {
                continue;
            }
            let why = state.undecided.get(&intent.id).cloned();
            step.reasons.push(why.clone().unwrap_or_else(|| UNSETTLED.to_owned()));
            step.blocked = step.blocked.take().or(why);
        }
    }

    /// Old selves of a resource, and what a call that had its effect twice made beside it.
    fn old(&self, address: Address) -> Vec<Record> {
        let state = self.world.state;
        let mut old = state.deposed.get(&address).cloned().unwrap_or_default();
        for twin in self.observed.twins(address) {
            let intent = twin.owner.as_ref().map(|owner| &owner.intent);
            let made = state.selves(address).find(|record| Some(&record.intent) == intent);
            let (id, outputs) = (twin.id.clone(), twin.outputs.clone());
            old.extend(made.map(|record| Record { id, outputs, ..record.clone() }));
        }
        old
    }

    /// Takes what was read into the step, or why it wasn't.
    fn see(&self, step: &mut Step, reading: Option<&Reading>) {
        match reading {
            Some(Reading::Found(found)) => step.observed = Some(found.clone()),
            Some(Reading::NotObserved(why)) => step.not_observed = Some(why.clone()),
            _ => step.not_observed = Some("it wasn't read".to_owned()),
        }
    }

    /// A resource that isn't to be touched: its record stays, but for the outputs that were read.
    fn left(
        &self,
        mut step: Step,
        reading: Option<&Reading>,
        provider: &dyn Provider,
    ) -> Result<Option<Step>, PlanError> {
        let Some(record) = &step.recorded else { return Ok(None) };
        step.action = Action::Leave;
        step.deposed.clear();
        step.dependencies = record.dependencies.clone();
        step.early.clear();
        if self.scope.refresh_only && reading == Some(&Reading::Absent) {
            step.action = Action::Forget;
            step.reasons.push("it is gone: something outside of formwork deleted it".into());
        } else if let Some(Reading::Found(found)) = reading {
            let (recorded, ignore) = (&record.inputs, step.options.ignore.as_slice());
            let observed = Some(&found.fields);
            let versions = Versions { desired: recorded, recorded, observed, ignore };
            step.changes = diff(provider.schema(), &versions);
            step.observed = Some(found.clone());
        }
        step.outputs = existing_outputs(provider.schema(), &step);
        Ok(Some(step))
    }

    /// The existing thing that a resource takes over, as the run or the stack says.
    fn adopted<'s>(&'s self, node: &'s Node) -> Option<&'s String> {
        self.scope.adopt.get(&node.address).or(node.options.adopt.as_ref())
    }

    fn adopt(
        &self,
        node: &Node,
        step: &mut Step,
        provider: &dyn Provider,
    ) -> Result<(), PlanError> {
        let Some(id) = self.adopted(node) else { return Ok(()) };
        let refused = |why: String| {
            let (address, id) = (node.address, id.clone());
            Err(PlanError::Adopt { place: place(node), address, id, why })
        };
        let found = match self.observed.get(node.address) {
            Some(Reading::Found(found)) => found,
            Some(Reading::NotObserved(why)) => return refused(format!("it can't be read: {why}")),
            _ => return refused(format!("there is no {} of that identifier", node.kind)),
        };
        if let Some(owner) = &found.owner {
            let ours = owner.lineage == self.world.state.lineage && owner.address == node.address;
            if !ours {
                return refused(format!("it belongs to `{}` of another state", owner.address));
            }
        }
        let schema = provider.schema();
        let name = match schema.identity {
            Identity::Name(_) => found.id.clone(),
            _ => physical_name(step, schema),
        };
        step.recorded = Some(Record {
            id: found.id.clone(),
            outputs: found.outputs.clone(),
            ready: found.status == Status::Ready,
            ..Record::intended(&node.kind, name, "", Data::Null)
        });
        step.observed = Some(found.clone());
        self.compare(step, provider);
        if step.action == Action::Replace {
            return refused(step.reasons.join("; "));
        }
        step.action = Action::Update;
        step.reasons.insert(0, format!("it takes over `{id}`, which exists"));
        Ok(())
    }

    /// The hosts of this stack that a resource lives on, as wanted now.
    fn hosts(&self, step: &Step) -> BTreeSet<Address> {
        let is_host = |address: &Address| {
            let node = self.world.graph.node(*address);
            let schema = node.and_then(|node| self.world.registry.schema(&node.kind));
            schema.is_some_and(|schema| schema.hosts)
        };
        let through = step.binding.refs().into_iter().map(|(node, _)| node);
        through.filter(is_host).collect()
    }

    /// The host that a resource lives on by its record, where it is to live on another one.
    fn left_host(&self, step: &Step, record: &Record) -> Option<Address> {
        let hosts = self.hosts(step);
        let mut before = record.lives_on(self.world.registry, self.world.state).peekable();
        let first = before.peek().copied();
        let stays = hosts.is_empty() || before.any(|host| hosts.contains(&host));
        first.filter(|_| !stays)
    }

    /// A resource that moves to another host is deleted where it is, unless it is gone with that host.
    fn follow_host(&self, step: &mut Step, provider: &dyn Provider) {
        let record = step.recorded.as_ref();
        let Some(left) = record.and_then(|record| self.left_host(step, record)) else { return };
        if self.observed.get(left) == Some(&Reading::Absent) {
            step.reasons.push(format!("it is gone with `{left}`, which it lived on"));
            return self.create(step, provider);
        }
        step.reasons.push(format!("it doesn't live on `{left}` any more"));
        self.replace(step, provider);
    }

    /// A host that is replaced takes along what lives on it.
    fn goes_with_its_host(&self, step: &mut Step, provider: &dyn Provider) {
        if !matches!(step.action, Action::Keep | Action::Update) {
            return;
        }
        let replaced = |address: &Address| {
            self.steps.get(address).is_some_and(|host| host.action == Action::Replace)
        };
        let Some(host) = self.hosts(step).into_iter().find(replaced) else { return };
        step.reasons.push(format!("`{host}`, which it lives on, is replaced"));
        self.replace(step, provider);
    }

    /// Replaces what is to be replaced whatever it looks like.
    fn trigger(&self, step: &mut Step, provider: &dyn Provider) {
        if !matches!(step.action, Action::Keep | Action::Update) {
            return;
        }
        let changes = |address: &&Address| {
            let action = self.steps.get(address).map(|step| step.action);
            matches!(action, Some(Action::Create | Action::Update | Action::Replace))
        };
        let trigger = step.options.replace_triggered_by.iter().find(changes);
        let reason = match trigger {
            Some(trigger) => format!("`{trigger}` changes"),
            None if self.scope.replace.contains(&step.address) => {
                "asked for by --replace".to_owned()
            }
            None => return,
        };
        step.reasons.push(reason);
        self.replace(step, provider);
    }

    /// Two selves at a time need two names.
    fn check_name(&self, node: &Node, step: &Step, schema: &Schema) -> Result<(), PlanError> {
        if !step.creates_first() || !matches!(schema.identity, Identity::Name(_)) {
            return Ok(());
        }
        let recorded = step.recorded.as_ref().and_then(|record| record.inputs.get("name"));
        match step.planned.get("name") {
            Some(Data::Text(name)) if recorded == step.planned.get("name") => {
                let (place, address, name) = (place(node), node.address, name.clone());
                Err(PlanError::SameName { place, address, name })
            }
            _ => Ok(()),
        }
    }

    /// The dependencies of which only outputs are used that are known before they are ready.
    fn early(&self, node: &Node, dependencies: &BTreeSet<Address>) -> BTreeSet<Address> {
        let options = &node.options;
        let explicit: BTreeSet<&Address> =
            options.after.iter().chain(&options.replace_triggered_by).collect();
        let binding = self.world.registry.schema(&node.kind).and_then(Schema::binding);
        let in_fields: BTreeSet<(Address, Symbol)> = node
            .fields
            .iter()
            .filter(|(name, _)| binding.is_none_or(|field| field.name != name.as_str()))
            .flat_map(|(_, expr)| expr.refs())
            .collect();
        let in_binding: BTreeSet<Address> = binding
            .and_then(|field| node.fields.get(field.name))
            .map(|expr| expr.refs().into_iter().map(|(node, _)| node).collect())
            .unwrap_or_default();
        let enough = |address: &Address| {
            let target = self.world.graph.node(*address)?;
            let schema = self.world.registry.schema(&target.kind)?;
            // A kind that marks no output as waiting for readiness says nothing about waves.
            schema.outputs.iter().find(|output| output.ready)?;
            let used = in_fields.iter().filter(|(node, _)| node == address);
            let mut used = used.filter_map(|(_, output)| schema.output(output.as_str()));
            (!explicit.contains(address)
                && !in_binding.contains(address)
                && used.all(|output| !output.ready))
            .then_some(())
        };
        dependencies.iter().copied().filter(|address| enough(address).is_some()).collect()
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
        // It may have been of another kind, whose data is what would be lost.
        let kind = step.recorded.as_ref().map(|record| record.kind.as_str());
        let before = kind.and_then(|kind| self.world.registry.schema(kind));
        step.needs_consent = before.unwrap_or(provider.schema()).stateful;
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
        let resumes = resumes(provider, step);
        let keep = step.changes.is_empty() && resumes.is_none();
        step.reasons.extend(resumes.filter(|_| step.changes.is_empty()));
        step.action = if keep { Action::Keep } else { Action::Update };
        step.outputs = existing_outputs(schema, step);
    }

    /// A recorded resource that the stack doesn't have any more.
    fn leaving(&self, address: Address, record: &Record) -> Result<Step, PlanError> {
        let provider = self.provider(address, &record.kind)?;
        let reading = self.observed.get(address);
        let out_of_scope = !self.covers(address) || self.scope.refresh_only;
        let (action, reason) = match reading {
            Some(Reading::Absent) => (Action::Forget, "it is gone already"),
            _ if out_of_scope => {
                (Action::Leave, "the stack doesn't have it, and the scope leaves it")
            }
            _ if record.retain => (Action::Forget, "it is retained"),
            _ => (Action::Delete, "the stack doesn't have it any more"),
        };
        let (observed, not_observed) = match reading {
            Some(Reading::Found(found)) => (Some(found.clone()), None),
            Some(Reading::NotObserved(why)) => (None, Some(why.clone())),
            _ => (None, None),
        };
        let deposed = match action {
            Action::Leave => vec![],
            _ => self.old(address),
        };
        let mut step = Step {
            action,
            reasons: vec![reason.to_owned()],
            outputs: record.outputs.clone(),
            recorded: Some(record.clone()),
            observed,
            not_observed,
            dependencies: record.dependencies.clone(),
            deposed,
            needs_consent: action == Action::Delete && provider.schema().stateful,
            ..without_a_node(address, &record.kind)
        };
        if action != Action::Leave {
            self.hold_back(&mut step);
        }
        Ok(step)
    }

    /// Old selves of a resource that has no present one any more.
    fn old_selves(&self, address: Address, records: &[Record]) -> Result<Step, PlanError> {
        let kind = records.first().map(|record| record.kind.clone()).unwrap_or_default();
        let stateful = self.provider(address, &kind)?.schema().stateful;
        Ok(Step {
            action: Action::Delete,
            reasons: vec!["only old selves of it are left".to_owned()],
            deposed: records.to_vec(),
            needs_consent: stateful,
            ..without_a_node(address, &kind)
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

    /// What was rebuilt from what exists may be something else than it seems.
    fn check_confirmed(&self) -> Result<(), PlanError> {
        let goes = |step: &&Step| {
            let present = matches!(step.action, Action::Delete | Action::Replace);
            let present = step.recorded.iter().filter(|_| present);
            present.chain(&step.deposed).any(|record| record.unconfirmed)
        };
        let unconfirmed: Vec<Address> =
            self.steps.values().filter(goes).map(|step| step.address).collect();
        if unconfirmed.is_empty() { Ok(()) } else { Err(PlanError::Unconfirmed(unconfirmed)) }
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

/// Why what is followed is told again what it is to be, though it is as wanted: whoever changed it last may not
/// have seen the end of that.
fn resumes(provider: &dyn Provider, step: &Step) -> Option<String> {
    let record = step.recorded.as_ref().filter(|_| provider.follows())?;
    if !record.ready {
        return Some(UNFOLLOWED.to_owned());
    }
    if let Some(Observation { status: Status::Unfinished(why), .. }) = &step.observed {
        return Some(format!("a part of it isn't through: {why}"));
    }
    let versions = Versions {
        desired: &step.planned,
        recorded: &record.inputs,
        observed: None,
        ignore: &step.options.ignore,
    };
    let moved = !diff(provider.schema(), &versions).is_empty();
    moved.then(|| BY_OTHERS.to_owned())
}

/// A step of something that the stack doesn't have.
fn without_a_node(address: Address, kind: &str) -> Step {
    Step {
        address,
        kind: kind.to_owned(),
        action: Action::Leave,
        reasons: vec![],
        remarks: vec![],
        changes: vec![],
        source: None,
        options: crate::Options::default(),
        binding: Expr::Literal(serde_json::Value::Null),
        fields: BTreeMap::new(),
        planned: Data::empty_map(),
        outputs: BTreeMap::new(),
        recorded: None,
        observed: None,
        not_observed: None,
        later: None,
        blocked: None,
        dependencies: BTreeSet::new(),
        early: BTreeSet::new(),
        deposed: vec![],
        needs_consent: false,
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
    let keeps = step.action != Action::Create && !step.creates_first();
    match step.recorded.as_ref().filter(|_| keeps) {
        Some(record) => record.name.clone(),
        None => {
            let longest = match schema.identity {
                Identity::Name(longest) => longest,
                _ => LONGEST_NAME,
            };
            provider::generation_name(step.address, longest, generation(step))
        }
    }
}

/// Which self of the resource a step is about, counted from 0.
pub(crate) fn generation(step: &Step) -> u32 {
    let recorded = step.recorded.as_ref().map(|record| record.generation);
    match recorded {
        Some(generation) if step.creates_first() => generation + 1,
        Some(generation) => generation,
        None => step.deposed.iter().map(|record| record.generation + 1).max().unwrap_or(0),
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
