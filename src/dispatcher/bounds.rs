//! Bounds of one destination.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::config::Dispatch;

/// The most bytes of bodies that a stalled destination's queue keeps of deliveries that are also in a stream.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// The bounds of one destination.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) connections: usize,
    pub(super) waiting_max: usize,
    /// How many deliveries from streams are queued at most while the destination is stalled or has parked deliveries:
    /// enough to keep its connections busy while more are fetched.
    pub(super) kept_max: usize,
    pub(super) waiting_bytes_max: usize,
    /// The bytes of those deliveries.
    pub(super) kept_bytes_max: usize,
    pub(super) stalled_after: Duration,
    pub(super) behind_after: Duration,
    /// How many attempts may begin per second.
    pub(super) rate_per_s: Option<NonZeroU32>,
}

impl Bounds {
    /// From a node's settings. At most `takes_max` deliveries from streams are queued: no other node can send what this
    /// one holds.
    pub(super) fn new(config: &Dispatch, takes_max: Option<usize>) -> Self {
        let waiting_max = takes_max.unwrap_or(usize::MAX).min(config.queue_per_destination);
        Self {
            connections: config.connections_per_destination,
            waiting_max,
            kept_max: waiting_max.min(config.connections_per_destination),
            waiting_bytes_max: config.queue_bytes_per_destination,
            kept_bytes_max: config.queue_bytes_per_destination.min(KEPT_BYTES_MAX),
            stalled_after: config.stalled_after,
            behind_after: config.behind_after,
            rate_per_s: config.rate_per_destination_s,
        }
    }
}
