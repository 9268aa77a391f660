//! What is in flight on the node beside what its accounts are charged for, and whether it lets more in.
//!
//! Each event and delivery is in flight as long as an account is charged for it, so the pools of the charges say whether
//! there are any. Here is counted what they do not say.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::thread_count::ThreadCount;

/// Counts what is in flight on the node.
#[derive(Debug, Default)]
pub(super) struct NodeWork {
    /// Admitted events that no account is charged for, since they exceed its bound. One of their request is charged.
    over: AtomicUsize,
    /// Deliveries that accounts are charged for. Many threads begin and end them; few look at the number.
    charged: ThreadCount,
    /// The others.
    others: AtomicUsize,
    closed: AtomicBool,
    emptied: Notify,
}

impl NodeWork {
    /// Events that no account is charged for.
    pub(super) fn over(&self) -> usize {
        self.over.load(Ordering::SeqCst)
    }

    /// Deliveries.
    pub(super) fn deliveries(&self) -> usize {
        self.charged.get() + self.others()
    }

    /// Deliveries that no account is charged for.
    pub(super) fn others(&self) -> usize {
        self.others.load(Ordering::SeqCst)
    }

    pub(super) fn begin_over(&self, events: usize) {
        self.over.fetch_add(events, Ordering::SeqCst);
    }

    pub(super) fn end_over(&self, events: usize) {
        self.over.fetch_sub(events, Ordering::SeqCst);
    }

    /// An account was charged for a delivery.
    pub(super) fn begin_charged(&self) {
        self.charged.add(1);
    }

    /// The charge for a delivery was given back.
    pub(super) fn end_charged(&self) {
        self.charged.sub(1);
        self.ended();
    }

    fn begin_other(&self) {
        self.others.fetch_add(1, Ordering::SeqCst);
    }

    fn end_other(&self) {
        self.others.fetch_sub(1, Ordering::SeqCst);
        self.ended();
    }

    /// Something is not in flight any more, and no account is charged for it: it may have been the last.
    pub(super) fn ended(&self) {
        if !self.is_open() {
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

    /// Waits until nothing is in flight, as `is_empty` says. Only useful once it is closed.
    pub(super) async fn emptied(&self, is_empty: impl Fn() -> bool) {
        loop {
            let emptied = self.emptied.notified();
            tokio::pin!(emptied);
            // Registered before the counts are read, so that no release in between is missed.
            emptied.as_mut().enable();
            if is_empty() {
                return;
            }
            emptied.await;
        }
    }
}

/// One delivery that no account is charged for. It is counted until this is dropped.
#[derive(Debug)]
pub struct CountedDelivery(Arc<NodeWork>);

impl CountedDelivery {
    pub(super) fn begin(work: &Arc<NodeWork>) -> Self {
        work.begin_other();
        Self(Arc::clone(work))
    }
}

impl Drop for CountedDelivery {
    fn drop(&mut self) {
        self.0.end_other();
    }
}
