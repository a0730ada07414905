//! The objects of a build in order, found by any identity they have or had without searching.

use crate::error::{Error, ErrorKind, Result};
use crate::id::Id;
use crate::resource::Resource;
use smol_str::SmolStr;
use std::collections::HashMap;

/// The objects of a build, in order.
#[derive(Debug, Default)]
pub struct Resources {
    list: Vec<Resource>,
    /// Built when asked for, dropped when names may have changed.
    index: Option<Index>,
    /// A patch has deleted something that is still in the list.
    some_gone: bool,
}

/// Positions by identity.
#[derive(Debug, Default)]
struct Index {
    /// By the identities that objects have or had.
    by_id: HashMap<Id, Vec<usize>>,
    /// By the names that they have or had; made when it is first asked for, which most builds don't.
    by_name: Option<HashMap<SmolStr, Vec<usize>>>,
}

impl Resources {
    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Resource> {
        self.list.iter()
    }

    /// Every object, to be changed at will.
    pub fn all_mut(&mut self) -> &mut Vec<Resource> {
        self.index = None;
        &mut self.list
    }

    /// Every object, for changes that leave names, kinds and namespaces alone.
    pub fn contents_mut(&mut self) -> &mut [Resource] {
        &mut self.list
    }

    pub fn into_list(self) -> Vec<Resource> {
        self.list
    }

    pub fn get(&self, position: usize) -> &Resource {
        &self.list[position]
    }

    /// Adds an object, whose identity must be new.
    pub fn append(&mut self, resource: Resource) -> Result<()> {
        let id = resource.id();
        let known = self.find_any(&id).into_iter().find(|known| self.list[*known].id() == id);
        if let Some(position) = known {
            let error = Error::new(ErrorKind::Duplicate(resource.describe()));
            return Err(error
                .at_object(&resource)
                .with_related(&self.list[position], "the other one")
                .with_help("give one of them another name, or take one out of `resources`"));
        }
        let position = self.list.len();
        self.index().add(&resource, position);
        self.list.push(resource);
        Ok(())
    }

    pub fn append_all(&mut self, others: Resources) -> Result<()> {
        // Among themselves they are unique, unless a transformer has made two of them alike.
        if self.list.is_empty() && others.check_unique().is_ok() {
            *self = others;
            return Ok(());
        }
        others.list.into_iter().try_for_each(|resource| self.append(resource))
    }

    /// Positions of the objects that have or had this identity.
    pub fn find_any(&mut self, id: &Id) -> Vec<usize> {
        self.index().by_id.get(id).cloned().unwrap_or_default()
    }

    /// Positions of the objects that have or had this name.
    pub fn find_name(&mut self, name: &str) -> Vec<usize> {
        self.index();
        let by_name = self.index.as_mut().map(|index| index.by_name(&self.list));
        by_name.and_then(|by_name| by_name.get(name)).cloned().unwrap_or_default()
    }

    /// Changes one object and keeps the index right.
    pub fn modify<T>(&mut self, position: usize, change: impl FnOnce(&mut Resource) -> T) -> T {
        let before =
            self.index.is_some().then(|| (self.list[position].id(), self.list[position].all_ids()));
        let result = change(&mut self.list[position]);
        self.some_gone |= self.list[position].is_gone();
        if let Some((id, all)) = before {
            let resource = &self.list[position];
            if resource.id() != id || resource.all_ids() != all {
                self.index = None;
            }
        }
        result
    }

    /// Puts an object in another's place.
    pub fn replace(&mut self, position: usize, resource: Resource) {
        self.modify(position, |old| *old = resource);
    }

    /// Drops what patches have deleted.
    pub fn drop_gone(&mut self) {
        if std::mem::take(&mut self.some_gone) {
            self.all_mut().retain(|resource| !resource.is_gone());
        }
    }

    /// Complains about objects that have come to share an identity.
    pub fn check_unique(&self) -> Result<()> {
        if let Some(index) = &self.index
            && index.by_id.values().all(|positions| positions.len() == 1)
        {
            return Ok(());
        }
        let mut first = HashMap::with_capacity(self.list.len());
        let shared = present(&self.list).filter_map(|(position, resource)| {
            let known = *first.entry(resource.id()).or_insert(position);
            (known != position).then_some(known)
        });
        match shared.min() {
            Some(position) => Err(Error::new(ErrorKind::Duplicate(self.list[position].describe()))),
            None => Ok(()),
        }
    }

    fn index(&mut self) -> &mut Index {
        let list = &self.list;
        self.index.get_or_insert_with(|| {
            let mut index = Index::default();
            present(list).for_each(|(position, resource)| index.add(resource, position));
            index
        })
    }
}

/// The objects that no patch has deleted, with their positions.
fn present(list: &[Resource]) -> impl Iterator<Item = (usize, &Resource)> {
    list.iter().enumerate().filter(|(_, resource)| !resource.is_gone())
}

impl Index {
    fn add(&mut self, resource: &Resource, position: usize) {
        for id in resource.all_ids() {
            if let Some(by_name) = &mut self.by_name {
                add_name(by_name, &id.name, position);
            }
            self.by_id.entry(id).or_default().push(position);
        }
    }

    fn by_name(&mut self, list: &[Resource]) -> &HashMap<SmolStr, Vec<usize>> {
        self.by_name.get_or_insert_with(|| {
            let mut by_name = HashMap::new();
            for (position, resource) in present(list) {
                let past = resource.previous.iter().map(|previous| previous.name.as_str());
                past.chain([resource.name()])
                    .for_each(|name| add_name(&mut by_name, name, position));
            }
            by_name
        })
    }
}

fn add_name(by_name: &mut HashMap<SmolStr, Vec<usize>>, name: &str, position: usize) {
    let named = by_name.entry(name.into()).or_default();
    if named.last() != Some(&position) {
        named.push(position);
    }
}
