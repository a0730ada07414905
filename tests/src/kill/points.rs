//! The points at which something goes wrong, and how they are spread over lives.

use super::Extent;
use formwork_rehearse::{Aim, Fault};
use std::{collections::BTreeMap, fmt};

/// Services of which a sample has a call in each phase that has one.
const MUST: [&str; 2] = ["sql", "kubernetes"];

/// How far two lives that follow each other are apart in the order of the calls: a prime number.
const STRIDE: usize = 101;

/// What is done to a stack in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Create,
    Update,
    Destroy,
}

impl Phase {
    pub const ALL: [Self; 3] = [Self::Create, Self::Update, Self::Destroy];
}

/// What goes wrong at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    KilledBefore,
    KilledAfter,
    LostAnswer,
    /// Killed before the call; it lands while the next run settles.
    LandsLate,
    /// Killed before the call, and again in the next run, at one of its first requests.
    KilledBeforeAndAgain,
    KilledAfterAndAgain,
    Throttled,
    OutOfOrder,
}

impl Kind {
    /// Those that every call gets.
    const EACH: [Self; 2] = [Self::KilledBefore, Self::KilledAfter];
    /// Of these each call gets one, in turn.
    const IN_TURN: [Self; 6] = [
        Self::LostAnswer,
        Self::KilledBeforeAndAgain,
        Self::LandsLate,
        Self::KilledAfterAndAgain,
        Self::Throttled,
        Self::OutOfOrder,
    ];
    /// What a sample has, the most telling first.
    const SAMPLE: [Self; 6] = [
        Self::KilledAfter,
        Self::KilledBefore,
        Self::LandsLate,
        Self::KilledAfterAndAgain,
        Self::LostAnswer,
        Self::KilledBeforeAndAgain,
    ];

    pub fn fault(self) -> Fault {
        match self {
            Self::KilledBefore | Self::KilledBeforeAndAgain => Fault::Before,
            Self::KilledAfter | Self::KilledAfterAndAgain => Fault::After,
            Self::LostAnswer => Fault::LostAnswer,
            Self::LandsLate => Fault::Late,
            Self::Throttled => Fault::Throttled,
            Self::OutOfOrder => Fault::OutOfOrder,
        }
    }

    /// Whether the program is killed when the fault happens.
    pub fn kills(self) -> bool {
        !matches!(self, Self::LostAnswer | Self::Throttled | Self::OutOfOrder)
    }

    pub fn again(self) -> bool {
        matches!(self, Self::KilledBeforeAndAgain | Self::KilledAfterAndAgain)
    }
}

/// One call that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    pub phase: Phase,
    /// Its number among the calls of an undisturbed run, from one.
    pub number: usize,
    /// Its name, and its number among the calls of this name.
    pub call: (String, usize),
    pub kind: Kind,
}

impl Point {
    /// Calls are made side by side, so the number alone would hit another call each time.
    pub fn aim(&self) -> Aim {
        Aim::Named(self.call.0.clone(), self.call.1)
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { phase, number, call: (name, nth), kind } = self;
        write!(f, "{phase:?} call {number}, {name} #{nth}: {kind:?}")
    }
}

/// One life's points: at most one in each phase.
#[derive(Clone, Debug, Default)]
pub struct Life(BTreeMap<Phase, Point>);

impl Life {
    pub fn point(&self, phase: Phase) -> Option<&Point> {
        self.0.get(&phase)
    }

    pub fn remove(&mut self, phase: Phase) {
        self.0.remove(&phase);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// All lives, by the calls of each phase of an undisturbed one.
pub struct Plan {
    pub lives: Vec<Life>,
    calls: BTreeMap<Phase, usize>,
}

impl Plan {
    pub fn new(calls: &BTreeMap<Phase, Vec<String>>, extent: Extent) -> Self {
        let mut lives: Vec<Life> = vec![];
        for (phase, names) in calls {
            let points = match extent {
                Extent::Everything => everything(*phase, names),
                Extent::Sample(count) => sample(*phase, names, count),
            };
            for (at, point) in points.into_iter().enumerate() {
                if lives.len() <= at {
                    lives.push(Life::default());
                }
                lives[at].0.insert(*phase, point);
            }
        }
        // So that a matrix that is cut short has seen something of everything.
        let count = lives.len();
        let mut lives: Vec<(usize, Life)> = lives.into_iter().enumerate().collect();
        lives.sort_by_key(|(at, _)| at * STRIDE % count);
        let lives = lives.into_iter().map(|(_, life)| life).collect();
        Self { lives, calls: calls.iter().map(|(phase, names)| (*phase, names.len())).collect() }
    }

    pub fn describe(&self) -> String {
        let calls = self.calls.iter().map(|(phase, count)| format!("{phase:?} {count}"));
        let points: usize = self.lives.iter().map(|life| life.0.len()).sum();
        let calls = calls.collect::<Vec<_>>().join(", ");
        format!("changing calls: {calls}; {points} points in {} lives", self.lives.len())
    }
}

fn point(phase: Phase, names: &[String], at: usize, kind: Kind) -> Point {
    let nth = names[..=at].iter().filter(|name| **name == names[at]).count();
    Point { phase, number: at + 1, call: (names[at].clone(), nth), kind }
}

fn everything(phase: Phase, names: &[String]) -> Vec<Point> {
    let all = (0..names.len()).flat_map(|at| {
        let in_turn = Kind::IN_TURN[at % Kind::IN_TURN.len()];
        let kinds = Kind::EACH.into_iter().chain([in_turn]);
        kinds.map(move |kind| point(phase, names, at, kind))
    });
    all.collect()
}

/// Evenly spread, but with calls of PostgreSQL and Kubernetes wherever there are some.
fn sample(phase: Phase, names: &[String], count: usize) -> Vec<Point> {
    let service = |at: &usize| names[*at].split(' ').next().unwrap_or_default();
    let spread = (0..count).map(|i| (2 * i + 1) * names.len() / (2 * count));
    let mut chosen: Vec<usize> = spread.filter(|at| *at < names.len()).collect();
    chosen.dedup();
    for must in MUST {
        let of_service: Vec<usize> = (0..names.len()).filter(|at| service(at) == must).collect();
        let missing = !chosen.iter().any(|at| service(at) == must);
        let place = chosen.iter().rposition(|at| !MUST.contains(&service(at)));
        if let (true, Some(at), Some(place)) =
            (missing, of_service.get(of_service.len() / 2), place)
        {
            chosen[place] = *at;
        }
    }
    chosen.sort_unstable();
    let kinds = Kind::SAMPLE.iter().cycle().skip(phase as usize * 2);
    chosen.into_iter().zip(kinds).map(|(at, kind)| point(phase, names, at, *kind)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        let calls = ["ec2 A", "ec2 B", "ec2 B", "iam C", "rds D", "sql E", "kubernetes F", "ec2 G"];
        calls.map(str::to_owned).to_vec()
    }

    #[test]
    fn every_call_is_killed_before_and_after_and_gets_one_more() {
        let points = everything(Phase::Create, &names());
        assert_eq!(points.len(), 3 * names().len());
        let second_b: Vec<&Point> =
            points.iter().filter(|point| point.call == ("ec2 B".into(), 2)).collect();
        assert_eq!(second_b.len(), 3);
        assert!(second_b.iter().all(|point| point.number == 3));
        assert!(second_b.iter().any(|point| point.kind == Kind::KilledBefore));
        assert!(second_b.iter().any(|point| point.kind == Kind::KilledAfter));
    }

    #[test]
    fn a_sample_has_sql_and_kubernetes() {
        let calls = Phase::ALL.map(|phase| (phase, names())).into();
        let plan = Plan::new(&calls, Extent::Sample(4));
        assert_eq!(plan.lives.len(), 4);
        for phase in Phase::ALL {
            let points: Vec<&Point> =
                plan.lives.iter().filter_map(|life| life.point(phase)).collect();
            assert_eq!(points.len(), 4);
            for service in MUST {
                assert!(points.iter().any(|point| point.call.0.starts_with(service)), "{service}");
            }
        }
    }
}
