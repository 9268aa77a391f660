//! Counts what is in flight on the node and decides whether events are admitted. Events are charged to their accounts
//! when they are admitted, deliveries and bytes when they are created; see [`super::account`]. Independent of the
//! content of events and deliveries.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use smallvec::SmallVec;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::account::{AccountShares, Accounts, EventsCharge, NodeBounds};
use super::fairness::TakenUnits;
use super::node_work::{CountedDelivery, NodeWork};
use super::refusal::{ReachedBound, Refusal};
use crate::model::id::AccountId;

/// How many events of a request each account has.
pub type EventsByAccount = SmallVec<[(Arc<AccountShares>, usize); 1]>;

/// Counts what is in flight on this node.
#[derive(Debug)]
pub struct Gate {
    work: Arc<NodeWork>,
    accounts: Accounts,
    /// Permits for deliveries that another node accepted and this one reads from the streams.
    stream_permits: Arc<Semaphore>,
    stream_permits_max: usize,
    /// Whether accepted work can't be kept at the moment.
    unavailable: AtomicBool,
    /// The node does not have the role `ingest`.
    not_ingest: AtomicBool,
    /// How many more deliveries may wait in the streams.
    room: AtomicUsize,
}

impl Gate {
    /// An open gate with these bounds, and with `stream_permits_max` permits for deliveries that are read from the
    /// streams and wait for their attempts.
    pub fn new(bounds: NodeBounds, stream_permits_max: usize) -> Arc<Self> {
        let work = Arc::<NodeWork>::default();
        Arc::new(Self {
            accounts: Accounts::new(bounds, Arc::clone(&work)),
            work,
            stream_permits: Arc::new(Semaphore::new(stream_permits_max)),
            stream_permits_max,
            unavailable: AtomicBool::new(false),
            not_ingest: AtomicBool::new(false),
            room: AtomicUsize::new(usize::MAX),
        })
    }

    /// The shares of an account.
    pub fn account(&self, id: &AccountId) -> Arc<AccountShares> {
        self.accounts.get(id)
    }

    /// Admits all of these events or none; `events` says how many each account has. The response is sent when
    /// the last piece of work of the request has been handed over; see [`AdmittedEvents`]. An account that holds nothing may
    /// exceed its bound: its events are in memory anyway, as part of the request's body, and are processed in turn.
    pub fn admit<A>(
        self: &Arc<Self>,
        events: EventsByAccount,
        response: A,
        reply: oneshot::Sender<A>,
    ) -> Result<AdmittedEvents<A>, (Refusal, oneshot::Sender<A>)> {
        let owed = self.accounts.rates.as_ref().map(|_| RateCharge::of(self, &events));
        self.admit_owing(events, owed, response, reply)
    }

    /// The same for events that were accepted before the last start: their account's rate was charged then.
    pub fn admit_again<A>(
        self: &Arc<Self>,
        events: EventsByAccount,
        response: A,
        reply: oneshot::Sender<A>,
    ) -> Result<AdmittedEvents<A>, (Refusal, oneshot::Sender<A>)> {
        self.admit_owing(events, None, response, reply)
    }

    fn admit_owing<A>(
        self: &Arc<Self>,
        events: EventsByAccount,
        owed: Option<RateCharge>,
        response: A,
        reply: oneshot::Sender<A>,
    ) -> Result<AdmittedEvents<A>, (Refusal, oneshot::Sender<A>)> {
        let number = events.iter().map(|(_, events)| events).sum();
        // Charges first and decides then: a stop that closes the gate and sees no events in flight can be sure that none
        // follows.
        let charges = charge(events);
        let charged = match (self.refusal(), charges) {
            (Some(refusal), _) => Err(refusal),
            // A request that has no room owes nothing.
            (None, None) => Err(Refusal::Full(ReachedBound::Events(number))),
            (None, Some(charges)) => {
                owed.map(|owed| self.charge_rates(owed, number)).transpose().map(|rate_charge| (charges, rate_charge))
            }
        };
        match charged {
            Ok((charges, rate_charge)) => Ok(AdmittedEvents {
                events: number,
                charges,
                rate_charge,
                body: None,
                response: Some((response, reply)),
                instead: OnceLock::new(),
            }),
            Err(refusal) => {
                self.work.ended();
                Err((refusal, reply))
            }
        }
    }

    /// Charges each account's rate, if there is one.
    fn charge_rates(&self, owed: RateCharge, events: usize) -> Result<RateCharge, Refusal> {
        let Some(rates) = &self.accounts.rates else { return Ok(owed) };
        rates.pass(owed.of_each(), owed.at).map_err(|wait| {
            let retry_after_s = wait.as_secs_f64().ceil() as u64;
            Refusal::RateLimited { events, retry_after_s }
        })?;
        Ok(owed)
    }

    /// Waits for this many permits. A number above the total waits for all of them.
    pub async fn take(&self, permits: usize) -> StreamPermit {
        let permits = u32::try_from(permits.min(self.stream_permits_max)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.stream_permits).acquire_many_owned(permits).await;
        StreamPermit(permit.expect("the semaphore is never closed"))
    }

    /// How many permits are free at the moment.
    pub fn free_permits(&self) -> usize {
        self.stream_permits.available_permits()
    }

    /// Sets whether accepted work can't be kept at the moment. While it can't, no event is admitted.
    pub fn set_unavailable(&self, unavailable: bool) {
        self.unavailable.store(unavailable, Ordering::Relaxed);
    }

    /// Sets that the node does not have the role `ingest`.
    pub fn set_not_ingest(&self) {
        self.not_ingest.store(true, Ordering::Relaxed);
    }

    /// Why no event at all would be admitted now, of whatever size. A hint, to refuse a request before its body is
    /// read.
    pub fn refusal(&self) -> Option<Refusal> {
        if !self.is_open() {
            Some(Refusal::Stopping)
        } else if self.not_ingest.load(Ordering::Relaxed) {
            Some(Refusal::NotIngest)
        } else if self.unavailable.load(Ordering::Relaxed) {
            Some(Refusal::Unavailable)
        } else if self.room.load(Ordering::Relaxed) == 0 {
            Some(Refusal::Full(ReachedBound::Backlog))
        } else {
            None
        }
    }

    /// Sets how many more deliveries may wait in the streams. Deliveries that are charged to accounts and not yet in a
    /// stream count against it. What waits for a share tries again: its account may have fewer there.
    pub fn set_room(&self, deliveries: usize) {
        self.room.store(deliveries, Ordering::Relaxed);
        self.accounts.deliveries.set_ceiling(deliveries);
        self.accounts.wake();
    }

    /// Calls `is_done` until it is true. Between the calls it waits for an account's share to become free.
    pub async fn freed(&self, is_done: impl FnMut() -> bool) {
        self.accounts.freed(is_done).await;
    }

    /// Counts one delivery until the returned value is dropped.
    pub fn count_delivery(&self) -> CountedDelivery {
        CountedDelivery::begin(&self.work)
    }

    /// Stops admitting events.
    pub fn close(&self) {
        self.work.close();
    }

    /// Whether events are accepted at all.
    pub fn is_open(&self) -> bool {
        self.work.is_open()
    }

    /// Whether no account could have another event admitted now. A hint, to refuse a request before its body is read.
    pub fn is_full(&self) -> bool {
        self.accounts.events.is_full()
    }

    /// Whether half of the permits are in use: time to release those that only pace a producer.
    pub fn is_half_full(&self) -> bool {
        let half = |pool: &super::fairness::Pool<AccountId>| pool.taken() >= pool.capacity().div_ceil(2);
        half(&self.accounts.events)
            || half(&self.accounts.deliveries)
            || self.stream_permits.available_permits() < self.stream_permits_max / 2
    }

    /// Bytes of deliveries, from rendering until the delivery ends.
    pub fn delivery_bytes(&self) -> usize {
        self.accounts.bytes()
    }

    /// Events in flight.
    pub fn events(&self) -> usize {
        self.accounts.events.taken() + self.work.over()
    }

    /// Deliveries that are queued or being attempted.
    pub fn deliveries(&self) -> usize {
        self.work.deliveries()
    }

    /// What would be lost if the node ended now: the deliveries or, if there are more, the events. An event that holds
    /// a permit either has deliveries that are counted or is not matched yet.
    pub fn unsent(&self) -> usize {
        self.events().max(self.deliveries())
    }

    /// Waits until nothing is in flight. Only useful once the gate is closed.
    pub async fn emptied(&self) {
        let holds_none = || self.accounts.events.taken() == 0 && self.accounts.bytes() == 0;
        self.work.emptied(|| holds_none() && self.work.others() == 0).await;
    }
}

/// What accounts' rates were charged for a request, and when. Only where there are rates.
#[derive(Debug)]
struct RateCharge {
    gate: Arc<Gate>,
    events: Vec<(AccountId, usize)>,
    at: Instant,
}

impl RateCharge {
    fn of(gate: &Arc<Gate>, events: &[(Arc<AccountShares>, usize)]) -> Self {
        let events = events.iter().map(|(account, events)| (account.id.clone(), *events)).collect();
        Self { gate: Arc::clone(gate), events, at: Instant::now() }
    }

    fn give_back(&self) {
        if let Some(rates) = &self.gate.accounts.rates {
            rates.give_back(self.of_each(), self.at, Instant::now());
        }
    }

    fn of_each(&self) -> impl Iterator<Item = (&AccountId, usize)> + Clone {
        self.events.iter().map(|(account, events)| (account, *events))
    }
}

/// Charges events to their accounts; `None` if one of the accounts may not hold its part.
fn charge(events: EventsByAccount) -> Option<SmallVec<[EventsCharge; 1]>> {
    events.into_iter().map(|(account, events)| account.charge_events(events)).collect()
}

/// The admitted events of a request. Every piece of work that they lead to shares it. When the last one drops it, their
/// permits are released and the response is sent. So a producer that waits for responses is paced by what the node can
/// send (see [`super::account::AccountShares::some_wait`]), and every loss of work, by a panic too, releases its permits.
#[derive(Debug)]
pub struct AdmittedEvents<A> {
    pub(crate) events: usize,
    charges: SmallVec<[EventsCharge; 1]>,
    rate_charge: Option<RateCharge>,
    body: Option<TakenUnits>,
    response: Option<(A, oneshot::Sender<A>)>,
    instead: OnceLock<A>,
}

impl<A> AdmittedEvents<A> {
    /// The account of the events, if all are of one.
    pub fn only_account(&self) -> Option<&Arc<AccountShares>> {
        if let [charge] = self.charges.as_slice() { Some(charge.account()) } else { None }
    }

    /// Keeps what the request's body is charged until the events end: they are parts of it.
    pub fn hold(&mut self, body: TakenUnits) {
        self.body = Some(body);
    }

    /// Replaces the response by a refusal, for work that could not be handed on. The first replacement counts. What the
    /// accounts' rates were charged is given back.
    pub fn replace_response(&self, other: A) {
        let _ = self.instead.set(other);
    }
}

impl<A> Drop for AdmittedEvents<A> {
    fn drop(&mut self) {
        self.charges.clear();
        self.body = None;
        if let (Some(charge), Some(_)) = (&self.rate_charge, self.instead.get()) {
            charge.give_back();
        }
        if let Some((response, reply)) = self.response.take() {
            // Fails if the client has closed its connection: no one waits for the response.
            let _ = reply.send(self.instead.take().unwrap_or(response));
        }
    }
}

/// Permits of deliveries that were read from the streams. Dropped when their attempts begin.
#[derive(Debug)]
pub struct StreamPermit(OwnedSemaphorePermit);

impl StreamPermit {
    /// Splits off this many permits; `None` if there are fewer.
    pub fn split(&mut self, permits: usize) -> Option<Self> {
        if self.0.num_permits() <= permits { None } else { self.0.split(permits).map(Self) }
    }
}

#[cfg(test)]
impl Gate {
    /// A gate for this many events, without any other bound.
    pub(crate) fn for_events(events: usize) -> Arc<Self> {
        Self::new(NodeBounds { events, deliveries: 1_000_000, bytes: 1 << 40, events_per_s: None }, 100)
    }

    /// The charge of one delivery of the account `default`.
    pub(crate) fn charge_default(&self) -> super::account::Charge {
        let mut measured = self.account(&AccountId::default_account()).measure();
        assert!(measured.add(1), "no room");
        measured.accept();
        measured.take_one().expect("it was reserved")
    }

    /// Admits events of the account `default`.
    pub(crate) fn admit_default<A>(
        self: &Arc<Self>,
        events: usize,
        response: A,
        reply: oneshot::Sender<A>,
    ) -> Result<AdmittedEvents<A>, (Refusal, oneshot::Sender<A>)> {
        self.admit(smallvec::smallvec![(self.account(&AccountId::default_account()), events)], response, reply)
    }
}

#[cfg(test)]
mod tests;
