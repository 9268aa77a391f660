//! Destinations that wait for a Dispatcher, because the node or their account has reached its limit. Accounts take
//! turns; the destinations of one account wait in the order of their arrival. Plain code: time is an argument.
//!
//! All of it is in ordered maps: a hash table that grows moves all that it has at once, and tens of thousands of
//! destinations would hold up the thread.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::flow::account::DELIVERY_BYTES;
use crate::flow::fairness::DeficitQueue;
use crate::flow::in_flight::{InFlight, ParkedLane, StreamClaims};
use crate::model::destination::Destination;
use crate::model::id::AccountId;
use crate::model::outcome::DropReason;

/// Destinations without a Dispatcher.
#[derive(Debug)]
pub(super) struct Overflow {
    /// A destination that several accounts use is listed once for each. It is skipped if it no longer waits.
    turns: DeficitQueue<AccountId, Destination>,
    /// The contents of `turns`.
    listed: BTreeSet<(Destination, AccountId)>,
    waiting: BTreeMap<Destination, WaitingDestination>,
    /// The destinations whose deliveries hold permits, by the time since when they wait.
    permits: BTreeSet<(Instant, Destination)>,
    destinations_max: usize,
    /// Deliveries of one destination.
    deliveries_max: usize,
}

/// What waits for one destination.
#[derive(Debug)]
pub(super) struct WaitingDestination {
    pub(super) deliveries: Vec<InFlight>,
    /// The accounts of which more are parked, and where.
    pub(super) parked: BTreeMap<Option<AccountId>, StreamClaims>,
    bytes: usize,
    since: Instant,
    has_permits: bool,
}

impl Overflow {
    pub(super) fn new(destinations_max: usize, deliveries_max: usize) -> Self {
        let (turns, listed, waiting) = (DeficitQueue::new(1), BTreeSet::new(), BTreeMap::new());
        Self { turns, listed, waiting, permits: BTreeSet::new(), destinations_max, deliveries_max }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether a destination of this account waits.
    pub(super) fn waits(&self, account: &AccountId) -> bool {
        self.turns.len_of(account) > 0
    }

    /// Adds a delivery after those of its destination, or returns it with the bound that it exceeds.
    pub(super) fn push(&mut self, now: Instant, mut queued: InFlight) -> Result<(), Box<(DropReason, InFlight)>> {
        let deliveries_max = self.deliveries_max;
        let target = std::sync::Arc::clone(&queued.delivery.target);
        let account = queued.account.id.clone();
        let Some(waiting) = self.entry(now, &target.destination, &account) else {
            return Err(Box::new((DropReason::DestinationsFull, queued)));
        };
        if waiting.deliveries.len() >= deliveries_max {
            return Err(Box::new((DropReason::QueueFull, queued)));
        }
        // As in a queue: what waits for an account's destinations has a part of its bytes, and each an equal part.
        let copy = queued.delivery.body.len();
        let left = queued.account.queued_bytes_left(copy);
        let fits = if waiting.bytes == 0 { left > 0 } else { waiting.bytes + DELIVERY_BYTES + 2 * copy <= left };
        if !fits {
            return Err(Box::new((DropReason::QueueBytesFull, queued)));
        }
        if !waiting.has_permits {
            queued.permit = None;
        }
        waiting.bytes += DELIVERY_BYTES + copy;
        waiting.deliveries.push(queued);
        Ok(())
    }

    /// Notes that deliveries are parked.
    pub(super) fn park(&mut self, now: Instant, lane: ParkedLane, claims: &StreamClaims) {
        let account = account_of(&lane);
        if let Some(waiting) = self.entry(now, &lane.destination, &account) {
            waiting.parked.entry(lane.account).or_insert_with(|| claims.clone());
        }
    }

    fn entry(
        &mut self,
        now: Instant,
        destination: &Destination,
        account: &AccountId,
    ) -> Option<&mut WaitingDestination> {
        let is_new = !self.waiting.contains_key(destination);
        if is_new && self.waiting.len() >= self.destinations_max {
            return None;
        }
        if self.listed.insert((destination.clone(), account.clone())) {
            self.turns.push(account, 1, destination.clone());
        }
        if is_new {
            self.permits.insert((now, destination.clone()));
            let (deliveries, parked) = (Vec::new(), BTreeMap::new());
            let new = WaitingDestination { deliveries, parked, bytes: 0, since: now, has_permits: true };
            self.waiting.insert(destination.clone(), new);
        }
        self.waiting.get_mut(destination)
    }

    /// Takes out the destination whose turn it is, of an account that may have one more, and that account.
    pub(super) fn pop(
        &mut self,
        may_have_more: impl Fn(&AccountId) -> bool,
    ) -> Option<(AccountId, Destination, WaitingDestination)> {
        loop {
            let mut turn = None;
            let destination = self.turns.pop_where(|account| {
                let may = may_have_more(account);
                turn = may.then(|| account.clone());
                may
            })?;
            let account = turn?;
            self.listed.remove(&(destination.clone(), account.clone()));
            if let Some(waiting) = self.waiting.remove(&destination) {
                self.permits.remove(&(waiting.since, destination.clone()));
                return Some((account, destination, waiting));
            }
        }
    }

    /// Deliveries that have waited this long release their permits, so that they don't delay their producer.
    pub(super) fn release_permits(&mut self, now: Instant, after: Duration) {
        let is_due = |since: &Instant| now.saturating_duration_since(*since) >= after;
        while self.permits.first().is_some_and(|(since, _)| is_due(since))
            && let Some((_, destination)) = self.permits.pop_first()
        {
            let Some(waiting) = self.waiting.get_mut(&destination) else { continue };
            waiting.has_permits = false;
            waiting.deliveries.iter_mut().for_each(|queued| queued.permit = None);
        }
    }
}

/// Whose turn it is with what is parked.
pub(super) fn account_of(lane: &ParkedLane) -> AccountId {
    lane.account.clone().unwrap_or_else(AccountId::default_account)
}
