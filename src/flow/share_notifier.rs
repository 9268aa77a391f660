//! Tells waiting tasks that an account's share has become free.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// A waiting account tries again after this time, so that it gets several units at once.
const TRIED_EVERY: Duration = Duration::from_millis(1);

/// Wakes the tasks that wait for a share to become free.
#[derive(Debug, Default)]
pub(super) struct ShareNotifier {
    waiting: AtomicUsize,
    notify: Notify,
}

impl ShareNotifier {
    /// Wakes all waiting tasks.
    pub(super) fn wake(&self) {
        if self.is_awaited() {
            self.notify.notify_waiters();
        }
    }

    /// Whether a task waits.
    pub(super) fn is_awaited(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    /// Calls `is_done` until it is true. Between the calls it waits for a share to become free.
    pub(super) async fn until(&self, mut is_done: impl FnMut() -> bool) {
        let _waiting = WaitingTask::new(self);
        loop {
            let freed = self.notify.notified();
            tokio::pin!(freed);
            // Registered before the call, so that no release in between is missed.
            freed.as_mut().enable();
            if is_done() {
                return;
            }
            freed.await;
            // Shares become free one by one. The waiting task continues with all that became free in this time.
            tokio::time::sleep(TRIED_EVERY).await;
        }
    }
}

/// Counts a waiting task.
struct WaitingTask<'a>(&'a ShareNotifier);

impl<'a> WaitingTask<'a> {
    fn new(freed: &'a ShareNotifier) -> Self {
        freed.waiting.fetch_add(1, Ordering::SeqCst);
        Self(freed)
    }
}

impl Drop for WaitingTask<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}
