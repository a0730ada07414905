//! What has the stack's marks and isn't in the stack: it left while the state was lost, or was never
//! deleted.

use super::{Proposal, RebuildError};
use crate::{Address, Data, Graph, Owner, Record, Registry, Status, Subject};
use std::collections::{BTreeMap, BTreeSet};

impl Proposal {
    /// Takes in what has the lineage's marks beside the stack's own, of the kinds and behind the bindings
    /// that the stack has. Kinds that are known by their names alone can't be found without the stack.
    pub(super) async fn take_leftovers(
        &mut self,
        registry: &Registry,
        graph: &Graph,
        places: impl Iterator<Item = (&'static str, Data)>,
    ) -> Result<(), RebuildError> {
        // Any address will do: the lineage is what is asked for.
        let Some(address) = self.state.resources.keys().next().copied() else { return Ok(()) };
        let owner = Owner { lineage: self.state.lineage.clone(), address, intent: String::new() };
        let wanted = [Subject::anything(&owner)];
        let known: BTreeSet<(String, String)> = self
            .state
            .resources
            .values()
            .chain(self.state.deposed.values().flatten())
            .map(|record| (record.kind.clone(), record.id.clone()))
            .collect();
        let nodes: BTreeSet<Address> = graph.nodes.iter().map(|node| node.address).collect();
        for (kind, binding) in places {
            let Some(provider) = registry.get(kind) else { continue };
            for seen in provider.list(&binding, &wanted).await.map_err(RebuildError::List)? {
                let Some(owner) = seen.owner else { continue };
                let other = owner.lineage != self.state.lineage
                    || owner.address.stack() != graph.stack
                    || nodes.contains(&owner.address)
                    || self.state.resources.contains_key(&owner.address)
                    || known.contains(&(kind.to_owned(), seen.id.clone()));
                if other || seen.status == Status::Deleting {
                    continue;
                }
                let record = Record {
                    id: seen.id,
                    name: crate::physical_name(owner.address, crate::MAX_NAME),
                    inputs: Data::Map(seen.fields),
                    outputs: seen.outputs,
                    ready: seen.status == Status::Ready,
                    unconfirmed: true,
                    ..Record::intended(kind, String::new(), &owner.intent, binding.clone())
                };
                self.state.resources.insert(owner.address, record);
                self.leftovers.insert(owner.address);
            }
        }
        self.link_leftovers();
        Ok(())
    }

    /// A leftover depends on whatever it holds the identifier of.
    fn link_leftovers(&mut self) {
        let by_id: BTreeMap<String, Address> = self
            .state
            .resources
            .iter()
            .map(|(address, record)| (record.id.clone(), *address))
            .collect();
        for address in &self.leftovers {
            let Some(record) = self.state.resources.get_mut(address) else { continue };
            let mut texts = vec![];
            texts_of(&record.inputs, &mut texts);
            let held = texts.iter().filter_map(|text| by_id.get(text));
            record.dependencies = held.copied().filter(|held| held != address).collect();
        }
    }
}

fn texts_of(data: &Data, texts: &mut Vec<String>) {
    match data {
        Data::Text(text) => texts.push(text.clone()),
        Data::List(items) => items.iter().for_each(|item| texts_of(item, texts)),
        Data::Map(map) => map.values().for_each(|value| texts_of(value, texts)),
        _ => {}
    }
}
