//! What each account uses on the node: events, deliveries and bytes. Each is a share of a pool that all accounts use. A
//! request is measured here before any part of it is accepted. `docs/fairness.md` has the arithmetic.

mod charges;

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::HashMap;

use super::fairness::{Pool, Share};
use super::node_work::NodeWork;
use super::rate::AccountRates;
use super::share_notifier::ShareNotifier;
use super::sweep::Sweep;
use crate::model::id::AccountId;

pub(super) use charges::EventsCharge;
pub use charges::{BytesAhead, Charge, OutstandingDelivery, RequestDeliveries};

/// An account may hold at most this many times what is free.
pub const ACCOUNT_WEIGHT: usize = 8;
/// The same for deliveries that are queued or being sent. It is half of the above: an account whose destinations hold
/// all they may can still render for other destinations.
pub const QUEUED_WEIGHT: usize = ACCOUNT_WEIGHT / 2;
/// Bytes that a delivery costs in addition to its body: its entry in queues, its task, its part of the connection's
/// buffers.
pub const DELIVERY_BYTES: usize = 512;
/// With fewer deliveries in flight than this, attempts begin at once. The response comes after them, so that the delivery
/// goes first.
const SOME_DELIVERIES: usize = 32;
/// With more than this part of the deliveries that may be in flight, producers are paced.
const PACED_PART: usize = 32;
/// At this number of known accounts, those that hold nothing are forgotten.
const ACCOUNTS_SWEPT_AT: usize = 1_024;

/// The bounds of a node.
#[derive(Debug, Clone, Copy)]
pub struct NodeBounds {
    /// Events in flight.
    pub events: usize,
    /// Deliveries that are matched and whose attempts have not begun.
    pub deliveries: usize,
    /// Bytes of deliveries, from rendering until the delivery ends.
    pub bytes: usize,
    /// Events of one account per second; `None`: no limit.
    pub events_per_s: Option<NonZeroU32>,
}

/// The accounts that hold something, and the pools.
#[derive(Debug)]
pub struct Accounts {
    pub(super) events: Pool<AccountId>,
    pub(super) deliveries: Pool<AccountId>,
    bytes: Pool<AccountId>,
    known: Mutex<KnownAccounts>,
    freed: Arc<ShareNotifier>,
    work: Arc<NodeWork>,
    pub(super) rates: Option<AccountRates>,
}

#[derive(Debug, Default)]
struct KnownAccounts {
    accounts: HashMap<AccountId, Arc<AccountShares>>,
    sweep: Sweep<ACCOUNTS_SWEPT_AT>,
}

/// One account's shares. Aligned, so that the number of references, which all threads change for each delivery, is in
/// another line of memory than what they read.
#[derive(Debug)]
#[repr(align(64))]
pub struct AccountShares {
    /// Its name.
    pub id: AccountId,
    turn_keys: [TurnKey; 2],
    events: Share,
    deliveries: Share,
    bytes: Share,
    /// Deliveries of requests that exceeded its bound while they were measured; included in `deliveries`.
    tentative: AtomicUsize,
    /// Whether a request that alone exceeds the account's bound is in progress.
    paced: AtomicBool,
    freed: Arc<ShareNotifier>,
    work: Arc<NodeWork>,
}

impl Accounts {
    /// No account holds anything yet.
    pub(super) fn new(bounds: NodeBounds, work: Arc<NodeWork>) -> Self {
        Self {
            events: Pool::new(bounds.events, ACCOUNT_WEIGHT),
            deliveries: Pool::new(bounds.deliveries, ACCOUNT_WEIGHT),
            bytes: Pool::new(bounds.bytes, ACCOUNT_WEIGHT),
            known: Mutex::default(),
            freed: Arc::default(),
            work,
            rates: bounds.events_per_s.map(AccountRates::new),
        }
    }

    /// The shares of an account.
    pub(super) fn get(&self, id: &AccountId) -> Arc<AccountShares> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = known.accounts.get(id) {
            return Arc::clone(account);
        }
        let KnownAccounts { accounts, sweep } = &mut *known;
        sweep.before_insert(accounts, |_, account| Arc::strong_count(account) > 1);
        let account = Arc::new(AccountShares {
            id: id.clone(),
            turn_keys: [false, true].map(|is_test| TurnKey { account: id.clone(), is_test }),
            events: self.events.apart(),
            deliveries: self.deliveries.apart(),
            bytes: self.bytes.apart(),
            tentative: AtomicUsize::new(0),
            paced: AtomicBool::new(false),
            freed: Arc::clone(&self.freed),
            work: Arc::clone(&self.work),
        });
        known.accounts.insert(id.clone(), Arc::clone(&account));
        account
    }

    /// Bytes of deliveries, from rendering until the delivery ends.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.taken()
    }

    /// Wakes all waiting tasks.
    pub(super) fn wake(&self) {
        self.freed.wake();
    }

    /// Calls `is_done` until it is true. Between the calls it waits for a share to become free.
    pub(super) async fn freed(&self, is_done: impl FnMut() -> bool) {
        self.freed.until(is_done).await;
    }
}

/// Who takes turns with deliveries: an account, and separately the tests of its triggers, so that they do not wait
/// behind its deliveries.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TurnKey {
    /// The account.
    pub account: AccountId,
    /// Whether these are the tests of its triggers.
    pub is_test: bool,
}

impl AccountShares {
    /// Who takes a turn with one of its deliveries.
    pub fn turn_key(&self, is_test: bool) -> &TurnKey {
        &self.turn_keys[usize::from(is_test)]
    }

    /// Whether some deliveries wait for their attempts, of this account and others, and not many. Where that goes on, the
    /// responses to small requests need not wait until their attempts begin, which saves a wake-up across threads for each.
    pub fn some_wait(&self) -> bool {
        let (taken, capacity) = self.deliveries.of_all();
        (SOME_DELIVERIES..capacity / PACED_PART).contains(&taken)
    }

    /// Starts to measure the deliveries of a request.
    pub fn measure(self: &Arc<Self>) -> RequestDeliveries {
        RequestDeliveries::measure(Arc::clone(self))
    }

    /// Whether one more delivery may be rendered. Each thread renders one at a time and charges it then, so that threads
    /// that do so at the same moment may exceed the account's bound by one delivery each, as large bodies do anyway.
    pub fn may_render(&self) -> bool {
        self.bytes.has_room(DELIVERY_BYTES)
    }

    /// How many more bytes may be queued or sent for the account's destinations, once `more` bytes are charged to it.
    /// Those bytes reduce both what is free and what the account may still hold.
    pub fn queued_bytes_left(&self, more: usize) -> usize {
        self.bytes.left(QUEUED_WEIGHT).saturating_sub((QUEUED_WEIGHT + 1).saturating_mul(more))
    }

    /// Sets how many deliveries of the account are in the streams. They count for its share.
    pub fn set_in_streams(&self, deliveries: usize) {
        self.deliveries.set_elsewhere(deliveries);
    }

    /// How many deliveries of the account are in the streams.
    pub fn in_streams(&self) -> usize {
        self.deliveries.elsewhere()
    }

    /// Whether the account has no work except requests that exceeded its bound.
    fn is_idle(&self) -> bool {
        // Read first: what one of them gives back meanwhile is then not taken for other work.
        let tentative = self.tentative.load(Ordering::SeqCst);
        self.deliveries.elsewhere() == 0 && self.deliveries.taken() <= tentative
    }

    /// Gives back units of one of its shares. Wakes the tasks that wait for a share, once this one is well below its bound:
    /// not for each unit, because they continue with several at once.
    fn give_back(&self, share: &Share, units: usize) {
        share.release(units);
        if self.freed.is_awaited() && share.has_eased() {
            self.freed.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts(deliveries: usize) -> Accounts {
        Accounts::new(NodeBounds { events: 10, deliveries, bytes: 10_000, events_per_s: None }, Arc::default())
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
        assert!(!second.add(50), "both together exceed the bound");
        assert!(first.pace(), "the account has no other work");
        assert!(!second.pace(), "now it has other work");
        drop(second);
        let charges: Vec<Charge> = std::iter::from_fn(|| first.take_one()).collect();
        assert!((79..=81).contains(&charges.len()), "{}", charges.len());
        drop(charges);
        assert!(first.take_one().is_some(), "a begun delivery frees its share");
        drop(first);
        assert_eq!((accounts.deliveries.taken(), account.tentative.load(Ordering::SeqCst)), (0, 0));
        let mut third = account.measure();
        assert!(third.add(50) && !third.add(50) && third.pace(), "a second try succeeds");
    }

    #[test]
    fn what_was_charged_ahead_is_given_back_and_takes_no_room_from_the_request() {
        let accounts = accounts(90);
        let account = accounts.get(&id("a"));
        for (number, is_accepted) in [(1, true), (2, true), (47, true), (80, true), (81, false)] {
            let mut measured = account.measure();
            assert_eq!((0..number).all(|_| measured.add(1)), is_accepted, "{number}");
            if is_accepted {
                measured.accept();
                assert_eq!(accounts.deliveries.taken(), number);
                assert_eq!(std::iter::from_fn(|| measured.take_one()).collect::<Vec<Charge>>().len(), number);
            }
            drop(measured);
            assert_eq!(accounts.deliveries.taken(), 0);
        }
    }

    #[test]
    fn bytes_that_were_charged_ahead_are_used_or_given_back() {
        let accounts = accounts(9);
        let (a, mut ahead, mut held) = (accounts.get(&id("a")), BytesAhead::default(), Vec::new());
        let mut most = 0;
        while a.may_render() {
            held.push(ahead.deliver(&a, 100));
            let charged = held.len() * (DELIVERY_BYTES + 200);
            assert!((charged..=2 * charged).contains(&accounts.bytes()), "{} of {charged}", accounts.bytes());
            most = most.max(accounts.bytes());
        }
        assert!(most <= 8_889 + DELIVERY_BYTES + 200, "its share and one delivery, {most}");
        ahead.give_back();
        assert_eq!(accounts.bytes(), held.len() * (DELIVERY_BYTES + 200));
        drop((held, ahead));
        assert_eq!(accounts.bytes(), 0);
    }

    #[test]
    fn of_two_requests_that_exceed_the_bound_together_one_is_paced() {
        let accounts = accounts(90);
        let account = accounts.get(&id("a"));
        let mut both = [account.measure(), account.measure()];
        assert!(both.iter_mut().all(|own| own.add(40)) && both.iter_mut().all(|own| !own.add(40)));
        let [first, second] = &mut both;
        assert!(!first.pace(), "the other one may still succeed");
        assert!(second.pace(), "the first has failed");
        drop(both);
        assert_eq!((accounts.deliveries.taken(), account.tentative.load(Ordering::SeqCst)), (0, 0));
    }

    #[test]
    fn some_wait_between_two_bounds_whoever_they_belong_to() {
        for (deliveries, some) in [(20_000, 32..625), (2_000, 32..62), (1_000, 0..0)] {
            let accounts = accounts(deliveries);
            let other = accounts.get(&id("c"));
            let (owners, mut measured) = (["a", "b"].map(|name| accounts.get(&id(name))), Vec::new());
            let found: Vec<usize> = (0..700)
                .filter(|number| {
                    let some_wait = other.some_wait();
                    let mut one = owners[number % 2].measure();
                    assert!(one.add(1), "it has room");
                    measured.push(one);
                    some_wait
                })
                .collect();
            assert_eq!(found, some.collect::<Vec<_>>(), "of {deliveries}");
        }
    }

    #[test]
    fn charges_of_one_account_are_given_back_together() {
        let accounts = accounts(20);
        let mut charges = ["a", "b"].map(|name| {
            let mut measured = accounts.get(&id(name)).measure();
            assert!(measured.add(4));
            measured.accept();
            measured
        });
        let [a, b] = &mut charges;
        let group = std::rc::Rc::new(crate::flow::journal::AttemptGroup::default());
        for of in ["a", "a", "b", "a", "b"] {
            let own = if of == "a" { &mut *a } else { &mut *b };
            let permit = own.take_one().map(crate::flow::permit::Permit::Account);
            std::rc::Rc::clone(&group).release_last(permit);
        }
        drop(charges);
        assert_eq!(accounts.deliveries.taken(), 5, "the rest was not taken");
        drop(group);
        assert_eq!(accounts.deliveries.taken(), 0);
    }

    #[test]
    fn accepted_deliveries_can_be_taken_one_by_one() {
        let accounts = accounts(20);
        let mut measured = accounts.get(&id("a")).measure();
        assert!(measured.add(3));
        assert!(measured.take_one().is_none(), "its request is not accepted yet");
        measured.accept();
        let charges: Vec<Charge> = std::iter::from_fn(|| measured.take_one()).collect();
        assert_eq!((charges.len(), accounts.deliveries.taken()), (3, 3));
        let mut other = accounts.get(&id("b")).measure();
        assert!(other.add(10));
        drop(other);
        drop(charges);
        assert_eq!(accounts.deliveries.taken(), 0);
    }

    #[actix_rt::test]
    async fn a_waiting_task_is_woken_when_bytes_that_were_charged_ahead_are_given_back() {
        let accounts = Arc::new(accounts(9));
        let (account, mut ahead) = (accounts.get(&id("a")), BytesAhead::default());
        let _held = [(); 2].map(|()| ahead.deliver(&account, 100));
        account.bytes.add(8_880 - accounts.bytes());
        assert!(!account.may_render(), "its share is used up");
        let waiting = actix_rt::spawn({
            let (accounts, account) = (Arc::clone(&accounts), Arc::clone(&account));
            async move { accounts.freed(|| account.may_render()).await }
        });
        while !accounts.freed.is_awaited() {
            tokio::task::yield_now().await;
        }
        drop(ahead);
        crate::flow::probe::soon(waiting).await.expect("no panic");
    }

    #[actix_rt::test]
    async fn a_waiting_task_is_woken_when_there_is_room() {
        let accounts = Arc::new(accounts(2));
        let account = accounts.get(&id("a"));
        let mut measured = account.measure();
        assert!(measured.add(2));
        measured.accept();
        let held: Vec<Charge> = std::iter::from_fn(|| measured.take_one()).collect();
        let waiting = actix_rt::spawn({
            let accounts = Arc::clone(&accounts);
            async move { accounts.freed(|| account.measure().add(2)).await }
        });
        while !accounts.freed.is_awaited() {
            tokio::task::yield_now().await;
        }
        drop(held);
        crate::flow::probe::soon(waiting).await.expect("no panic");
    }
}
