//! One operation of an apply: evaluate, check against the plan, journal, call, wait.

use super::{
    Event, Patience, Reporter, Values,
    compare::{departs, exceeds, moved},
    patience::Pauses,
};
use crate::{
    Address, CALL_DEADLINE, Data, Failure, FailureKind, Followed, Observation, Provider, Record,
    Registry, Status, Subject,
    plan::{Action, Phase, Step, Versions, diff, generation, physical_name},
    state::{Entry, Hold, Intent, IntentAction, Journal},
};
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};

/// What a person does about a creation that can't be decided.
const UNDECIDED: &str =
    "nothing that depends on it was begun; once the service can be asked, apply again";

/// Looks at who has a name that is taken: what was just created may not show at once.
const LOOKS_AT_TAKEN: usize = 2;

/// What all operations of an apply share.
pub(super) struct Context<'a> {
    pub registry: &'a Registry,
    pub journal: Journal,
    pub lineage: &'a str,
    pub values: &'a Values<'a>,
    pub reporter: &'a dyn Reporter,
    pub patience: &'a Patience,
    pub hold: &'a Hold,
    /// One permit for each call that may be under way.
    pub calls: Semaphore,
    pub stop: &'a AtomicBool,
    /// Told of what exists, before it is ready.
    pub released: mpsc::UnboundedSender<Address>,
}

/// How an operation ended well.
pub(super) enum Done {
    Exists(Box<Record>),
    Gone { old_selves_only: bool },
}

/// How an operation failed, and what there is all the same.
pub(super) struct Error {
    pub failure: Failure,
    pub doing: &'static str,
    pub left: Option<Box<Record>>,
    /// A creation of which nobody knows whether it happened.
    pub open: Option<Box<Intent>>,
    /// Old selves that are deleted by now: the intents that made them, and their identifiers.
    pub cleared: Vec<(String, String)>,
}

impl Error {
    fn new(doing: &'static str, failure: Failure) -> Self {
        Self { failure, doing, left: None, open: None, cleared: vec![] }
    }

    fn left(self, record: &Record) -> Self {
        Self { left: Some(Box::new(record.clone())), ..self }
    }
}

pub(super) type Result = std::result::Result<Done, Error>;

impl Context<'_> {
    pub(super) async fn run(&self, step: &Step, phase: Phase) -> Result {
        let failed = |doing: &'static str| move |failure: Failure| Error::new(doing, failure);
        if let Some(why) = &step.blocked {
            return Err(failed("settle")(Failure::invalid(why.clone()).hint(UNDECIDED)));
        }
        let provider = self.provider(&step.kind).map_err(failed("apply"))?;
        let call = Call { context: self, step, provider, begun: AtomicBool::new(false) };
        match (phase, step.action) {
            (Phase::Destroy, _) => call.announced(call.destroy()).await,
            (_, Action::Keep) => call.keep().map_err(failed("keep")),
            (_, Action::Leave) => call.leave().map_err(failed("leave")),
            (_, Action::Update) => call.announced(call.update()).await,
            _ => call.announced(call.create()).await,
        }
    }

    fn provider(&self, kind: &str) -> std::result::Result<&dyn Provider, Failure> {
        let unknown = || Failure::invalid(format!("no kind {kind} in this program"));
        self.registry.get(kind).ok_or_else(unknown)
    }

    async fn journal(&self, entry: Entry) -> std::result::Result<(), Failure> {
        self.journal.write(entry).await.map_err(|error| {
            let failure = Failure::new(FailureKind::Invalid, error.to_string());
            failure.context("nothing was called, since the journal can't be written").hint(
                error.hint().unwrap_or_else(|| "make room for the journal and apply again".into()),
            )
        })
    }
}

/// One operation on its way.
struct Call<'a> {
    context: &'a Context<'a>,
    step: &'a Step,
    provider: &'a dyn Provider,
    /// Whether its first call was let through.
    begun: AtomicBool,
}

/// The inputs and the binding of a step, evaluated.
struct Evaluated {
    inputs: Data,
    binding: Data,
}

impl<'a> Call<'a> {
    async fn announced<T, E>(
        &self,
        work: impl Future<Output = std::result::Result<T, E>>,
    ) -> std::result::Result<T, E> {
        let (address, action) = (self.address(), self.step.action);
        let result = work.await;
        if result.is_ok() {
            self.context.reporter.report(Event::Finished { address, action });
        }
        result
    }

    fn address(&self) -> Address {
        self.step.address
    }

    /// Waits for its turn to make a call.
    async fn turn(&self) -> std::result::Result<SemaphorePermit<'a>, Failure> {
        let turn = self.context.calls.acquire().await;
        // Never closed while there is a run.
        let turn = turn.map_err(|_| Failure::service("the run is over"))?;
        if !self.begun.load(Ordering::Relaxed) {
            if self.context.stop.load(Ordering::Relaxed) {
                return Err(Failure::new(FailureKind::Stopped, "stopped before it was begun"));
            }
            self.begun.store(true, Ordering::Relaxed);
            let (address, action) = (self.address(), self.step.action);
            self.context.reporter.report(Event::Started { address, action });
        }
        Ok(turn)
    }

    async fn read(
        &self,
        provider: &dyn Provider,
        binding: &Data,
        subject: &Subject,
    ) -> std::result::Result<Option<Observation>, Failure> {
        let _turn = self.turn().await?;
        provider.read(binding, subject).await
    }

    /// Evaluates what the plan carries, and holds it to what the plan showed.
    fn evaluate(&self) -> std::result::Result<Evaluated, Failure> {
        let values = self.context.values;
        let fields = self.step.fields.iter();
        let fields = Data::Map(fields.map(|(n, expr)| (n.clone(), expr.eval(values))).collect());
        let still_unknown = |data: &Data| {
            let unknown = data.unknowns();
            if unknown.is_empty() {
                return Ok(());
            }
            Err(Failure::invalid(format!("a value that it needs never became known: {unknown}")))
        };
        let binding = self.step.binding.eval(values);
        still_unknown(&fields)?;
        still_unknown(&binding)?;
        let inputs = self.provider.expand(fields)?;
        if let Some(path) = departs(&self.step.planned, &inputs, "") {
            return Err(Failure::invalid(format!(
                "`{path}` came out other than planned; nothing was called"
            ))
            .hint("plan again, and look at what changed"));
        }
        Ok(Evaluated { inputs, binding })
    }

    /// The record as it will be once this operation is done.
    fn record(&self, evaluated: &Evaluated, intent: &str) -> Record {
        let base = self.step.recorded.clone().filter(|_| self.step.action == Action::Update);
        let schema = self.provider.schema();
        let base = base.unwrap_or_else(|| {
            let name = physical_name(self.step, schema);
            Record::intended(&self.step.kind, name, intent, Data::Null)
        });
        Record {
            binding: evaluated.binding.clone(),
            inputs: evaluated.inputs.clone(),
            dependencies: self.step.dependencies.clone(),
            protect: self.step.options.protect,
            retain: self.step.options.retain,
            ignore: self.step.options.ignore.clone(),
            generation: generation(self.step),
            ..base
        }
    }

    fn subject(&self, record: &Record) -> Subject {
        let recorded = Subject::recorded(self.context.lineage, self.address(), record);
        Subject { id: recorded.id.filter(|id| !id.is_empty()), ..recorded }
    }

    async fn create(&self) -> Result {
        let failed = |failure| Error::new("create", failure);
        let evaluated = self.evaluate().map_err(failed)?;
        let intent = uuid::Uuid::now_v7().to_string();
        let mut record = self.record(&evaluated, &intent);
        let subject = self.subject(&record);
        let open = self.intend(&intent, IntentAction::Create, &record).await.map_err(failed)?;
        let secrets = self.context.registry.secrets();
        let call = || async {
            match self.provider.create(&evaluated.binding, &subject, secrets).await {
                Err(failure) if failure.kind == FailureKind::Taken => {
                    self.taken_by_us(&evaluated.binding, &subject, failure).await
                }
                made => made,
            }
        };
        record.id = self.patiently(&intent, call).await.map_err(|failure| {
            let open = (!failure.had_no_effect()).then(|| Box::new(open));
            Error { open, ..failed(failure) }
        })?;
        let ready = self.ready(&intent, &mut record).await;
        ready.map_err(|failure| failed(failure).left(&record))?;
        Ok(Done::Exists(Box::new(record)))
    }

    /// A client that loses an answer sends the call again, and is told that the name is taken: by itself.
    /// The identifier, where the marks say so; anything else is never taken over.
    async fn taken_by_us(
        &self,
        binding: &Data,
        subject: &Subject,
        refusal: Failure,
    ) -> std::result::Result<String, Failure> {
        for look in 0..LOOKS_AT_TAKEN {
            if look > 0 {
                tokio::time::sleep(self.context.patience.visible).await;
            }
            if let Some(found) = self.provider.read(binding, subject).await? {
                let ours = found.owner.as_ref() == Some(&subject.owner);
                return if ours { Ok(found.id) } else { Err(refusal) };
            }
        }
        Err(refusal)
    }

    async fn update(&self) -> Result {
        let failed = |failure| Error::new("update", failure);
        let unchanged =
            |failure| Error { left: self.step.recorded.clone().map(Box::new), ..failed(failure) };
        let evaluated = self.evaluate().map_err(unchanged)?;
        let intent = uuid::Uuid::now_v7().to_string();
        let mut record = self.record(&evaluated, &intent);
        let subject = self.subject(&record);
        let changed = self.still_needed(&evaluated, &subject).await.map_err(unchanged)?;
        let there = self.step.not_observed.is_none();
        // What is followed is told again, even where it is as wanted: so it takes up what an earlier run left.
        if !changed.is_empty() || there && self.provider.follows() {
            self.intend(&intent, IntentAction::Update, &record).await.map_err(unchanged)?;
            let secrets = self.context.registry.secrets();
            let call = || self.provider.update(&evaluated.binding, &subject, &changed, secrets);
            self.patiently(&intent, call).await.map_err(|failure| {
                let had_no_effect = failure.had_no_effect();
                let mut error = unchanged(failure);
                if let Some(left) = error.left.as_mut().filter(|_| !had_no_effect) {
                    left.ready = false;
                }
                error
            })?;
        }
        let noted = match there || !changed.is_empty() {
            true => self.ready(&intent, &mut record).await,
            false => self.done(&intent, &record).await,
        };
        noted.map_err(|failure| failed(failure).left(&record))?;
        Ok(Done::Exists(Box::new(record)))
    }

    /// Reads the resource again, stops if it isn't what the plan saw, and answers the fields to change.
    async fn still_needed(
        &self,
        evaluated: &Evaluated,
        subject: &Subject,
    ) -> std::result::Result<Vec<String>, Failure> {
        let (step, schema) = (self.step, self.provider.schema());
        let now = match &step.observed {
            None => None,
            Some(seen) => {
                let now = self.read(self.provider, &evaluated.binding, subject).await?;
                Some((seen, now.ok_or_else(|| stale("it is gone"))?))
            }
        };
        let nothing = Data::empty_map();
        let versions = Versions {
            desired: &evaluated.inputs,
            recorded: step.recorded.as_ref().map_or(&nothing, |record| &record.inputs),
            observed: now.as_ref().map(|(_, now)| &now.fields),
            ignore: &step.options.ignore,
        };
        let changes = diff(schema, &versions);
        // A call of an earlier run may land late, and do what this one was to do.
        let moved = now.as_ref().and_then(|(seen, now)| moved(schema, seen, now));
        if let Some(path) = moved.filter(|_| !changes.is_empty()) {
            return Err(stale(&format!("`{path}` is not what the plan saw")));
        }
        if let Some(forcing) = changes.iter().find(|change| change.forces_replacement) {
            return Err(Failure::invalid(format!(
                "`{}` turned out to need a replacement, which wasn't planned",
                forcing.path
            ))
            .hint("plan again"));
        }
        let mut fields: Vec<String> = changes.iter().map(|c| c.field().to_owned()).collect();
        fields.sort();
        fields.dedup();
        Ok(fields)
    }

    /// Nothing to do: only what the record says of it may move on.
    fn keep(&self) -> std::result::Result<Done, Failure> {
        let recorded = || Failure::invalid("it is to be kept, and isn't in the state");
        let record = self.step.recorded.clone().ok_or_else(recorded)?;
        let evaluated = self.evaluate()?;
        let mut kept = Record {
            binding: evaluated.binding,
            inputs: evaluated.inputs,
            dependencies: self.step.dependencies.clone(),
            retain: self.step.options.retain,
            ignore: self.step.options.ignore.clone(),
            ..record
        };
        if let Some(seen) = &self.step.observed {
            kept.outputs.extend(seen.outputs.clone());
            // What is followed was seen to be well; something in it may be unwell for a moment.
            kept.ready = self.provider.follows() || seen.status == Status::Ready;
        }
        Ok(Done::Exists(Box::new(kept)))
    }

    /// Out of scope: the record stays, but for the outputs that were read.
    fn leave(&self) -> std::result::Result<Done, Failure> {
        let recorded = || Failure::invalid("it is to be left alone, and isn't in the state");
        let mut record = self.step.recorded.clone().ok_or_else(recorded)?;
        if let Some(seen) = &self.step.observed {
            record.outputs.extend(seen.outputs.clone());
        }
        Ok(Done::Exists(Box::new(record)))
    }

    /// Deletes or forgets what the step says: its present self, old ones, or both.
    async fn destroy(&self) -> Result {
        let step = self.step;
        let doing = if step.action == Action::Forget { "forget" } else { "delete" };
        let mut cleared = vec![];
        let failed = |failure, cleared: &[(String, String)]| Error {
            cleared: cleared.to_vec(),
            ..Error::new(doing, failure)
        };
        let replaced = step.recorded.iter().filter(|_| step.creates_first());
        for old in step.deposed.iter().chain(replaced) {
            let intent =
                self.delete(old, None).await.map_err(|failure| failed(failure, &cleared))?;
            let (address, of, id) = (self.address(), old.intent.clone(), old.id.clone());
            let entry = Entry::Cleared { intent, address, of: of.clone(), id: Some(id.clone()) };
            self.context.journal(entry).await.map_err(|failure| failed(failure, &cleared))?;
            cleared.push((of, id));
        }
        let present = match step.action {
            Action::Delete | Action::Forget => true,
            Action::Replace => !step.creates_first(),
            _ => false,
        };
        if present {
            let intent = match (&step.recorded, step.action) {
                (Some(record), Action::Delete | Action::Replace) => {
                    self.delete(record, step.observed.as_ref()).await
                }
                _ => Ok(String::new()),
            };
            let intent = intent.map_err(|failure| failed(failure, &cleared))?;
            self.gone_from_state(&intent).await.map_err(|failure| failed(failure, &cleared))?;
        }
        Ok(Done::Gone { old_selves_only: !present })
    }

    /// Deletes one self, where it is still what the plan saw, and answers the intent of it.
    async fn delete(
        &self,
        record: &Record,
        seen: Option<&Observation>,
    ) -> std::result::Result<String, Failure> {
        let intent = uuid::Uuid::now_v7().to_string();
        let subject = self.subject(record);
        // What is deleted may be of another kind than what takes its place.
        let provider = self.context.provider(&record.kind)?;
        if let Some(seen) = seen {
            let now = self.read(provider, &record.binding, &subject).await?;
            if let Some(path) = now.and_then(|now| exceeds(seen, &now)) {
                return Err(stale(&format!("`{path}` is not what the plan saw")));
            }
        }
        self.intend(&intent, IntentAction::Delete, record).await?;
        let call = || provider.delete(&record.binding, &subject);
        self.patiently(&intent, call).await?;
        self.gone(provider, record, &subject).await?;
        Ok(intent)
    }

    async fn intend(
        &self,
        id: &str,
        action: IntentAction,
        record: &Record,
    ) -> std::result::Result<Intent, Failure> {
        let (id, address, record) = (id.to_owned(), self.address(), record.clone());
        let deposes = action == IntentAction::Create && self.step.creates_first();
        let intent = Intent { id, address, action, record, deposes };
        self.context.journal(Entry::Intent(intent.clone())).await?;
        Ok(intent)
    }

    /// The record after a call that had its effect.
    async fn done(&self, intent: &str, record: &Record) -> std::result::Result<(), Failure> {
        let (intent, address, deposes) =
            (intent.to_owned(), self.address(), self.step.creates_first());
        let record = Some(record.clone());
        self.context.journal(Entry::Done { intent, address, record, deposes }).await
    }

    async fn gone_from_state(&self, intent: &str) -> std::result::Result<(), Failure> {
        let (intent, address) = (intent.to_owned(), self.address());
        self.context.journal(Entry::Done { intent, address, record: None, deposes: false }).await
    }

    /// Makes a call, again while the service says that it is busy; journals what came of a failure.
    async fn patiently<T, F: Future<Output = std::result::Result<T, Failure>>>(
        &self,
        intent: &str,
        call: impl Fn() -> F,
    ) -> std::result::Result<T, Failure> {
        let patience = self.context.patience;
        let mut pauses = patience.pauses(patience.busy);
        loop {
            let turn = match self.turn().await {
                Ok(turn) => turn,
                Err(failure) => {
                    self.void(intent, &failure).await?;
                    return Err(failure);
                }
            };
            if let Err(lost) = self.context.hold.allows(CALL_DEADLINE) {
                let failure = Failure::invalid(lost.to_string()).before_the_call();
                self.void(intent, &failure).await?;
                return Err(failure.hint(lost.hint().unwrap_or_default()));
            }
            // What is sent by the time that the hold is lost may have its effect; nothing is sent after.
            let made = self.context.hold.during(CALL_DEADLINE, call()).await;
            drop(turn);
            match made.unwrap_or_else(|lost| Err(Failure::service(lost.to_string()))) {
                Ok(value) => return Ok(value),
                Err(failure) if failure.kind == FailureKind::Busy => {
                    if let Err(failure) = self.while_busy(failure, &mut pauses).await {
                        self.void(intent, &failure).await?;
                        return Err(failure);
                    }
                }
                Err(failure) if failure.had_no_effect() => {
                    self.void(intent, &failure).await?;
                    return Err(failure);
                }
                Err(failure) => {
                    let open = "nobody knows yet whether the call had its effect: the next apply finds out first";
                    let hint = match &failure.hint {
                        Some(hint) => format!("{hint}; {open}"),
                        None => open.to_owned(),
                    };
                    return Err(failure.hint(hint));
                }
            }
        }
    }

    /// Waits a moment for what is in the way; that very failure where it has been there for too long.
    async fn while_busy(
        &self,
        failure: Failure,
        pauses: &mut Pauses,
    ) -> std::result::Result<(), Failure> {
        let (address, status) = (self.address(), failure.message.clone());
        self.context.reporter.report(Event::Waiting { address, status });
        match pauses.pause().await {
            true => Ok(()),
            false => Err(failure.context("still in the way after the longest wait")),
        }
    }

    async fn void(&self, intent: &str, failure: &Failure) -> std::result::Result<(), Failure> {
        let (intent, reason) = (intent.to_owned(), failure.message.clone());
        self.context.journal(Entry::Void { intent, reason }).await
    }

    /// Journals that the call had its effect, waits until the resource is ready, and takes its outputs into
    /// the record. What is ready at the first look takes one entry.
    async fn ready(&self, intent: &str, record: &mut Record) -> std::result::Result<(), Failure> {
        let patience = self.context.patience;
        let mut pauses = patience.pauses(patience.ready);
        let subject = self.subject(record);
        let (mut noted, mut told) = (false, false);
        let followed = self.provider.follows();
        if followed {
            // Nobody knows whether it is well: where this run is cut off, the next one follows it.
            (noted, record.ready) = (true, false);
            self.done(intent, record).await?;
            self.follow(&record.binding, &subject).await?;
        }
        loop {
            let found = self.read(self.provider, &record.binding, &subject).await;
            // Whoever followed it knows better: something else in it may be unwell all the time.
            let is_ready =
                matches!(&found, Ok(Some(found)) if followed || found.status == Status::Ready);
            if !is_ready && !noted {
                noted = true;
                self.done(intent, record).await?;
            }
            let found = found?;
            if let Some(found) = found.as_ref().filter(|_| !told && !is_ready) {
                told = true;
                self.exists(found);
            }
            let status = match found {
                Some(found) if is_ready => {
                    self.compare_with_wanted(&found, record);
                    record.outputs = found.outputs;
                    record.ready = true;
                    return self.done(intent, record).await;
                }
                Some(Observation {
                    status: Status::Failed(why) | Status::Unfinished(why), ..
                }) => {
                    return Err(Failure::invalid(format!("the service gave up: {why}")));
                }
                Some(Observation { status: Status::Pending(status), .. }) => status,
                Some(_) => "deleting".to_owned(),
                None => "not visible yet".to_owned(),
            };
            let address = self.address();
            let last = format!("not ready after the longest wait, the last status was: {status}");
            self.context.reporter.report(Event::Waiting { address, status });
            if !pauses.pause().await {
                return Err(Failure::service(last));
            }
        }
    }

    /// Follows a change to its end; a hopeless one is a failure, with the evidence told before.
    async fn follow(&self, binding: &Data, subject: &Subject) -> std::result::Result<(), Failure> {
        let (address, reporter) = (self.address(), self.context.reporter);
        let tell = |progress| reporter.report(Event::Progress { address, progress });
        let patience = self.context.patience;
        let mut pauses = patience.pauses(patience.busy);
        loop {
            match self.provider.follow(binding, subject, &tell).await {
                Ok(Followed::Ready) => return Ok(()),
                Ok(Followed::Hopeless { why, evidence }) => {
                    reporter.report(Event::Evidence { address, evidence });
                    return Err(Failure::new(FailureKind::Hopeless, why));
                }
                Err(failure) if failure.kind == FailureKind::Busy => {
                    self.while_busy(failure, &mut pauses).await?;
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Tells those who need no more of it that it exists.
    fn exists(&self, found: &Observation) {
        let early = self.provider.schema().outputs.iter().filter(|output| !output.ready);
        let known = early.filter_map(|output| {
            Some((output.name.to_owned(), found.outputs.get(output.name)?.clone()))
        });
        self.context.values.set(self.address(), known.collect());
        // Nobody listens any more only when the run is over.
        let _ = self.context.released.send(self.address());
    }

    /// The engine trusts no provider: what exists is compared with what was asked for.
    fn compare_with_wanted(&self, found: &Observation, record: &Record) {
        let versions = Versions {
            desired: &record.inputs,
            recorded: &record.inputs,
            observed: Some(&found.fields),
            ignore: &self.step.options.ignore,
        };
        let paths: Vec<String> =
            diff(self.provider.schema(), &versions).into_iter().map(|c| c.path).collect();
        if !paths.is_empty() {
            self.context.reporter.report(Event::Differs { address: self.address(), paths });
        }
    }

    /// Waits until the resource is gone.
    async fn gone(
        &self,
        provider: &dyn Provider,
        record: &Record,
        subject: &Subject,
    ) -> std::result::Result<(), Failure> {
        let patience = self.context.patience;
        let mut pauses = patience.pauses(patience.gone);
        while let Some(found) = self.read(provider, &record.binding, subject).await? {
            let status = match found.status {
                Status::Failed(why) => {
                    return Err(Failure::invalid(format!("deleting it failed: {why}")));
                }
                _ => "deleting".to_owned(),
            };
            self.context.reporter.report(Event::Waiting { address: self.address(), status });
            if !pauses.pause().await {
                return Err(Failure::service("still there after the longest wait"));
            }
        }
        Ok(())
    }
}

fn stale(what: &str) -> Failure {
    Failure::invalid(format!("it changed since the plan was made: {what}; nothing was called"))
        .hint("plan again")
}
