//! What is more than this node holds for a destination: it is parked, which means that it stays in its stream
//! under the destination's name, and whichever node has room for that destination fetches it. So a burst
//! costs a slow destination nothing, is shared by all nodes, and no other of its partition waits behind
//! it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use super::queue::Queue;
use crate::flow::in_flight::InFlight;
use crate::flow::in_flight::StreamClaims;
use crate::model::outcome::Dropped;
use crate::telemetry::metrics::Metrics;

/// The most that is fetched at a time: Redis does nothing else meanwhile.
const FETCHED_MAX: usize = 256;

/// What one destination knows of what is parked for it.
#[derive(Debug, Default)]
pub(super) struct Parked {
    /// Where there may be some; `None` where nothing is known of any.
    claims: RefCell<Option<StreamClaims>>,
    fetching: Cell<bool>,
    /// Counts what was heard of, so that an older answer does not say that there is none.
    heard: Cell<u64>,
    /// Something that was fetched did not fit.
    too_large: Cell<bool>,
    /// Nothing is fetched any more.
    over: Cell<bool>,
}

impl Parked {
    /// Whether there is something as far as is known.
    pub(super) fn is_known(&self) -> bool {
        self.claims.borrow().is_some()
    }

    pub(super) fn is_being_fetched(&self) -> bool {
        self.fetching.get()
    }

    pub(super) fn is_too_large(&self) -> bool {
        self.too_large.get()
    }

    fn hear_of(&self, claims: &StreamClaims) {
        self.heard.set(self.heard.get() + 1);
        self.claims.borrow_mut().get_or_insert_with(|| claims.clone());
    }

    /// What comes from now on is given back.
    pub(super) fn end(&self) {
        self.over.set(true);
    }
}

/// Leaves a delivery that there is no room for in its stream until some node has room, or drops it where it lies
/// in none. Whoever wants to hear of the end of one that is parked hears of it from there.
pub(super) fn turn_away(metrics: &Metrics, reason: Dropped, queued: InFlight) {
    match queued.claim {
        Some(claim) => claim.park(&queued.delivery.target.destination, queued.permit),
        None => queued.drop_unsent(metrics, reason),
    }
}

impl Queue {
    /// Something is parked, here or by another node.
    pub(super) fn hear_of_parked(self: &Rc<Self>, claims: &StreamClaims) {
        self.parked.hear_of(claims);
        self.fetch_parked();
    }

    /// Turns a delivery away, and knows where it is if it is parked.
    pub(super) fn turn_away(&self, reason: Dropped, queued: InFlight) {
        match &queued.claim {
            Some(claim) => self.parked.hear_of(claim.claims()),
            None => self.tally.dropped(Instant::now(), reason),
        }
        turn_away(&self.metrics, reason, queued);
    }

    /// Has parked deliveries fetched, where there are some and half of what this node holds is free. Called
    /// whenever that may have become so.
    pub(super) fn fetch_parked(self: &Rc<Self>) {
        let parked = &self.parked;
        if parked.fetching.get() || parked.over.get() {
            return;
        }
        let Some(claims) = parked.claims.borrow().clone() else { return };
        let (number, bytes) = self.room();
        if number > 0 {
            parked.fetching.set(true);
            actix_rt::spawn(Rc::clone(self).fetch(claims, number.min(FETCHED_MAX), bytes));
        }
    }

    async fn fetch(self: Rc<Self>, claims: StreamClaims, number: usize, bytes: usize) {
        let heard = self.parked.heard.get();
        let fetched = claims.fetch(&self.destination, number, bytes).await;
        self.parked.fetching.set(false);
        if !fetched.more && self.parked.heard.get() == heard {
            self.parked.claims.take();
            self.parked.too_large.set(false);
        }
        // At a stop they are given back.
        if fetched.deliveries.is_empty() || self.parked.over.get() {
            return;
        }
        let mut all = true;
        for queued in fetched.deliveries {
            all &= self.take_one(Instant::now(), queued);
        }
        // Else they are parked again, and the end of an attempt leads to the next.
        self.parked.too_large.set(self.parked.too_large.get() || !all);
        if all {
            self.fetch_parked();
        }
    }
}
