//! Whether a thread that sends has had any time to spare: if it has not, what waits may wait for the thread and not for
//! its destination.

use std::time::{Duration, Instant};

/// Watches the thread that it was made on.
#[derive(Debug)]
pub(super) struct Saturation {
    since: Instant,
    /// How long the thread has worked since its start.
    busy: Duration,
}

impl Saturation {
    pub(super) fn of_this_thread() -> Self {
        // A runtime of one thread has one worker.
        let busy = tokio::runtime::Handle::current().metrics().worker_total_busy_duration(0);
        Self { since: Instant::now(), busy }
    }

    /// Whether the thread was busy for at least three quarters of the time since the last call. It is also busy while
    /// other programs have its processor.
    pub(super) fn is_reached(&mut self) -> bool {
        let before = std::mem::replace(self, Self::of_this_thread());
        (self.busy.saturating_sub(before.busy)) * 4 >= self.since.saturating_duration_since(before.since) * 3
    }
}
