//! What an account is charged for, and until when.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{AccountShares, DELIVERY_BYTES};

impl AccountShares {
    /// Charges events that are admitted. An account that holds none may exceed its bound: it is charged what it may hold.
    /// `None`: it may not hold them.
    pub(in crate::flow) fn charge_events(self: Arc<Self>, events: usize) -> Option<EventsCharge> {
        if self.events.reserve(events) {
            return Some(EventsCharge { account: self, units: events });
        }
        let units = if self.events.taken() == 0 { self.events.reserve_some(events) } else { 0 };
        (units > 0).then_some(EventsCharge { account: self, units })
    }

    /// Counts a delivery whose body is in memory, and charges the account for it, whatever it holds.
    pub fn deliver(self: &Arc<Self>, body_bytes: usize) -> OutstandingDelivery {
        let bytes = DELIVERY_BYTES + body_bytes;
        self.bytes.add(bytes);
        self.work.begin_delivery();
        OutstandingDelivery { account: Arc::clone(self), bytes }
    }
}

/// The deliveries of a request that are charged to one account: first measured, when no event of the request is accepted
/// yet, then taken one by one to be rendered. Dropping it gives back those that were not taken.
#[derive(Debug)]
pub struct RequestDeliveries {
    account: Arc<AccountShares>,
    /// Charged and not taken.
    units: usize,
    state: RequestState,
}

#[derive(Debug, PartialEq, Eq)]
enum RequestState {
    /// Being measured: the units count as tentative.
    Tentative,
    /// All that were measured may be made.
    Accepted,
    /// The only request of its account that may exceed the account's bound: further deliveries are charged one by one, as
    /// the account has room.
    Paced,
}

impl RequestDeliveries {
    pub(super) fn measure(account: Arc<AccountShares>) -> Self {
        Self { account, units: 0, state: RequestState::Tentative }
    }

    /// The account that is charged.
    pub fn account(&self) -> &Arc<AccountShares> {
        &self.account
    }

    /// Charges this many more deliveries. False: the account may not hold them.
    pub fn add(&mut self, deliveries: usize) -> bool {
        let account = &self.account;
        account.tentative.fetch_add(deliveries, Ordering::SeqCst);
        let added = account.deliveries.reserve(deliveries);
        if added {
            self.units += deliveries;
        } else {
            account.tentative.fetch_sub(deliveries, Ordering::SeqCst);
        }
        added
    }

    /// The account may hold all measured deliveries.
    pub fn accept(&mut self) {
        self.settle(RequestState::Accepted);
    }

    /// The account may not hold all measured deliveries. If it has no other work, they are processed one after the
    /// other, so that a request of any size succeeds when it is sent again. False: it has.
    pub fn pace(&mut self) -> bool {
        if !self.account.is_idle() || self.account.paced.swap(true, Ordering::SeqCst) {
            return false;
        }
        self.settle(RequestState::Paced);
        true
    }

    /// Takes one accepted delivery. `None`: the account has to wait until others of its deliveries have begun.
    pub fn take_one(&mut self) -> Option<Charge> {
        match self.state {
            RequestState::Tentative => return None,
            _ if self.units > 0 => self.units -= 1,
            RequestState::Paced if self.account.deliveries.reserve(1) => {}
            _ => return None,
        }
        Some(Charge { account: Arc::clone(&self.account), deliveries: 1 })
    }

    fn settle(&mut self, state: RequestState) {
        if self.state == RequestState::Tentative {
            self.account.tentative.fetch_sub(self.units, Ordering::SeqCst);
        }
        self.state = state;
    }
}

impl Drop for RequestDeliveries {
    fn drop(&mut self) {
        if self.state == RequestState::Paced {
            self.account.paced.store(false, Ordering::SeqCst);
        }
        self.settle(RequestState::Accepted);
        if self.units > 0 {
            self.account.deliveries.release(self.units);
        }
        self.account.freed.wake();
    }
}

/// The events of one account in a request, which it is charged for until this is dropped.
#[derive(Debug)]
pub(in crate::flow) struct EventsCharge {
    account: Arc<AccountShares>,
    units: usize,
}

impl EventsCharge {
    pub(in crate::flow) fn account(&self) -> &Arc<AccountShares> {
        &self.account
    }
}

impl Drop for EventsCharge {
    fn drop(&mut self) {
        self.account.events.release(self.units);
    }
}

/// A delivery that its account is charged for until its attempt begins, or until it is dropped.
#[derive(Debug)]
pub struct Charge {
    account: Arc<AccountShares>,
    /// More than one where charges are given back together; none in one that is given back with another.
    deliveries: usize,
}

impl Charge {
    /// Gives another one of the same account back together with this.
    pub fn absorb(&mut self, other: &mut Self) {
        if Arc::ptr_eq(&self.account, &other.account) {
            self.deliveries += std::mem::take(&mut other.deliveries);
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if self.deliveries > 0 {
            self.account.deliveries.release(self.deliveries);
            self.account.wake_if_eased(&self.account.deliveries);
        }
    }
}

/// A delivery of an account that is queued or being attempted. Until it is dropped it is counted, and its account is
/// charged for its bytes.
#[derive(Debug)]
pub struct OutstandingDelivery {
    account: Arc<AccountShares>,
    bytes: usize,
}

impl OutstandingDelivery {
    /// The shares of its account.
    pub fn shares(&self) -> &Arc<AccountShares> {
        &self.account
    }

    /// Charges this many more bytes: while a body is being sent it is also in its connection's buffer.
    pub fn add_over(&mut self, bytes: usize) {
        self.account.bytes.add(bytes);
        self.bytes += bytes;
    }
}

impl Deref for OutstandingDelivery {
    type Target = AccountShares;

    fn deref(&self) -> &AccountShares {
        &self.account
    }
}

impl Drop for OutstandingDelivery {
    fn drop(&mut self) {
        self.account.bytes.release(self.bytes);
        self.account.wake_if_eased(&self.account.bytes);
        self.account.work.end_delivery();
    }
}
