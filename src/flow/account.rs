//! What each account holds of the node: events, deliveries and bytes, each a share of a pool that all accounts use.
//! A request's work is measured here before anything of it is accepted. `docs/fairness.md` has the arithmetic.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::fairness::{Pool, Share, Taken};
use super::rate::AccountRates;
use crate::model::id::AccountId;

/// How many times what is free one account may hold.
pub const ACCOUNT_WEIGHT: usize = 8;
/// The same for what waits for its destinations or is being sent: half of it, so that an account whose destinations
/// hold as much as they may can still render for the others.
pub const QUEUED_WEIGHT: usize = ACCOUNT_WEIGHT / 2;
/// Bytes that a delivery costs beside its body: its entry in queues, its task, its connection's buffers in part.
pub const DELIVERY_BYTES: usize = 512;
/// How long who waits for a share lets more become free.
const TRIED_EVERY: Duration = Duration::from_millis(1);
/// Accounts that are remembered before those that hold nothing are looked for and forgotten.
const ACCOUNTS_SWEPT_AT: usize = 1_024;

/// Bounds of a node.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Events in flight.
    pub events: usize,
    /// Deliveries that are matched and whose attempts have not begun.
    pub deliveries: usize,
    /// Bytes of deliveries from their rendering to their end.
    pub bytes: usize,
    /// Events of one account in a second; `None`: as many as there are.
    pub events_per_s: Option<NonZeroU32>,
}

/// The accounts that hold something, and the pools.
#[derive(Debug)]
pub struct Accounts {
    pub(super) events: Pool<AccountId>,
    pub(super) deliveries: Pool<AccountId>,
    bytes: Pool<AccountId>,
    known: Mutex<Known>,
    freed: Arc<Freed>,
    pub(super) rates: Option<AccountRates>,
}

#[derive(Debug)]
struct Known {
    accounts: HashMap<AccountId, Arc<Account>>,
    swept_at: usize,
}

/// Wakes whoever waits for a share to become free.
#[derive(Debug, Default)]
struct Freed {
    waiting: AtomicUsize,
    notify: Notify,
}

/// One account's shares.
#[derive(Debug)]
pub struct Account {
    /// Its name.
    pub id: AccountId,
    pub(super) events: Share,
    deliveries: Share,
    bytes: Share,
    /// Deliveries of requests that are being measured; part of `deliveries`.
    tentative: AtomicUsize,
    /// A request that is over the account's bound by itself is being worked off.
    paced: AtomicBool,
    freed: Arc<Freed>,
}

impl Accounts {
    /// Nobody holds anything.
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            events: Pool::new(bounds.events, ACCOUNT_WEIGHT),
            deliveries: Pool::new(bounds.deliveries, ACCOUNT_WEIGHT),
            bytes: Pool::new(bounds.bytes, ACCOUNT_WEIGHT),
            known: Mutex::new(Known { accounts: HashMap::new(), swept_at: ACCOUNTS_SWEPT_AT }),
            freed: Arc::default(),
            rates: bounds.events_per_s.map(AccountRates::new),
        }
    }

    /// The shares of an account.
    pub(super) fn get(&self, id: &AccountId) -> Arc<Account> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = known.accounts.get(id) {
            return Arc::clone(account);
        }
        if known.accounts.len() >= known.swept_at {
            known.accounts.retain(|_, account| Arc::strong_count(account) > 1);
            known.swept_at = ACCOUNTS_SWEPT_AT.max(2 * known.accounts.len());
        }
        let account = Arc::new(Account {
            id: id.clone(),
            events: self.events.apart(),
            deliveries: self.deliveries.apart(),
            bytes: self.bytes.apart(),
            tentative: AtomicUsize::new(0),
            paced: AtomicBool::new(false),
            freed: Arc::clone(&self.freed),
        });
        known.accounts.insert(id.clone(), Arc::clone(&account));
        account
    }

    /// Bytes of deliveries from their rendering to their end.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.taken()
    }

    /// Wakes all who wait.
    pub(super) fn wake(&self) {
        self.freed.wake();
    }

    /// Tries until it is done, and waits meanwhile for shares to become free.
    pub(super) async fn freed(&self, mut is_done: impl FnMut() -> bool) {
        let _waiting = Waiting::new(&self.freed);
        loop {
            let freed = self.freed.notify.notified();
            tokio::pin!(freed);
            // Registered before the try, so that what becomes free meanwhile is not missed.
            freed.as_mut().enable();
            if is_done() {
                return;
            }
            freed.await;
            // Shares become free one by one; who waits goes on with what has become free in a while.
            tokio::time::sleep(TRIED_EVERY).await;
        }
    }
}

impl Freed {
    fn wake(&self) {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.notify.notify_waiters();
        }
    }
}

struct Waiting<'a>(&'a Freed);

impl<'a> Waiting<'a> {
    fn new(freed: &'a Freed) -> Self {
        freed.waiting.fetch_add(1, Ordering::SeqCst);
        Self(freed)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Account {
    /// Begins to measure the deliveries of a request.
    pub fn measure(self: &Arc<Self>) -> Measured {
        let taken = self.deliveries.take_some(0);
        Measured { reserved: Reserved { taken, account: Arc::clone(self), paced: None }, is_tentative: true }
    }

    /// Charges one delivery before it is rendered, but for the bytes of its body. `None`: the account has to wait.
    pub fn charge_bytes(self: &Arc<Self>) -> Option<Charge> {
        self.bytes.take(DELIVERY_BYTES).map(|taken| self.charge(taken))
    }

    /// Charges a delivery that is in memory already.
    pub fn charge_bytes_over(self: &Arc<Self>, bytes: usize) -> Charge {
        self.charge(self.bytes.take_over(DELIVERY_BYTES + bytes))
    }

    fn charge(self: &Arc<Self>, taken: Taken) -> Charge {
        Charge { taken: Some(taken), freed: Arc::clone(&self.freed) }
    }

    /// How many more bytes all that waits for the account's destinations, or is being sent, may have, once `more` bytes
    /// are charged to it: they are fewer to have and fewer free.
    pub fn queued_bytes_left(&self, more: usize) -> usize {
        self.bytes.left(QUEUED_WEIGHT).saturating_sub((QUEUED_WEIGHT + 1).saturating_mul(more))
    }

    /// Whether nothing of the account is being worked on but what is being measured.
    fn is_idle(&self) -> bool {
        self.deliveries.taken() <= self.tentative.load(Ordering::SeqCst)
    }
}

/// The deliveries of a request, as far as it is measured. Nothing of the request is accepted yet.
#[derive(Debug)]
pub struct Measured {
    reserved: Reserved,
    is_tentative: bool,
}

/// Deliveries that were charged to an account and not yet rendered.
#[derive(Debug)]
pub struct Reserved {
    taken: Taken,
    account: Arc<Account>,
    /// There are more than the account may hold: they are charged one by one as it has room.
    paced: Option<Paced>,
}

/// The one request of an account that may be over its bound.
#[derive(Debug)]
struct Paced(Arc<Account>);

impl Measured {
    /// Charges so many more deliveries. False: the account may not hold as many.
    pub fn add(&mut self, deliveries: usize) -> bool {
        let account = &self.reserved.account;
        account.tentative.fetch_add(deliveries, Ordering::SeqCst);
        let added = self.reserved.taken.grow(deliveries);
        if !added {
            account.tentative.fetch_sub(deliveries, Ordering::SeqCst);
        }
        added
    }

    /// The account may hold all of them.
    pub fn accept(mut self) -> Reserved {
        self.settle();
        self.into_reserved()
    }

    /// The account may not hold all of them. Where nothing else of it is being worked on, they may be worked off one
    /// after the other, so that trying again always helps.
    pub fn pace(mut self) -> Option<Reserved> {
        let account = Arc::clone(&self.reserved.account);
        if !account.is_idle() || account.paced.swap(true, Ordering::SeqCst) {
            return None;
        }
        self.reserved.paced = Some(Paced(account));
        self.settle();
        Some(self.into_reserved())
    }

    fn settle(&mut self) {
        if std::mem::take(&mut self.is_tentative) {
            self.reserved.account.tentative.fetch_sub(self.reserved.taken.units(), Ordering::SeqCst);
        }
    }

    fn into_reserved(mut self) -> Reserved {
        let account = Arc::clone(&self.reserved.account);
        let nothing = Reserved { taken: account.deliveries.take_over(0), account, paced: None };
        std::mem::replace(&mut self.reserved, nothing)
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        self.settle();
    }
}

impl Reserved {
    /// Whose they are.
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// Takes one out. `None`: the account has to wait until others of its deliveries have begun.
    pub fn take_one(&mut self) -> Option<Charge> {
        let one = match self.taken.split(1) {
            None if self.paced.is_some() => self.account.deliveries.take(1),
            one => one,
        };
        one.map(|taken| self.account.charge(taken))
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.account.freed.wake();
    }
}

impl Drop for Paced {
    fn drop(&mut self) {
        self.0.paced.store(false, Ordering::SeqCst);
    }
}

/// Units that a delivery is charged. When they are given back, whoever waits for them is woken.
#[derive(Debug)]
pub struct Charge {
    /// `None` only while it is dropped.
    taken: Option<Taken>,
    freed: Arc<Freed>,
}

impl Charge {
    /// Charges the bytes of the body as well, which is in memory already.
    pub fn add_over(&mut self, bytes: usize) {
        if let Some(taken) = &mut self.taken {
            taken.grow_over(bytes);
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let Some(taken) = self.taken.take() else { return };
        let share = taken.share().clone();
        drop(taken);
        // Not for every unit: who was refused goes on with a number of them at once.
        if share.has_eased() {
            self.freed.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts(deliveries: usize) -> Accounts {
        Accounts::new(Bounds { events: 10, deliveries, bytes: 10_000, events_per_s: None })
    }

    fn id(name: &str) -> AccountId {
        AccountId::new(name).expect("a name")
    }

    #[test]
    fn a_request_over_its_bound_is_paced_where_its_account_has_nothing_outstanding() {
        let accounts = accounts(90);
        let account = accounts.get(&id("a"));
        let mut first = account.measure();
        assert!(first.add(50) && !first.add(50));
        let mut second = account.measure();
        assert!(!second.add(50), "both together are over it");
        let mut paced = first.pace().expect("nothing else is outstanding");
        assert!(second.pace().is_none(), "now something is");
        let charges: Vec<Charge> = std::iter::from_fn(|| paced.take_one()).collect();
        assert!((79..=81).contains(&charges.len()), "{}", charges.len());
        drop(charges);
        assert!(paced.take_one().is_some(), "what has begun makes room for more");
        drop(paced);
        assert_eq!((accounts.deliveries.taken(), account.tentative.load(Ordering::SeqCst)), (0, 0));
        let mut third = account.measure();
        assert!(third.add(50) && !third.add(50) && third.pace().is_some(), "trying again helps");
    }

    #[test]
    fn what_is_accepted_is_there_to_be_taken_out() {
        let accounts = accounts(20);
        let mut measured = accounts.get(&id("a")).measure();
        assert!(measured.add(3));
        let mut reserved = measured.accept();
        let charges: Vec<Charge> = std::iter::from_fn(|| reserved.take_one()).collect();
        assert_eq!((charges.len(), accounts.deliveries.taken()), (3, 3));
        let mut other = accounts.get(&id("b")).measure();
        assert!(other.add(10));
        drop(other);
        drop(charges);
        assert_eq!(accounts.deliveries.taken(), 0);
    }

    #[actix_rt::test]
    async fn who_waits_is_woken_when_there_is_room() {
        let accounts = Arc::new(accounts(2));
        let account = accounts.get(&id("a"));
        let mut measured = account.measure();
        assert!(measured.add(2));
        let mut reserved = measured.accept();
        let held: Vec<Charge> = std::iter::from_fn(|| reserved.take_one()).collect();
        let waiting = actix_rt::spawn({
            let accounts = Arc::clone(&accounts);
            async move { accounts.freed(|| account.measure().add(2)).await }
        });
        while accounts.freed.waiting.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        drop(held);
        crate::flow::probe::soon(waiting).await.expect("no panic");
    }
}
