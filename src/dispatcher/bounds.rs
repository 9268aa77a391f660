//! Bounds of one destination.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::config::Dispatch;

/// The most bytes of bodies that wait before a destination that is behind and lie in a stream as well.
const KEPT_BYTES_MAX: usize = 4 << 20;

/// Bounds of one destination.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) connections: usize,
    pub(super) waiting_max: usize,
    /// How many wait, of those that lie in a stream, before a destination that is behind or has some parked:
    /// enough to keep its connections busy while more are fetched.
    pub(super) kept_max: usize,
    pub(super) waiting_bytes_max: usize,
    /// How many bytes of such.
    pub(super) kept_bytes_max: usize,
    pub(super) stalled_after: Duration,
    pub(super) behind_after: Duration,
    /// Attempts that begin in a second.
    pub(super) rate_per_s: Option<NonZeroU32>,
}

impl Bounds {
    /// Those of a node's settings. Of what lies in streams no more waits than the node takes: what it holds,
    /// no other can send.
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
