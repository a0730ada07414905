//! One life of the stack: created, changed and destroyed, and what goes wrong meanwhile.

use super::{
    inventory::{differences, look},
    lane::{Lane, Own},
    points::{self, Phase, Point},
    stack::{Stack, Version},
};
use formwork_rehearse::{Aim, Fault, FaultProxy};
use std::{
    collections::BTreeMap,
    fs::File,
    path::PathBuf,
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};

/// The longest that one run of the program may take. Generous: tests may share two cores with a compiler.
const RUN_LIMIT: Duration = Duration::from_secs(900);
/// How often a run is looked at.
const POLL: Duration = Duration::from_millis(20);
/// Requests of the next run after which a late call lands: the first are for logging in.
const LANDS_AFTER: usize = 4;
/// In the run after a kill, the second kill comes at one of so many first requests.
const AGAIN_WITHIN: usize = 12;
/// How often the cloud is looked at until it holds what it should: what is deleted may be seen a while.
const LOOKS: u32 = 8;
const BETWEEN_LOOKS: Duration = Duration::from_millis(1500);
/// Lines of a run's output that a failure shows.
const SHOWN_LINES: usize = 30;

pub struct Life<'a> {
    stack: &'a Stack,
    own: Own,
    proxy: FaultProxy,
    graphs: [PathBuf; 2],
    consent: Vec<String>,
    runs: usize,
}

/// What an undisturbed life looks like.
pub struct Undisturbed {
    /// The calls that change something, in order.
    pub calls: BTreeMap<Phase, Vec<String>>,
    /// What there is after each phase.
    after: BTreeMap<Phase, Vec<String>>,
    /// The arguments by which the destruction is consented to.
    consent: Vec<String>,
}

/// A life that ended early: the points that were tried, of which the last one didn't recover.
pub struct Broken {
    pub tried: Vec<Point>,
    pub why: String,
}

/// How a run ended.
struct Ended {
    status: ExitStatus,
    output: String,
}

impl<'a> Life<'a> {
    pub fn begin(lane: &mut Lane<'a>) -> Result<Self, String> {
        let own = lane.own()?;
        let proxy = FaultProxy::start(&own.site, &own.folder.join("proxy"));
        let proxy = proxy.map_err(|error| error.to_string())?;
        let graph = |version| lane.stack.graph(proxy.site(), &own.folder, &own.namespace, version);
        let graphs = [graph(Version::First)?, graph(Version::Second)?];
        Ok(Self { stack: lane.stack, own, proxy, graphs, consent: vec![], runs: 0 })
    }

    /// A life without any fault: what the others are held against.
    pub fn undisturbed(mut self) -> Result<Undisturbed, String> {
        let empty = self.look()?;
        let (mut calls, mut after) = (BTreeMap::new(), BTreeMap::new());
        for phase in Phase::ALL {
            if phase == Phase::Destroy {
                self.ask_for_consent()?;
            }
            self.well(phase)?;
            calls.insert(phase, self.proxy.changes());
            self.plan_is_empty(phase)?;
            after.insert(phase, self.look()?);
        }
        let left = differences(&after[&Phase::Destroy], &empty);
        let stays =
            |line: &&String| line.contains("secretsmanager/secret") || line.contains("/snapshot");
        match left.iter().find(|line| !stays(line)) {
            None => Ok(Undisturbed { calls, after, consent: self.consent }),
            Some(line) => Err(format!("an undisturbed life leaves something behind: {line}")),
        }
    }

    /// A life in which these points go wrong; those that were tried.
    pub fn disturbed(
        mut self,
        planned: &points::Life,
        undisturbed: &Undisturbed,
    ) -> Result<Vec<Point>, Broken> {
        self.consent.clone_from(&undisturbed.consent);
        let mut tried = vec![];
        for phase in Phase::ALL {
            let point = planned.point(phase);
            // Without a point of its own an update would show nothing.
            if point.is_none() && phase == Phase::Update {
                continue;
            }
            tried.extend(point.cloned());
            let expected = &undisturbed.after[&phase];
            // Without the update its leftovers aren't there either.
            let as_expected = phase != Phase::Destroy || planned.point(Phase::Update).is_some();
            let lived = match point {
                Some(point) => self.goes_wrong(point),
                None => self.well(phase),
            };
            let lived = lived.and_then(|()| self.recovered(phase, as_expected.then_some(expected)));
            if let Err(why) = lived {
                return Err(Broken { tried, why });
            }
        }
        Ok(tried)
    }

    /// After the point's fault, the next run ends well.
    fn goes_wrong(&mut self, point: &Point) -> Result<(), String> {
        self.fault(point)?;
        if point.kind.again() {
            let request = 1 + point.number % AGAIN_WITHIN;
            self.proxy.begin(Some((Aim::Request(request), Fault::Before)));
            let run = self.start(point.phase)?;
            // A run with fewer requests than that ends by itself.
            self.end(run, true)?;
        }
        self.proxy.begin(None);
        let run = self.start(point.phase)?;
        if point.kind.fault() == Fault::Late {
            self.land(&run)?;
        }
        fine(&self.end(run, false)?)
    }

    /// The run in which the fault happens.
    fn fault(&mut self, point: &Point) -> Result<(), String> {
        self.proxy.begin(Some((point.aim(), point.kind.fault())));
        let run = self.start(point.phase)?;
        let ended = self.end(run, point.kind.kills())?;
        match self.proxy.struck(Duration::ZERO) {
            Some(_) => Ok(()),
            None => Err(format!("the call was never made; the run ended with {}", ended.said())),
        }
    }

    /// Lets a late call land once the next run has begun to look.
    fn land(&self, run: &Run) -> Result<(), String> {
        let started = Instant::now();
        while self.proxy.requests() < LANDS_AFTER {
            if started.elapsed() > RUN_LIMIT {
                return Err(format!("run {} made no requests", run.number));
            }
            std::thread::sleep(POLL);
        }
        if self.proxy.land() { Ok(()) } else { Err("the late call never landed".into()) }
    }

    /// A run without faults.
    fn well(&mut self, phase: Phase) -> Result<(), String> {
        self.proxy.begin(None);
        let run = self.start(phase)?;
        fine(&self.end(run, false)?)
    }

    /// The plan is empty, and the cloud holds what it holds after an undisturbed phase.
    fn recovered(&mut self, phase: Phase, expected: Option<&Vec<String>>) -> Result<(), String> {
        self.plan_is_empty(phase)?;
        let Some(expected) = expected else { return Ok(()) };
        let mut different = vec![];
        for look_number in 0..LOOKS {
            if look_number > 0 {
                std::thread::sleep(BETWEEN_LOOKS);
            }
            different = differences(&self.look()?, expected);
            if different.is_empty() {
                return Ok(());
            }
        }
        Err(format!("the cloud isn't as after an undisturbed run:\n  {}", different.join("\n  ")))
    }

    fn plan_is_empty(&mut self, phase: Phase) -> Result<(), String> {
        if phase == Phase::Destroy {
            return Ok(());
        }
        self.proxy.begin(None);
        let mut plan = self.stack.command(self.proxy.site(), &self.own.folder.join("state"));
        plan.args(["plan", "--graph"]).arg(self.graph(phase));
        let run = self.spawn(plan)?;
        let ended = self.end(run, false)?;
        match ended.status.code() {
            Some(0) => Ok(()),
            _ => Err(format!("the plan isn't empty: {}", ended.said())),
        }
    }

    /// What there is, seen past the proxy.
    fn look(&self) -> Result<Vec<String>, String> {
        look(&self.own.site, self.proxy.site().postgres_port, &self.own.namespace)
    }

    fn graph(&self, phase: Phase) -> &PathBuf {
        &self.graphs[usize::from(phase != Phase::Create)]
    }

    /// The addresses that a destruction wants to be named, as it says itself.
    fn ask_for_consent(&mut self) -> Result<(), String> {
        self.proxy.begin(None);
        let mut ask = self.stack.command(self.proxy.site(), &self.own.folder.join("state"));
        ask.args(["destroy", &self.stack.name]);
        let run = self.spawn(ask)?;
        let said = self.end(run, false)?.output;
        let words: Vec<&str> = said.split_whitespace().collect();
        let named = words.windows(2).filter(|pair| pair[0] == "--consent");
        self.consent = named.flat_map(|pair| pair.iter().map(|w| (*w).to_owned())).collect();
        Ok(())
    }

    fn start(&mut self, phase: Phase) -> Result<Run, String> {
        let mut command = self.stack.command(self.proxy.site(), &self.own.folder.join("state"));
        match phase {
            Phase::Create | Phase::Update => {
                command.args(["apply", "--yes", "--graph"]).arg(self.graph(phase));
            }
            Phase::Destroy => {
                command.args(["destroy", &self.stack.name, "--yes"]).args(&self.consent);
            }
        }
        self.spawn(command)
    }

    fn spawn(&mut self, mut command: Command) -> Result<Run, String> {
        self.runs += 1;
        let log = self.own.folder.join(format!("run-{}.log", self.runs));
        let failed = |error: std::io::Error| format!("{}: {error}", log.display());
        let file = File::create(&log).map_err(failed)?;
        command.stdout(file.try_clone().map_err(failed)?).stderr(file);
        let child = command.spawn().map_err(failed)?;
        Ok(Run { child: Reaped(child), log: log.clone(), number: self.runs })
    }

    /// Waits for the end of a run; with `kills`, kills it as soon as the fault has happened.
    fn end(&self, mut run: Run, kills: bool) -> Result<Ended, String> {
        let started = Instant::now();
        let failed = |error: std::io::Error| format!("run {}: {error}", run.number);
        let status = loop {
            if let Some(status) = run.child.0.try_wait().map_err(failed)? {
                break status;
            }
            if kills && self.proxy.struck(POLL).is_some() {
                run.child.0.kill().map_err(failed)?;
                break run.child.0.wait().map_err(failed)?;
            }
            if started.elapsed() > RUN_LIMIT {
                return Err(format!(
                    "run {} took more than {} s:\n{}",
                    run.number,
                    RUN_LIMIT.as_secs(),
                    tail(&std::fs::read_to_string(&run.log).unwrap_or_default())
                ));
            }
            if !kills {
                std::thread::sleep(POLL);
            }
        };
        let output = std::fs::read_to_string(&run.log).map_err(failed)?;
        Ok(Ended { status, output })
    }
}

/// A run of the program.
struct Run {
    child: Reaped,
    log: PathBuf,
    number: usize,
}

/// A child that doesn't outlive its owner.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        // It has ended, or is no use any more.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Ended {
    fn said(&self) -> String {
        format!("{}\n{}", self.status, tail(&self.output))
    }
}

fn fine(ended: &Ended) -> Result<(), String> {
    match ended.status.code() {
        Some(0) => Ok(()),
        _ => Err(format!("the next run doesn't end well: {}", ended.said())),
    }
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
}
