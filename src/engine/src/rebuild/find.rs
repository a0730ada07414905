//! Finding what belongs to a node, without knowing what created it.

use crate::{
    Address, Data, Failure, Node, Observation, Owner, Provider, Schema, Subject, generation_name,
    schema::Identity,
};
use std::collections::BTreeMap;

/// The longest physical name of kinds that aren't identified by their name.
const LONGEST_NAME: usize = 63;
/// Names of later selves that are tried, where one was replaced by a next one that was created first.
const GENERATIONS: u32 = 8;

/// What is looked for.
pub(super) struct Search<'a> {
    pub addresses: Vec<Address>,
    pub provider: &'a dyn Provider,
    pub binding: &'a Data,
    pub inputs: &'a Data,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        node: &Node,
        provider: &'a dyn Provider,
        binding: &'a Data,
        inputs: &'a Data,
    ) -> Self {
        // Marks keep the address that something was created under.
        let old = node.options.renamed_from.map(|old| old.as_str());
        let old = old.and_then(|old| Address::new(node.address.stack(), old).ok());
        let addresses = [node.address].into_iter().chain(old).collect();
        Self { addresses, provider, binding, inputs }
    }

    fn schema(&self) -> &'static Schema {
        self.provider.schema()
    }
}

/// Something that belongs to a node.
pub(super) struct Candidate {
    pub seen: Observation,
    pub name: String,
    pub generation: u32,
}

pub(super) struct Finder {
    /// The lineage to believe; empty where any is.
    lineage: String,
    /// The lineages that were seen, each with something of it.
    pub lineages: BTreeMap<String, Address>,
    /// Where things were listed by their marks: kinds and bindings, by both as a text.
    pub places: BTreeMap<String, (&'static str, Data)>,
}

impl Finder {
    pub(super) fn new(lineage: &str) -> Self {
        Self { lineage: lineage.to_owned(), lineages: BTreeMap::new(), places: BTreeMap::new() }
    }

    /// What belongs to a node: its present self first, old ones after.
    pub(super) async fn find(&mut self, search: &Search<'_>) -> Result<Vec<Candidate>, Failure> {
        let mut found = match search.schema().identity {
            Identity::Tag | Identity::Token => self.by_marks(search).await?,
            Identity::Name(_) | Identity::Key => self.by_name(search).await?,
        };
        // Intents are UUIDs of version 7, which sort by time; of those that tell none, the last generation is present.
        found.sort_by(|a, b| (intent(&b.seen), b.generation).cmp(&(intent(&a.seen), a.generation)));
        for owner in found.iter().filter_map(|found| found.seen.owner.as_ref()) {
            self.lineages.entry(owner.lineage.clone()).or_insert(owner.address);
        }
        Ok(found)
    }

    /// A lineage to look things up by, where that takes one: the one to believe, or the only one seen.
    fn likely(&self) -> &str {
        match (self.lineage.as_str(), self.lineages.len()) {
            ("", 1) => self.lineages.keys().next().map(String::as_str).unwrap_or_default(),
            (believed, _) => believed,
        }
    }

    fn subject(&self, search: &Search<'_>, address: Address, name: String) -> Subject {
        Subject {
            owner: Owner { lineage: self.likely().to_owned(), address, intent: String::new() },
            name,
            id: None,
            inputs: search.inputs.clone(),
            outputs: Data::empty_map(),
        }
    }

    fn is_ours(&self, search: &Search<'_>, seen: &Observation) -> bool {
        match &seen.owner {
            Some(owner) => {
                let believed = self.lineage.is_empty() || owner.lineage == self.lineage;
                believed && search.addresses.contains(&owner.address)
            }
            None => search.schema().identity == Identity::Key,
        }
    }

    async fn by_marks(&mut self, search: &Search<'_>) -> Result<Vec<Candidate>, Failure> {
        let kind = search.schema().kind;
        let place = format!("{kind} {}", search.binding.to_json());
        self.places.insert(place, (kind, search.binding.clone()));
        let mut things: Vec<Observation> = vec![];
        // By the address, not by a lineage that another node had: there may be more than one.
        for address in &search.addresses {
            let (lineage, intent) = (self.lineage.clone(), String::new());
            let anything = Subject::anything(&Owner { lineage, address: *address, intent });
            for seen in search.provider.list(search.binding, &[anything]).await? {
                let known = things.iter().any(|known| known.id == seen.id);
                things.extend((!known && self.is_ours(search, &seen)).then_some(seen));
            }
        }
        let candidate = |seen: Observation| {
            let address = seen.owner.as_ref().map_or(search.addresses[0], |owner| owner.address);
            let name = generation_name(address, LONGEST_NAME, 0);
            Candidate { seen, name, generation: 0 }
        };
        Ok(things.into_iter().map(candidate).collect())
    }

    async fn by_name(&self, search: &Search<'_>) -> Result<Vec<Candidate>, Failure> {
        let longest = match search.schema().identity {
            Identity::Name(longest) => longest,
            _ => LONGEST_NAME,
        };
        let own_name = matches!(search.inputs.get("name"), Some(Data::Text(_)));
        // A key may hold the name too.
        let generations = if own_name { 1 } else { GENERATIONS };
        let mut found: Vec<Candidate> = vec![];
        for address in &search.addresses {
            for generation in 0..generations {
                let name = generation_name(*address, longest, generation);
                let subject = self.subject(search, *address, name.clone());
                match search.provider.read(search.binding, &subject).await? {
                    Some(seen) if self.is_ours(search, &seen) => {
                        let known = found.iter().any(|known| known.seen.id == seen.id);
                        found.extend((!known).then_some(Candidate { seen, name, generation }));
                    }
                    // Selves are numbered without gaps, but old ones are deleted by now.
                    _ => {}
                }
                if !found.is_empty() && generation > 0 {
                    break;
                }
            }
        }
        Ok(found)
    }
}

fn intent(seen: &Observation) -> &str {
    seen.owner.as_ref().map(|owner| owner.intent.as_str()).unwrap_or_default()
}
