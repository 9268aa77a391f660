//! Bounds how many look-ups of a thread are under way. Each has sockets to name servers, which are not connections to
//! destinations: without a bound, names whose name servers do not respond would use up the process's descriptors.
//! Accounts share them, so that such names delay only their own account.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use tokio::sync::oneshot;

use super::resolve::{Family, Resolve, Resolver};
use crate::flow::descriptors::Descriptors;
use crate::flow::fairness::{DeficitQueue, Pool, TakenUnits};
use crate::model::id::AccountId;

/// An account may hold as many as are free: half of all, if no other has any.
const WEIGHT: usize = 1;
/// The part of the descriptors for other uses that is for look-ups, each of which has two at most: it is asked again
/// while the first question is still open.
const DESCRIPTORS_PER_LOOKUP: usize = 4;

/// The look-ups of one thread.
pub(super) struct LookupShares {
    pool: Pool<AccountId>,
    waiting: RefCell<DeficitQueue<AccountId, oneshot::Sender<RunningLookup>>>,
}

/// A look-up under way. Dropping it lets another one begin.
struct RunningLookup {
    shares: Rc<LookupShares>,
    /// Until it is dropped.
    taken: Option<TakenUnits>,
}

impl LookupShares {
    /// For one of this many threads.
    pub(super) fn of_process(threads: usize) -> Rc<Self> {
        Self::new(Descriptors::of_process(0).reserve / DESCRIPTORS_PER_LOOKUP / threads.max(1))
    }

    fn new(capacity: usize) -> Rc<Self> {
        // Both families of a name, of two accounts.
        let pool = Pool::new(capacity.max(4), WEIGHT);
        Rc::new(Self { pool, waiting: RefCell::new(DeficitQueue::new(1)) })
    }

    /// Looks names up for an account.
    pub(super) fn resolver(self: &Rc<Self>, resolver: &Resolver, account: &AccountId) -> Resolver {
        Rc::new(SharingResolver { resolver: Rc::clone(resolver), shares: Rc::clone(self), account: account.clone() })
    }

    /// Waits until the account may have one more.
    async fn begin(self: &Rc<Self>, account: &AccountId) -> RunningLookup {
        let turn = {
            let mut waiting = self.waiting.borrow_mut();
            if waiting.len_of(account) == 0
                && let Some(taken) = self.pool.share(account).take(1)
            {
                return self.running(taken);
            }
            let (pass, turn) = oneshot::channel();
            waiting.push(account, 1, pass);
            turn
        };
        turn.await.unwrap_or_else(|_| self.running(self.pool.share(account).take_over(1)))
    }

    fn running(self: &Rc<Self>, taken: TakenUnits) -> RunningLookup {
        RunningLookup { shares: Rc::clone(self), taken: Some(taken) }
    }

    /// Lets those begin that wait and may.
    fn pass_on(self: &Rc<Self>) {
        loop {
            let mut taken = None;
            let next = self.waiting.borrow_mut().pop_where(|account| {
                taken = self.pool.share(account).take(1);
                taken.is_some()
            });
            let (Some(pass), Some(taken)) = (next, taken) else { return };
            // Its attempt may have ended while it waited.
            if !pass.is_closed() {
                let _ = pass.send(self.running(taken));
            }
        }
    }
}

impl Drop for RunningLookup {
    fn drop(&mut self) {
        self.taken = None;
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
        assert_eq!((held.borrow().len(), shares.pool.taken()), (4, 4));
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
        assert_eq!(shares.pool.taken(), 2);
        running.clear();
        assert!(shares.pool.share(&own).taken() == 0 && shares.pool.taken() == 0);
    }
}
