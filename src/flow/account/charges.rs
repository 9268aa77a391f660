//! What an account is charged for, and until when.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{AccountShares, DELIVERY_BYTES};

/// The most deliveries that a request is charged ahead while it is measured: they take something from others meanwhile.
const AHEAD_MAX: usize = 32;
/// The most bytes that it is charged ahead while it is rendered.
const BYTES_AHEAD_MAX: usize = 16 << 10;

impl AccountShares {
    /// Charges events that are admitted. An account that holds none may exceed its bound: it is charged what it may hold.
    /// `None`: it may not hold them.
    pub(in crate::flow) fn charge_events(self: Arc<Self>, events: usize) -> Option<EventsCharge> {
        if self.events.reserve(events) {
            return Some(EventsCharge { account: self, units: events, over: 0 });
        }
        let units = if self.events.taken() == 0 { self.events.reserve_some(events) } else { 0 };
        if units == 0 {
            return None;
        }
        let over = events - units;
        self.work.begin_over(over);
        Some(EventsCharge { account: self, units, over })
    }

    /// Counts a delivery whose body is in memory, and charges the account for it, whatever it holds.
    pub fn deliver(self: &Arc<Self>, body_bytes: usize) -> OutstandingDelivery {
        let bytes = charged_for(body_bytes);
        self.bytes.add(bytes);
        self.begin_charged(bytes)
    }

    fn begin_charged(self: &Arc<Self>, bytes: usize) -> OutstandingDelivery {
        self.work.begin_charged();
        OutstandingDelivery { account: Arc::clone(self), bytes }
    }
}

/// The deliveries of a request that are charged to one account: first measured, when no event of the request is accepted
/// yet, then taken one by one to be rendered. Dropping it gives back those that were not taken.
///
/// Of the requests that exceed their account's bound at the same time, at least one may be made, if the account has no
/// other work: each counts what it has charged as tentative before it looks for other work, and until it has given it back.
/// Those that are still measured count as other work; they have not failed.
#[derive(Debug)]
pub struct RequestDeliveries {
    account: Arc<AccountShares>,
    /// Charged and not taken.
    units: usize,
    /// Those of them that are charged ahead, while it is measured.
    ahead: usize,
    state: RequestState,
}

#[derive(Debug, PartialEq, Eq)]
enum RequestState {
    /// Being measured.
    Measured,
    /// It exceeded the account's bound, which has other work: the units count as tentative.
    Refused,
    /// All that were measured may be made.
    Accepted,
    /// The only request of its account that may exceed the account's bound: further deliveries are charged one by one, as
    /// the account has room.
    Paced,
}

impl RequestDeliveries {
    pub(super) fn measure(account: Arc<AccountShares>) -> Self {
        Self { account, units: 0, ahead: 0, state: RequestState::Measured }
    }

    /// The account that is charged.
    pub fn account(&self) -> &Arc<AccountShares> {
        &self.account
    }

    /// Charges this many more deliveries. False: the account may not hold them.
    pub fn add(&mut self, deliveries: usize) -> bool {
        if let Some(ahead) = self.ahead.checked_sub(deliveries) {
            self.ahead = ahead;
            return true;
        }
        let needed = deliveries - self.ahead;
        // As many ahead as there are already: the next events of the request mostly fire as many as the ones before.
        for ahead in [self.units.min(AHEAD_MAX), 0] {
            if self.account.deliveries.reserve(needed + ahead) {
                self.units += needed + ahead;
                self.ahead = ahead;
                return true;
            }
        }
        false
    }

    /// The account may hold all measured deliveries.
    pub fn accept(&mut self) {
        self.give_back_ahead();
        self.state = RequestState::Accepted;
    }

    fn give_back_ahead(&mut self) {
        let ahead = std::mem::take(&mut self.ahead);
        if ahead > 0 {
            self.units -= ahead;
            self.account.deliveries.release(ahead);
        }
    }

    /// The account may not hold all measured deliveries. If it has no other work, they are processed one after the
    /// other, so that a request of any size succeeds when it is sent again. False: it has.
    pub fn pace(&mut self) -> bool {
        self.give_back_ahead();
        self.account.tentative.fetch_add(self.units, Ordering::SeqCst);
        if !self.account.is_idle() || self.account.paced.swap(true, Ordering::SeqCst) {
            self.state = RequestState::Refused;
            return false;
        }
        self.account.tentative.fetch_sub(self.units, Ordering::SeqCst);
        self.state = RequestState::Paced;
        true
    }

    /// Takes one accepted delivery. `None`: the account has to wait until others of its deliveries have begun.
    pub fn take_one(&mut self) -> Option<Charge> {
        match self.state {
            RequestState::Measured | RequestState::Refused => return None,
            _ if self.units > 0 => self.units -= 1,
            RequestState::Paced if self.account.deliveries.reserve(1) => {}
            _ => return None,
        }
        Some(Charge { account: Arc::clone(&self.account), deliveries: 1 })
    }
}

impl Drop for RequestDeliveries {
    fn drop(&mut self) {
        if self.state == RequestState::Paced {
            self.account.paced.store(false, Ordering::SeqCst);
        }
        if self.units > 0 {
            self.account.deliveries.release(self.units);
        }
        if self.state == RequestState::Refused {
            self.account.tentative.fetch_sub(self.units, Ordering::SeqCst);
        }
        self.account.freed.wake();
    }
}

/// The events of one account in a request, which it is charged for until this is dropped.
#[derive(Debug)]
pub(in crate::flow) struct EventsCharge {
    account: Arc<AccountShares>,
    units: usize,
    /// Events beyond these.
    over: usize,
}

impl EventsCharge {
    pub(in crate::flow) fn account(&self) -> &Arc<AccountShares> {
        &self.account
    }
}

impl Drop for EventsCharge {
    fn drop(&mut self) {
        self.account.events.release(self.units);
        if self.over > 0 {
            self.account.work.end_over(self.over);
        }
        self.account.work.ended();
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
            self.account.give_back(&self.account.deliveries, self.deliveries);
        }
    }
}

/// Bytes that an account is charged ahead for the deliveries of a request, as far as it has room: as many as they were
/// charged so far. So the account's number changes a few times for a large request, and once for a delivery that is alone.
#[derive(Debug, Default)]
pub struct BytesAhead {
    charged: usize,
    /// Charged and not used.
    ahead: Option<(Arc<AccountShares>, usize)>,
}

impl BytesAhead {
    /// As [`AccountShares::deliver`], for the next delivery of the request's account.
    pub fn deliver(&mut self, account: &Arc<AccountShares>, body_bytes: usize) -> OutstandingDelivery {
        let bytes = charged_for(body_bytes);
        if let Some((_, left)) = &mut self.ahead
            && *left >= bytes
        {
            *left -= bytes;
            return account.begin_charged(bytes);
        }
        let more = self.charged.min(BYTES_AHEAD_MAX);
        self.charged += bytes + more;
        if more == 0 || !account.bytes.reserve(bytes + more) {
            return account.deliver(body_bytes);
        }
        self.ahead.get_or_insert_with(|| (Arc::clone(account), 0)).1 += more;
        account.begin_charged(bytes)
    }

    /// Gives back what was not used.
    pub fn give_back(&mut self) {
        if let Some((account, left)) = self.ahead.take() {
            account.give_back(&account.bytes, left);
            account.work.ended();
        }
    }
}

impl Drop for BytesAhead {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// What a delivery with a body of this many bytes is charged when it is rendered.
fn charged_for(body_bytes: usize) -> usize {
    DELIVERY_BYTES + if is_small(body_bytes) { 2 * body_bytes } else { body_bytes }
}

/// Whether a body is charged twice from the beginning, in place of once until its attempt begins: a second charge costs
/// more than such bodies are worth.
fn is_small(body_bytes: usize) -> bool {
    body_bytes <= DELIVERY_BYTES
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

    /// Its attempt begins: while a body of this many bytes is being sent, it is also in its connection's buffer. A small one
    /// was charged for that when it was rendered.
    pub fn copied(&mut self, body_bytes: usize) {
        if !is_small(body_bytes) {
            self.account.bytes.add(body_bytes);
            self.bytes += body_bytes;
        }
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
        self.account.give_back(&self.account.bytes, self.bytes);
        self.account.work.end_charged();
    }
}
