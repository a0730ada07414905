//! Confirming what was rebuilt: from then on it may be deleted and replaced like anything else.

use crate::{Address, State};

/// Why something can't be confirmed. Nothing was changed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfirmError {
    #[error("`{0}` isn't in the state")]
    Absent(Address),
    #[error("nothing of stack `{0}` waits to be confirmed")]
    Nothing(String),
}

/// Confirms these, or everything where none is named; answers what wasn't confirmed before.
pub fn confirm(state: &mut State, addresses: &[Address]) -> Result<Vec<Address>, ConfirmError> {
    if let Some(absent) = addresses.iter().find(|address| state.selves(**address).next().is_none())
    {
        return Err(ConfirmError::Absent(*absent));
    }
    let named = |address: &Address| addresses.is_empty() || addresses.contains(address);
    let old = state
        .deposed
        .iter_mut()
        .flat_map(|(address, old)| old.iter_mut().map(move |record| (*address, record)));
    let all = state.resources.iter_mut().map(|(address, record)| (*address, record)).chain(old);
    let mut confirmed = vec![];
    for (address, record) in all.filter(|(address, _)| named(address)) {
        if std::mem::take(&mut record.unconfirmed) {
            confirmed.push(address);
        }
    }
    confirmed.sort();
    confirmed.dedup();
    match confirmed.is_empty() {
        true => Err(ConfirmError::Nothing(state.stack.clone())),
        false => Ok(confirmed),
    }
}
