//! Bounds how many look-ups of a thread are under way. Each has sockets to name servers, which are not connections to
//! destinations: without a bound, names whose name servers do not respond would use up the process's descriptors.
//! Accounts share them, so that such names delay only their own account.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use tokio::sync::oneshot;

use super::resolve::{Family, Resolve, Resolver};
use crate::flow::descriptors::Descriptors;
use crate::flow::fairness::{DeficitQueue, within};
use crate::model::id::AccountId;

/// An account may hold as many as are free: half of all, if no other has any.
const WEIGHT: usize = 1;
/// The part of the descriptors for other uses that is for look-ups, each of which has two at most: it is asked again
/// while the first question is still open.
const DESCRIPTORS_PER_LOOKUP: usize = 4;

/// The look-ups of one thread.
pub(super) struct LookupShares {
    capacity: usize,
    state: RefCell<LookupState>,
}

struct LookupState {
    taken: usize,
    held: HashMap<AccountId, usize, foldhash::fast::RandomState>,
    waiting: DeficitQueue<AccountId, oneshot::Sender<RunningLookup>>,
}

impl LookupState {
    fn may_begin(&self, capacity: usize, account: &AccountId) -> bool {
        within(capacity, self.taken, self.held.get(account).copied().unwrap_or(0), WEIGHT)
    }
}

/// A look-up under way. Dropping it lets another one begin.
struct RunningLookup {
    shares: Rc<LookupShares>,
    account: AccountId,
}

impl LookupShares {
    /// For one of this many threads.
    pub(super) fn of_process(threads: usize) -> Rc<Self> {
        Self::new(Descriptors::of_process(0).reserve / DESCRIPTORS_PER_LOOKUP / threads.max(1))
    }

    fn new(capacity: usize) -> Rc<Self> {
        let state = LookupState { taken: 0, held: HashMap::default(), waiting: DeficitQueue::new(1) };
        // Both families of a name, of two accounts.
        Rc::new(Self { capacity: capacity.max(4), state: RefCell::new(state) })
    }

    /// Looks names up for an account.
    pub(super) fn resolver(self: &Rc<Self>, resolver: &Resolver, account: &AccountId) -> Resolver {
        Rc::new(SharingResolver { resolver: Rc::clone(resolver), shares: Rc::clone(self), account: account.clone() })
    }

    /// Waits until the account may have one more.
    async fn begin(self: &Rc<Self>, account: &AccountId) -> RunningLookup {
        let turn = {
            let mut state = self.state.borrow_mut();
            let waits = state.waiting.len_of(account) > 0;
            if !waits && state.may_begin(self.capacity, account) {
                return self.count(&mut state, account.clone());
            }
            let (pass, turn) = oneshot::channel();
            state.waiting.push(account, 1, pass);
            turn
        };
        turn.await.unwrap_or_else(|_| self.count(&mut self.state.borrow_mut(), account.clone()))
    }

    fn count(self: &Rc<Self>, state: &mut LookupState, account: AccountId) -> RunningLookup {
        state.taken += 1;
        *state.held.entry(account.clone()).or_default() += 1;
        RunningLookup { shares: Rc::clone(self), account }
    }

    /// Lets those begin that wait and may.
    fn pass_on(self: &Rc<Self>) {
        loop {
            let mut state = self.state.borrow_mut();
            let LookupState { taken, held, waiting } = &mut *state;
            let own = |account: &AccountId| held.get(account).copied().unwrap_or(0);
            let mut next = None;
            let pass = waiting.pop_where(|account| {
                let may = within(self.capacity, *taken, own(account), WEIGHT);
                next = may.then(|| account.clone());
                may
            });
            let (Some(pass), Some(account)) = (pass, next) else { return };
            // Its attempt may have ended while it waited.
            if !pass.is_closed() {
                let running = self.count(&mut state, account);
                drop(state);
                let _ = pass.send(running);
            }
        }
    }
}

impl Drop for RunningLookup {
    fn drop(&mut self) {
        {
            let mut state = self.shares.state.borrow_mut();
            state.taken -= 1;
            if let Some(held) = state.held.get_mut(&self.account) {
                *held -= 1;
                if *held == 0 {
                    state.held.remove(&self.account);
                }
            }
        }
        self.shares.pass_on();
    }
}

/// A resolver whose look-ups count for an account.
struct SharingResolver {
    resolver: Resolver,
    shares: Rc<LookupShares>,
    account: AccountId,
}

impl Resolve for SharingResolver {
    fn lookup(&self, host: &str, family: Family) -> LocalBoxFuture<'static, Vec<IpAddr>> {
        let (shares, account) = (Rc::clone(&self.shares), self.account.clone());
        let lookup = self.resolver.lookup(host, family);
        Box::pin(async move {
            let _running = shares.begin(&account).await;
            lookup.await
        })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use futures_util::future::join_all;

    use super::*;
    use crate::flow::probe::soon;

    fn account(name: &str) -> AccountId {
        AccountId::new(name).expect("a name")
    }

    #[actix_rt::test]
    async fn an_account_whose_names_never_resolve_leaves_look_ups_for_others() {
        let shares = LookupShares::new(8);
        let (slow, other) = (account("slow"), account("other"));
        let held = Rc::new(RefCell::new(Vec::new()));
        for _ in 0..100 {
            let (shares, slow, held) = (Rc::clone(&shares), slow.clone(), Rc::clone(&held));
            actix_rt::spawn(async move {
                let running = shares.begin(&slow).await;
                held.borrow_mut().push(running);
            });
        }
        tokio::task::yield_now().await;
        assert_eq!(held.borrow().len(), 4);
        for _ in 0..100 {
            drop(soon(join_all([shares.begin(&other), shares.begin(&other)])).await);
        }
        // Each that ends is followed by one that waits.
        let first = held.borrow_mut().remove(0);
        drop(first);
        let followed = async {
            while held.borrow().len() < 4 {
                tokio::task::yield_now().await;
            }
        };
        soon(followed).await;
        assert_eq!((held.borrow().len(), shares.state.borrow().taken), (4, 4));
    }

    #[actix_rt::test]
    async fn what_no_attempt_waits_for_any_more_is_not_begun() {
        let shares = LookupShares::new(4);
        let own = account("own");
        let mut running = vec![shares.begin(&own).await, shares.begin(&own).await];
        let mut given_up = Box::pin(shares.begin(&own));
        assert!((&mut given_up).now_or_never().is_none());
        let mut waiting = Box::pin(shares.begin(&own));
        assert!((&mut waiting).now_or_never().is_none());
        drop(given_up);
        running.pop();
        running.push(soon(waiting).await);
        assert_eq!(shares.state.borrow().taken, 2);
        running.clear();
        assert!(shares.state.borrow().held.is_empty() && shares.state.borrow().taken == 0);
    }
}
