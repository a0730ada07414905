//! A program of formwork whose one kind does nothing: what the engine itself costs.

use formwork_engine::{
    apply::{self, Options, PARALLELISM, Patience, Quiet},
    plan::Plan,
    session::{self, Held, Planning},
    state::Store,
    *,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, path::Path, sync::atomic::AtomicBool};

/// A resource that is there as soon as it is wanted, and stays as it was written.
#[derive(Resource, Deserialize)]
#[resource(kind = "noop.Node", outputs = NodeOutputs, identity = tag)]
#[expect(dead_code, reason = "the engine reads the field, by name")]
pub struct Node {
    pub input: String,
}

#[derive(Outputs, Serialize)]
pub struct NodeOutputs {
    pub id: Id<Node>,
    #[changes_with(input)]
    pub output: String,
}

/// Where nothing is.
pub struct Nowhere;

impl Connect for Nowhere {
    type Setup = ();

    async fn connect((): &(), _: &Data, _: &Secrets) -> Result<Self, Failure> {
        Ok(Self)
    }
}

impl Reconcile for Node {
    type Cloud = Nowhere;

    async fn list(_: &Nowhere, wanted: &[Subject]) -> Result<Vec<Found<Self>>, Failure> {
        // What has no identifier asks for anything else that is ours: there is nothing.
        let found = wanted.iter().filter(|subject| subject.id.is_some()).map(|subject| {
            let (id, input) = (subject.id()?.to_owned(), subject.input("input")?.to_owned());
            Ok(Found {
                outputs: NodeOutputs { id: Id::existing(&id), output: input.clone() },
                observed: NodeObserved { input: Some(input) },
                id,
                status: Status::Ready,
                owner: Some(subject.owner.clone()),
            })
        });
        found.collect()
    }

    async fn create(
        _: &Nowhere,
        subject: &Subject,
        _: Self,
        _: &Secrets,
    ) -> Result<String, Failure> {
        Ok(subject.owner.intent.clone())
    }

    async fn update(_: &Nowhere, _: &Subject, _: Change<'_, Self>) -> Result<(), Failure> {
        Ok(())
    }

    async fn delete(_: &Nowhere, _: &Subject) -> Result<(), Failure> {
        Ok(())
    }
}

/// A binary tree: each node takes the identifier of its parent, which is known once that is there.
fn graph(count: usize) -> Graph {
    let mut stack = Stack::new("bench");
    stack.bind("noop", serde_json::json!({}));
    let mut nodes: Vec<Handle<Node>> = Vec::with_capacity(count);
    for number in 0..count {
        let node = match number {
            0 => Node::new().input("root"),
            _ => Node::new().input(text![nodes[(number - 1) / 2].id]),
        };
        nodes.push(stack.add(format!("node-{number}"), node));
    }
    stack.finish().unwrap()
}

fn registry() -> Registry {
    let mut registry = Registry::new(Secrets::default());
    registry.cloud::<Nowhere>(()).add::<Node>();
    registry
}

/// What `formwork plan` does; the plan must be empty.
#[tokio::main]
pub async fn plan(count: usize, folder: &Path) {
    let (graph, registry) = (graph(count), registry());
    let store = Store::folder(folder).unwrap();
    registry.check(&graph).unwrap();
    let state = session::load(&store, &graph.stack).await.unwrap().state;
    let planning = Planning::default();
    let planned = session::make_plan(&registry, &store, &graph, &state, &planning).await.unwrap();
    assert!(!planned.plan.has_changes());
    say(&planned.plan);
}

/// What `formwork apply --yes` does, on an empty state.
#[tokio::main]
pub async fn apply(count: usize, folder: &Path) {
    let (graph, registry) = (graph(count), registry());
    let store = Store::folder(folder).unwrap();
    registry.check(&graph).unwrap();
    let patience = Patience::default();
    let Held { state, hold, .. } =
        session::hold(&registry, &store, &graph.stack, &patience).await.unwrap();
    let planning = Planning::default();
    let planned = session::make_plan(&registry, &store, &graph, &state, &planning);
    let plan = planned.await.unwrap().plan;
    say(&plan);
    let options = Options {
        parallelism: PARALLELISM,
        consent: BTreeSet::new(),
        patience,
        reporter: &Quiet,
        hold: &hold,
        stop: &AtomicBool::new(false),
    };
    let outcome = apply::apply(&plan, state, &registry, &store, &options).await.unwrap();
    assert!(outcome.succeeded());
    assert_eq!(outcome.done.len(), count);
}

fn say(plan: &Plan) {
    println!("{} steps, {} changes", plan.steps.len(), plan.changes().count());
}
