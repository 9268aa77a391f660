//! The account that a thread looked up last. Its next look-up is often for the same one, and then needs no part of what
//! all threads share.

use std::cell::RefCell;
use std::sync::Arc;

use super::account::AccountShares;
use super::gate::Gate;
use crate::model::id::AccountId;

/// Remembers one account.
#[derive(Debug, Default)]
pub struct LastAccount(RefCell<Option<Arc<AccountShares>>>);

impl LastAccount {
    /// The shares of an account; as [`Gate::account`].
    pub fn get(&self, gate: &Gate, id: &AccountId) -> Arc<AccountShares> {
        let mut last = self.0.borrow_mut();
        match &mut *last {
            Some(last) if last.id == *id => Arc::clone(last),
            last => Arc::clone(last.insert(gate.account(id))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_the_shares_that_the_gate_has() {
        let (gate, last) = (Gate::for_events(1), LastAccount::default());
        for name in ["a", "a", "b", "a"] {
            let id = AccountId::new(name).expect("a name");
            assert!(Arc::ptr_eq(&last.get(&gate, &id), &gate.account(&id)), "{name}");
        }
    }
}
