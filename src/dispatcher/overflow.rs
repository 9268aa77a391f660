//! Destinations that wait for a Dispatcher, as there are as many as the node may have. They wait in the order in which
//! they came. Plain code: time is an argument.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::flow::account::DELIVERY_BYTES;
use crate::flow::in_flight::{InFlight, StreamClaims};
use crate::model::destination::Destination;
use crate::model::outcome::Dropped;

/// Destinations without a Dispatcher.
#[derive(Debug)]
pub(super) struct Overflow {
    order: VecDeque<Destination>,
    waiting: HashMap<Destination, Unserved>,
    /// Those whose deliveries hold permits, the one that has waited longest first.
    permits: VecDeque<(Instant, Destination)>,
    destinations_max: usize,
    /// Deliveries of one destination.
    deliveries_max: usize,
}

/// What waits for one destination.
#[derive(Debug)]
pub(super) struct Unserved {
    pub(super) deliveries: Vec<InFlight>,
    /// Where more are parked.
    pub(super) parked: Option<StreamClaims>,
    bytes: usize,
    since: Instant,
    has_permits: bool,
}

impl Overflow {
    pub(super) fn new(destinations_max: usize, deliveries_max: usize) -> Self {
        let (order, waiting, permits) = (VecDeque::new(), HashMap::new(), VecDeque::new());
        Self { order, waiting, permits, destinations_max, deliveries_max }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Adds a delivery behind those of its destination; or gives it back with the bound that it is past.
    pub(super) fn push(&mut self, now: Instant, mut queued: InFlight) -> Result<(), Box<(Dropped, InFlight)>> {
        let deliveries_max = self.deliveries_max;
        let target = std::sync::Arc::clone(&queued.delivery.target);
        let Some(waiting) = self.entry(now, &target.destination) else {
            return Err(Box::new((Dropped::DestinationsFull, queued)));
        };
        if waiting.deliveries.len() >= deliveries_max {
            return Err(Box::new((Dropped::QueueFull, queued)));
        }
        // As in a queue: what waits for an account's destinations has a part of its bytes, and each an equal part.
        let copy = queued.delivery.body.len();
        let left = queued.account.queued_bytes_left(copy);
        let fits = if waiting.bytes == 0 { left > 0 } else { waiting.bytes + DELIVERY_BYTES + 2 * copy <= left };
        if !fits && !queued.is_test {
            return Err(Box::new((Dropped::QueueBytesFull, queued)));
        }
        if !waiting.has_permits {
            queued.permit = None;
        }
        waiting.bytes += DELIVERY_BYTES + copy;
        waiting.deliveries.push(queued);
        Ok(())
    }

    /// Notes that deliveries are parked for a destination.
    pub(super) fn park(&mut self, now: Instant, destination: &Destination, claims: &StreamClaims) {
        if let Some(waiting) = self.entry(now, destination) {
            waiting.parked.get_or_insert_with(|| claims.clone());
        }
    }

    fn entry(&mut self, now: Instant, destination: &Destination) -> Option<&mut Unserved> {
        if !self.waiting.contains_key(destination) {
            if self.waiting.len() >= self.destinations_max {
                return None;
            }
            self.order.push_back(destination.clone());
            self.permits.push_back((now, destination.clone()));
            let new = Unserved { deliveries: Vec::new(), parked: None, bytes: 0, since: now, has_permits: true };
            self.waiting.insert(destination.clone(), new);
        }
        self.waiting.get_mut(destination)
    }

    /// Takes out the destination whose turn it is.
    pub(super) fn pop(&mut self) -> Option<(Destination, Unserved)> {
        let destination = self.order.pop_front()?;
        let waiting = self.waiting.remove(&destination)?;
        Some((destination, waiting))
    }

    /// What has waited for so long holds no permits any more: it would hold up its producer.
    pub(super) fn release_permits(&mut self, now: Instant, after: Duration) {
        while let Some((since, _)) = self.permits.front()
            && now.saturating_duration_since(*since) >= after
            && let Some((since, destination)) = self.permits.pop_front()
        {
            // It may have had its turn and wait again.
            if let Some(waiting) = self.waiting.get_mut(&destination).filter(|waiting| waiting.since == since) {
                waiting.has_permits = false;
                waiting.deliveries.iter_mut().for_each(|queued| queued.permit = None);
            }
        }
    }
}
