//! What is more than this node has room for at a destination is parked: it stays in its stream under the destination's
//! name, and any node with room for that destination fetches it. So a burst costs a slow destination nothing, all nodes
//! share it, and no other delivery of its partition waits behind it. [`Parked`] decides when to fetch; the queue acts.

use std::cell::{Cell, RefCell};

use crate::flow::in_flight::{InFlight, StreamClaims};
use crate::model::outcome::Dropped;
use crate::telemetry::metrics::Metrics;

/// The most deliveries fetched at a time: Redis does nothing else meanwhile.
const FETCHED_MAX: usize = 256;

/// What one destination's queue knows of its parked deliveries.
#[derive(Debug, Default)]
pub(super) struct Parked {
    /// Where there may be some; `None` where none are known.
    claims: RefCell<Option<StreamClaims>>,
    fetching: Cell<bool>,
    /// Counts the reports of parked deliveries, so that an older response does not say that there are none.
    reports: Cell<u64>,
    /// A fetched delivery did not fit.
    too_large: Cell<bool>,
    /// Nothing is fetched any more.
    ended: Cell<bool>,
}

/// A fetch that the queue is to make.
pub(super) struct Fetch {
    pub(super) claims: StreamClaims,
    /// How many deliveries at most.
    pub(super) number: usize,
    /// Their bytes; the last may exceed them.
    pub(super) bytes: usize,
    /// The reports when it began.
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

    /// Some are parked, by this node or another.
    pub(super) fn report(&self, claims: &StreamClaims) {
        self.reports.set(self.reports.get() + 1);
        self.claims.borrow_mut().get_or_insert_with(|| claims.clone());
    }

    /// What is fetched from now on is given back.
    pub(super) fn end(&self) {
        self.ended.set(true);
    }

    /// Whether a fetch may begin.
    pub(super) fn may_fetch(&self) -> bool {
        self.is_known() && !self.fetching.get() && !self.ended.get()
    }

    /// Begins a fetch for this room: deliveries and bytes. `None` where there is none.
    pub(super) fn begin(&self, (number, bytes): (usize, usize)) -> Option<Fetch> {
        let claims = self.claims.borrow().clone().filter(|_| number > 0)?;
        self.fetching.set(true);
        Some(Fetch { claims, number: number.min(FETCHED_MAX), bytes, reports: self.reports.get() })
    }

    /// A fetch has a response; `more` says whether there may be more. Whether what came is to be queued, and not given
    /// back.
    pub(super) fn finish(&self, fetch: &Fetch, more: bool) -> bool {
        self.fetching.set(false);
        if !more && self.reports.get() == fetch.reports {
            self.claims.take();
            self.too_large.set(false);
        }
        !self.ended.get()
    }

    /// A fetched delivery did not fit, and is parked again: the end of an attempt leads to the next fetch.
    pub(super) fn set_too_large(&self) {
        self.too_large.set(true);
    }
}

/// Parks a delivery that there is no room for, or drops it where it lies in no stream. A parked delivery's end is
/// reported from there.
pub(super) fn turn_away(metrics: &Metrics, reason: Dropped, queued: InFlight) {
    match queued.claim {
        Some(claim) => claim.park(&queued.delivery.target.destination, queued.permit),
        None => queued.drop_unsent(metrics, reason),
    }
}
