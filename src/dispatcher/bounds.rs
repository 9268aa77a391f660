//! Bounds of one destination.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::config::Dispatch;
use crate::flow::account::ACCOUNT_WEIGHT;

/// The most bytes of bodies that a stalled destination's queue keeps of deliveries that are also in a stream.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// The bounds of one destination.
#[derive(Debug, Clone, Copy)]
pub(super) struct DestinationBounds {
    pub(super) connections: usize,
    pub(super) waiting_max: usize,
    /// How many deliveries from streams are queued at most while the destination is stalled or has parked deliveries:
    /// enough to keep its connections busy while more are fetched.
    pub(super) kept_max: usize,
    /// The places of the queue then.
    pub(super) kept_places: usize,
    pub(super) waiting_bytes_max: usize,
    /// The bytes of those deliveries.
    pub(super) kept_bytes_max: usize,
    pub(super) stalled_after: Duration,
    pub(super) behind_after: Duration,
    /// How long a test waits for a connection: another attempt may occupy it for as long.
    pub(super) test_waits: Duration,
    /// How many attempts may begin per second.
    pub(super) rate_per_s: Option<NonZeroU32>,
}

impl DestinationBounds {
    /// From a node's settings. At most `takes_max` deliveries from streams are queued: no other node can send what this
    /// one holds.
    pub(super) fn new(config: &Dispatch, takes_max: Option<usize>) -> Self {
        let waiting_max = takes_max.map_or(usize::MAX, places_for).min(config.queue_per_destination);
        let kept_max = waiting_max.min(config.connections_per_destination);
        Self {
            connections: config.connections_per_destination,
            waiting_max,
            kept_max,
            kept_places: places_for(kept_max).min(waiting_max),
            waiting_bytes_max: config.queue_bytes_per_destination,
            kept_bytes_max: config.queue_bytes_per_destination.min(KEPT_BYTES_MAX),
            stalled_after: config.stalled_after,
            behind_after: config.behind_after,
            test_waits: config.attempt_timeout,
            rate_per_s: config.rate_per_destination_s,
        }
    }
}

/// The places that a queue needs so that a single account may use this many of them: it leaves a part for others.
/// Otherwise what a node takes for one account would be parked for want of a place, and read twice from then on.
fn places_for(one: usize) -> usize {
    one.saturating_add(one.div_ceil(ACCOUNT_WEIGHT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::fairness::within;

    #[test]
    fn a_single_account_may_use_all_that_a_node_takes_and_no_more_than_a_tenth_beyond() {
        let may_hold = |places: usize| (0..).take_while(|own| within(places, *own, *own, ACCOUNT_WEIGHT)).count();
        for one in 1..1_000 {
            let places = places_for(one);
            assert!(may_hold(places) >= one, "{one}");
            assert!(places <= one + one / 8 + 1, "{one}");
        }
    }
}
