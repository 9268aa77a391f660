//! What is in flight on the node, and whether it lets more in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts what is in flight on the node.
#[derive(Debug, Default)]
pub(super) struct NodeWork {
    events: AtomicUsize,
    deliveries: AtomicUsize,
    closed: AtomicBool,
    emptied: Notify,
}

impl NodeWork {
    pub(super) fn events(&self) -> usize {
        self.events.load(Ordering::SeqCst)
    }

    pub(super) fn deliveries(&self) -> usize {
        self.deliveries.load(Ordering::SeqCst)
    }

    pub(super) fn begin_events(&self, events: usize) {
        self.events.fetch_add(events, Ordering::SeqCst);
    }

    pub(super) fn end_events(&self, events: usize) {
        self.end(&self.events, events);
    }

    pub(super) fn begin_delivery(&self) {
        self.deliveries.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn end_delivery(&self) {
        self.end(&self.deliveries, 1);
    }

    fn end(&self, count: &AtomicUsize, number: usize) {
        if count.fetch_sub(number, Ordering::SeqCst) == number && !self.is_open() {
            self.emptied.notify_waiters();
        }
    }

    /// Lets no more events in.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_open(&self) -> bool {
        !self.closed.load(Ordering::SeqCst)
    }

    /// Waits until nothing is in flight. Only useful once it is closed.
    pub(super) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            tokio::pin!(emptied);
            // Registered before the counts are read, so that no release in between is missed.
            emptied.as_mut().enable();
            if self.events() == 0 && self.deliveries() == 0 {
                return;
            }
            emptied.await;
        }
    }
}

/// One delivery that is counted until this is dropped.
#[derive(Debug)]
pub struct CountedDelivery(Arc<NodeWork>);

impl CountedDelivery {
    pub(super) fn begin(work: &Arc<NodeWork>) -> Self {
        work.begin_delivery();
        Self(Arc::clone(work))
    }
}

impl Drop for CountedDelivery {
    fn drop(&mut self) {
        self.0.end_delivery();
    }
}
