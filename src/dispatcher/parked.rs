//! Deliveries for which this node has no room at their destination are parked: they stay in their stream under the
//! destination's name, and any node with room for that destination fetches them. So a burst to a slow destination loses
//! nothing, all nodes share it, and no other delivery of its partition waits behind it. [`Parked`] decides when to
//! fetch; the queue acts.

use std::cell::{Cell, RefCell};

use crate::flow::in_flight::{InFlight, StreamClaims};
use crate::model::outcome::Dropped;
use crate::telemetry::metrics::Metrics;

/// The most deliveries per fetch: Redis runs nothing else meanwhile.
const FETCHED_MAX: usize = 256;

/// What one destination's queue knows of its parked deliveries.
#[derive(Debug, Default)]
pub(super) struct Parked {
    /// Where deliveries may be parked; `None` if none are known.
    claims: RefCell<Option<StreamClaims>>,
    fetching: Cell<bool>,
    /// Counts the reports of parked deliveries, so that the response to an earlier fetch can't overrule a later report.
    reports: Cell<u64>,
    /// A fetched delivery did not fit.
    too_large: Cell<bool>,
    /// Whether fetching has ended.
    ended: Cell<bool>,
}

/// A fetch for the queue to make.
pub(super) struct Fetch {
    pub(super) claims: StreamClaims,
    /// How many deliveries at most.
    pub(super) number: usize,
    /// How many bytes of bodies; the last delivery may exceed it.
    pub(super) bytes: usize,
    /// The number of reports at its start.
    reports: u64,
}

impl Parked {
    /// Whether any deliveries are known to be parked.
    pub(super) fn is_known(&self) -> bool {
        self.claims.borrow().is_some()
    }

    pub(super) fn is_being_fetched(&self) -> bool {
        self.fetching.get()
    }

    pub(super) fn is_too_large(&self) -> bool {
        self.too_large.get()
    }

    /// Deliveries were parked, by this node or another.
    pub(super) fn report(&self, claims: &StreamClaims) {
        self.reports.set(self.reports.get() + 1);
        self.claims.borrow_mut().get_or_insert_with(|| claims.clone());
    }

    /// Ends fetching: what still arrives is given back.
    pub(super) fn end(&self) {
        self.ended.set(true);
    }

    /// Whether a fetch may begin.
    pub(super) fn may_fetch(&self) -> bool {
        self.is_known() && !self.fetching.get() && !self.ended.get()
    }

    /// Begins a fetch for this room, in deliveries and bytes. `None` if no deliveries are known to be parked.
    pub(super) fn begin(&self, (number, bytes): (usize, usize)) -> Option<Fetch> {
        let claims = self.claims.borrow().clone().filter(|_| number > 0)?;
        self.fetching.set(true);
        Some(Fetch { claims, number: number.min(FETCHED_MAX), bytes, reports: self.reports.get() })
    }

    /// Ends a fetch. `more`: there may be more parked deliveries. Returns whether the fetched deliveries are to be
    /// queued; if not, they are given back.
    pub(super) fn finish(&self, fetch: &Fetch, more: bool) -> bool {
        self.fetching.set(false);
        if !more && self.reports.get() == fetch.reports {
            self.claims.take();
            self.too_large.set(false);
        }
        !self.ended.get()
    }

    /// A fetched delivery did not fit and is parked again. The end of an attempt starts the next fetch.
    pub(super) fn set_too_large(&self) {
        self.too_large.set(true);
    }
}

/// Parks a delivery for which there is no room, or drops it if it is in no stream. The end of a parked delivery is
/// reported later, by the node that fetches it.
pub(super) fn turn_away(metrics: &Metrics, reason: Dropped, queued: InFlight) {
    match queued.claim {
        Some(claim) => claim.park(&queued.delivery.target.destination, queued.permit),
        None => queued.drop_unsent(metrics, reason),
    }
}
