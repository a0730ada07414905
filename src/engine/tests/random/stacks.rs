//! Random stacks, edits of them, and what goes wrong meanwhile.

use super::{cloud::Fault, kinds};
use formwork_engine::*;
use proptest::{collection, prelude::*};
use std::{collections::BTreeMap, fmt};

/// The nodes that a stack may have, each with its usual kind; one may refer to those before it.
const NODES: [(&str, &Schema); 9] = [
    ("net", &kinds::NET),
    ("subnet", &kinds::NET),
    ("gate", &kinds::GATE),
    ("cluster", &kinds::CLUSTER),
    ("store", &kinds::STORE),
    ("second", &kinds::CLUSTER),
    ("app", &kinds::APP),
    ("data", &kinds::DATABASE),
    ("tail", &kinds::NET),
];

/// Calls that faults are spread over: about as many as a run makes.
const CALLS: usize = 48;

#[derive(Clone)]
pub struct Spec {
    /// It has another kind than usual.
    odd: bool,
    /// It has its other name, as the same resource.
    renamed: bool,
    fixed: u8,
    value: u8,
    uses: Vec<usize>,
    note: Option<usize>,
    on: usize,
    protect: bool,
    created_first: bool,
}

/// On one line, so that a life can be read.
impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fixed, value, uses, note, on, .. } = self;
        let flags = [
            (self.odd, "odd"),
            (self.renamed, "renamed"),
            (self.protect, "protected"),
            (self.created_first, "first"),
        ];
        let flags: Vec<&str> = flags.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
        write!(f, "{fixed}.{value} uses {uses:?} note {note:?} on {on} {}", flags.join(" "))
    }
}

/// A stack as wanted: of each node, whether and how.
pub type Specs = Vec<Option<Spec>>;

/// What happens from outside between two applies.
#[derive(Clone, Debug)]
pub enum Outside {
    Nothing,
    Change { which: usize },
    Delete { which: usize },
}

#[derive(Clone)]
pub struct Edit {
    pub wanted: Specs,
    pub outside: Outside,
    /// The runs before the first undisturbed one, each with its faults by call.
    pub runs: Vec<BTreeMap<usize, Fault>>,
    pub slowness: usize,
}

impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{:?}, slowness {}", self.outside, self.slowness)?;
        for (at, spec) in self.wanted.iter().enumerate() {
            if let Some(spec) = spec {
                write!(f, "\n  {at} {}: {spec:?}", NODES[at].0)?;
            }
        }
        self.runs.iter().try_for_each(|run| write!(f, "\n  run with {run:?}"))
    }
}

fn spec() -> impl Strategy<Value = Spec> {
    let rare = || prop::bool::weighted(0.08);
    let other = 0..NODES.len();
    (
        (rare(), rare(), 0..5_u8, 0..3_u8),
        (collection::vec(other.clone(), 0..3), prop::option::of(other), 0..2_usize),
        (rare(), prop::bool::weighted(0.2)),
    )
        .prop_map(|((odd, renamed, fixed, value), (uses, note, on), (protect, first))| {
            Spec {
                odd,
                renamed,
                // Mostly the same, so that most edits are no replacements.
                fixed: fixed / 4,
                value,
                uses,
                note,
                on,
                protect,
                created_first: first,
            }
        })
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        3 => any::<bool>().prop_map(|after| Fault::Kill { after }),
        2 => Just(Fault::LoseAnswer),
        1 => Just(Fault::Refuse),
        1 => Just(Fault::Busy),
        1 => (0..6_usize).prop_map(|calls| Fault::Unreachable { calls }),
        2 => (0..40_usize, any::<bool>()).prop_map(|(calls, kill)| Fault::Late { calls, kill }),
        1 => Just(Fault::Twice),
        1 => (1..4_usize).prop_map(|reads| Fault::Unseen { reads }),
    ]
}

fn outside() -> impl Strategy<Value = Outside> {
    let which = 0..NODES.len();
    prop_oneof![
        4 => Just(Outside::Nothing),
        1 => which.clone().prop_map(|which| Outside::Change { which }),
        1 => which.prop_map(|which| Outside::Delete { which }),
    ]
}

fn wanted() -> impl Strategy<Value = Specs> {
    collection::vec(prop::option::weighted(0.75, spec()), NODES.len())
}

/// A life of a stack; without faults where nothing is to go wrong.
pub fn life(faults: bool) -> impl Strategy<Value = Vec<Edit>> {
    let most = if faults { 3 } else { 0 };
    let run = collection::btree_map(0..CALLS, fault(), 1..4);
    let runs = collection::vec(run, 0..=most);
    let edit = (wanted(), outside(), runs, 0..3_usize)
        .prop_map(|(wanted, outside, runs, slowness)| Edit { wanted, outside, runs, slowness });
    collection::vec(edit, 1..4)
}

fn literal(value: u8) -> Expr {
    Expr::Literal(value.into())
}

fn output(node: Address, output: &str) -> Expr {
    Expr::Ref { node, output: Symbol::new(output) }
}

/// The graph of a stack as wanted; with `open`, nothing of it is protected.
pub fn graph(wanted: &Specs, open: bool) -> Graph {
    let mut graph = Graph::empty("random");
    graph.bindings.insert("mem".into(), Expr::Literal(serde_json::json!({})));
    let mut before: BTreeMap<usize, (Address, &Schema)> = BTreeMap::new();
    for (at, spec) in wanted.iter().enumerate() {
        let Some(spec) = spec else { continue };
        let (name, usual) = NODES[at];
        let schema = if spec.odd { &kinds::NET } else { usual };
        let other = format!("{name}-b");
        let (name, old) = match spec.renamed {
            true => (other.as_str(), name),
            false => (name, other.as_str()),
        };
        let address = Address::new("random", name).unwrap();
        let mut fields = BTreeMap::from([
            ("fixed".to_owned(), literal(spec.fixed)),
            ("value".to_owned(), literal(spec.value)),
        ]);
        if schema.binding().is_some() {
            let clusters = before.values().filter(|(_, schema)| schema.hosts);
            let Some((on, _)) = clusters.into_iter().nth(spec.on) else { continue };
            let on = ["id", "endpoint"].map(|name| {
                let key = if name == "id" { "cluster" } else { name };
                (Expr::Literal(key.into()), output(*on, name))
            });
            fields.insert("on".to_owned(), Expr::map(on.into()));
        }
        let known = |of: &usize, name: &str| {
            let (address, schema) = before.get(of)?;
            schema.output(name).map(|_| output(*address, name))
        };
        // What lives on a host isn't referred to: it may be gone with it.
        let used =
            spec.uses.iter().filter(|of| before.get(of).is_some_and(|b| b.1.binding().is_none()));
        let mut used: Vec<&usize> = used.collect();
        used.sort();
        used.dedup();
        if !used.is_empty() {
            let used = used.into_iter().filter_map(|of| known(of, "id")).collect();
            fields.insert("uses".to_owned(), Expr::list(used));
        }
        if let Some(note) = spec.note.and_then(|of| known(&of, "banner")) {
            fields.insert("note".to_owned(), note);
        }
        let options = Options {
            protect: spec.protect && !open,
            // What is found by its key can't be there twice.
            create_before_destroy: spec.created_first && schema.identity != Identity::Key,
            renamed_from: Some(Symbol::new(old)),
            ..Options::default()
        };
        let kind = schema.kind.to_owned();
        graph.nodes.push(Node { address, kind, fields, options, source: None });
        before.insert(at, (address, schema));
    }
    graph
}
