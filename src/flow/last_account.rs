//! The account that a thread looked up last. Its next look-up is often for the same one, and then needs no part of what
//! all threads share.

use std::cell::RefCell;
use std::sync::Arc;

use super::account::AccountShares;
use super::gate::Gate;
use crate::model::event::EventIdentity;
use crate::model::id::AccountId;

/// Remembers one account.
#[derive(Debug, Default)]
pub struct LastAccount(RefCell<Option<Arc<AccountShares>>>);

impl LastAccount {
    /// The shares of an account; as [`Gate::account`].
    pub fn get(&self, gate: &Gate, id: &AccountId) -> Arc<AccountShares> {
        self.named(id.as_str(), || gate.account(id))
    }

    /// Those of the account of an event.
    pub fn of(&self, gate: &Gate, event: &EventIdentity) -> Arc<AccountShares> {
        self.named(event.account(), || gate.account(&event.account_id()))
    }

    fn named(&self, name: &str, shares: impl FnOnce() -> Arc<AccountShares>) -> Arc<AccountShares> {
        let mut last = self.0.borrow_mut();
        match &mut *last {
            Some(last) if last.id.as_str() == name => Arc::clone(last),
            last => Arc::clone(last.insert(shares())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::EventType;

    #[test]
    fn it_has_the_shares_that_the_gate_has() {
        let (gate, last) = (Gate::for_events(1), LastAccount::default());
        for name in ["a", "a", "b", "a"] {
            let id = AccountId::new(name).expect("a name");
            let event = EventIdentity::new(&id, &EventType::new("a").expect("a type"), "", "1");
            for found in [last.get(&gate, &id), last.of(&gate, &event)] {
                assert!(Arc::ptr_eq(&found, &gate.account(&id)), "{name}");
            }
        }
    }
}
