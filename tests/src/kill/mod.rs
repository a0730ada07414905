//! Kill at every step: the program is killed at each call that changes something, and the next run has to recover.
//!
//! The calls are counted by a proxy between the program and the parts of the local cloud, not by the program. A *life* is
//! one account with a database server and a namespace of its own: in it the stack is created, changed and destroyed,
//! and in each of these phases one call goes wrong. After each phase everything has to be as if nothing had: the next
//! run ends well, the cloud itself holds what it holds after an undisturbed run (no orphan, no duplicate), and the
//! plan is empty.

mod inventory;
mod lane;
mod life;
mod points;
mod stack;

use crate::kill::{
    lane::Lane,
    life::{Broken, Life},
    points::{Life as Planned, Plan},
    stack::Stack,
};
use formwork_rehearse::{Inventory, LocalCloud, Options as CloudOptions, Progress};
use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread,
    time::Instant,
};

pub use points::{Kind, Phase, Point};

/// Lives that are lived side by side. Most of a life is waiting for the services.
const LANES: usize = 4;

/// Which points are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Every call of every phase: killed before, killed after, and one of the other faults in turn.
    Everything,
    /// So many lives, spread over the calls, each with a point in each phase.
    Sample(usize),
}

/// What came of the points.
#[derive(Debug, Default)]
pub struct Tally {
    pub points: usize,
    /// Those that didn't recover, each with the reason.
    pub failed: Vec<String>,
}

impl Tally {
    pub fn recovered(&self) -> usize {
        self.points - self.failed.len()
    }
}

/// Tries the points of a stack, such as `production`, on a local cloud in `scratch`.
pub fn kill(formwork: &Path, scratch: &Path, stack: &str, extent: Extent) -> Result<Tally, String> {
    let mut options = CloudOptions::new(scratch).only(stack);
    options.progress = Progress::lines();
    let cloud = LocalCloud::start_blocking(&options).map_err(|error| error.to_string())?;
    let matrix = Matrix::new(formwork, &cloud, stack)?;
    let tally = matrix.run(extent);
    cloud.stop_blocking();
    tally
}

/// What all lanes share.
struct Matrix<'a> {
    cloud: &'a LocalCloud,
    stack: Stack,
    started: Instant,
}

impl<'a> Matrix<'a> {
    fn new(formwork: &Path, cloud: &'a LocalCloud, stack: &str) -> Result<Self, String> {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no project folder")?;
        let (formwork, project): (PathBuf, PathBuf) = (formwork.into(), project.into());
        Ok(Self { cloud, stack: Stack::new(formwork, project, stack), started: Instant::now() })
    }

    fn run(&self, extent: Extent) -> Result<Tally, String> {
        let before = self.everything()?;
        let mut lane = Lane::new(self.cloud, &self.stack, 0)?;
        let undisturbed = Life::begin(&mut lane)?.undisturbed()?;
        let plan = Plan::new(&undisturbed.calls, extent);
        println!("      {} ({:.1} s)", plan.describe(), self.started.elapsed().as_secs_f64());
        let lives = Mutex::new(VecDeque::from(plan.lives));
        let tally = Mutex::new(Tally::default());
        thread::scope(|scope| {
            let (lives, tally, undisturbed) = (&lives, &tally, &undisturbed);
            let more = (1..LANES).map(|number| Lane::new(self.cloud, &self.stack, number));
            let lanes: Vec<Lane> =
                std::iter::once(Ok(lane)).chain(more).collect::<Result<_, _>>()?;
            let threads: Vec<_> = lanes
                .into_iter()
                .map(|lane| scope.spawn(move || self.live(lane, undisturbed, lives, tally)))
                .collect();
            threads.into_iter().try_for_each(|thread| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
        })?;
        let mut tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
        // What a life that failed left is known already.
        if tally.failed.is_empty() {
            let left = self.everything()?.since(&before);
            tally.failed.extend(left.iter().map(|line| format!("left in the cluster: {line}")));
        }
        Ok(tally)
    }

    /// What the control plane that all lives share holds.
    fn everything(&self) -> Result<Inventory, String> {
        Inventory::take_blocking(self.cloud.sites()).map_err(|error| error.to_string())
    }

    /// One lane: life after life, until none is left.
    fn live(
        &self,
        mut lane: Lane<'_>,
        undisturbed: &life::Undisturbed,
        lives: &Mutex<VecDeque<Planned>>,
        tally: &Mutex<Tally>,
    ) -> Result<(), String> {
        let next = || lives.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        while let Some(mut planned) = next() {
            // What is left of a life after a point that failed is lived anew, without that point.
            while !planned.is_empty() {
                let outcome = Life::begin(&mut lane)?.disturbed(&planned, undisturbed);
                let (tried, broken) = match outcome {
                    Ok(tried) => (tried, None),
                    Err(Broken { tried, why }) => (tried, Some(why)),
                };
                let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                tally.points += tried.len();
                for point in &tried {
                    planned.remove(point.phase);
                }
                let seconds = self.started.elapsed().as_secs_f64();
                match broken {
                    None => {
                        tried.iter().for_each(|point| println!("ok    {point} ({seconds:.0} s)"));
                    }
                    Some(why) => {
                        let (last, fine) = tried.split_last().ok_or_else(|| why.clone())?;
                        fine.iter().for_each(|point| println!("ok    {point} ({seconds:.0} s)"));
                        println!("FAIL  {last} ({seconds:.0} s)\n{why}");
                        tally.failed.push(format!("{last}: {why}"));
                        drop(tally);
                        lane.renew()?;
                    }
                }
            }
        }
        Ok(())
    }
}
